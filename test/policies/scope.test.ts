// Rows that are judged for each component of a kind on its own.
import t from 'tap';
import { seal } from '../../src/journal/chain.ts';
import { foldAll } from '../../src/journal/fold.ts';
import type { GroupConfig } from '../../src/model/config.ts';
import type { EventBody } from '../../src/model/events.ts';
import type { Observation } from '../../src/model/evidence.ts';
import { EMPTY_LEDGER } from '../../src/model/ledger.ts';
import type { MatrixRow } from '../../src/model/matrix.ts';
import { judge } from '../../src/policies/gates/index.ts';
import { replicationLoss } from '../../src/policies/loss.ts';
import { judgeRow } from '../../src/policies/rows.ts';
import { viewOf } from '../../src/policies/view.ts';
import { A, B, CONFIG, GROUP, GROUP_CONFIG, settingsWith } from '../support/group.ts';
import { History } from '../support/histories.ts';

const FAILOVER: MatrixRow = { id: 40, kind: 'decide', when: 'bad(active.reachable)', for: '5s', action: 'failover' };
const EACH_POD: MatrixRow = {
  id: 80,
  kind: 'decide',
  scope: 'workload',
  when: 'bad(component.healthy)',
  for: '10s',
  action: 'speak-up',
};

/** Two workloads, each with an alert of its own. */
const TWO = {
  ...CONFIG,
  alertmanager: {
    region: 'eu-west-1',
    bearer: '${env:TOKEN}',
    facts: [
      { match: ['alertname="Watchdog"'], fact: 'watchdog' as const, group: GROUP, region: A },
      ...['web', 'jobs'].map((component) => ({
        match: ['alertname="PodFailing"', `workload="${component}"`],
        fact: 'workload-degraded' as const,
        group: GROUP,
        region: A,
        component,
      })),
    ],
  },
};
const WORKLOADS = {
  ...GROUP_CONFIG.components,
  web: { kind: 'workload' as const, tier: 1 as const },
  jobs: { kind: 'workload' as const, tier: 1 as const },
};
const withRows = (matrix: MatrixRow[], change: Partial<GroupConfig> = {}) =>
  new History(settingsWith({ matrix, components: WORKLOADS, autonomy: 'gated', ...change }, TWO));

let sent = 0;
function fire(h: History, labels: Record<string, string>, status: 'firing' | 'resolved' = 'firing'): void {
  sent += 1;
  const fingerprint = Buffer.from(`${labels['workload'] ?? 'none'}    `)
    .toString('hex')
    .slice(0, 16)
    .padEnd(16, '0');
  h.give({
    kind: 'webhook',
    request: `w${sent}`,
    alerts: [{ fingerprint, startsAt: 1, status, labels, summary: null }],
  });
}
const pod = (h: History, workload: string, status: 'firing' | 'resolved' = 'firing') =>
  fire(h, { alertname: 'PodFailing', workload }, status);

t.test('each workload has a hold, a decision and a page of its own', async (t) => {
  const h = withRows([FAILOVER, EACH_POD]);
  fire(h, { alertname: 'Watchdog' });
  h.pass(3000);
  pod(h, 'web');
  h.pass(6000);
  t.strictSame(Object.keys(h.group.holds), ['80/web']);
  pod(h, 'jobs');
  h.pass(6000);
  t.strictSame(
    h.events('decision.made').map(({ decision }) => [decision.row, decision.component, decision.action]),
    [[80, 'web', 'speak-up']],
    'the other has not held for long enough yet',
  );
  t.ok(h.group.holds['80/jobs']);
  h.pass(6000);
  t.strictSame(Object.keys(h.group.decisions), ['80/web', '80/jobs']);
  const pages = h.events('page.queued').filter(({ page }) => page.kind === 'speak-up');
  t.match(
    pages.map(({ page }) => page.title),
    [/web/, /jobs/],
  );
  pod(h, 'web', 'resolved');
  h.pass(2000);
  t.strictSame(Object.keys(h.group.decisions), ['80/jobs'], 'what one of them got over clears its own decision alone');
  t.strictSame(Object.keys(h.group.holds), ['80/jobs']);
});

t.test('a component whose alerts nobody has mapped is unknown, however quiet it is', async (t) => {
  const h = withRows([FAILOVER, { ...EACH_POD, when: 'ok(component.healthy)', for: '0s' }], {
    components: { ...WORKLOADS, quiet: { kind: 'workload', tier: 1 } },
  });
  fire(h, { alertname: 'Watchdog' });
  h.pass(3000);
  t.strictSame(Object.keys(h.group.holds), ['80/web', '80/jobs']);
  const view = viewOf(h.state, GROUP);
  t.equal(judgeRow(view, { when: 'ok(component.healthy)' }, 'quiet').verdict, 'unknown');
});

t.test('a database is judged by its own probes', async (t) => {
  const restart: MatrixRow = {
    id: 45,
    kind: 'decide',
    scope: 'postgres',
    when: 'bad(component.reachable) && ok(services.reachable)',
    for: '2s',
    action: 'restart',
  };
  const second = {
    ...GROUP_CONFIG.components['db'],
    instances: { [A]: 'a2.test:5432', [B]: 'b2.test:5432' },
  } as GroupConfig['components'][string];
  const h = withRows([FAILOVER, restart], { components: { ...GROUP_CONFIG.components, orders: second } });
  const give = h.give.bind(h);
  // The first is refused in the active region; the second answers as the world has it.
  h.give = (input) => {
    if (input.kind !== 'observed') return give(input);
    const observations = input.observations.flatMap((one): Observation[] => {
      if (one.kind !== 'postgres') return [one];
      const refused = { ...one, verdict: 'bad', reached: 'connect', code: 'refused', facts: null } as const;
      return [one.region === A ? refused : one, { ...one, component: 'orders' }];
    });
    give({ ...input, observations });
  };
  h.pass(9000);
  const made = h.events('decision.made');
  t.strictSame(
    made.map(({ decision }) => [decision.row, decision.component, decision.action]),
    [[45, 'db', 'restart']],
    JSON.stringify(h.group.holds),
  );
  t.match(h.events('page.queued').at(-1)?.page.title, /restart of db/);
  t.ok(made[0]?.decision.signs.every(({ says }) => !says.includes('orders')));
});

