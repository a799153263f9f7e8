// What counts as more than was agreed, and what is in force while people are asked (design §6).
import fc from 'fast-check';
import t from 'tap';
import type { GroupConfig } from '../../src/model/config.ts';
import { declaredAutonomy, type GroupSettings } from '../../src/model/settings.ts';
import { holdTo, mandateOf } from '../../src/policies/mandate.ts';
import { A, B, CONFIG, GROUP, GROUP_CONFIG, settingsWith, W } from '../support/group.ts';

const ROWS: NonNullable<GroupConfig['matrix']> = [
  { id: 10, kind: 'veto', when: 'bad(reports.corruption)', against: ['failover'] },
  { id: 20, kind: 'decide', when: 'bad(clickhouse.serving)', action: 'partial' },
  { id: 40, kind: 'decide', when: 'bad(active.reachable)', for: '5m', action: 'failover', auto: true },
  {
    id: 50,
    kind: 'gate',
    when: 'replication.replay_lag_seconds > 300',
    against: ['failover', 'switchover'],
    action: 'wait',
  },
  { id: 80, kind: 'decide', when: 'bad(workloads.healthy)', for: '10m', action: 'speak-up' },
];
const BASE: Partial<GroupConfig> = {
  matrix: ROWS,
  quorum: 2,
  cooldown: '1h',
  attempts: { most: 2, within: '24h' },
  budgets: { rpo: '10s', replicationLossBytes: 1000 },
  holdGap: '30s',
  standbyStreamedWithin: '10s',
};
const settings = (change: Partial<GroupConfig> = {}, config = CONFIG): GroupSettings => {
  const one = settingsWith({ ...BASE, ...change }, config).groups[GROUP];
  if (one === undefined) throw new Error('no group');
  return one;
};
const row = (id: number, change: object): Partial<GroupConfig> => ({
  matrix: ROWS.map((one) => (one.id === id ? { ...one, ...change } : one)),
});
const without = (id: number): Partial<GroupConfig> => ({ matrix: ROWS.filter((one) => one.id !== id) });
const AUTHORITY = GROUP_CONFIG.authority as NonNullable<GroupConfig['authority']>;
const authority = (change: object): Partial<GroupConfig> => ({ authority: { ...AUTHORITY, ...change } });

const agreed = mandateOf(settings());

t.test('the same config is in force as it is', (t) => {
  const wanted = settings();
  const held = holdTo(agreed, wanted, 'why');
  t.strictSame(held.widens, []);
  t.equal(held.settings, wanted);
  t.strictSame(held.agreed, agreed);
  t.end();
});

