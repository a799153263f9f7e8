// Each reason that keeps a group below what its config asks for, alone: autonomy in force is the least of all of them.
import t from 'tap';
import type { GroupConfig } from '../../src/model/config.ts';
import { type Judgement, judge } from '../../src/policies/gates/index.ts';
import { replicationLoss, withinBudget } from '../../src/policies/loss.ts';
import { judgeRow } from '../../src/policies/rows.ts';
import { viewOf } from '../../src/policies/view.ts';
import { A, B, CONFIG, GROUP, settingsWith, W } from '../support/group.ts';
import { History } from '../support/histories.ts';
import { ALIKE } from '../support/readiness.ts';

/** The row with a long hold, so that nothing has been done yet when it is looked at. */
const ROW = {
  id: 40,
  kind: 'decide',
  when: 'bad(active.reachable)',
  for: '10m',
  action: 'failover',
  auto: true,
} as const;
type Change = {
  group?: Partial<GroupConfig>;
  config?: typeof CONFIG;
  world?: (h: History) => void;
  later?: (h: History) => void;
};

function judged({
  group = {},
  config = CONFIG,
  world = () => undefined,
  later = () => undefined,
}: Change = {}): Judgement {
  const h = new History(settingsWith({ matrix: [ROW], ...group }, config));
  world(h);
  h.pass(5000);
  h.loseActive();
  h.pass(8000);
  later(h);
  const view = viewOf(h.state, GROUP);
  const row = view.settings.rows.find(({ id }) => id === 40);
  const hold = h.group.holds['40'];
  if (row === undefined) throw new Error('no row');
  const loss = replicationLoss(hold?.sample ?? null, hold?.impactAt ?? view.at, view);
  return judge({ view, row, component: null, finding: judgeRow(view, row), loss });
}
const answers = ({ reports }: Judgement): Record<string, string> =>
  Object.fromEntries(reports.map(({ gate, answer }) => [gate, answer]));

t.test('with nothing against it, it acts by itself', (t) => {
  const { autonomy, stopped, reports } = judged();
  t.equal(autonomy, 'auto', JSON.stringify(reports, null, 1));
  t.equal(stopped, null);
  t.strictSame(
    reports.filter(({ answer }) => answer !== 'pass'),
    [],
  );
  t.end();
});

const made =
  (change: object): ((h: History) => void) =>
  (h) => {
    h.sights.madeStandby = { ...ALIKE, ...change };
  };
const primaryMade =
  (change: object): ((h: History) => void) =>
  (h) => {
    h.sights.madeActive = { ...ALIKE, ...change };
  };
const [database] = ALIKE.databases;
if (database === undefined) throw new Error('no database');

