import { spawn } from 'node:child_process';
import { mkdir, open, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import type { GuardStatus } from '../../src/model/guard.ts';
import type { Log } from '../binaries/missing.ts';
import { LabError } from './errors.ts';
import type { PostgresInstance } from './postgres.ts';
import { removeSharedMemory } from './postgres-process.ts';
import { killAll, scanProcesses } from './processes.ts';
import { serverUser } from './user.ts';
import { until } from './wait.ts';

/** A guard of the lab, with a dead-man of its own beside it; both are told by the folder they work in. */
export interface GuardNode {
  readonly kind: 'guard';
  readonly postgres: PostgresInstance;
  readonly dir: string;
  readonly deadManDir: string;
  readonly host: string;
  readonly port: number;
  /** Its configuration file. */
  readonly config: string;
  /** Opens its API. */
  readonly token: string;
  readonly deadMan: boolean;
  /** A module that guard and dead-man load first: how a lab puts a sabotage into them; null = none. */
  readonly preload: string | null;
}

/** What its configuration says that isn't the same in every lab. */
export interface GuardInput {
  readonly group: string;
  readonly component: string;
  readonly region: string;
  readonly role: 'primary' | 'standby';
  readonly store: string;
  readonly peers: Readonly<
    Record<string, { readonly url: string; readonly tokenFile: string; readonly postgres: string }>
  >;
  readonly tokenFile: string;
  readonly replicatorFile: string;
  readonly lease: object;
}

const BIN = fileURLToPath(new URL('../../bin/failoverd.mjs', import.meta.url));
const START_TIMEOUT_MS = 60_000;
const KILL_TIMEOUT_MS = 10_000;

export const describeGuard = (
  postgres: PostgresInstance,
  { port, token, deadMan, preload }: Pick<GuardNode, 'port' | 'token' | 'deadMan' | 'preload'>,
): GuardNode => ({
  kind: 'guard',
  postgres,
  dir: path.join(postgres.dir, 'guard'),
  deadManDir: path.join(postgres.dir, 'deadman'),
  host: postgres.host,
  port,
  config: path.join(postgres.dir, 'guard', 'guard.yaml'),
  token,
  deadMan,
  preload,
});

export const foldersOfGuard = ({ postgres, dir, deadManDir }: GuardNode): string[] => [
  postgres.dataDir,
  dir,
  deadManDir,
];

export async function writeGuardConfig(node: GuardNode, input: GuardInput): Promise<void> {
  const file = (name: string): string => `\${file:${name}}`;
  const { postgres } = node;
  for (const dir of [node.dir, node.deadManDir]) await mkdir(dir, { recursive: true, mode: 0o711 });
  const config = {
    version: 1,
    group: input.group,
    component: input.component,
    region: input.region,
    role: input.role,
    listen: `${node.host}:${node.port}`,
    token: file(input.tokenFile),
    stateDir: 'state',
    logLevel: 'debug',
    store: { url: input.store },
    peers: Object.fromEntries(
      Object.entries(input.peers).map(([region, { url, tokenFile, postgres: address }]) => [
        region,
        { url, token: file(tokenFile), postgres: address },
      ]),
    ),
    postgres: {
      driver: 'pg_ctl',
      binDir: path.dirname(postgres.install.tools.postgres),
      dataDir: postgres.dataDir,
      port: postgres.port,
      listenAddresses: postgres.host,
      socketDir: postgres.socketDir,
      hba: path.join(postgres.dataDir, 'pg_hba.conf'),
      ...(serverUser() === undefined ? {} : { osUser: 'nobody' }),
    },
    replication: { user: 'replicator', password: file(input.replicatorFile), tls: 'disable' },
    deadMan: node.deadMan ? { driver: 'process', startedBy: 'service' } : { driver: 'none' },
    lease: input.lease,
  };
  await writeFile(node.config, stringify(config), { mode: 0o600 });
}

const guardProgram = ({ config, preload }: GuardNode): string[] => [
  process.execPath,
  ...(preload === null ? [] : ['--import', preload]),
  BIN,
  'guard',
  config,
];

/** The dead-man first, as a unit of its own would be. Returns once the guard answers, whatever its PostgreSQL does. */
export async function startGuard(
  node: GuardNode,
  { giveUp = () => undefined }: { readonly log: Log; readonly giveUp?: () => string | undefined },
): Promise<void> {
  if (node.deadMan && (await scanProcesses([node.deadManDir])).pids.length === 0)
    await launch(node.deadManDir, [...guardProgram(node), '--dead-man'], 'deadman.log');
  if ((await scanProcesses([node.dir])).pids.length > 0) return;
  const ended = await launch(node.dir, guardProgram(node), 'guard.log');
  await until(
    {
      what: `the guard on ${node.host}:${node.port}`,
      timeoutMs: START_TIMEOUT_MS,
      code: 'start-timeout',
      giveUp: () => ended() ?? giveUp(),
    },
    async () => ((await guardStatus(node)) === undefined ? undefined : true),
  );
}

async function launch(
  dir: string,
  [file = '', ...args]: readonly string[],
  logName: string,
): Promise<() => string | undefined> {
  const log = await open(path.join(dir, logName), 'a');
  const child = spawn(file, args, {
    cwd: dir,
    env: { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '/' },
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
  });
  await log.close();
  child.unref();
  // Without a listener a failed spawn would end the hypervisor; whoever waits for it reports it.
  child.once('error', () => undefined);
  return () =>
    child.pid === undefined || child.exitCode !== null ? `${args[1]} ended; see ${logName} in ${dir}` : undefined;
}

/** Undefined while it can't be had: who asks asks again. */
export async function guardStatus({ host, port, token }: GuardNode): Promise<GuardStatus | undefined> {
  try {
    const answer = await fetch(`http://${host}:${port}/status`, {
      headers: { accept: 'application/json', authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(2_000),
    });
    if (!answer.ok) return undefined;
    return (await answer.json()) as GuardStatus;
  } catch {
    return undefined;
  }
}

export async function untilGuard(
  node: GuardNode,
  what: string,
  timeoutMs: number,
  is: (status: GuardStatus) => boolean,
): Promise<void> {
  await until(
    { what: `the guard of ${path.basename(node.postgres.dir)}: ${what}`, timeoutMs, code: 'start-timeout' },
    async () => {
      const status = await guardStatus(node);
      return status !== undefined && is(status) ? true : undefined;
    },
  );
}

/** An order of the controller or a person; what the guard answered. */
export async function orderGuard(
  { host, port, token }: GuardNode,
  order: object,
): Promise<{ taken: boolean; message: string }> {
  const answer = await fetch(`http://${host}:${port}/v1/orders`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(order),
    signal: AbortSignal.timeout(5_000),
  });
  const body = (await answer.json()) as { taken?: boolean; message?: string; detail?: string };
  if (!answer.ok) throw new LabError('command-failed', `order: ${answer.status} ${JSON.stringify(body)}`);
  return { taken: body.taken === true, message: body.message ?? '' };
}

/** Which processes of one side: its guard, its dead-man, its PostgreSQL with every backend. */
export async function processesOf(
  node: GuardNode,
  which: 'guard' | 'dead-man' | 'postgres',
): Promise<readonly number[]> {
  const folder = { guard: node.dir, 'dead-man': node.deadManDir, postgres: node.postgres.dataDir }[which];
  return (await scanProcesses([folder])).pids;
}

export async function clearGuard(node: GuardNode): Promise<void> {
  await killAll(foldersOfGuard(node), KILL_TIMEOUT_MS);
  await removeSharedMemory(node.postgres);
}
