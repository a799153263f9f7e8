// Planned work suppresses what it names, and nothing else.
import t from 'tap';
import type { Config, GroupConfig } from '../../src/model/config.ts';
import type { Alert, Silence } from '../../src/model/evidence.ts';
import type { MatrixRow } from '../../src/model/matrix.ts';
import { judgeRow } from '../../src/policies/rows.ts';
import { viewOf } from '../../src/policies/view.ts';
import { A, B, CONFIG, GROUP, GROUP_CONFIG, settingsWith } from '../support/group.ts';
import { History, NIGHT } from '../support/histories.ts';

const FAILOVER: MatrixRow = {
  id: 40,
  kind: 'decide',
  when: 'bad(active.reachable)',
  for: '5s',
  action: 'failover',
  auto: true,
};
const RESTART: MatrixRow = { id: 45, kind: 'decide', when: 'bad(postgres.reachable)', for: '2s', action: 'restart' };
const POD: MatrixRow = {
  id: 80,
  kind: 'decide',
  scope: 'workload',
  when: 'bad(component.healthy)',
  for: '2s',
  action: 'speak-up',
};
const GATE: MatrixRow = {
  id: 30,
  kind: 'gate',
  when: 'bad(maintenance.over)',
  against: ['partial', 'restart'],
  unknown: 'pass',
};

const ALERTS: Config = {
  ...CONFIG,
  alertmanager: {
    region: 'eu-west-1',
    bearer: '${env:TOKEN}',
    expiry: '2m',
    apis: ['https://alertmanager.test'],
    facts: [
      { match: ['alertname="Watchdog"'], fact: 'watchdog', group: GROUP, region: A },
      { match: ['alertname="Pod"'], fact: 'workload-degraded', group: GROUP, region: A, component: 'web' },
      { match: ['alertname="Planned"'], fact: 'maintenance', group: GROUP, region: A },
    ],
    silences: [{ match: ['maintenance="orders"'], group: GROUP, causes: ['restart', 'row 80'] }],
  },
};
type Window = NonNullable<GroupConfig['maintenance']>[number];
/** For the first minutes of every history. */
const NOW = { from: new Date(NIGHT).toISOString(), to: new Date(NIGHT + 60_000).toISOString() };
const window = (over: Partial<Window>): Window => ({ title: 'Patches', ...NOW, causes: ['restart'], ...over });

const historyWith = (matrix: MatrixRow[], maintenance: Window[] = [], change: Partial<GroupConfig> = {}) =>
  new History(
    settingsWith(
      {
        matrix,
        maintenance,
        autonomy: 'gated',
        components: { ...GROUP_CONFIG.components, web: { kind: 'workload', tier: 1 } },
        ...change,
      },
      ALERTS,
    ),
  );

const alert = (alertname: string): Alert => ({
  fingerprint: alertname.padEnd(16, '0'),
  startsAt: NIGHT,
  status: 'firing',
  labels: { alertname },
  summary: null,
});
const fire = (h: History, ...names: readonly string[]): void =>
  h.give({ kind: 'webhook', request: `w${h.inputs.length}`, alerts: names.map(alert) });
const silence = (over: Partial<Silence> = {}): Silence => ({
  id: 's1',
  by: 'ann',
  comment: 'new disks',
  startsAt: NIGHT,
  endsAt: NIGHT + 3_600_000,
  matchers: [{ label: 'maintenance', equal: true, value: 'orders' }],
  ...over,
});
const decided = (h: History): string[] =>
  h.events('decision.made').map(({ decision }) => `${decision.row} ${decision.action}`);
const pages = (h: History, kind: string): number =>
  h.events('page.queued').filter(({ page }) => page.kind === kind).length;
const over = (h: History): string => judgeRow(viewOf(h.state, GROUP), { when: 'bad(maintenance.over)' }).verdict;

