// The same core over a recorded history: what it finds, what it leaves alone, and that skipping skips nothing that counts.
import fc from 'fast-check';
import t from 'tap';
import { ASSUMABLE, type Assumable } from '../../src/backtest/assumed.ts';
import { framesOf } from '../../src/backtest/frames.ts';
import { collect, type Findings } from '../../src/backtest/report.ts';
import { replay } from '../../src/engine/replay.ts';
import type { Config } from '../../src/model/config.ts';
import type { EventBody } from '../../src/model/events.ts';
import type { MatrixRow } from '../../src/model/matrix.ts';
import type { Settings } from '../../src/model/settings.ts';
import { A, B, CONFIG, GROUP, settingsWith } from '../support/group.ts';
import { type Draft, draft, FROM, STEP_MS } from './columns.ts';

const MATRIX: MatrixRow[] = [
  { id: 10, kind: 'veto', when: 'bad(reports.corruption)', against: ['failover'] },
  { id: 40, kind: 'decide', when: 'bad(active.reachable)', for: '5m', action: 'failover', auto: true },
  { id: 45, kind: 'decide', when: 'bad(postgres.reachable) && ok(services.reachable)', for: '60s', action: 'restart' },
  { id: 50, kind: 'gate', when: 'replication.replay_lag_seconds > 300', against: ['failover'], action: 'wait' },
  { id: 80, kind: 'decide', when: 'bad(workloads.healthy)', for: '2m', action: 'speak-up' },
  { id: 85, kind: 'decide', when: 'unknown(monitoring.watching)', for: '1m', action: 'none' },
];
const WATCHED: Config = {
  ...CONFIG,
  alertmanager: {
    region: 'eu-west-1',
    bearer: '${env:TOKEN}',
    facts: [
      { match: ['alertname="Watchdog"'], fact: 'watchdog', group: GROUP, region: A },
      { match: ['alertname="RegionDown"'], fact: 'region-unreachable', group: GROUP, region: A },
      { match: ['alertname="PodFailing"'], fact: 'workload-degraded', group: GROUP, region: A },
      { match: ['alertname="Broken"'], fact: 'corruption-reported', group: GROUP, region: A },
    ],
  },
};
const settings = (autonomy: 'observe' | 'gated' | 'auto' = 'gated', holdGap = '30s'): Settings =>
  settingsWith({ autonomy, matrix: MATRIX, holdGap }, WATCHED);

function run(d: Draft, with_: Settings, skip = true) {
  const bodies: EventBody[] = [];
  const collector = collect(with_);
  const replayed = replay({
    settings: with_,
    frames: framesOf(d.history, with_),
    skip,
    said: (entries, state) => {
      const said = entries.map(({ body }) => body);
      bodies.push(...said);
      collector.said(said, state);
    },
  });
  const findings: Findings = collector.end(FROM + (d.count - 1) * STEP_MS);
  return { bodies, findings, ...replayed };
}

const brief = ({ decisions }: Findings): string[] =>
  decisions.map(({ row, outcome, at }) => `${row} ${outcome} ${Math.round((at - FROM) / STEP_MS)}`);

t.test('an outage is found, and what would have been lost; the healthy part stays silent', async (t) => {
  const d = draft(480);
  d.put(d.gap, 90, 480, 4096);
  d.put(d.lag, 90, 480, 3);
  d.lose(100, 160);
  const { findings } = run(d, settings());
  const [found, ...more] = findings.decisions;
  t.strictSame(more, []);
  t.match(found, { group: GROUP, row: 40, outcome: 'proposed', autonomy: 'gated', impactAt: FROM + 100 * STEP_MS });
  const minutes = ((found?.at ?? 0) - (FROM + 100 * STEP_MS)) / 60_000;
  t.ok(minutes >= 5 && minutes < 5.2, `after its 5 minutes: ${minutes}`);
  t.equal(found?.durationMs, 60 * STEP_MS);
  // Whether an archive holds more is in no recorded metric: nothing is missing for certain.
  t.equal(found?.loss?.lowBytes, 0);
  t.ok((found?.loss?.highBytes ?? 0) >= 4096);
  t.ok((found?.loss?.highSeconds ?? 0) >= 3);
  t.equal(found?.proposedAgain, 0);
  t.equal(findings.passed.length, 0);
});

