// What an explanation says of rows of single components, planned work, silences and raises.
import t from 'tap';
import { toldOf } from '../../src/daemon/explain-text.ts';
import type { Config, GroupConfig } from '../../src/model/config.ts';
import type { Alert, Silence } from '../../src/model/evidence.ts';
import type { Explanation, RowExplained } from '../../src/model/explanation.ts';
import type { MatrixRow } from '../../src/model/matrix.ts';
import { explain } from '../../src/policies/explain.ts';
import { explainPast } from '../../src/policies/explain-past.ts';
import { A, CONFIG, GROUP, GROUP_CONFIG, settingsWith } from '../support/group.ts';
import { History, NIGHT } from '../support/histories.ts';

const POD: MatrixRow = {
  id: 80,
  kind: 'decide',
  scope: 'workload',
  when: 'bad(component.healthy)',
  for: '5s',
  action: 'speak-up',
};
const RESTART: MatrixRow = {
  id: 45,
  kind: 'decide',
  scope: 'postgres',
  when: 'bad(component.reachable)',
  for: '2s',
  action: 'restart',
};
const FAILOVER: MatrixRow = { id: 46, kind: 'decide', when: 'bad(postgres.reachable)', for: '2s', action: 'failover' };

const WATCHED: Config = {
  ...CONFIG,
  alertmanager: {
    region: 'eu-west-1',
    bearer: '${env:TOKEN}',
    expiry: '2m',
    apis: ['https://alertmanager.test'],
    facts: [
      { match: ['alertname="Watchdog"'], fact: 'watchdog', group: GROUP, region: A },
      ...['web', 'jobs'].map((component) => ({
        match: ['alertname="Pod"', `of="${component}"`],
        fact: 'workload-degraded' as const,
        group: GROUP,
        region: A,
        component,
      })),
    ],
    silences: [{ match: ['maintenance="orders"'], group: GROUP, causes: ['restart', 'row 80'] }],
  },
};
const settings = (change: Partial<GroupConfig> = {}) =>
  settingsWith(
    {
      autonomy: 'gated',
      matrix: [RESTART, FAILOVER, POD],
      components: {
        ...GROUP_CONFIG.components,
        web: { kind: 'workload', tier: 1 },
        jobs: { kind: 'workload', tier: 1 },
      },
      ...change,
    },
    WATCHED,
  );
const alert = (alertname: string, of: string): Alert => ({
  fingerprint: `${alertname}${of}`.padEnd(16, '0'),
  startsAt: NIGHT,
  status: 'firing',
  labels: { alertname, of },
  summary: null,
});
const fire = (h: History, ...alerts: Alert[]): void =>
  h.give({ kind: 'webhook', request: `w${h.inputs.length}`, alerts });
const silence = (h: History, over: Partial<Silence> = {}): Silence => ({
  id: 's1',
  by: 'ann',
  comment: 'new disks',
  startsAt: NIGHT,
  endsAt: h.at + 600_000,
  matchers: [{ label: 'maintenance', equal: true, value: 'orders' }],
  ...over,
});
const windows = (to: number): Partial<GroupConfig> => ({
  maintenance: [
    {
      title: 'Patches',
      from: new Date(NIGHT).toISOString(),
      to: new Date(NIGHT + to).toISOString(),
      causes: ['restart', 'row 80'],
    },
  ],
});

const row = (explanation: Explanation, id: number, component: string | null): RowExplained => {
  const found = explanation.rows.find((one) => one.row === id && one.component === component);
  if (found === undefined) throw new Error(`no row ${id} for ${component}`);
  return found;
};
const text = (explanation: Explanation, id: number, component: string | null): string => {
  const told = toldOf(explanation).rows.find((one) => one.row === id && one.component === component);
  return [told?.says, ...(told?.paragraphs ?? []).flatMap(({ lines }) => lines)].join('\n');
};
const past = (h: History, at: number): Explanation => {
  const own = h.state.settings.groups[GROUP];
  if (own === undefined) throw new Error('no group');
  const events = h.entries.map(({ body }) => body);
  const lastAt = events.findLast((event) => event.at <= at)?.at ?? null;
  return explainPast({
    group: GROUP,
    settings: own,
    at,
    only: null,
    kept: { events, firstAt: events[0]?.at ?? null, lastAt },
  });
};

t.test('a row of single components is explained for each, now and then', async (t) => {
  const h = new History(settings());
  fire(h, alert('Watchdog', ''), alert('Pod', 'web'));
  h.pass(8000);
  const now = explain(h.state, GROUP, 80);
  t.strictSame(
    now.rows.map(({ component, answer }) => `${component} ${answer}`),
    ['web matches', 'jobs does-not-match'],
  );
  t.match(row(now, 80, 'web').decision, { action: 'speak-up' });
  t.equal(row(now, 80, 'jobs').decision, null);
  t.match(text(now, 80, 'web'), /^Row 80 for web \(decide\) matches/);
  t.match(text(now, 80, 'web'), 'Pod fires');
  t.match(text(now, 80, 'jobs'), 'no alert mapped to a failure of jobs fires, and the watchdog is heard');
  t.match(text(now, 80, 'jobs'), /It would tell people if .*jobs/);
  const then = past(h, h.at);
  t.equal(row(then, 80, 'web').answer, 'matches');
  t.equal(row(then, 80, 'jobs').answer, 'not-kept');
});

