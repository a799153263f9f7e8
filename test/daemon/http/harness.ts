/**
 * The real HTTP face on a real socket, before the real engine on a journal in memory. Probes, actors and the pager are
 * at the port level: tests say what they see and do.
 */
import type { AddressInfo } from 'node:net';
import type { Test } from 'tap';
import { createGuards } from '../../../src/daemon/guards.ts';
import type { App } from '../../../src/daemon/http/context.ts';
import type { Rates } from '../../../src/daemon/http/limits.ts';
import type { Reload } from '../../../src/daemon/http/reload.ts';
import { createReplies, type ReplyBook } from '../../../src/daemon/http/replies.ts';
import type { SecureListener } from '../../../src/daemon/http/secure.ts';
import { createHttp } from '../../../src/daemon/http/server.ts';
import type { WebhookCredentials } from '../../../src/daemon/http/webhook-proof.ts';
import { createMetrics, type Metrics } from '../../../src/daemon/metrics.ts';
import { createObserver } from '../../../src/daemon/observer.ts';
import { createPeople } from '../../../src/daemon/people.ts';
import { type Engine, startEngine } from '../../../src/engine/engine.ts';
import type { Ports, Timers } from '../../../src/engine/ports.ts';
import { type MemoryFault, memoryDisk, openMemoryJournal } from '../../../src/journal/memory.ts';
import type { Config } from '../../../src/model/config.ts';
import type { EventBody } from '../../../src/model/events.ts';
import type { Observation, PostgresFacts } from '../../../src/model/evidence.ts';
import { settingsOf } from '../../../src/model/settings.ts';
import { createReportDesk, generateKeys, readPrivateKey, readPublicKey } from '../../../src/probes/report.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { newNonce } from '../../../src/runtime/ids.ts';
import { createLog, type Log } from '../../../src/runtime/log.ts';
import { createTimers } from '../../../src/runtime/timers.ts';
import { ALIKE } from '../../support/readiness.ts';

export const BEARER = 'alertmanager-says-hello';
/** Of the guards of `db` in `orders`, by region. */
export const GUARD_TOKENS = { 'us-east-1': 'guard-in-us-east-1', 'eu-central-1': 'guard-in-eu-central-1' } as const;
export const TOKENS = { ann: 'token-of-ann', vera: 'token-of-vera', eve: 'token-of-eve', vic: 'token-of-vic' } as const;

const KEYS = generateKeys();
/** What the witness named dublin signs with. */
export const WITNESS_KEY = readPrivateKey(KEYS.privateKeyPem);
export const SESSION = 'session-of-this-start-0001';

export function config(autonomy: 'observe' | 'gated' | 'auto' = 'gated'): Config {
  return {
    version: 1,
    daemon: { stateDir: 'state' },
    regions: {
      'us-east-1': { role: 'primary' },
      'eu-central-1': { role: 'secondary' },
      'eu-west-1': { role: 'witness' },
    },
    vantages: {
      daemon: { region: 'eu-central-1', controlTargets: ['tcp://192.0.2.53:53'] },
      dublin: { region: 'eu-west-1', controlTargets: ['tcp://192.0.2.53:53'] },
    },
    alertmanager: {
      region: 'eu-west-1',
      bearer: '${env:TOKEN}',
      facts: [
        { match: ['alertname="RegionDown"'], fact: 'region-unreachable', group: 'orders', region: 'us-east-1' },
        { match: ['alertname="PodDown"'], fact: 'workload-degraded', group: 'orders', region: 'us-east-1' },
      ],
    },
    groups: {
      orders: {
        title: 'Orders & billing',
        autonomy,
        primary: 'us-east-1',
        secondary: 'eu-central-1',
        components: {
          db: {
            kind: 'postgres',
            tier: 1,
            database: 'app',
            user: 'failoverd',
            instances: { 'us-east-1': 'a.test:5432', 'eu-central-1': 'b.test:5432' },
          },
          api: {
            kind: 'http',
            tier: 1,
            instances: { 'us-east-1': 'http://a.test/', 'eu-central-1': 'http://b.test/' },
            public: { url: 'http://app.test/', canaryWrite: { path: '/writes', body: '{"id":"${ID}"}' } },
          },
          name: {
            kind: 'dns',
            tier: 1,
            provider: 'route53',
            zoneId: 'Z',
            name: 'app.test',
            records: { 'us-east-1': ['192.0.2.1'], 'eu-central-1': ['192.0.2.2'] },
            epochName: '_failoverd.app.test',
            resolvers: ['127.0.0.1:53'],
          },
        },
        fence: { driver: 'command', fence: ['off'], verify: ['status'], timeout: '5s' },
        matrix: [
          { id: 40, kind: 'decide', when: 'bad(active.reachable)', for: '200ms', action: 'failover', auto: true },
          { id: 80, kind: 'decide', when: 'bad(workloads.healthy)', for: '10m', action: 'speak-up' },
        ],
      },
    },
  };
}