/** Lowers to gated, by this gate alone. */
const lowering: Readonly<Record<string, readonly [string, string, RegExp, Change]>> = {
  'a row that does not opt in': [
    'row-opts-in',
    'block',
    /row 40 does not opt in/,
    { group: { matrix: [{ ...ROW, auto: false }] } },
  ],
  'a loss over the seconds': [
    'loss-budget',
    'block',
    /the RPO is 1 s/,
    {
      group: { budgets: { rpo: '1s' } },
      later: (h) => {
        const hold = h.group.holds['40'];
        // As if the last commit that was replayed were old.
        for (const sight of Object.values(h.state.volatile.sights[GROUP] ?? {}))
          if (sight.observation.kind === 'postgres' && sight.observation.facts?.inRecovery === true && hold?.sample)
            Object.assign(sight.observation.facts, {
              receiveLsn: '0/4000000',
              replayLsn: '0/4000000',
              lastReplayedCommitAt: hold.impactAt - 60_000,
            });
      },
    },
  ],
  'a loss over the bytes': [
    'loss-budget',
    'block',
    /the budget is 1000/,
    {
      group: { budgets: { rpo: '1h', replicationLossBytes: 1000 } },
      world: (h) => {
        h.sights.standbyFacts = { ...h.sights.standbyFacts, receiveLsn: '0/4FF0000', replayLsn: '0/4FF0000' };
      },
    },
  ],
  'a loss that is not known': [
    'loss-budget',
    'cannot-tell',
    /never sampled/,
    {
      world: (h) => {
        h.sights.primary = { ...h.sights.primary, insertLsn: null, flushLsn: null };
      },
    },
  ],
  'fewer connections than the primary': [
    'target-matches',
    'block',
    /max_connections is 50 on db in eu-central-1, and 100/,
    { world: made({ settings: { ...ALIKE.settings, max_connections: 50 } }) },
  ],
  'fewer prepared transactions': [
    'target-matches',
    'block',
    /max_prepared_transactions/,
    { world: primaryMade({ settings: { ...ALIKE.settings, max_prepared_transactions: 1 } }) },
  ],
  'fewer locks': [
    'target-matches',
    'block',
    /max_locks_per_transaction/,
    { world: made({ settings: { ...ALIKE.settings, max_locks_per_transaction: 63 } }) },
  ],
  'fewer workers': [
    'target-matches',
    'block',
    /max_worker_processes/,
    { world: made({ settings: { ...ALIKE.settings, max_worker_processes: 7 } }) },
  ],
  'fewer senders': [
    'target-matches',
    'block',
    /max_wal_senders/,
    { world: made({ settings: { ...ALIKE.settings, max_wal_senders: 9 } }) },
  ],
  'a setting that is not told': [
    'target-matches',
    'cannot-tell',
    /max_wal_senders is not known/,
    { world: made({ settings: { ...ALIKE.settings, max_wal_senders: null } }) },
  ],
  'a lower wal_level': [
    'target-matches',
    'block',
    /wal_level is replica/,
    { world: primaryMade({ walLevel: 'logical' }) },
  ],
  'no files of an extension': [
    'target-matches',
    'block',
    /no files of extension postgis/,
    { world: made({ databases: [{ ...database, extensions: [{ name: 'postgis', version: '3.4', files: 'none' }] }] }) },
  ],
  'another version of an extension': [
    'target-matches',
    'block',
    /extension postgis is 3.4/,
    {
      world: made({ databases: [{ ...database, extensions: [{ name: 'postgis', version: '3.4', files: 'other' }] }] }),
    },
  ],
  'another version of the collation': [
    'target-matches',
    'block',
    /collation is version 2.36, and .* has 2.31/,
    { world: made({ databases: [{ ...database, actual: '2.31' }] }) },
  ],
  'another version of one collation': [
    'target-matches',
    'block',
    /collation de-x-icu is 153.1/,
    {
      world: made({
        databases: [{ ...database, collations: [{ name: 'de-x-icu', recorded: '153.1', actual: '153.14' }] }],
      }),
    },
  ],
  'a database that is closed to us': [
    'target-matches',
    'cannot-tell',
    /grant connect/,
    { world: made({ databases: [{ ...database, closed: 'permission denied' }] }) },
  ],
  'a primary that was never asked': [
    'target-matches',
    'cannot-tell',
    /never seen/,
    {
      world: (h) => {
        h.sights.madeActive = null;
      },
    },
  ],
  'a target that was never asked': [
    'target-matches',
    'cannot-tell',
    /how db in eu-central-1 is made was not seen/,
    {
      world: (h) => {
        h.sights.madeStandby = null;
      },
    },
  ],
};
for (const [name, [gate, answer, why, change]] of Object.entries(lowering))
  t.test(`${name}: people are asked, and nothing else stands in the way`, (t) => {
    const found = judged(change);
    t.equal(found.autonomy, 'gated', JSON.stringify(answers(found)));
    t.equal(found.stopped, null);
    t.match(
      found.reports.find((report) => report.gate === gate),
      { answer, why },
    );
    t.strictSame(
      found.reports
        .filter((report) => report.answer !== 'pass' && report.gate !== 'authority')
        .map((report) => report.gate),
      [gate],
    );
    t.match(found.autonomyWhy.at(-1), why, 'and it is said why');
    t.end();
  });

/** Stops everybody, by this gate alone. */
const stopping: Readonly<Record<string, readonly [string, string, RegExp, Change]>> = {
  'another major version': [
    'target-ready',
    'block',
    /PostgreSQL 14, the primary 15/,
    { world: made({ version: 140_009 }) },
  ],
  'replay that is paused': [
    'target-ready',
    'block',
    /paused/,
    {
      world: (h) => {
        h.sights.standbyFacts = { ...h.sights.standbyFacts, replayPaused: true };
      },
    },
  ],
  'a target that was not seen': [
    'target-ready',
    'cannot-tell',
    /not seen lately/,
    {
      later: (h) => {
        h.sights.standby = 'unknown';
        h.pass(1000);
      },
    },
  ],
  'a report of corruption': [
    'no-report',
    'block',
    /corruption/,
    {
      later: (h) =>
        h.give({
          kind: 'report',
          request: 'r',
          person: { id: 'ann', roles: ['sre'] },
          group: GROUP,
          report: 'corruption',
          what: 'pages',
        }),
    },
  ],
};
for (const [name, [gate, answer, why, change]] of Object.entries(stopping))
  t.test(`${name}: nobody fails over`, (t) => {
    const found = judged(change);
    t.match(found.stopped, { gate, answer, why });
    t.end();
  });