t.test('a row that another stands above names it, and whom it is judged for', async (t) => {
  const h = new History(settings({ matrix: [{ ...FAILOVER, id: 44 }, RESTART] }));
  h.pass(3000);
  h.sights.active = 'bad';
  h.pass(3000);
  t.match(row(explain(h.state, GROUP), 45, 'db').notes, [
    'row 44 matches and stands above it: that one decides, not this one',
  ]);
  const own = new History(settings({ matrix: [RESTART, { ...RESTART, id: 47 }] }));
  own.pass(3000);
  own.sights.active = 'bad';
  own.pass(3000);
  t.match(row(explain(own.state, GROUP), 47, 'db').notes, ['row 45 for db matches and stands above it']);
});

t.test('planned work is told as what stands in the way, also of words to people, and when it is over', async (t) => {
  const h = new History(settings(windows(60_000)));
  fire(h, alert('Watchdog', ''), alert('Pod', 'web'));
  h.sights.active = 'bad';
  h.pass(3000);
  const during = explain(h.state, GROUP);
  for (const [id, component] of [
    [45, 'db'],
    [80, 'web'],
  ] as const) {
    const [gate] = row(during, id, component).gates.filter(({ answer }) => answer !== 'pass');
    t.match(gate, { gate: 'maintenance', answer: 'block', stops: 'everyone', why: /"Patches" until/ }, `row ${id}`);
    t.match(text(during, id, component), 'To open it: it opens when the planned work is over');
  }
  t.match(
    row(during, 46, null).gates.find(({ gate }) => gate === 'maintenance'),
    { answer: 'pass' },
    'a failover is none of its causes',
  );
  h.pass(10_000);
  t.match(row(explain(h.state, GROUP), 80, 'web').decision, { action: 'hold', why: /nobody is told because of/ });
  const inWindow = h.at;
  h.pass(60_000);
  const after = explain(h.state, GROUP);
  t.ok(row(after, 80, 'web').gates.every(({ answer }) => answer === 'pass'));
  t.match(row(after, 80, 'web').decision, { action: 'speak-up' });
  const noted = (at: number): boolean => past(h, at).notes.some((note) => /"Patches" stood until/.test(note));
  t.equal(noted(inWindow), true);
  t.equal(noted(h.at), false);
});

t.test(
  'a silence that is planned work is told with who set it; of the past it is not kept, which is said',
  async (t) => {
    const h = new History(settings());
    fire(h, alert('Watchdog', ''), alert('Pod', 'web'));
    h.give({ kind: 'silences', silences: [silence(h)], silenced: [] });
    h.pass(3000);
    t.match(
      row(explain(h.state, GROUP), 80, 'web').gates.find(({ answer }) => answer !== 'pass'),
      { gate: 'maintenance', why: /silence "new disks" by ann until/ },
    );
    t.ok(past(h, h.at).notes.includes('which silences stood then is not kept'));
  },
);

t.test('a row whose alert is silenced can’t tell, and says by whom and until when', async (t) => {
  const h = new History(settings());
  fire(h, alert('Watchdog', ''));
  h.pass(1000);
  const own = silence(h, { matchers: [{ label: 'alertname', equal: true, value: 'Pod' }] });
  h.give({ kind: 'silences', silences: [own], silenced: [{ alert: alert('Pod', 'web'), silencedBy: ['s1'] }] });
  const now = explain(h.state, GROUP);
  t.equal(row(now, 80, 'web').answer, 'cannot-tell');
  t.match(text(now, 80, 'web'), /Pod is silenced by ann until .*, so it says nothing/);
  t.equal(row(now, 80, 'jobs').answer, 'does-not-match', 'the other workload is none of its business');
});

t.test('a raise that waits is told: what it asks for, whom it waits for, until when', async (t) => {
  const h = new History(settingsWith({ autonomy: 'gated' }));
  h.pass(1000);
  const before = h.at;
  h.pass(1000);
  const wider = settingsWith();
  h.give({ kind: 'reloaded', request: 'r', by: 'ann', configHash: 'second', settings: wider, restartNeeded: [] });
  h.pass(1000);
  const now = explain(h.state, GROUP);
  t.match(toldOf(now).says, /Raise-platform-1 is open until .*autonomy gated -> auto.*approved by sre and vp/);
  t.ok(row(now, 40, null).autonomyWhy.some((why) => /than is agreed: two people have to approve it/.test(why)));
  const noted = (at: number): boolean => past(h, at).notes.some((note) => /^raise-platform-1 was open/.test(note));
  t.equal(noted(before), false);
  t.equal(noted(h.at), true);
  h.give({
    kind: 'abort',
    request: 'a',
    person: { id: 'ann', roles: ['sre'] },
    target: 'raise-platform-1',
    why: 'not today',
  });
  h.pass(1000);
  t.equal(noted(h.at), false);
  t.notMatch(toldOf(explain(h.state, GROUP)).says, 'aise-platform-1');
});
