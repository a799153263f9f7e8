// Metrics that the config names as facts: when they are known, what unknown does, and what they may decide.
import t from 'tap';
import type { GroupConfig } from '../../src/model/config.ts';
import type { MetricObservation } from '../../src/model/evidence.ts';
import type { MetricFactConfig } from '../../src/model/prometheus.ts';
import { metricFactName } from '../../src/model/row-facts.ts';
import { independent } from '../../src/policies/diagnoses.ts';
import { judgeRow, readFact } from '../../src/policies/rows.ts';
import { viewOf } from '../../src/policies/view.ts';
import { CONFIG, GROUP, settingsWith, W } from '../support/group.ts';
import { History } from '../support/histories.ts';

const PROMETHEUS = {
  main: { url: 'http://prometheus.test/', region: W, replicas: ['http://prometheus-2.test/'] },
};
const FACTS: Record<string, MetricFactConfig> = {
  errors: { promql: 'errors', unit: 'ratio', every: '10s', fresh: '60s' },
  down: { promql: 'down', type: 'verdict', bad: '> 0', every: '10s', fresh: '60s' },
};
const settings = (change: Partial<GroupConfig> = {}, prometheus: typeof PROMETHEUS = PROMETHEUS) =>
  settingsWith({ facts: FACTS, ...change }, { ...CONFIG, prometheus });

const said = (
  h: History,
  fact: string,
  value: number | null,
  over: Partial<MetricObservation> & { readonly ageMs?: number } = {},
): void => {
  const { ageMs = 0, ...rest } = over;
  const observation: MetricObservation = {
    kind: 'metric',
    group: GROUP,
    fact,
    server: 'main',
    replica: 0,
    region: W,
    vantage: 'daemon',
    at: h.at,
    durationMs: 5,
    verdict: value === null ? 'unknown' : fact === 'down' && value > 0 ? 'bad' : 'ok',
    reached: value === null ? 'respond' : 'read',
    code: value === null ? 'empty' : null,
    message: value === null ? 'no series' : null,
    ...(value === null ? { log: ['+0 ms asking for it'] } : {}),
    facts: value === null ? null : { value, sampleAt: h.at - ageMs, ageMs },
    ...rest,
  };
  h.give({ kind: 'observed', observations: [observation] });
};
const later = (h: History, ms: number): void => {
  h.at += ms;
  h.mono += ms;
};
const now = (h: History, fact: string) => {
  const state = { ...h.state, at: h.at, mono: h.mono };
  return readFact(viewOf(state, GROUP), metricFactName(fact));
};

t.test('a fact is unknown until it is told, and then for as long as its sample is fresh', async (t) => {
  const h = new History(settings());
  t.match(now(h, 'errors'), { value: null, why: /not asked yet/ });
  said(h, 'errors', 0.25);
  t.match(now(h, 'errors'), { value: 0.25, why: 'errors is 0.25 ratio' });
  said(h, 'errors', null);
  t.match(now(h, 'errors'), { value: null, why: /no series/ }, 'an answer without a value is no zero');
});

t.test('the age of the sample counts, not that of the answer', async (t) => {
  const h = new History(settings());
  said(h, 'errors', 0.25, { ageMs: 55_000 });
  t.equal(now(h, 'errors').value, 0.25);
  later(h, 5_000);
  t.equal(now(h, 'errors').value, 0.25, 'to the millisecond');
  later(h, 1);
  t.match(now(h, 'errors'), { value: null, why: /60 s old and counts for 60 s; it was 0.25/ });
});

t.test('an answer counts for two questions at most, however long its samples may', async (t) => {
  const h = new History(settings({ facts: { errors: { ...FACTS['errors'], promql: 'errors', fresh: '1h' } } }));
  said(h, 'errors', 0.25);
  later(h, 25_000);
  t.equal(now(h, 'errors').value, 0.25);
  later(h, 1);
  t.match(now(h, 'errors'), { value: null, why: /last asked 25 s ago/ });
});

