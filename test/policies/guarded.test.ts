// A group whose PostgreSQL has guards: the lease is taken before the promotion, and everything up to the promotion's
// intent can be given back.
import t from 'tap';
import type { GroupConfig } from '../../src/model/config.ts';
import { EMPTY_VOLATILE } from '../../src/model/loop.ts';
import { A, B, CONFIG, GROUP_CONFIG, settingsWith, W } from '../support/group.ts';
import { History, no, succeed, unknown } from '../support/histories.ts';

const db = GROUP_CONFIG.components['db'];
if (db?.kind !== 'postgres') throw new TypeError('the group has a PostgreSQL');
const guarded: GroupConfig['components'] = {
  ...GROUP_CONFIG.components,
  db: {
    ...db,
    control: 'guard',
    guards: {
      [A]: { url: 'http://a.test:8432', token: '${env:GUARD_A}' },
      [B]: { url: 'http://b.test:8432', token: '${env:GUARD_B}' },
    },
  },
};
const change: Partial<GroupConfig> = {
  components: guarded,
  fence: { driver: 'guard' },
  lease: { timings: 'strict', deadMan: 'absolute', isolation: 'stop', partitionExposure: '25s' },
};
// The store stands with the daemon, in the third region.
const settings = () =>
  settingsWith(change, {
    ...CONFIG,
    vantages: {
      daemon: { region: W, controlTargets: ['tcp://192.0.2.53:53'] },
      dublin: { region: B, controlTargets: ['tcp://192.0.2.53:53'], publicKey: 'x' },
    },
  });
const acts = (h: History): readonly string[] => h.performed().filter((name) => /:(?:do|undo)$/.test(name));

t.test('the lease is acquired between the fence and the promotion (invariant 4)', async (t) => {
  const h = new History(settings());
  h.pass(3000);
  h.loseActive();
  h.pass(12_000);
  t.equal(h.group.ended.at(-1)?.outcome, 'verified', JSON.stringify(h.group.decisions, null, 1));
  t.strictSame(acts(h).slice(0, 3), ['fence:do', 'acquire-lease.db:do', 'promote.db:do']);
});

/** A run that stands at the acquisition: the target's guard waits. */
function waiting(): History {
  const h = new History(settings());
  h.answer = (op) => {
    if (op.stepKind === 'acquire-lease' && op.operation === 'verify') return no('not-yet');
    return succeed(op);
  };
  h.pass(3000);
  h.loseActive();
  h.pass(12_000);
  return h;
}
const abort = (h: History, person = 'ada'): number | undefined => {
  const target = h.group.run?.id ?? '';
  h.give({ kind: 'abort', request: `x-${h.at}`, person: { id: person, roles: ['sre'] }, target, why: 'not today' });
  return h.effects.filter((effect) => effect.kind === 'reply').at(-1)?.status;
};

t.test('an abort before the promotion gives the lease back and lets the old side go on, in that order', async (t) => {
  const h = waiting();
  t.equal(h.group.run?.status, 'running');
  t.equal(abort(h), 200);
  h.pass(5000);
  t.equal(h.group.ended.at(-1)?.outcome, 'undone');
  t.strictSame(acts(h).slice(-2), ['acquire-lease.db:undo', 'fence:undo']);
  t.equal(h.events('epoch.released').length, 1);
  t.equal(h.group.active, null, 'nothing has moved');
});

t.test('an undoing that is not known to have worked goes on, and a second abort gives it up', async (t) => {
  const h = waiting();
  h.answer = (op) => (op.operation === 'undo' && op.stepKind === 'fence' ? unknown('unreachable') : succeed(op));
  abort(h);
  h.pass(60_000);
  t.equal(h.group.run?.status, 'aborting');
  t.ok(acts(h).filter((name) => name === 'fence:undo').length > 2, 'it is repeated');
  t.equal(h.events('epoch.released').length, 0, 'the epoch stays taken meanwhile');
  t.equal(abort(h, 'bob'), 200);
  t.equal(h.group.ended.at(-1)?.outcome, 'abandoned');
});

t.test('an abort that comes with the answer of the acquisition still waits for that answer', async (t) => {
  const h = waiting();
  h.answer = () => null;
  h.pass(3000);
  abort(h);
  t.notOk(
    acts(h).some((name) => name.endsWith(':undo')),
    'one operation at a time',
  );
});

t.test('after a restart in the middle of an undoing it goes on', async (t) => {
  const h = waiting();
  h.answer = (op) => (op.operation === 'undo' ? unknown('unreachable') : succeed(op));
  abort(h);
  h.pass(3000);
  // What only that life knew is gone with it.
  h.state = { ...h.state, incarnation: 'another', volatile: EMPTY_VOLATILE };
  h.answer = succeed;
  h.pass(5000);
  t.equal(h.group.ended.at(-1)?.outcome, 'undone');
});

t.test('once the promotion is intended nothing is undone (invariant 11)', async (t) => {
  const h = new History(settings());
  h.answer = (op) => (op.stepKind === 'promote' && op.operation !== 'check' ? unknown('not-yet') : succeed(op));
  h.pass(3000);
  h.loseActive();
  h.pass(15_000);
  t.equal(abort(h), 409);
  t.equal(h.group.run?.status, 'running');
});