t.test('an outage that people let last is one decision, proposed again as proposals expire', async (t) => {
  const d = draft(480);
  d.lose(100, 300);
  const { findings } = run(d, settings());
  t.strictSame(brief(findings).length, 1);
  t.ok((findings.decisions[0]?.proposedAgain ?? 0) >= 3);
});

t.test('what ends before its time is told as such, and decides nothing', async (t) => {
  const d = draft(200);
  d.lose(100, 110);
  const { findings } = run(d, settings());
  t.strictSame(findings.decisions, []);
  t.match(findings.passed, [{ group: GROUP, row: 40 }]);
});

t.test(
  'auto would act, once, where the target is taken to be made as the primary is; nothing is performed',
  async (t) => {
    const d = draft(800);
    d.alert({ alertname: 'Watchdog' }, 0, 800);
    d.lose(100, 500);
    const { findings, bodies, state } = run(d, settings('auto'));
    t.strictSame(
      findings.decisions.map(({ outcome, inTheWay }) => [outcome, inTheWay]),
      [['would-act', []]],
    );
    const minutes = ((findings.decisions[0]?.at ?? 0) - (FROM + 100 * STEP_MS)) / 60_000;
    t.ok(minutes >= 5 && minutes < 5.2, `after its 5 minutes: ${minutes}`);
    t.equal(state.ledger.groups[GROUP]?.active, null);
    t.ok(bodies.some(({ kind }) => kind === 'run.opened'));
    t.strictSame(
      bodies.filter(({ kind }) => kind.startsWith('step.')).map(({ kind }) => kind),
      [],
    );
    t.ok(
      bodies
        .filter(({ kind }) => kind === 'run.ended')
        .every((body) => body.kind === 'run.ended' && body.outcome === 'undone'),
    );
  },
);

t.test('what is refused to be assumed is unknown, and the gate that stands there is named', async (t) => {
  const of = (refused: readonly Assumable[], alerted = false): [string, string[]][] => {
    const d = draft(
      300,
      ASSUMABLE.filter((one) => !refused.includes(one)),
    );
    d.alert({ alertname: 'Watchdog' }, 0, 300);
    d.lose(100, 200);
    if (alerted) d.alert({ alertname: 'RegionDown' }, 101, 200);
    return run(d, settings('auto')).findings.decisions.map(({ outcome, inTheWay }) => [
      outcome,
      inTheWay.map(({ gate, answer }) => `${gate} ${answer}`),
    ]);
  };
  t.strictSame(of([]), [['would-act', []]]);
  t.strictSame(of(['readiness']), [['proposed', ['target-matches cannot-tell']]]);
  const [roles] = of(['roles']);
  t.equal(roles?.[0], 'held-back');
  t.equal(roles?.[1][0], 'target-ready cannot-tell');
  t.strictSame(of(['identity']), [], 'the silence of a standby of nobody knows what is no second class of evidence');
  const [identity] = of(['identity'], true);
  t.equal(identity?.[0], 'held-back', 'an alert is one');
  t.equal(identity?.[1][0], 'target-ready cannot-tell');
  t.equal(of(ASSUMABLE, true)[0]?.[0], 'held-back', 'nothing at all');
});

t.test('how the target is made is not known from before it was last asked, whoever assumes it', async (t) => {
  const d = draft(400);
  d.alert({ alertname: 'Watchdog' }, 0, 400);
  // The standby is away for longer than an answer of it counts.
  for (const column of d.probe('db', B)) d.put(column, 50, 400, 0);
  d.lose(100, 300);
  d.alert({ alertname: 'RegionDown' }, 101, 300);
  const [found] = run(d, settings('auto')).findings.decisions;
  t.equal(found?.outcome, 'held-back');
  t.match(found?.inTheWay.find(({ gate }) => gate === 'target-matches')?.why, /was not seen for/);
});

