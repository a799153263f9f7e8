/**
 * The states in which people meet the status page, each from a history of the real core: looked at in a browser by
 * `test/e2e`, and rendered by the tests of the page.
 */
import type { Engine } from '../../src/engine/engine.ts';
import type { AlertmanagerConfig, Config, GroupConfig } from '../../src/model/config.ts';
import type { Observation } from '../../src/model/evidence.ts';
import type { InputOf, OperationResult, Perform, State } from '../../src/model/loop.ts';
import { settingsOf } from '../../src/model/settings.ts';
import { A, B, CONFIG, GROUP, GROUP_CONFIG, W } from './group.ts';
import { History, haltWith, NIGHT, PRIMARY_FACTS, succeed } from './histories.ts';

/** What the page needs of an engine. */
export type PageState = { readonly state: State; readonly engine: ReturnType<Engine['health']> };

const ANN = { id: 'ann', roles: ['sre' as const] };
const DORA = { id: 'dora', roles: ['dba' as const] };
const HOLD_MS = 300_000;
const PROMETHEUS = { main: { url: 'http://prometheus.test/', region: W } };
const PAIR: GroupConfig = {
  ...GROUP_CONFIG,
  title: 'Orders and billing',
  facts: {
    customer_error_ratio: {
      promql: '(sum(rate(http_requests_total{code=~"5.."}[2m])) or vector(0)) / sum(rate(http_requests_total[2m]))',
      unit: 'ratio',
      says: 'Share of customers’ requests that end in a server error',
    },
    backup_age: { promql: 'time() - max(backup_last_success_timestamp_seconds)', unit: 'seconds', every: '1m' },
  },
  matrix: [
    {
      id: 10,
      kind: 'veto',
      when: 'bad(reports.corruption)',
      against: ['failover', 'partial', 'switchover', 'restart'],
      note: 'the corruption may have replicated: restore from backup',
    },
    { id: 40, kind: 'decide', when: 'bad(active.reachable)', for: '5m', action: 'failover', auto: true },
    { id: 50, kind: 'gate', when: 'replication.replay_lag_seconds > 300', against: ['failover', 'switchover'] },
    { id: 80, kind: 'decide', when: 'bad(workloads.healthy)', for: '10m', action: 'speak-up' },
    { id: 85, kind: 'decide', when: 'metrics.customer_error_ratio > 0.05', for: '10m', action: 'speak-up' },
  ],
};

const sceneSettings = (change: Partial<GroupConfig>, alertmanager: Partial<AlertmanagerConfig> = {}) =>
  settingsOf({
    ...CONFIG,
    prometheus: PROMETHEUS,
    ...(CONFIG.alertmanager === undefined ? {} : { alertmanager: { ...CONFIG.alertmanager, ...alertmanager } }),
    groups: { [GROUP]: { ...PAIR, ...change } },
  });

/** A history whose operations take time, and in which resolvers answer too. */
class Scene extends History {
  readonly #open: { readonly operation: Perform; readonly askedMono: number }[] = [];
  /** How long an operation takes, milliseconds; null = it hangs. */
  tookMs: (operation: Perform) => number | null = () => 2_000;
  result: (operation: Perform) => OperationResult = (operation) => this.succeed(operation);
  dnsAnswer = '192.0.2.1';

  /** What the servers that watch say of themselves; null = what asks for metrics is answered well. */
  watching: (() => readonly Observation[]) | null = null;

  constructor(change: Partial<GroupConfig> = {}, alertmanager: Partial<AlertmanagerConfig> = {}) {
    super(sceneSettings(change, alertmanager));
    this.answer = (operation) => {
      this.#open.push({ operation, askedMono: this.mono });
      return null;
    };
  }

  /** What was replayed when the primary died is found there by the promotion. */
  succeed(operation: Perform): OperationResult {
    const { kind, code, message, facts } = succeed(operation);
    const { lastReplayedCommitAt } = this.sights.standbyFacts;
    return { kind, code, message, facts: 'timeline' in facts ? { ...facts, lastReplayedCommitAt } : facts };
  }