/** Each alone; what it says, and what is in force meanwhile. */
const widening: Readonly<Record<string, readonly [Partial<GroupConfig>, RegExp, object]>> = {
  'a row that may act by itself now': [
    row(20, { auto: true }),
    /row 20 may act by itself/,
    { rows: [{}, { id: 20, auto: false }] },
  ],
  'a shorter for': [
    row(40, { for: '4m' }),
    /row 40 after 4m, not 5m/,
    { rows: [{}, {}, { forMs: 300_000, auto: true }] },
  ],
  'another condition': [
    row(40, { when: 'bad(postgres.reachable)' }),
    /row 40 acts by itself on another condition/,
    { rows: [{}, {}, { auto: false }] },
  ],
  'a smaller quorum': [{ quorum: 1 }, /quorum 2 -> 1/, { quorum: 2 }],
  'a larger RPO': [{ budgets: { rpo: '11s', replicationLossBytes: 1000 } }, /rpo 10s -> 11s/, { rpoMs: 10_000 }],
  'a larger byte budget': [
    { budgets: { rpo: '10s', replicationLossBytes: 1001 } },
    /1000 bytes -> 1001 bytes/,
    { replicationLossBytes: 1000 },
  ],
  'no byte budget': [{ budgets: { rpo: '10s' } }, /1000 bytes -> no limit/, { replicationLossBytes: 1000 }],
  'a shorter cooldown': [{ cooldown: '59m' }, /cooldown 1h -> 59m/, { cooldownMs: 3_600_000 }],
  'more attempts': [{ attempts: { most: 3, within: '24h' } }, /attempts.most 2 -> 3/, { attemptsMost: 2 }],
  'a shorter window of attempts': [
    { attempts: { most: 2, within: '23h' } },
    /attempts.within/,
    { attemptsWithinMs: 86_400_000 },
  ],
  'a longer gap': [{ holdGap: '31s' }, /holdGap 30s -> 31s/, { holdGapMs: 30_000 }],
  'a weaker veto of replication': [
    { standbyStreamedWithin: '9s' },
    /standbyStreamedWithin/,
    { standbyStreamedWithinMs: 10_000 },
  ],
  'fewer people': [
    authority({ approvals: { businessHours: ['sre'], otherwise: ['sre'] } }),
    /businessHours without vp/,
    { approvals: { businessHours: ['sre', 'vp'] } },
  ],
  'other hours': [
    authority({ businessHours: { ...AUTHORITY.businessHours, to: '17:00' } }),
    /other business hours/,
    { businessHours: { to: '18:00' } },
  ],
  'a longer approval': [
    authority({ approvalExpiry: '11m' }),
    /approvalExpiry 10m -> 11m/,
    { approvalExpiryMs: 600_000 },
  ],
  // These can't be kept apart from the rest, so nothing is done by itself.
  'a deciding row above that lets unknown pass': [row(20, { unknown: 'pass' }), /row 20/, { autonomy: 'gated' }],
  'a gate of other components': [row(50, { scope: 'postgres' }), /row 50/, { autonomy: 'gated' }],
  'another address to look at': [
    {
      components: {
        ...GROUP_CONFIG.components,
        db: { ...GROUP_CONFIG.components['db'], instances: { [A]: 'dead.test:1', [B]: 'b.test:5432' } },
      } as GroupConfig['components'],
    },
    /other targets are probed/,
    { autonomy: 'gated' },
  ],
  'a component that is looked at no more': [
    { components: Object.fromEntries(Object.entries(GROUP_CONFIG.components).filter(([id]) => id !== 'api')) },
    /other targets are probed/,
    { autonomy: 'gated' },
  ],
  'a veto that is gone': [without(10), /row 10 \(veto\) is gone/, { autonomy: 'gated' }],
  'a veto on another condition': [
    row(10, { when: 'bad(reports.deletion)' }),
    /row 10 \(veto\) is another one/,
    { autonomy: 'gated' },
  ],
  'a gate against less': [
    row(50, { against: ['switchover'] }),
    /row 50 \(gate\) is another one/,
    { autonomy: 'gated' },
  ],
  'a gate that lets unknown pass': [row(50, { unknown: 'pass' }), /row 50/, { autonomy: 'gated' }],
  'a deciding row above that is gone': [without(20), /row 20 \(decide\) is gone/, { autonomy: 'gated' }],
  'another fence': [
    { fence: { driver: 'command', fence: ['true'], verify: ['true'] } },
    /another fence/,
    { autonomy: 'gated' },
  ],
};
for (const [name, [change, says, inForce]] of Object.entries(widening))
  t.test(`${name} waits, and what was agreed is in force`, (t) => {
    const wanted = settings(change);
    const held = holdTo(agreed, wanted, 'two people have to approve it');
    t.match(held.widens, [says]);
    t.equal(held.widens.length, 1, 'and nothing else');
    t.match({ ...held.settings, autonomy: declaredAutonomy(held.settings) }, inForce);
    t.strictSame(holdTo(held.agreed, settings(), 'why').widens, [], 'going back needs nobody');
    t.strictSame(holdTo(mandateOf(wanted), wanted, 'why').widens, [], 'approved, it is in force');
    t.end();
  });

t.test('autonomy waits, and is lowered at once', (t) => {
  const ranks = ['observe', 'gated', 'auto'] as const;
  for (const [i, before] of ranks.entries())
    for (const [j, after] of ranks.entries()) {
      const held = holdTo(mandateOf(settings({ autonomy: before })), settings({ autonomy: after }), 'why');
      t.equal(declaredAutonomy(held.settings), ranks[Math.min(i, j)], `${before} to ${after}`);
      t.strictSame(held.widens, j > i ? [`autonomy ${before} -> ${after}`] : []);
    }
  t.end();
});

t.test('what is lowered is raised again only with people', (t) => {
  const lowered = holdTo(agreed, settings({ autonomy: 'gated' }), 'why').agreed;
  t.strictSame(holdTo(lowered, settings(), 'why').widens, ['autonomy gated -> auto']);
  const disarmed = holdTo(agreed, settings(row(40, { auto: false })), 'why').agreed;
  t.match(holdTo(disarmed, settings(), 'why').widens, [/row 40 may act by itself/]);
  // Also where something else was asked for along with it.
  const both = holdTo(agreed, settings({ autonomy: 'gated', ...authority({ approvalExpiry: '1h' }) }), 'why');
  t.match(both.widens, [/approvalExpiry/]);
  t.strictSame(holdTo(both.agreed, settings(), 'why').widens, ['autonomy gated -> auto']);
  t.end();
});