t.test('clocks that jump neither freshen a sample nor age it', async (t) => {
  const h = new History(settings());
  said(h, 'errors', 0.25);
  h.at += 3_600_000;
  t.equal(now(h, 'errors').value, 0.25);
  h.mono += 61_000;
  h.at -= 7_200_000;
  t.equal(now(h, 'errors').value, null);
});

t.test('of replicas the first that knows a number counts; verdicts must agree', async (t) => {
  const h = new History(settings());
  said(h, 'errors', 2, { replica: 1 });
  t.match(now(h, 'errors'), { value: 2 }, 'the other one does not know');
  said(h, 'errors', 1);
  t.match(now(h, 'errors'), { value: 1 });
  said(h, 'down', 0);
  t.match(now(h, 'down'), { value: 'ok' });
  said(h, 'down', 3, { replica: 1 });
  t.match(now(h, 'down'), { value: null, why: /disagree: main says ok \(down is 0\), main, replica 1 says bad/ });
  said(h, 'down', 1);
  t.match(now(h, 'down'), { value: 'bad' });
  said(h, 'down', null);
  said(h, 'down', null, { replica: 1 });
  t.match(now(h, 'down'), { value: null, why: /main: no series; main, replica 1: no series/ });
});

t.test('what nobody named, or another vantage tells, counts for nothing', async (t) => {
  const h = new History(settings());
  for (const over of [
    { vantage: 'dublin' },
    { server: 'other' },
    { replica: 2 },
    { region: 'us-east-1' },
    { group: 'constructor' },
  ])
    said(h, 'errors', 9, over);
  said(h, 'constructor', 9);
  t.match(now(h, 'errors'), { value: null, why: /not asked yet/ });
  t.same(h.state.volatile.sights, {});
});

t.test('a veto on a metric stands in the way when it is bad, and of auto alone when it is unknown', async (t) => {
  const matrix: GroupConfig['matrix'] = [
    { id: 35, kind: 'gate', when: 'metrics.errors > 0.5 && bad(metrics.down)', against: ['failover'] },
    { id: 40, kind: 'decide', when: 'bad(active.reachable)', for: '5s', action: 'failover', auto: true },
  ];
  const run = (errors: number | null, down: number | null): History => {
    const h = new History(settings({ matrix }));
    h.pass(3000);
    h.loseActive();
    for (let second = 0; second < 12; second += 1) {
      said(h, 'errors', errors);
      said(h, 'down', down);
      h.pass(1000);
    }
    return h;
  };
  t.equal(run(0.1, null).group.ended.length, 1, 'what is known to be well lets pass');
  t.equal(run(null, 0).group.ended.length, 1, 'Kleene: one no is enough');
  const barred = run(0.9, 1);
  t.equal(barred.events('run.opened').length, 0);
  t.match(barred.group.decisions[40]?.gates, [{ gate: 'row-35', answer: 'block', why: /errors is 0.9 ratio/ }]);
  const blind = run(0.9, null);
  t.equal(blind.events('run.opened').length, 0, 'unknown is not well');
  t.equal(blind.events('proposal.opened').length, 1, 'but people may decide it');
});

t.test('invariant 17: a metric vouches for no region, over whatever path it came', async (t) => {
  const probe = { class: 'client-probe', vantage: 'daemon', path: 'b->a', verdict: 'bad', ageMs: 1, says: '' } as const;
  const metric = { ...probe, class: 'metric', vantage: 'main', path: 'w->a' } as const;
  t.equal(independent([probe, metric]), false);
  t.equal(independent([probe, { ...metric, class: 'alert' }]), true, 'where an alert would');

  const h = new History(
    settings({
      matrix: [
        {
          id: 40,
          kind: 'decide',
          when: 'bad(active.reachable) && bad(metrics.down)',
          for: '5s',
          action: 'failover',
          auto: true,
        },
      ],
    }),
  );
  h.pass(3000);
  h.sights.active = 'bad';
  // The standby does not tell of its WAL receiver: no other class of evidence.
  h.sights.standbyFacts = { ...h.sights.standbyFacts, walReceiver: null, inRecovery: null };
  h.sights.standby = 'bad';
  for (let second = 0; second < 30; second += 1) {
    said(h, 'down', 1);
    h.pass(1000);
  }
  t.equal(h.events('hold.started').length, 0);
  t.equal(h.events('run.opened').length, 0);
});

