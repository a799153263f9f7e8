// A guard as a process of its own, its dead-man as another, and a lease store that answers by the real rules over HTTP.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import type { Test } from 'tap';
import { freePort } from '../../lab/servers/ports.ts';
import { createStandby, destroyPostgres, startPostgres, stopPostgres } from '../../lab/servers/postgres.ts';
import { until } from '../../lab/servers/wait.ts';
import type { GuardStatus } from '../../src/model/guard.ts';
import type { LeaseRecord, LeaseRequest } from '../../src/model/lease.ts';
import { parseGuardConfig } from '../../src/runtime/config/guard.ts';
import { log, onePostgres, primaryIn, scratch } from '../lab-parts/real-servers.ts';
import { memoryLeaseDisk, startMemoryLease } from '../support/memory-lease.ts';
import { type Hands, inHands } from './hands.ts';

const launcher = path.join(import.meta.dirname, '../../bin/failoverd.mjs');
export const TOKENS = { a: 'token-of-the-guard-in-a', b: 'token-of-the-guard-in-b' } as const;

/** G, K, H as the config below has them: long enough for a guard to be started anew on a busy machine. */
export const DEMOTE_MS = 12_000;
export const STOP_MS = 3_000;
export const DEAD_MAN_MS = 15_000;

type Side = {
  readonly region: 'a' | 'b';
  readonly listen: string;
  readonly peer: { readonly url: string; readonly postgres: string | null };
  readonly hba: string;
};

const configText = (hands: Hands, store: string, { region, listen, peer, hba }: Side): string => `version: 1
group: g
component: db
region: ${region}
role: ${region === 'a' ? 'primary' : 'standby'}
listen: ${listen}
token: \${env:TOKEN_OF_${region.toUpperCase()}}
stateDir: state-${region}
logLevel: debug
store: { url: '${store}' }
peers:
  ${region === 'a' ? 'b' : 'a'}:
    url: '${peer.url}'
    token: \${env:TOKEN_OF_${region === 'a' ? 'B' : 'A'}}
${peer.postgres === null ? '' : `    postgres: ${peer.postgres}\nreplication: { user: postgres, tls: disable }`}
postgres:
  driver: pg_ctl
  binDir: ${hands.options.binDir}
  dataDir: ${hands.instance.dataDir}
  port: ${hands.instance.port}
  listenAddresses: ${hands.instance.host}
  socketDir: ${hands.instance.socketDir}
  hba: ${hba}
deadMan: { driver: process, startedBy: service }
lease:
  timings:
    renew: 500ms
    attemptTimeout: 400ms
    electionGap: 500ms
    demoteAfter: 12s
    stopWithin: 3s
    deadManAfter: 15s
    lease: 15s
    wait: 19s
  deadMan: absolute
  isolation: stop
`;

export type Store = { gone: boolean; record(): LeaseRecord | null; readonly url: string };

/** The guard of b is there by its word alone: it asks as often as a guard does. */
async function startStore(t: Pick<Test, 'teardown'>, timingsHash: () => string, bIsThere: boolean): Promise<Store> {
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
    const known = Object.values(TOKENS).some((token) => request.headers.authorization === `Bearer ${token}`);
    if (state.gone || !known) return void request.destroy();
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
    // The store's rules are made of the guard's own terms, once those are known.
    if (timingsHash() === '') return;
    const operation = { kind: 'read' } as const;
    pin = ask({ group: 'g', component: 'db', guard: 'b', process: 'p-of-b', pin, obeyed: 0, operation }).incarnation;
  };
  const timer = setInterval(bIsThere ? () => undefined : readByB, 300);
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

export type Guarded = {
  readonly hands: Hands;
  /** Starts the guard; `said` is what it has written so far. */
  guard(...args: readonly string[]): {
    readonly child: ChildProcess;
    readonly said: () => string;
    readonly ended: Promise<number | null>;
  };
  readonly listen: string;
  status(): Promise<GuardStatus | null>;
  become(part: string, timeoutMs?: number): Promise<GuardStatus>;
  post(where: string, body: unknown, token?: string): Promise<{ status: number; body: Record<string, unknown> }>;
};
export type Running = Guarded & { readonly store: Store };