t.test('where people decide, only whose yes it needs is held', (t) => {
  const gated = mandateOf(settings({ autonomy: 'gated' }));
  const bold = { ...without(10), quorum: 1, cooldown: '1s', autonomy: 'gated' } as const;
  t.strictSame(holdTo(gated, settings(bold), 'why').widens, []);
  t.match(
    holdTo(
      gated,
      settings({ ...bold, ...authority({ approvals: { businessHours: ['sre', 'vp'], otherwise: ['vp'] } }) }),
      'why',
    ).widens,
    [/otherwise without sre/],
  );
  t.strictSame(holdTo(gated, settings({ autonomy: 'observe', authority: undefined as never }), 'why').widens, []);
  t.end();
});

t.test('a deciding row above can’t be made harmless by asking that it may act alone', (t) => {
  for (const change of [{ when: 'bad(nats.flowing)' }, { unknown: 'pass' }]) {
    const held = holdTo(agreed, settings(row(20, { auto: true, ...change })), 'why');
    t.equal(declaredAutonomy(held.settings), 'gated', JSON.stringify(change));
  }
  const two = settings({
    matrix: [...ROWS, { id: 45, kind: 'decide', when: 'bad(active.reachable)', action: 'failover', auto: true }],
  });
  const passes = two.rows.map((one) => (one.id === 40 ? { ...one, unknown: 'pass' as const } : one));
  t.match(holdTo(mandateOf(two), { ...two, rows: passes }, 'why').widens, [/row 40/], 'nor one that acts alone itself');
  t.end();
});

t.test('who testifies is known by its key, and knows itself by its control targets', (t) => {
  const dublin = CONFIG.vantages['dublin'];
  if (dublin === undefined) throw new Error('no witness');
  for (const change of [{ publicKey: 'y' }, { controlTargets: ['tcp://127.0.0.1:1'] }]) {
    const config = { ...CONFIG, vantages: { ...CONFIG.vantages, dublin: { ...dublin, ...change } } };
    const held = holdTo(agreed, settings({}, config), 'why');
    t.match(held.widens, [/^vantage dublin in eu-west-1, by [0-9a-f]{16} testifies$/]);
    t.equal(declaredAutonomy(held.settings), 'gated');
  }
  t.end();
});

t.test('where alerts come from, and how long they count, is agreed', (t) => {
  const { alertmanager } = CONFIG;
  if (alertmanager === undefined) throw new Error('no Alertmanager');
  for (const change of [{ region: W }, { expiry: '10h' }, { watchdogWithin: '10h' }]) {
    const held = holdTo(agreed, settings({}, { ...CONFIG, alertmanager: { ...alertmanager, ...change } }), 'why');
    t.match(held.widens, [/alerts come otherwise/]);
    t.equal(declaredAutonomy(held.settings), 'gated');
  }
  const { alertmanager: _a, probed: _p, ...older } = agreed;
  t.strictSame(holdTo(older, settings(), 'why').widens, [], 'what an older journal does not tell was not agreed');
  t.end();
});

t.test('a witness more, or an alert that speaks for a failover, is more ground to act on', (t) => {
  const more = { ...CONFIG, vantages: { ...CONFIG.vantages, paris: { region: W, controlTargets: [] } } };
  t.match(holdTo(agreed, settings({}, more), 'why').widens, [/vantage paris in eu-west-1, by [0-9a-f]{16} testifies/]);
  const moved = { ...CONFIG, vantages: { ...CONFIG.vantages, dublin: { region: A, controlTargets: [] } } };
  t.match(holdTo(agreed, settings({}, moved), 'why').settings.caps.at(-1), { autonomy: 'gated' });
  const facts = CONFIG.alertmanager?.facts ?? [];
  const alerts = (list: typeof facts) => ({ ...CONFIG, alertmanager: { region: B, bearer: '${env:T}', facts: list } });
  const any = { match: ['alertname="Any"'], group: GROUP, region: A };
  t.match(holdTo(agreed, settings({}, alerts([...facts, { ...any, fact: 'region-unreachable' }])), 'why').widens, [
    /an alert says region-unreachable/,
  ]);
  const bar = alerts([...facts, { ...any, fact: 'corruption-reported' }]);
  t.strictSame(holdTo(agreed, settings({}, bar), 'why').widens, [], 'one that stands in the way is taken at once');
  t.match(holdTo(mandateOf(settings({}, bar)), settings(), 'why').widens, [/no alert says corruption-reported/]);
  t.end();
});