t.test('a metric alone is proposed to people, and nothing is done', async (t) => {
  const h = new History(
    settings({
      matrix: [
        { id: 40, kind: 'decide', when: 'bad(active.reachable)', for: '5s', action: 'failover', auto: true },
        { id: 60, kind: 'decide', when: 'bad(metrics.down)', for: '3s', action: 'partial' },
      ],
    }),
  );
  h.pass(3000);
  for (let second = 0; second < 8; second += 1) {
    said(h, 'down', 2);
    h.pass(1000);
  }
  const [decision] = h.events('decision.made');
  t.match(decision?.decision, { row: 60, action: 'partial', values: [{ fact: 'metrics.down', value: 'bad' }] });
  t.match(decision?.decision.signs, [{ class: 'metric', vantage: 'main', path: `${W}->us-east-1`, verdict: 'bad' }]);
  t.equal(h.performed().length, 0);
  const asked = h.effects.filter((effect) => effect.kind === 'probe').length;
  t.equal(asked, 0, 'clients that are served are no disagreement with a metric that is bad');
});

t.test('a metric may speak up, in its own words', async (t) => {
  const h = new History(
    settings({
      autonomy: 'gated',
      matrix: [
        { id: 40, kind: 'decide', when: 'bad(active.reachable)', for: '5s', action: 'failover' },
        { id: 85, kind: 'decide', when: 'metrics.errors > 0.5', for: '3s', action: 'speak-up', note: 'Look at it.' },
      ],
    }),
  );
  for (let second = 0; second < 6; second += 1) {
    said(h, 'errors', 0.9);
    h.pass(1000);
  }
  t.match(h.events('page.queued'), [
    { page: { kind: 'speak-up', title: /a person should look/, body: /errors is 0.9 ratio for 3 s. Look at it./ } },
  ]);
});

t.test('what would change the answer is told for a metric as for any fact', async (t) => {
  const h = new History(settings());
  said(h, 'errors', 0.25);
  const view = viewOf(h.state, GROUP);
  t.match(judgeRow(view, { when: 'metrics.errors > 0.5' }), { verdict: 'ok', turnedBy: ['metrics.errors = 1.5'] });
});

t.test('an alert that means something asks for fresh queries with the fresh probes', async (t) => {
  const h = new History(settings());
  const alert = {
    fingerprint: '0123456789abcdef',
    startsAt: h.at,
    status: 'firing',
    labels: { alertname: 'PodFailing' },
    summary: null,
  } as const;
  h.give({ kind: 'webhook', request: 'r', alerts: [alert] });
  t.same(
    h.effects.filter((effect) => effect.kind === 'probe'),
    [{ kind: 'probe', group: GROUP }],
  );
});

t.test('a failure keeps its first words through thousands of later answers, good and bad', async (t) => {
  const h = new History(settings());
  said(h, 'errors', null, { message: 'the first', log: ['+0 ms how it began'] });
  for (let second = 0; second < 30; second += 1) {
    later(h, 1000);
    said(h, 'errors', null, { message: 'again', log: ['again'] });
  }
  for (let turn = 0; turn < 5000; turn += 1) {
    later(h, 1000);
    said(h, 'errors', 0.1);
  }
  const kept = () => Object.values(h.state.volatile.sights[GROUP] ?? {})[0]?.failures ?? [];
  t.match(kept(), [{ count: 31, message: 'the first', log: ['+0 ms how it began'], code: 'empty' }]);
  for (let night = 0; night < 10; night += 1) {
    later(h, 3_600_000);
    said(h, 'errors', null, { message: `night ${night}` });
  }
  t.equal(kept().length, 5, 'bounded');
  t.equal(kept().at(-1)?.message, 'night 9');
});