/** One side: its file, its dead-man, and how to start and ask its guard. */
async function sideOf(
  t: Pick<Test, 'teardown'>,
  hands: Hands,
  store: Store,
  side: Side,
): Promise<{ readonly guarded: Guarded; readonly timingsHash: string }> {
  const { region, listen } = side;
  const place = path.dirname(hands.instance.dir);
  const file = path.join(place, `guard-${region}.yaml`);
  const text = configText(hands, store.url, side);
  writeFileSync(file, text);
  const parsed = parseGuardConfig(file, place, text);
  if (parsed.kind === 'refused') throw new Error(JSON.stringify(parsed.problems));

  const run: Guarded['guard'] = (...args) => {
    const child = spawn(process.execPath, [launcher, 'guard', file, ...args], {
      env: { PATH: process.env['PATH'] ?? '', TOKEN_OF_A: TOKENS.a, TOKEN_OF_B: TOKENS.b },
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
  await until({ what: 'the dead-man', timeoutMs: 30_000 }, async () =>
    /watches/.test(deadMan.said()) ? true : undefined,
  );
  const status = async (): Promise<GuardStatus | null> =>
    await fetch(`http://${listen}/status`).then(
      async (answer) => (await answer.json()) as GuardStatus,
      () => null,
    );
  const guarded: Guarded = {
    ...{ hands, listen, guard: run, status },
    async become(part, timeoutMs = 40_000) {
      return await until({ what: `a guard in ${region} that is ${part}`, timeoutMs, intervalMs: 50 }, async () => {
        const now = await status();
        return now?.part === part && (part !== 'primary' || now.postgres.open) ? now : undefined;
      });
    },
    async post(where, body, token = TOKENS[region]) {
      const answer = await fetch(`http://${listen}${where}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      });
      return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
    },
  };
  return { guarded, timingsHash: parsed.timingsHash };
}

async function primaryOf(t: Pick<Test, 'teardown'>, host: string) {
  const place = await scratch(t);
  const { primary, passwords } = await primaryIn(place, await onePostgres(), host);
  t.teardown(async () => await destroyPostgres(primary));
  chmodSync(place, 0o711);
  return { place, passwords, hands: inHands(primary, passwords.app) };
}

/** The guard of a, whose peer is there by its word at the store alone. */
export async function setUp(t: Pick<Test, 'teardown'>, host: string): Promise<Running> {
  const { hands } = await primaryOf(t, host);
  let hash = '';
  const store = await startStore(t, () => hash, false);
  const { guarded, timingsHash } = await sideOf(t, hands, store, {
    region: 'a',
    listen: `${host}:${await freePort(host)}`,
    peer: { url: 'http://127.0.71.99:9', postgres: null },
    hba: hands.options.operatorsHba,
  });
  hash = timingsHash;
  return { ...guarded, store };
}

/** Both, each with a PostgreSQL; b streams from a, and a could from b. */
export async function setUpPair(
  t: Pick<Test, 'teardown'>,
  host: string,
): Promise<{ a: Guarded; b: Guarded; store: Store }> {
  const { place, passwords, hands: a } = await primaryOf(t, host);
  const hba = path.join(place, 'hba.conf');
  const rules = readFileSync(a.options.operatorsHba, 'utf8');
  writeFileSync(hba, `${rules}host all,replication postgres 127.0.0.0/8 trust\n`);
  await startPostgres(a.instance, { log });
  const dir = path.join(place, 'b');
  const upstream = { host, port: a.instance.port };
  const standby = await createStandby({
    ...{ primary: a.instance, upstream, dir, host, port: await freePort(host), passwords, log },
  });
  t.teardown(async () => await destroyPostgres(standby));
  await stopPostgres(a.instance, 'fast');
  const b = inHands(standby, passwords.app);
  let hash = '';
  const store = await startStore(t, () => hash, true);
  const listen = { a: `${host}:${await freePort(host)}`, b: `${host}:${await freePort(host)}` };
  const address = ({ instance }: Hands): string => `${instance.host}:${instance.port}`;
  const [first, second] = [
    await sideOf(t, a, store, {
      ...{ region: 'a', listen: listen.a, hba },
      peer: { url: `http://${listen.b}`, postgres: address(b) },
    }),
    await sideOf(t, b, store, {
      ...{ region: 'b', listen: listen.b, hba },
      peer: { url: `http://${listen.a}`, postgres: address(a) },
    }),
  ];
  hash = first.timingsHash;
  return { a: first.guarded, b: second.guarded, store };
}