t.test('what the topology caps is capped, each with its reason', (t) => {
  const { fence: _fence, ...unfenced } = settingsWith().groups[GROUP] ?? {};
  t.ok(unfenced);
  const two = {
    ...CONFIG,
    vantages: { daemon: { region: B, controlTargets: [] }, dublin: { region: A, controlTargets: [] } },
  };
  const alone = { ...CONFIG, vantages: { daemon: { region: W, controlTargets: ['tcp://192.0.2.53:53'] } } };
  const inside = { ...CONFIG, vantages: { ...CONFIG.vantages, daemon: { region: A, controlTargets: [] } } };
  const why = (group: Partial<GroupConfig>, config = CONFIG) => settingsWith(group, config).groups[GROUP]?.caps ?? [];
  t.match(why({ fence: { driver: 'none' } }), [{ autonomy: 'gated', why: /no fence driver/ }]);
  t.match(why({}, two), [{ autonomy: 'gated', why: /2 failure domains/ }]);
  t.match(why({}, alone), [{ autonomy: 'gated', why: /one vantage only/ }]);
  t.match(why({}, inside), [{ autonomy: 'gated', why: /the region it would have to survive/ }]);
  t.strictSame(why({}), []);
  t.end();
});

t.test('what is only told is in nobody’s way', (t) => {
  const told = (change: Change) => judged(change).reports.find(({ gate }) => gate === 'target-matches');
  t.match(told({}), { answer: 'pass', why: /free disk on db in eu-central-1 is not known/ });
  t.match(told({ world: primaryMade({ logicalSlots: ['cdc'] }) }), {
    answer: 'pass',
    why: /lost with the primary: cdc/,
  });
  t.match(told({ world: made({ walRetrieveRetryMs: 5000 }) }), {
    answer: 'pass',
    why: /wal_retrieve_retry_interval is 5 s/,
  });
  t.match(
    told({ world: made({ settings: { ...ALIKE.settings, max_connections: 500 } }) }),
    { answer: 'pass' },
    'more is fine',
  );
  t.match(told({ world: made({ version: 150_009 }) }), { answer: 'pass' }, 'another minor version is fine');
  t.end();
});

t.test('what the primary was is remembered while it is dead, with its age, and over a restart', (t) => {
  const h = new History(settingsWith({ matrix: [ROW] }));
  h.sights.madeActive = { ...ALIKE, settings: { ...ALIKE.settings, max_connections: 200 } };
  h.pass(5000);
  h.loseActive();
  h.pass(120_000);
  t.equal(h.events('readiness.seen').length, 2, 'written down once for each side, however often it is told');
  const why = (): string => {
    const view = viewOf(h.state, GROUP);
    const row = view.settings.rows[0];
    if (row === undefined) throw new Error('no row');
    const loss = replicationLoss(null, view.at, view);
    return (
      judge({ view, row, component: null, finding: judgeRow(view, row), loss }).reports.find(
        ({ gate }) => gate === 'target-matches',
      )?.why ?? ''
    );
  };
  t.match(why(), /max_connections is 100 on db in eu-central-1, and 200 on the primary/);
  h.state = { ...h.state, volatile: { ...h.state.volatile, readiness: {} } };
  h.pass(1000);
  t.match(why(), /and 200 on the primary/, 'from the journal');
  h.sights.madeStandby = null;
  h.pass(601_000, 1000);
  t.match(why(), /how db in eu-central-1 is made was not seen for 10 min/, 'the target must tell anew');
  t.end();
});

t.test('the two budgets, each at its very edge', (t) => {
  const settings = settingsWith({ budgets: { rpo: '10s', replicationLossBytes: 1000 } }).groups[GROUP];
  if (settings === undefined) throw new Error('no group');
  const loss = (highSeconds: number | null, highBytes: number | null) => ({
    ...{ lowBytes: 0, lowSeconds: 0, fromLsn: null, windowFrom: null, windowTo: null, basis: 'a test' },
    ...{ highSeconds, highBytes },
  });
  t.equal(withinBudget(loss(10, 1000), settings).within, true);
  t.equal(withinBudget(loss(10.001, 0), settings).within, false);
  t.equal(withinBudget(loss(0, 1001), settings).within, false);
  t.equal(withinBudget(loss(null, 0), settings).within, null, 'unknown is not within');
  t.equal(withinBudget(loss(0, null), settings).within, null);
  t.equal(withinBudget(loss(0, 1e12), { ...settings, replicationLossBytes: null }).within, true, 'no byte budget');
  t.end();
});