t.test('a window holds back the action it names, until it ends', async (t) => {
  const h = historyWith([FAILOVER, RESTART], [window({})]);
  h.pass(3000);
  h.sights.active = 'bad';
  h.pass(10_000);
  t.strictSame(decided(h), ['45 hold']);
  t.match(h.events('decision.made')[0]?.decision.why, /Patches/);
  t.equal(over(h), 'bad');
  h.pass(60_000);
  t.strictSame(decided(h), ['45 hold', '45 restart'], 'what is still wrong at its end is told then');
});

t.test('it never stands against the loss of a region', async (t) => {
  for (const causes of [['restart', 'partial', 'speak-up'], ['row 40']]) {
    const h = historyWith([FAILOVER, GATE, RESTART], [window({ causes })], {
      autonomy: 'auto',
      components: GROUP_CONFIG.components,
    });
    h.pass(3000);
    h.loseActive();
    h.pass(10_000);
    t.equal(h.events('run.opened').length, 1, causes.join());
  }
});

t.test('a gate that reads maintenance.over stands only against what the window names', async (t) => {
  const partial: MatrixRow = { ...RESTART, id: 46, action: 'partial' };
  const of = (row: MatrixRow, causes: string[]): string[] => {
    const h = historyWith([GATE, FAILOVER, row], [window({ causes })]);
    h.pass(3000);
    h.sights.active = 'bad';
    h.pass(10_000);
    return decided(h);
  };
  t.strictSame(of(RESTART, ['restart']), ['30 hold', '45 hold']);
  t.strictSame(of(partial, ['restart']), ['30 hold', '46 partial'], 'another action');
  t.strictSame(of(partial, ['row 46']), ['30 hold', '46 hold'], 'named by its number');
  t.strictSame(of(partial, ['row 45']), ['30 hold', '46 partial']);
});

t.test('an alert mapped to maintenance stands as the rows say that read it', async (t) => {
  const h = historyWith([GATE, FAILOVER, RESTART]);
  fire(h, 'Planned');
  h.pass(3000);
  h.sights.active = 'bad';
  h.pass(10_000);
  t.strictSame(decided(h), ['30 hold', '45 hold']);
});

t.test('a window of one component or region suppresses what is about it', async (t) => {
  const spoken = (...some: Window[]): number => {
    const h = historyWith([FAILOVER, POD], some);
    fire(h, 'Watchdog', 'Pod');
    h.pass(10_000);
    return pages(h, 'speak-up');
  };
  t.equal(spoken(), 1);
  t.equal(spoken(window({ causes: ['speak-up'], component: 'web' })), 0);
  t.equal(spoken(window({ causes: ['speak-up'], component: 'db' })), 1, 'of another component');
  t.equal(spoken(window({ causes: ['row 80'], region: A })), 0);
  t.equal(spoken(window({ causes: ['row 80'], region: B })), 1, 'in the other region');
});

t.test('people hear after a window of what did not heal, once, whatever is planned next', async (t) => {
  const later = { from: new Date(NIGHT + 90_000).toISOString(), to: new Date(NIGHT + 110_000).toISOString() };
  const h = historyWith([FAILOVER, POD], [window({ causes: ['row 80'] }), window({ causes: ['row 80'], ...later })]);
  for (let seconds = 0; seconds < 130; seconds += 10) {
    fire(h, 'Watchdog', 'Pod');
    h.pass(10_000);
  }
  t.equal(pages(h, 'speak-up'), 1);
  t.strictSame(decided(h), ['80 hold', '80 speak-up']);
});

t.test('a silence with the matcher that is configured is planned work, while it stands', async (t) => {
  const h = historyWith([FAILOVER, RESTART]);
  h.pass(1000);
  h.give({ kind: 'silences', silences: [silence({ endsAt: h.at + 30_000 })], silenced: [] });
  t.equal(over(h), 'bad');
  h.sights.active = 'bad';
  h.pass(20_000);
  t.strictSame(decided(h), ['45 hold']);
  t.match(h.events('decision.made')[0]?.decision.why, /new disks.*by ann/);
  h.pass(20_000);
  t.strictSame(decided(h), ['45 hold', '45 restart'], 'its end is known without asking');
});

