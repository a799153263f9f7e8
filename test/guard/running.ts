// A guard as a process of its own, its dead-man as another, and a lease store that answers by the real rules over HTTP.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import type { Test } from 'tap';
import { freePort } from '../../lab/servers/ports.ts';
import { destroyPostgres } from '../../lab/servers/postgres.ts';
import { until } from '../../lab/servers/wait.ts';
import type { GuardStatus } from '../../src/model/guard.ts';
import type { LeaseRecord, LeaseRequest } from '../../src/model/lease.ts';
import { parseGuardConfig } from '../../src/runtime/config/guard.ts';
import { log, onePostgres, primaryIn, scratch } from '../lab-parts/real-servers.ts';
import { memoryLeaseDisk, startMemoryLease } from '../support/memory-lease.ts';
import { type Hands, inHands } from './hands.ts';

const launcher = path.join(import.meta.dirname, '../../bin/failoverd.mjs');
export const TOKEN = 'token-of-the-guard-in-a';

/** G, K, H as the config below has them: long enough for a guard to be started anew on a busy machine. */
export const DEMOTE_MS = 8_000;
export const STOP_MS = 3_000;
export const DEAD_MAN_MS = 11_000;

const configText = (hands: Hands, listen: string, store: string): string => `version: 1
group: g
component: db
region: a
role: primary
listen: ${listen}
token: \${env:GUARD_TOKEN}
stateDir: state
logLevel: debug
store: { url: '${store}' }
peers:
  b: { url: 'http://127.0.71.99:9', token: '\${env:PEER_TOKEN}' }
postgres:
  driver: pg_ctl
  binDir: ${hands.options.binDir}
  dataDir: ${hands.instance.dataDir}
  port: ${hands.instance.port}
  listenAddresses: ${hands.instance.host}
  socketDir: ${hands.instance.socketDir}
  hba: ${hands.options.operatorsHba}
deadMan: { driver: process, startedBy: service }
lease:
  timings:
    renew: 500ms
    attemptTimeout: 400ms
    electionGap: 500ms
    demoteAfter: 8s
    stopWithin: 3s
    deadManAfter: 11s
    lease: 11s
    wait: 15s
  deadMan: absolute
  isolation: stop
`;

export type Store = { gone: boolean; record(): LeaseRecord | null; readonly url: string };

/** The guard of b is there by its word alone: it asks as often as a guard does. */
async function startStore(t: Pick<Test, 'teardown'>, timingsHash: () => string): Promise<Store> {
  const disk = memoryLeaseDisk();
  let lease: ReturnType<typeof startMemoryLease> | null = null;
  const ask = (request: LeaseRequest) => {
    lease ??= startMemoryLease({
      ...{ disk, id: 'one-life-of-it', mono: () => performance.now(), active: 'a' },
      ...{ waitMs: 300, renewMs: 500, timingsHash: timingsHash() },
    });
    return lease.ask(request);
  };
  const state = { gone: false };
  const server = http.createServer((request, response) => {
    if (state.gone || request.headers.authorization !== `Bearer ${TOKEN}`) return void request.destroy();
    let text = '';
    request.setEncoding('utf8');
    request.on('data', (chunk: string) => {
      text += chunk;
    });
    request.on('end', () => {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(ask(JSON.parse(text))));
    });
  });
  server.listen(0, '127.0.71.5');
  await once(server, 'listening');
  let pin: LeaseRequest['pin'] = null;
  const readByB = (): void => {
    const operation = { kind: 'read' } as const;
    pin = ask({ group: 'g', component: 'db', guard: 'b', process: 'p-of-b', pin, obeyed: 0, operation }).incarnation;
  };
  const timer = setInterval(readByB, 300);
  t.teardown(() => {
    clearInterval(timer);
    server.close();
    server.closeAllConnections();
  });
  return Object.assign(state, {
    record: () => disk.group.leases['db']?.record ?? null,
    url: `http://127.0.71.5:${(server.address() as AddressInfo).port}`,
  });
}

export type Running = {
  readonly hands: Hands;
  readonly store: Store;
  readonly listen: string;
  /** Starts the guard; `said` is what it has written so far. */
  guard(...args: readonly string[]): {
    readonly child: ChildProcess;
    readonly said: () => string;
    readonly ended: Promise<number | null>;
  };
  readonly deadMan: ChildProcess;
  status(): Promise<GuardStatus | null>;
  become(part: string, timeoutMs?: number): Promise<GuardStatus>;
  post(where: string, body: unknown, token?: string): Promise<{ status: number; body: Record<string, unknown> }>;
};

export async function setUp(t: Pick<Test, 'teardown'>, host: string): Promise<Running> {
  const place = await scratch(t);
  const { primary, passwords } = await primaryIn(place, await onePostgres(), host);
  t.teardown(async () => await destroyPostgres(primary));
  const hands = inHands(primary, passwords.app);
  let hash = '';
  const store = await startStore(t, () => hash);
  const listen = `${host}:${await freePort(host)}`;
  const file = path.join(place, 'guard.yaml');
  const text = configText(hands, listen, store.url);
  writeFileSync(file, text);
  chmodSync(place, 0o711);
  const parsed = parseGuardConfig(file, place, text);
  if (parsed.kind === 'refused') throw new Error(JSON.stringify(parsed.problems));
  hash = parsed.timingsHash;

  const run: Running['guard'] = (...args) => {
    const child = spawn(process.execPath, [launcher, 'guard', file, ...args], {
      env: { PATH: process.env['PATH'] ?? '', GUARD_TOKEN: TOKEN, PEER_TOKEN: 'token-of-the-guard-in-b' },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr.setEncoding('utf8');
    child.stderr.on('data', (chunk: string) => {
      said += chunk;
      log(chunk);
    });
    const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
    t.teardown(() => child.kill('SIGKILL'));
    return { child, said: () => said, ended };
  };
  const deadMan = run('--dead-man');
  await until({ what: 'the dead-man', timeoutMs: 15_000 }, async () =>
    /watches/.test(deadMan.said()) ? true : undefined,
  );

  const status = async (): Promise<GuardStatus | null> =>
    await fetch(`http://${listen}/status`).then(
      async (answer) => (await answer.json()) as GuardStatus,
      () => null,
    );
  return {
    ...{ hands, store, listen, guard: run, status, deadMan: deadMan.child },
    async become(part, timeoutMs = 30_000) {
      return await until({ what: `a guard that is ${part}`, timeoutMs, intervalMs: 50 }, async () => {
        const now = await status();
        return now?.part === part && (part !== 'primary' || now.postgres.open) ? now : undefined;
      });
    },
    async post(where, body, token = TOKEN) {
      const answer = await fetch(`http://${listen}${where}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      });
      return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
    },
  };
}