const facts = (over: Partial<PostgresFacts>): PostgresFacts => ({
  systemIdentifier: '7301234567890123456',
  timeline: 1,
  inRecovery: false,
  insertLsn: null,
  flushLsn: null,
  receiveLsn: null,
  replayLsn: null,
  walReceiver: null,
  lastMessageAgeMs: null,
  lastReplayedCommitAt: null,
  replayPaused: null,
  clockAt: systemClock.wall(),
  canary: 'skipped',
  ...over,
});

export type Sight = { readonly primaryDown?: boolean; readonly log?: readonly string[] };

/** What one vantage sees of everything at once. */
export function look(vantage: string, { primaryDown = false, log = [] }: Sight = {}): Observation[] {
  const at = systemClock.wall();
  const ok = { vantage, at, durationMs: 4.2, verdict: 'ok', reached: 'read', code: null, message: null } as const;
  const bad = {
    vantage,
    at,
    durationMs: 2000,
    verdict: 'bad',
    reached: 'none',
    code: 'timeout',
    message: 'no answer in 2 s',
    ...(log.length === 0 ? {} : { log: [...log] }),
  } as const;
  const primary = primaryDown ? bad : ok;
  const subject = { group: 'orders', component: 'db' } as const;
  const db = { kind: 'postgres', ...subject } as const;
  const api = { kind: 'http', group: 'orders', component: 'api' } as const;
  return [
    { kind: 'control', target: 'tcp://192.0.2.53:53', ...ok },
    {
      ...db,
      region: 'us-east-1',
      ...primary,
      facts: primaryDown ? null : facts({ insertLsn: '0/3000060', flushLsn: '0/3000060' }),
    },
    {
      ...db,
      region: 'eu-central-1',
      ...ok,
      facts: facts({
        inRecovery: true,
        receiveLsn: '0/3000060',
        replayLsn: '0/3000060',
        walReceiver: primaryDown ? 'none' : 'streaming',
        lastMessageAgeMs: primaryDown ? 60_000 : 100,
        lastReplayedCommitAt: at - 400,
        replayPaused: false,
      }),
    },
    ...(vantage === 'daemon'
      ? [
          {
            kind: 'readiness',
            ...subject,
            region: 'us-east-1',
            ...primary,
            facts: primaryDown ? null : ALIKE,
          } as const,
          { kind: 'readiness', ...subject, region: 'eu-central-1', ...ok, facts: ALIKE } as const,
        ]
      : []),
    { ...api, region: 'us-east-1', ...primary, facts: { status: primaryDown ? null : 200 } },
    { ...api, region: 'eu-central-1', ...ok, facts: { status: 200 } },
    {
      kind: 'dns',
      group: 'orders',
      component: 'name',
      region: 'eu-central-1',
      ...ok,
      reached: 'answer',
      facts: { resolver: '127.0.0.1:53', answers: ['192.0.2.1'], ttlSeconds: 30 },
    },
  ];
}

export type Harness = {
  readonly url: string;
  /** For requests without a socket. */
  readonly app: App;
  /** Every route there is. */
  readonly routes: readonly { readonly url: string; readonly method: string }[];
  readonly engine: Engine;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly lines: string[];
  /** What happens to the next appends. */
  fault: MemoryFault | null;
  readonly disk: ReturnType<typeof memoryDisk>;
  get(path: string, headers?: Record<string, string>): Promise<Response>;
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Response>;
  metric(line: string): Promise<number | null>;
  see(sight?: Sight): Promise<void>;
};

export type HarnessOptions = {
  readonly autonomy?: 'observe' | 'gated' | 'auto';
  /** In the place of the one that is made for `autonomy`. */
  readonly config?: Config;
  readonly webhookCredentials?: WebhookCredentials | null;
  readonly rates?: Rates;
  readonly secure?: SecureListener;
  /** What an earlier life of the daemon left behind. */
  readonly disk?: ReturnType<typeof memoryDisk>;
  readonly askWhatFires?: () => void;
  /** Waits of the HTTP face are this many times shorter. */
  readonly hurry?: number;
  readonly port?: number;
  readonly actor?: Ports['actor'];
  /** What reads the config anew, over this engine. */
  readonly reload?: (parts: { engine: Engine; replies: ReplyBook; log: Log }) => Reload;
};