t.test('a silence that only looks like it is none', async (t) => {
  for (const matchers of [
    [{ label: 'maintenance', equal: true, value: 'mail' }],
    [{ label: 'maintenance', equal: false, value: 'orders' }],
    [{ label: 'alertname', equal: true, value: 'orders' }],
    [],
  ]) {
    const h = historyWith([FAILOVER, RESTART]);
    fire(h, 'Watchdog');
    h.give({ kind: 'silences', silences: [silence({ matchers })], silenced: [] });
    h.pass(1000);
    t.equal(over(h), 'ok', JSON.stringify(matchers));
  }
});

t.test('silences that were not heard of lately are unknown, and suppress nothing', async (t) => {
  const h = historyWith([FAILOVER, RESTART]);
  fire(h, 'Watchdog');
  h.pass(1000);
  t.equal(over(h), 'unknown', 'nobody was asked yet');
  h.give({ kind: 'silences', silences: [silence()], silenced: [] });
  t.equal(over(h), 'bad');
  h.pass(150_000);
  t.equal(over(h), 'unknown', 'longer ago than anything of Alertmanager counts');
});

t.test('a silenced alert is neither a sign nor health', async (t) => {
  const h = historyWith([FAILOVER, POD, { ...POD, id: 85, when: 'ok(component.healthy)', for: '0s', action: 'none' }]);
  fire(h, 'Watchdog', 'Pod');
  h.pass(1000);
  t.ok(h.group.holds['80/web']);
  const held = { alert: alert('Pod'), silencedBy: ['s1'] };
  h.give({ kind: 'silences', silences: [silence({ matchers: [] })], silenced: [held] });
  h.pass(10_000);
  t.equal(pages(h, 'speak-up'), 0, 'it holds no more');
  t.equal(h.group.holds['85/web'], undefined, 'and nobody is well for it');
  const view = viewOf(h.state, GROUP);
  const { verdict, why } = judgeRow(view, { when: 'bad(component.healthy)' }, 'web');
  t.equal(verdict, 'unknown');
  t.match(why, /silenced by ann until 2026-01-12 08:00:00 UTC/);
  t.match(view.silenced, [{ alert: { labels: { alertname: 'Pod' } }, by: [{ by: 'ann', comment: 'new disks' }] }]);
  fire(h, 'Pod');
  h.pass(5000);
  t.equal(pages(h, 'speak-up'), 1, 'a webhook that comes after tells that it is silenced no more');
});

t.test('one that was silenced before it was ever heard of is shown, and means as little', async (t) => {
  const h = historyWith([FAILOVER, POD]);
  fire(h, 'Watchdog');
  const held = { alert: alert('Pod'), silencedBy: ['s1', 'unheard'] };
  h.give({ kind: 'silences', silences: [silence({ matchers: [] })], silenced: [held, { ...held, alert: alert('x') }] });
  h.pass(10_000);
  t.strictSame(h.group.holds, {});
  t.equal(viewOf(h.state, GROUP).silenced.length, 1, 'what means nothing to us is left out');
  h.give({ kind: 'silences', silences: [], silenced: [] });
  h.pass(1000);
  t.equal(judgeRow(viewOf(h.state, GROUP), { when: 'ok(component.healthy)' }, 'web').verdict, 'bad', 'it is over');
});

t.test('a watchdog that is silenced tells nobody that monitoring watches: auto waits', async (t) => {
  const h = historyWith([FAILOVER], [], { autonomy: 'auto', components: GROUP_CONFIG.components });
  fire(h, 'Watchdog');
  h.pass(3000);
  h.give({ kind: 'silences', silences: [silence()], silenced: [{ alert: alert('Watchdog'), silencedBy: ['s1'] }] });
  h.loseActive();
  h.pass(12_000);
  t.equal(h.events('run.opened').length, 0);
  const gates = h.events('proposal.opened')[0]?.decision.gates;
  t.match(
    gates?.find(({ gate }) => gate === 'monitoring'),
    { answer: 'cannot-tell', why: /silenced/ },
  );
});
