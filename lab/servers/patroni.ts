import { appendFile, mkdir, open, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import pg from 'pg';
import { stringify } from 'yaml';
import type { Log } from '../binaries/missing.ts';
import { type PatroniInstall, patroniEnv } from '../binaries/patroni.ts';
import { mustRun, tail } from './command.ts';
import { LabError } from './errors.ts';
import { type EtcdNode, killEtcd, ownFolder, putKey, readKey, startEtcd } from './etcd.ts';
import { forgetPatroni } from './patroni-files.ts';
import { query, removeSharedMemory, startPostgres, stopPostgres } from './postgres-process.ts';
import { DATABASE, type LabPasswords, type PostgresInstance } from './postgres-settings.ts';
import { killAll, scanProcesses, signalAll } from './processes.ts';
import { spawnAway } from './spawn-away.ts';
import { serverUser } from './user.ts';
import { until } from './wait.ts';

const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 30_000;
const KILL_TIMEOUT_MS = 10_000;

/** The shortest that Patroni's documentation allows, in seconds: a lab waits for no more than it must. */
const PACE = { ttl: 20, loop_wait: 1, retry_timeout: 3 } as const;

/** One Patroni with the PostgreSQL it owns. Plain data: it goes into the hypervisor's configuration as it is. */
export interface PatroniNode {
  readonly install: PatroniInstall;
  readonly scope: string;
  readonly name: string;
  readonly postgres: PostgresInstance;
  /** Its process works here, and is recognised by that. */
  readonly dir: string;
  readonly etcd: EtcdNode;
  readonly rest: { readonly host: string; readonly port: number; readonly username: string; readonly password: string };
}

/** What a standby cluster streams from. */
export interface Upstream {
  readonly host: string;
  readonly port: number;
}

/** The folders in which a region's manager, its etcd and its PostgreSQL work. */
export const foldersOfNode = ({ postgres, dir, etcd }: PatroniNode): string[] => [postgres.dataDir, dir, etcd.dir];

const configKey = (scope: string): string => `/service/${scope}/config`;

/**
 * Patroni takes over a PostgreSQL that is there: with nothing of it in etcd, what the cluster is to be stands there
 * before the first member starts. `standbyOf`: a standby cluster; without it one that elects its own primary.
 */
export async function writeClusterConfig(
  etcd: EtcdNode,
  scope: string,
  standbyOf: Upstream | undefined,
  more: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  const config = {
    ...PACE,
    postgresql: { use_pg_rewind: true, use_slots: false, parameters: { wal_log_hints: 'on' } },
    ...(standbyOf === undefined ? {} : { standby_cluster: { ...standbyOf } }),
    ...more,
  };
  await putKey(etcd, configKey(scope), JSON.stringify(config));
}

/** What etcd holds, whoever wrote it; a Patroni's own answer may be a loop old. */
export async function readClusterConfig(etcd: EtcdNode, scope: string): Promise<Readonly<Record<string, unknown>>> {
  return JSON.parse((await readKey(etcd, configKey(scope))) ?? '{}');
}

const REWINDER = 'rewinder';
/** What pg_rewind reads the other side by, since PostgreSQL 11. */
const REWIND_FUNCTIONS = [
  'pg_ls_dir(text, boolean, boolean)',
  'pg_stat_file(text, boolean)',
  'pg_read_binary_file(text)',
  'pg_read_binary_file(text, bigint, bigint, boolean)',
];

/** Have the primary, and every copy that is made of it from now on, let pg_rewind in from another side. */
export async function allowRewind(primary: PostgresInstance, passwords: LabPasswords): Promise<void> {
  const password = pg.escapeLiteral(passwords.replicator);
  await query(primary, `create role ${REWINDER} login password ${password}`);
  for (const each of REWIND_FUNCTIONS) {
    await query(primary, `grant execute on function pg_catalog.${each} to ${REWINDER}`);
  }
  const line = `host postgres ${REWINDER} 127.0.0.0/8 scram-sha-256\n`;
  await appendFile(path.join(primary.dataDir, 'pg_hba.conf'), line);
  await query(primary, 'select pg_reload_conf()');
}

/**
 * Run a fresh base copy as a standby until it is consistent, and stop it in order. Patroni takes a copy that was never
 * started for a server that crashed: it recovers it alone, in single-user mode, and has written WAL of its own by then.
 */
export async function settle(standby: PostgresInstance): Promise<void> {
  await forgetPatroni(standby.dataDir);
  await startPostgres(standby, { log: () => undefined });
  await stopPostgres(standby, 'fast');
}

/** Write the configuration of one member. */
export async function prepareNode(node: PatroniNode, passwords: LabPasswords): Promise<void> {
  const { postgres, rest, etcd } = node;
  await ownFolder(node.dir);
  const file = configFile(node);
  const auth = { sslmode: 'disable', gssencmode: 'disable' };
  const config = {
    scope: node.scope,
    name: node.name,
    restapi: {
      listen: `${rest.host}:${rest.port}`,
      connect_address: `${rest.host}:${rest.port}`,
      authentication: { username: rest.username, password: rest.password },
    },
    etcd3: { hosts: [`${etcd.host}:${etcd.port}`] },
    postgresql: {
      listen: `${postgres.host}:${postgres.port}`,
      connect_address: `${postgres.host}:${postgres.port}`,
      data_dir: postgres.dataDir,
      bin_dir: path.dirname(postgres.install.tools.postgres),
      pgpass: path.join(node.dir, 'pgpass'),
      use_unix_socket: true,
      parameters: { unix_socket_directories: postgres.socketDir, unix_socket_permissions: '0700' },
      authentication: {
        superuser: { username: 'postgres', ...auth },
        replication: { username: 'replicator', password: passwords.replicator, ...auth },
        rewind: { username: REWINDER, password: passwords.replicator, ...auth },
      },
    },
    watchdog: { mode: 'off' },
  };
  await writeFile(file, stringify(config), { mode: 0o600 });
  const user = serverUser();
  if (user !== undefined) await mustRun(['chown', `${user.uid}:${user.gid}`, file], { timeoutMs: 10_000 });
}

const configFile = ({ dir }: PatroniNode): string => path.join(dir, 'patroni.yml');
const logFile = ({ dir }: PatroniNode): string => path.join(dir, 'patroni.log');

/** Start its etcd where that doesn't run, then Patroni, and wait until the PostgreSQL it owns answers. */
export async function startNode(
  node: PatroniNode,
  options: { readonly log: Log; readonly giveUp?: () => string | undefined },
): Promise<void> {
  await startEtcd(node.etcd, options);
  await startPatroni(node, options);
}

/** Patroni alone. What ended it stands in the error. */
export async function startPatroni(
  node: PatroniNode,
  options: { readonly log: Log; readonly giveUp?: () => string | undefined; readonly wait?: 'postgres' | 'process' },
): Promise<void> {
  if ((await scanProcesses([node.dir])).pids.length > 0) return;
  await mkdir(node.dir, { recursive: true });
  const { python, versions } = node.install;
  const log = await open(logFile(node), 'a');
  const child = await spawnAway([python, '-m', 'patroni', configFile(node)], {
    cwd: node.dir,
    env: { ...patroniEnv(node.install), ...libraryPath(node) },
    log,
  });
  if (options.wait === 'process') return;
  try {
    await until(
      {
        what: `Patroni ${node.name} on ${node.rest.host}:${node.rest.port}`,
        timeoutMs: START_TIMEOUT_MS,
        code: 'start-timeout',
        giveUp: () => child.ended() ?? options.giveUp?.(),
      },
      async () => ((await runsPostgres(node)) ? true : undefined),
    );
  } catch (error) {
    const words = tail(await readFile(logFile(node), 'utf8').catch(() => 'no log'));
    throw error instanceof LabError ? new LabError(error.code, `${error.message}: ${words}`) : error;
  }
  options.log(`Patroni ${versions.patroni} ${node.name} of ${node.scope} is ready`);
}

/** Its own libraries, and those of an unpacked PostgreSQL. */
function libraryPath({ install, postgres }: PatroniNode): NodeJS.ProcessEnv {
  const all = [install.libDir, postgres.install.libDir].filter((each) => each !== undefined);
  return { LD_LIBRARY_PATH: all.join(':') };
}

const runsPostgres = async (node: PatroniNode): Promise<boolean> =>
  (await patroniStatus(node))?.state === 'running' &&
  (await query(node.postgres, 'select 1', [], DATABASE).then(
    () => true,
    () => false,
  ));

export interface PatroniStatus {
  readonly state: string;
  readonly role: string;
  readonly timeline?: number;
  readonly pause?: boolean;
}

/** What it says of its PostgreSQL; undefined when it doesn't answer. */
export async function patroniStatus({ rest }: PatroniNode): Promise<PatroniStatus | undefined> {
  return await fetch(`http://${rest.host}:${rest.port}/patroni`, { signal: AbortSignal.timeout(2_000) }).then(
    async (answer) => (await answer.json()) as PatroniStatus,
    () => undefined,
  );
}

/** Wait until it says so: `leader`, `standby_leader`, `replica`, as Patroni calls them (`master` for a primary in 3.0). */
export async function untilRole(node: PatroniNode, roles: readonly string[], timeoutMs = 30_000): Promise<void> {
  await until({ what: `${node.name} is ${roles.join(' or ')}`, timeoutMs, intervalMs: 100 }, async () => {
    const status = await patroniStatus(node);
    return status?.state === 'running' && roles.includes(status.role) ? true : undefined;
  });
}

/** Change the dynamic configuration as a person does, by the REST API. */
export async function patchConfig({ rest }: PatroniNode, patch: object): Promise<void> {
  const answer = await fetch(`http://${rest.host}:${rest.port}/config`, {
    method: 'PATCH',
    headers: { authorization: `Basic ${Buffer.from(`${rest.username}:${rest.password}`).toString('base64')}` },
    body: JSON.stringify(patch),
    signal: AbortSignal.timeout(10_000),
  });
  if (!answer.ok) throw new LabError('command-failed', `PATCH /config: ${answer.status} ${await answer.text()}`);
  await answer.body?.cancel();
}

/** SIGTERM to Patroni, which stops its PostgreSQL, and its etcd killed after that. */
export async function stopNode(node: PatroniNode): Promise<void> {
  await stopPatroni(node);
  await killEtcd(node.etcd);
}

export async function stopPatroni(node: PatroniNode): Promise<void> {
  signalAll((await scanProcesses([node.dir])).pids, 'SIGTERM');
  await until({ what: `${node.name} ends`, timeoutMs: STOP_TIMEOUT_MS, code: 'stop-timeout' }, async () => {
    return (await scanProcesses([node.dir])).pids.length === 0 ? true : undefined;
  });
  await stopPostgres(node.postgres, 'fast');
}

/** The end a power cut makes. */
export async function killNode(node: PatroniNode): Promise<void> {
  await killAll(foldersOfNode(node), KILL_TIMEOUT_MS);
}

/** Kill it and remove what a killed PostgreSQL leaves in the kernel's tables; the folders are the caller's. */
export async function clearNode(node: PatroniNode): Promise<void> {
  await killNode(node);
  await removeSharedMemory(node.postgres);
}