t.test('the first row that matches decides for its component; one of the group takes the turn of all', async (t) => {
  const rows: MatrixRow[] = [
    FAILOVER,
    { id: 45, kind: 'decide', scope: 'postgres', when: 'bad(component.reachable)', for: '1s', action: 'restart' },
    { id: 46, kind: 'decide', scope: 'postgres', when: 'bad(postgres.reachable)', for: '1s', action: 'partial' },
    { id: 47, kind: 'decide', scope: 'http', when: 'bad(component.reachable)', for: '1s', action: 'partial' },
  ];
  const decided = (h: History): string[] =>
    h.events('decision.made').map(({ decision }) => `${decision.row}/${decision.component ?? 'group'}`);
  const gray = withRows(rows);
  gray.pass(3000);
  gray.sights.active = 'bad';
  gray.pass(12_000);
  t.strictSame(decided(gray), ['45/db', '47/api'], 'row 46 of the same component has no turn, row 47 of another has');
  const dead = withRows(rows);
  dead.pass(3000);
  dead.loseActive();
  dead.pass(12_000);
  t.strictSame(decided(dead), ['40/group']);
});

t.test('a gate for one component stands against what is done to it, and against what moves all', async (t) => {
  const residency: MatrixRow = {
    id: 90,
    kind: 'gate',
    scope: 'workload',
    when: 'bad(component.residency_allows)',
    against: ['partial', 'failover'],
  };
  const bound = { ...WORKLOADS, web: { ...WORKLOADS.web, residency: [A] } };
  const h = withRows([FAILOVER, residency], { components: bound });
  h.pass(3000);
  const view = viewOf(h.state, GROUP);
  const stands = (action: 'partial' | 'failover', component: string | null): string[] => {
    const row = { ...view.settings.rows[0], id: 95, action } as (typeof view.settings.rows)[number];
    const finding = judgeRow(view, { when: 'bad(component.healthy)' }, 'jobs');
    const loss = replicationLoss(null, view.at, view);
    return judge({ view, row, component, finding, loss })
      .reports.filter(({ gate, answer }) => gate.startsWith('row-90') && answer === 'block')
      .map(({ gate }) => gate);
  };
  t.strictSame(stands('partial', 'web'), ['row-90/web']);
  t.strictSame(stands('partial', 'jobs'), [], 'the other may move');
  t.strictSame(stands('failover', null), ['row-90/web'], 'what moves the group moves it too');
});

t.test('a journal of a version without scopes reads as rows of the group', async (t) => {
  const at = 1;
  const events: EventBody[] = [
    { kind: 'hold.started', at, group: GROUP, row: 80, region: A, impactAt: 1, sample: null },
    { kind: 'hold.advanced', at, group: GROUP, row: 80, heldMs: 500 },
  ];
  const ledger = foldAll(EMPTY_LEDGER, seal(0, EMPTY_LEDGER.hash, events));
  t.match(ledger.groups[GROUP]?.holds, { '80': { row: 80, component: null, heldMs: 500 } });
});

t.test(
  'a region with hundreds of components is lost at once: each is told of, and the turn comes to rest',
  async (t) => {
    const names = Array.from({ length: 250 }, (_, n) => `svc-${n}`);
    const many = Object.fromEntries(
      names.map((name) => [
        name,
        {
          kind: 'http' as const,
          tier: 2 as const,
          instances: { [A]: `http://a.test/${name}`, [B]: `http://b.test/${name}` },
        },
      ]),
    );
    const each: MatrixRow = { ...EACH_POD, scope: 'http', when: 'bad(component.reachable)', for: '0s' };
    const h = new History(
      settingsWith({ matrix: [each], components: { ...GROUP_CONFIG.components, ...many }, autonomy: 'gated' }),
    );
    h.loseActive();
    h.pass(1000);
    h.give({
      kind: 'observed',
      observations: ['daemon', 'dublin'].flatMap((vantage) =>
        names.map(
          (component): Observation => ({
            ...{ kind: 'http', component, group: GROUP, region: A, vantage, at: h.at, durationMs: 5, verdict: 'bad' },
            ...{ reached: 'connect', code: 'timeout', message: null, facts: { status: null } },
          }),
        ),
      ),
    });
    h.pass(2000);
    t.equal(Object.keys(h.group.decisions).filter((key) => key.startsWith('80/')).length, 251);
    const pages = h.events('page.queued').map(({ page }) => page.id);
    t.equal(pages.length, 251);
    t.equal(new Set(pages).size, 251, 'each page is one of its own');
  },
);

t.test('so does the turn of a group with more rows than anybody reads', async (t) => {
  const rows = Array.from(
    { length: 120 },
    (_, n): MatrixRow => ({ id: 100 + n, kind: 'decide', when: 'bad(postgres.reachable)', action: 'speak-up' }),
  );
  const h = new History(settingsWith({ matrix: rows, autonomy: 'gated' }));
  h.pass(2000);
  h.loseActive();
  h.pass(2000);
  t.equal(Object.keys(h.group.decisions).length, 120);
});