export async function serve(t: Pick<Test, 'teardown'>, options: HarnessOptions = {}): Promise<Harness> {
  const { autonomy = 'gated', hurry = 1, port = 0 } = options;
  const { webhookCredentials = { kind: 'bearer', token: BEARER }, askWhatFires = () => undefined } = options;
  const timers = createTimers();
  const hurried: Timers = { after: (delayMs, call) => timers.after(delayMs / hurry, call) };
  const lines: string[] = [];
  const log = createLog({ level: 'debug', destination: { write: (line) => void lines.push(line) } });
  const metrics = createMetrics({ version: '0.0.0-test' });
  const replies = createReplies({ timers: hurried });
  const disk = options.disk ?? memoryDisk();
  const state = { fault: null as MemoryFault | null };
  const store = await openMemoryJournal({ disk, fault: () => state.fault });
  const ports: Ports = {
    clock: systemClock,
    timers,
    actor: options.actor ?? { perform: () => new Promise(() => undefined) },
    prober: { probeNow: () => undefined },
    pager: { deliver: async () => ({ delivered: false, message: 'nobody listens' }) },
    replies: replies.port,
    observer: createObserver({ log, metrics }),
  };
  const engine = await startEngine({
    settings: settingsOf(options.config ?? config(autonomy)),
    store,
    ports,
    incarnation: 'test-1',
    version: '0.0.0-test',
    configHash: 'none',
    tickMs: 50,
  });
  const people = createPeople([
    { id: 'ann', roles: ['sre'], token: TOKENS.ann },
    { id: 'vera', roles: ['vp'], token: TOKENS.vera },
    { id: 'eve', roles: ['executive'], token: TOKENS.eve },
    { id: 'vic', roles: ['viewer'], token: TOKENS.vic },
  ]);
  const app = createHttp(
    {
      engine,
      replies,
      people,
      guards: createGuards(
        Object.entries(GUARD_TOKENS).map(([region, token]) => ({ group: 'orders', component: 'db', region, token })),
      ),
      webhookCredentials: () => webhookCredentials,
      askWhatFires,
      witnesses: createReportDesk({
        session: SESSION,
        keys: new Map([['dublin', readPublicKey(KEYS.publicKey)]]),
        clock: systemClock,
      }),
      past: async (_group, at) => {
        const events = disk.rows.map(({ body }) => JSON.parse(body) as EventBody);
        const lastAt = events.findLast((event) => event.at <= at)?.at ?? null;
        return { events, firstAt: events[0]?.at ?? null, lastAt };
      },
      metrics,
      log,
      clock: systemClock,
      timers: hurried,
      newNonce,
      reload: options.reload?.({ engine, replies, log }) ?? (async () => ({ kind: 'failed' })),
      version: '0.0.0-test',
      ...(options.rates === undefined ? {} : { rates: options.rates }),
      secure: options.secure,
    },
    15_000 / hurry,
  );
  await app.listen({ host: '127.0.0.1', port });
  t.teardown(async () => {
    await app.close();
    await engine.stop();
    await store.close();
  });
  const [address] = app.addresses() as AddressInfo[];
  const url = `http://127.0.0.1:${address?.port}`;
  return {
    url,
    app,
    routes: routesOf(app),
    engine,
    metrics,
    log,
    lines,
    disk,
    get fault() {
      return state.fault;
    },
    set fault(fault) {
      state.fault = fault;
    },
    get: (path, headers = {}) => fetch(`${url}${path}`, { headers, redirect: 'manual' }),
    post: (path, body, headers = {}) =>
      fetch(`${url}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
    async metric(line) {
      const text = await (await fetch(`${url}/metrics`)).text();
      const found = text.split('\n').find((one) => one.startsWith(`${line} `));
      return found === undefined ? null : Number(found.slice(line.length + 1));
    },
    async see(sight = {}) {
      await engine.submit({ kind: 'observed', observations: ['daemon', 'dublin'].flatMap((v) => look(v, sight)) });
    },
  };
}

export const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

/** Looks until it holds, for five seconds at most. */
export async function until<T>(what: string, look: () => Promise<T | null> | T | null): Promise<T> {
  const end = performance.now() + 5_000;
  for (;;) {
    const found = await look();
    if (found !== null) return found;
    if (performance.now() > end) throw new Error(`did not come: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** An alert as Alertmanager sends it. */
export const alert = (over: Record<string, unknown> = {}) => ({
  status: 'firing',
  labels: { alertname: 'RegionDown', region: 'us-east-1' },
  annotations: { summary: 'us-east-1 can’t be reached' },
  startsAt: new Date(systemClock.wall() - 60_000).toISOString(),
  endsAt: '0001-01-01T00:00:00Z',
  generatorURL: 'http://prometheus.test/graph',
  fingerprint: 'c0ffee00c0ffee00',
  ...over,
});

export const payload = (alerts: readonly unknown[] = [alert()], over: Record<string, unknown> = {}) => ({
  version: '4',
  groupKey: '{}:{alertname="RegionDown"}',
  truncatedAlerts: 0,
  status: 'firing',
  receiver: 'failoverd',
  groupLabels: {},
  commonLabels: {},
  commonAnnotations: {},
  externalURL: 'http://alertmanager.test',
  notification_reason: 'new',
  alerts,
  ...over,
});

/** Of the router's own listing, a tree that is meant for people: four characters of drawing for each level. */
function routesOf(app: App): { url: string; method: string }[] {
  const above: string[] = [];
  return app
    .printRoutes({ commonPrefix: false })
    .split('\n')
    .flatMap((line) => {
      const [, drawn = '', part = '', methods] = /^([^/:\w-]*)(\S+?)(?: \(([A-Z, ]+)\))?$/.exec(line) ?? [];
      const depth = drawn.length / 4 - 1;
      above.length = Math.max(0, depth);
      const url = `${above.join('')}${part}`;
      above.push(part);
      return methods === undefined ? [] : methods.split(', ').map((method) => ({ url, method }));
    });
}