t.test('a lease whose end proves more, or other things, waits', (t) => {
  const { db } = GROUP_CONFIG.components;
  if (db?.kind !== 'postgres') throw new Error('the group has a PostgreSQL');
  const guard = (region: string) => ({ url: `http://${region}.test:8432`, token: `\${env:${region}}` });
  const components = {
    ...GROUP_CONFIG.components,
    db: { ...db, control: 'guard' as const, guards: { [A]: guard(A), [B]: guard(B) } },
  };
  const third = {
    ...CONFIG,
    vantages: { ...CONFIG.vantages, daemon: { region: W, controlTargets: ['tcp://192.0.2.53:53'] } },
  };
  const stop = { deadMan: 'absolute', isolation: 'stop', partitionExposure: '135s' } as const;
  const leased = (
    lease: object,
    config = {
      ...third,
      vantages: {
        ...third.vantages,
        frankfurt: { region: B, controlTargets: ['tcp://192.0.2.53:53'], publicKey: 'y' },
      },
    },
  ): GroupSettings => settings({ components, fence: { driver: 'guard' }, lease: { ...stop, ...lease } }, config);
  const before = mandateOf(leased({}));
  t.equal(before.autonomy, 'auto');
  t.strictSame(holdTo(before, leased({}), 'why').widens, []);
  const more = leased({ partitionExposure: '10m' });
  t.strictSame(holdTo(before, more, 'why').widens, ['lease.partitionExposure 2m15s -> 10m']);
  t.equal(declaredAutonomy(holdTo(before, more, 'why').settings), 'gated');
  t.strictSame(holdTo(mandateOf(more), leased({}), 'why').widens, [], 'consent to less is at once');
  for (const other of [{ timings: 'strict' }, { onCrash: 'release' }]) {
    t.match(holdTo(before, leased(other), 'why').widens, [/another lease/]);
    t.equal(declaredAutonomy(holdTo(before, leased(other), 'why').settings), 'gated');
  }
  // What makes the end of a lease a proof raises the group from gated.
  for (const lacking of [{ isolation: 'serve' }, { deadMan: 'none' }, { partitionExposure: '1s' }]) {
    const lowered = mandateOf(leased(lacking));
    t.equal(lowered.autonomy, 'gated');
    t.strictSame(holdTo(lowered, leased({}), 'why').widens, ['autonomy gated -> auto']);
    t.equal(declaredAutonomy(holdTo(before, leased(lacking), 'why').settings), 'gated', 'the other way it is at once');
  }
  t.end();
});

t.test('whatever is asked for, what is in force is never more than was agreed', (t) => {
  const numbers = fc.record({
    quorum: fc.integer({ min: 1, max: 2 }),
    most: fc.integer({ min: 1, max: 4 }),
    rpo: fc.integer({ min: 1, max: 60 }),
    bytes: fc.option(fc.integer({ min: 0, max: 2000 })),
    cooldown: fc.integer({ min: 1, max: 7200 }),
    autonomy: fc.constantFrom('observe', 'gated', 'auto'),
    auto: fc.boolean(),
    hold: fc.integer({ min: 1, max: 600 }),
    veto: fc.boolean(),
  });
  const of = (n: typeof numbers extends fc.Arbitrary<infer T> ? T : never): GroupSettings =>
    settings({
      autonomy: n.autonomy,
      quorum: n.quorum,
      cooldown: `${n.cooldown}s`,
      attempts: { most: n.most, within: '24h' },
      budgets: { rpo: `${n.rpo}s`, ...(n.bytes === null ? {} : { replicationLossBytes: n.bytes }) },
      matrix: ROWS.filter(({ id }) => id !== 10 || n.veto).map((one) =>
        one.id === 40 ? { ...one, auto: n.auto, for: `${n.hold}s` } : one,
      ),
    });
  fc.assert(
    fc.property(numbers, numbers, (before, after) => {
      const agreedNow = mandateOf(of(before));
      const held = holdTo(agreedNow, of(after), 'why');
      const again = holdTo(agreedNow, held.settings, 'why');
      // Held settings ask for nothing more than was agreed, and holding them changes nothing.
      return again.widens.length === 0 || declaredAutonomy(held.settings) !== 'auto';
    }),
    { numRuns: 2000 },
  );
  t.pass('no counterexample');
  t.end();
});