const MEASURED: Config = {
  ...WATCHED,
  prometheus: { main: { url: 'http://127.0.0.1:9', region: 'eu-west-1' } },
};
const measured = (): Settings =>
  settingsWith(
    {
      autonomy: 'gated',
      matrix: [{ id: 90, kind: 'decide', when: 'metrics.depth > 100', for: '1m', action: 'speak-up' }],
      facts: { depth: { promql: 'sum(depth)', every: '15s', fresh: '1m' } },
    },
    MEASURED,
  );

t.test('a metric is known for its step, however long that is, and no longer', async (t) => {
  const with_ = measured();
  const [metric] = with_.groups[GROUP]?.metrics ?? [];
  if (metric === undefined) throw new Error('the config names a metric');
  const of = (stepMs: number): string[] => {
    const d = draft(60);
    d.put(d.metric(metric, 500).value, 0, 10, Number.NaN);
    const history = { ...d.history, stepMs };
    const collector = collect(with_);
    replay({
      settings: with_,
      frames: framesOf(history, with_),
      skip: true,
      said: (entries, state) =>
        collector.said(
          entries.map(({ body }) => body),
          state,
        ),
    });
    return collector
      .end(FROM + 60 * stepMs)
      .decisions.map(({ row, outcome, at }) => `${row} ${outcome} ${(at - FROM) / stepMs}`);
  };
  t.strictSame(of(STEP_MS), ['90 told 14'], 'a minute after it is first known');
  t.strictSame(of(300_000), ['90 told 10.2'], 'longer than its samples count');
});

t.test('rows of single components are told apart', async (t) => {
  const config: Config = {
    ...WATCHED,
    alertmanager: {
      region: 'eu-west-1',
      bearer: '${env:TOKEN}',
      facts: (['db', 'api'] as const).map((component) => ({
        match: ['alertname="PodFailing"', `pod="${component}"`],
        fact: 'workload-degraded' as const,
        group: GROUP,
        region: A,
        component,
      })),
    },
  };
  const with_ = settingsWith(
    {
      autonomy: 'gated',
      matrix: (['postgres', 'http'] as const).map((scope, index) => ({
        id: 80 + index,
        kind: 'decide' as const,
        scope,
        when: 'bad(component.healthy)',
        for: '1m',
        action: 'speak-up' as const,
      })),
    },
    config,
  );
  const d = draft(100);
  d.alert({ alertname: 'PodFailing', pod: 'db' }, 20, 60);
  d.alert({ alertname: 'PodFailing', pod: 'api' }, 30, 32);
  const { findings } = run(d, with_);
  t.strictSame(
    findings.decisions.map(({ row, component, outcome }) => `${row} ${component} ${outcome}`),
    ['80 db told'],
  );
  t.strictSame(
    findings.passed.map(({ row, component }) => `${row} ${component}`),
    ['81 api'],
  );
  const long = draft(2000);
  long.alert({ alertname: 'PodFailing', pod: 'db' }, 20, 1990);
  t.ok(run(long, with_).skipped > 1900, 'once people are told, a hold of one is as quiet as one of the group');
});

t.test('a gap is unknown: it neither decides, nor ends an alert, nor counts as health', async (t) => {
  const d = draft(400);
  d.alert({ alertname: 'PodFailing' }, 50, 300);
  d.gapOfAll(100, 130);
  const { findings, bodies } = run(d, settings());
  t.notOk(brief(findings).some((one) => one.startsWith('40')));
  const resolved = bodies
    .flatMap((body) => (body.kind === 'alerts.received' ? body.alerts : []))
    .filter(({ status }) => status === 'resolved');
  t.equal(resolved.length, 1);
  t.strictSame(brief(findings), ['80 told 58'], 'one alert, before and after the gap');
  const gone = draft(400);
  gone.lose(90, 100);
  gone.gapOfAll(100, 400);
  t.strictSame(run(gone, settings()).findings.decisions, [], 'an outage that is not seen any more holds no longer');
});