  override look(): void {
    if (this.sights.streaming)
      this.sights.standbyFacts = { ...this.sights.standbyFacts, lastReplayedCommitAt: this.at - 400 };
    super.look();
    this.give({
      kind: 'observed',
      observations: ['daemon', 'dublin']
        .filter((vantage) => !this.sights.silent.includes(vantage))
        .map((vantage) => ({
          kind: 'dns',
          group: GROUP,
          component: 'name',
          region: B,
          vantage,
          at: this.at,
          durationMs: 1.4,
          verdict: 'ok',
          reached: 'answer',
          code: null,
          message: null,
          facts: { resolver: '127.0.0.1:53', answers: [this.dnsAnswer], ttlSeconds: 30 },
        })),
    });
    this.give({ kind: 'observed', observations: [...(this.watching?.() ?? this.#prometheus())] });
    this.#answerDue();
  }

  /** One fact is known, the other has too many series; the server itself is well. */
  #prometheus(): Observation[] {
    if (this.sights.silent.includes('daemon')) return [];
    const seen = {
      vantage: 'daemon',
      at: this.at,
      durationMs: 8.2,
      reached: 'read',
      code: null,
      message: null,
    } as const;
    const metric = { kind: 'metric', group: GROUP, server: 'main', replica: 0, region: W } as const;
    const several = '2 series where one value is meant, such as {"component":"db"} and {"component":"api"}';
    return [
      {
        ...{ ...metric, ...seen, fact: 'customer_error_ratio', verdict: 'ok' },
        facts: { value: 0.0042, sampleAt: this.at - 12_000, ageMs: 12_000 },
      },
      {
        ...{ ...metric, ...seen, fact: 'backup_age', verdict: 'unknown', reached: 'respond', code: 'several' },
        ...{ message: several, log: ['+0 ms asking for time() - max(...)', '+7 ms answered 200'], facts: null },
      },
      {
        ...{ ...seen, kind: 'prometheus', server: 'main', replica: 0, region: W, verdict: 'ok' },
        facts: { targets: 41 },
      },
    ];
  }

  #answerDue(): void {
    for (const one of [...this.#open]) {
      const tookMs = this.tookMs(one.operation);
      if (tookMs === null || this.mono - one.askedMono < tookMs) continue;
      this.#open.splice(this.#open.indexOf(one), 1);
      this.give({ kind: 'performed', operation: one.operation.key, result: this.result(one.operation) });
    }
  }

  alert(name: string, summary: string, labels: Readonly<Record<string, string>> = {}): void {
    const alert: InputOf<'webhook'>['alerts'][number] = {
      fingerprint: 'c0ffee00c0ffee00',
      status: 'firing',
      startsAt: this.at - 20_000,
      labels: { alertname: name, region: A, ...labels },
      summary,
    };
    this.give({ kind: 'webhook', request: `${name}-${this.mono}`, alerts: [alert] });
  }

  /** The region dies and Alertmanager tells of it. */
  fall(): void {
    this.pass(30_000);
    this.loseActive();
    this.pass(20_000);
    this.alert('RegionDown', 'us-east-1 can’t be reached from outside');
  }

  /** The database has moved, as probes see it from then on. */
  moved(): void {
    this.sights.standbyFacts = { ...PRIMARY_FACTS, timeline: 2, insertLsn: '0/5000400', flushLsn: '0/5000400' };
    this.dnsAnswer = '192.0.2.2';
  }

  /** Until it holds, for an hour at most. */
  passUntil(what: string, holds: () => boolean): void {
    for (let seconds = 0; !holds(); seconds += 1) {
      if (seconds > 3600) throw new Error(`did not come: ${what}`);
      this.pass(1000);
    }
  }
}

const running = (scene: Scene): PageState => ({ state: scene.state, engine: 'running' });
const stepOf = (scene: Scene, kind: string) =>
  Object.entries(scene.group.run?.steps ?? {}).find(([id]) => id.startsWith(kind))?.[1];

function quiet(): PageState {
  const scene = new Scene();
  scene.pass(60_000);
  return running(scene);
}

function hold(): PageState {
  const scene = new Scene();
  scene.fall();
  scene.pass(170_000);
  return running(scene);
}

function proposal(): PageState {
  const scene = new Scene({ autonomy: 'gated' });
  scene.fall();
  scene.passUntil('a proposal', () => scene.state.ledger.groups[GROUP]?.proposal != null);
  scene.pass(95_000);
  return running(scene);
}

function started(): Scene {
  const scene = new Scene();
  scene.tookMs = ({ operation }) => (operation === 'do' ? 9_000 : 1_000);
  scene.fall();
  scene.passUntil('a run', () => scene.state.ledger.groups[GROUP]?.run != null);
  return scene;
}

function run(): PageState {
  const scene = started();
  scene.tookMs = ({ operation, stepKind }) =>
    stepKind === 'cutover-dns' && operation === 'do' ? null : operation === 'do' ? 9_000 : 1_000;
  scene.passUntil('the name to be moved', () => stepOf(scene, 'cutover-dns')?.status === 'intended');
  scene.moved();
  scene.dnsAnswer = '192.0.2.1';
  scene.pass(14_000);
  return running(scene);
}

function after(): PageState {
  const scene = started();
  scene.passUntil('the database to be promoted', () => stepOf(scene, 'promote')?.status === 'done');
  scene.moved();
  scene.passUntil('the end of the run', () => scene.group.run === null);
  scene.pass(45_000);
  return running(scene);
}

function halted(): PageState {
  const scene = started();
  scene.result = (operation) =>
    operation.stepKind === 'cutover-dns' && operation.operation === 'check'
      ? haltWith('epoch-higher')
      : scene.succeed(operation);
  scene.passUntil('the halt', () => scene.group.run?.status === 'halted');
  scene.pass(40_000);
  return running(scene);
}

function blind(): PageState {
  const scene = new Scene();
  scene.pass(30_000);
  scene.sights.silent = ['daemon', 'dublin'];
  scene.pass(130_000);
  return running(scene);
}

/** Clients fail and replication flows. */
function gray(): PageState {
  const scene = new Scene();
  scene.pass(30_000);
  scene.sights.active = 'bad';
  scene.pass(90_000);
  return running(scene);
}

/** The daemon itself is cut off from everything. */
function isolated(): PageState {
  const scene = new Scene();
  scene.pass(30_000);
  scene.sights.isolated = ['daemon'];
  scene.pass(30_000);
  return running(scene);
}

/** Somebody works on the platform, and monitoring has fallen silent meanwhile. */
function planned(): PageState {
  const scene = new Scene(
    {
      autonomy: 'gated',
      maintenance: [
        {
          title: 'New disks in us-east-1',
          from: new Date(NIGHT).toISOString(),
          to: new Date(NIGHT + 7_200_000).toISOString(),
          causes: ['restart', 'row 80'],
          region: A,
        },
      ],
    },
    {
      watchdogWithin: '1m',
      apis: ['https://alertmanager.test'],
      facts: [
        { match: ['alertname="Watchdog"'], fact: 'watchdog', group: GROUP, region: A },
        { match: ['alertname="PodFailing"'], fact: 'workload-degraded', group: GROUP, region: A },
      ],
      silences: [{ match: ['maintenance="platform"'], group: GROUP, causes: ['partial'] }],
    },
  );
  scene.alert('Watchdog', 'it barks');
  scene.pass(90_000);
  const silence = { id: 's1', by: 'ann', startsAt: NIGHT, endsAt: NIGHT + 3_600_000 };
  const pod = { fingerprint: 'c0ffee00c0ffee01', startsAt: NIGHT, labels: { alertname: 'PodFailing', region: A } };
  scene.give({
    kind: 'silences',
    silences: [
      { ...silence, comment: 'new disks', matchers: [{ label: 'maintenance', equal: true, value: 'platform' }] },
    ],
    silenced: [{ alert: { ...pod, status: 'firing', summary: 'web-1 restarts' }, silencedBy: ['s1'] }],
  });
  scene.pass(5_000);
  return running(scene);
}

function report(): PageState {
  const scene = new Scene();
  scene.pass(30_000);
  scene.give({
    kind: 'report',
    request: 'report-1',
    person: DORA,
    group: GROUP,
    report: 'corruption',
    what: 'checksum failures in orders_2025 on both sides since 01:40',
  });
  scene.fall();
  scene.pass(HOLD_MS + 20_000);
  return running(scene);
}

/** Prometheus has refused to answer for a while, so that its metrics are unknown; one Alertmanager was never heard. */
function unwatched(): PageState {
  const scene = new Scene({}, { apis: ['https://a.alertmanager.test', 'https://b.alertmanager.test'] });
  scene.pass(60_000);
  const deaf = 'connect ECONNREFUSED 192.0.2.40:9090';
  scene.watching = () => {
    const seen = { vantage: 'daemon', at: scene.at, durationMs: 2.1 } as const;
    const gone = { ...seen, verdict: 'bad', reached: 'connect', code: 'refused', message: deaf } as const;
    const log = ['+0 ms asking 192.0.2.40:9090', '+2 ms ECONNREFUSED'];
    const server = { server: 'main', replica: 0, region: W } as const;
    return [
      { ...gone, ...server, log, kind: 'prometheus', facts: null },
      ...['customer_error_ratio', 'backup_age'].map(
        (fact) =>
          ({ ...gone, ...server, log, kind: 'metric', group: GROUP, fact, verdict: 'unknown', facts: null }) as const,
      ),
      {
        ...{ ...seen, kind: 'alertmanager', server: 'alertmanager', replica: 0, region: B },
        ...{ verdict: 'ok', reached: 'read', code: null, message: null, facts: { cluster: 'ready', peers: 2 } },
      },
    ];
  };
  scene.pass(120_000);
  return running(scene);
}

/** A row of its own for each workload; one of them fails. */
function scoped(): PageState {
  const workloads = ['web', 'jobs', 'mail-relay-for-outgoing-invoices-and-reminders'];
  const scene = new Scene(
    {
      components: {
        ...PAIR.components,
        ...Object.fromEntries(workloads.map((id) => [id, { kind: 'workload' as const, tier: 2 as const }])),
      },
      matrix: [
        ...(PAIR.matrix ?? []).filter(({ id }) => id !== 80),
        { id: 82, kind: 'decide', scope: 'workload', when: 'bad(component.healthy)', for: '10m', action: 'speak-up' },
      ],
    },
    {
      facts: [
        { match: ['alertname="Watchdog"'], fact: 'watchdog', group: GROUP, region: A },
        ...workloads.map((component) => ({
          match: ['alertname="PodFailing"', `workload="${component}"`],
          fact: 'workload-degraded' as const,
          ...{ group: GROUP, region: A, component },
        })),
      ],
    },
  );
  scene.alert('Watchdog', 'it barks');
  scene.pass(20_000);
  scene.alert('PodFailing', '3 of 8 replicas crash at the start', { workload: workloads[2] ?? '' });
  scene.pass(190_000);
  return running(scene);
}

/** The config asks for more than is agreed. */
function raise(): PageState {
  const scene = new Scene({ autonomy: 'observe' });
  scene.pass(60_000);
  const by = { request: 'reload-1', by: 'ann', configHash: 'c0ffee'.repeat(10) };
  scene.give({ kind: 'reloaded', ...by, settings: sceneSettings({ autonomy: 'auto' }), restartNeeded: [] });
  scene.pass(300_000);
  return running(scene);
}

/** The file on disk is not what is in force. */
function refused(): PageState {
  const scene = new Scene();
  scene.pass(60_000);
  const problems = [40, 41, 42, 45, 50, 60, 70].map(
    (line) =>
      `failoverd.yaml:${line}:5  groups.platform.matrix: \`when\` reads <b>metrics.nobody</b>, which is no fact here; facts are ${'reports.corruption, '.repeat(4)}…`,
  );
  scene.give({ kind: 'reload-refused', by: 'SIGHUP', configHash: null, problems });
  scene.pass(30_000);
  return running(scene);
}

/** A bad night that is over: each failure in its own words, with its log. */
function failures(): PageState {
  const scene = new Scene();
  const troubles = [
    ['timeout', 'connect', 'no answer within 2 s'],
    ['refused', 'connect', 'connect ECONNREFUSED 192.0.2.10:443'],
    ['tls', 'handshake', 'the certificate of api.test has expired: not after 2026-01-12T06:59:59Z'],
    ['status', 'respond', '503 where 200 is expected: <h1>upstream connect error</h1>'],
    ['reset', 'respond', 'the connection ended in the middle'],
  ] as const;
  for (const [code, reached, message] of troubles)
    for (let times = 0; times < 5; times += 1) {
      scene.pass(2_000);
      scene.give({
        kind: 'observed',
        observations: [A, B].map((region) => ({
          ...{
            kind: 'http',
            group: GROUP,
            component: 'api',
            region,
            vantage: 'dublin',
            at: scene.at,
            durationMs: 2000,
          },
          ...{ verdict: 'bad', reached, code, message, facts: { status: code === 'status' ? 503 : null } },
          log: ['+0 ms resolved a.test to 192.0.2.10', '+1 ms connecting', `+2000 ms ${message}`],
        })),
      });
    }
  scene.pass(60_000);
  return running(scene);
}

function failed(): PageState {
  const scene = new Scene();
  scene.pass(60_000);
  return { state: scene.state, engine: 'failed' };
}

/** More groups than are shown whole. */
const many = (): PageState => among(['orders', 'search', 'mail', 'identity', 'media', 'ledger']);
/** Two that are shown whole, one below the other. */
const two = (): PageState => among(['orders']);

function among(names: readonly string[]): PageState {
  const groups: Config['groups'] = { [GROUP]: PAIR };
  for (const name of names) groups[name] = { ...PAIR, title: name };
  const history = new History(settingsOf({ ...CONFIG, prometheus: PROMETHEUS, groups }));
  history.pass(30_000);
  history.loseActive();
  history.pass(60_000);
  return { state: history.state, engine: 'running' };
}

/** Text of others that is as hostile, and as long, as text can be. */
function hostile(): PageState {
  const scene = new Scene({ autonomy: 'gated' });
  scene.fall();
  const nasty = `<img src=x onerror=alert(1)>"'&</script><script>alert(2)</script>${'x'.repeat(300)}`;
  scene.alert('PodFailing', nasty);
  scene.give({ kind: 'report', request: 'r', person: ANN, group: GROUP, report: 'deletion', what: nasty });
  scene.pass(20_000);
  return running(scene);
}

export const PAGE_STATES: Readonly<Record<string, () => PageState>> = {
  quiet,
  hold,
  proposal,
  run,
  after,
  halted,
  blind,
  gray,
  isolated,
  planned,
  report,
  unwatched,
  scoped,
  raise,
  refused,
  failures,
  failed,
  many,
  two,
  hostile,
};

/** Pages of their own that explain a group, each with the state that it is looked at in. */
export const EXPLAIN_PAGES: Readonly<Record<string, { readonly state: string; readonly path: string }>> = {
  'explain-all': { state: 'hold', path: `/groups/${GROUP}/explain` },
  'explain-hold': { state: 'hold', path: `/groups/${GROUP}/explain?row=40` },
  'explain-unknown': { state: 'unwatched', path: `/groups/${GROUP}/explain?row=85` },
  'explain-scoped': { state: 'scoped', path: `/groups/${GROUP}/explain?row=82` },
  'explain-hostile': { state: 'hostile', path: `/groups/${GROUP}/explain` },
};