t.test('a report that an alert made ends with that alert', async (t) => {
  const d = draft(400);
  d.alert({ alertname: 'Broken' }, 50, 150);
  d.lose(100, 300);
  const { findings } = run(d, settings());
  t.strictSame(
    findings.decisions.map(({ row, outcome }) => `${row} ${outcome}`),
    ['10 barred', '40 held-back', '40 proposed'],
  );
  const [, held] = findings.decisions;
  t.ok(held?.inTheWay.some(({ gate }) => gate === 'row-10'));
});

t.test('a loss of which nothing is known is not known, and none is made up', async (t) => {
  const d = draft(300);
  d.put(d.gap, 0, 300, Number.NaN);
  d.lose(100, 200);
  const { findings } = run(d, settings());
  t.match(findings.decisions[0], { outcome: 'proposed', loss: { lowBytes: null, highBytes: null } });
  t.ok(findings.decisions[0]?.inTheWay.some(({ gate }) => gate === 'loss-budget'));
});

t.test('a quiet history costs one look a step, and three at the control targets', async (t) => {
  const d = draft(2000);
  const { turns, skipped } = run(d, settings());
  t.ok(skipped > 1900, `${skipped} skipped`);
  t.ok(turns < 4 * 2000, `${turns} turns`);
});

/** Checkpoints of a hold that only tells people are not written where nobody looks; nothing is judged from them. */
const counting = (bodies: readonly EventBody[]): EventBody[] =>
  bodies.filter((body) => !(body.kind === 'hold.advanced' && (body.row === 80 || body.row === 85)));

/** A change of the history: what, from where, for how long, and to what. */
const Change = fc.record({
  what: fc.constantFrom(
    'lose',
    'probe',
    'control',
    'streaming',
    'gap',
    'lag',
    'pod',
    'watchdog',
    'broken',
    'nothing-known',
  ),
  from: fc.integer({ min: 0, max: 99 }),
  long: fc.integer({ min: 1, max: 60 }),
  value: fc.constantFrom(0, 1, -1, Number.NaN, 7, 400),
  vantage: fc.constantFrom('daemon', 'dublin'),
  component: fc.constantFrom('db', 'api'),
  region: fc.constantFrom(A, B),
});

t.test('looking once a step while nothing happens says the same as looking every second', async (t) => {
  const once = (
    changes: readonly (typeof Change extends fc.Arbitrary<infer C> ? C : never)[],
    autonomy: 'observe' | 'gated' | 'auto',
    holdGap: string,
  ) => {
    const d = draft(100);
    for (const { what, from, long, value, vantage, component, region } of changes) {
      const to = Math.min(100, from + long);
      if (what === 'lose') d.lose(from, to);
      if (what === 'probe') for (const column of d.probe(component, region, vantage)) d.put(column, from, to, value);
      if (what === 'control') d.put(d.control(vantage), from, to, value);
      if (what === 'streaming') d.put(d.streaming, from, to, value);
      if (what === 'gap') d.put(d.gap, from, to, value);
      if (what === 'lag') d.put(d.lag, from, to, value);
      if (what === 'pod') d.alert({ alertname: 'PodFailing', pod: `${from}` }, from, to);
      if (what === 'watchdog') d.alert({ alertname: 'Watchdog' }, from, to);
      if (what === 'broken') d.alert({ alertname: 'Broken', n: `${from}` }, from, to);
    }
    for (const { what, from, long } of changes)
      if (what === 'nothing-known') d.gapOfAll(from, Math.min(100, from + long));
    const with_ = settings(autonomy, holdGap);
    const [fast, slow] = [run(d, with_, true), run(d, with_, false)];
    t.equal(slow.skipped, 0);
    return [counting(fast.bodies), counting(slow.bodies), fast.findings, slow.findings] as const;
  };
  fc.assert(
    fc.property(
      fc.array(Change, { minLength: 1, maxLength: 6 }),
      fc.constantFrom('observe', 'gated', 'auto'),
      fc.constantFrom('5s', '30s'),
      (changes, autonomy, holdGap) => {
        const [fast, slow, found, expected] = once(changes, autonomy, holdGap);
        return JSON.stringify(fast) === JSON.stringify(slow) && JSON.stringify(found) === JSON.stringify(expected);
      },
    ),
    { numRuns: 40, seed: 20260112 },
  );
});
