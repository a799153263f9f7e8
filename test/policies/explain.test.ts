// Why a row answers as it does, what stands in the way, and the least that would change it.
import t from 'tap';
import { toldOf } from '../../src/daemon/explain-text.ts';
import type { Explanation, RowExplained } from '../../src/model/explanation.ts';
import { expressionOf } from '../../src/model/expression.ts';
import { smallestTurns } from '../../src/model/row-examples.ts';
import { explain } from '../../src/policies/explain.ts';
import { explainPast } from '../../src/policies/explain-past.ts';
import { GATES } from '../../src/policies/gates/index.ts';
import { GATES_TOLD } from '../../src/policies/gates/opens.ts';
import { A, B, GROUP, settingsWith } from '../support/group.ts';
import { History, NIGHT } from '../support/histories.ts';

const row = (explanation: Explanation, id: number): RowExplained => {
  const found = explanation.rows.find((one) => one.row === id);
  if (found === undefined) throw new Error(`no row ${id}`);
  return found;
};
const text = (explanation: Explanation, id: number): string =>
  (toldOf(explanation).rows.find((one) => one.row === id)?.paragraphs ?? []).flatMap(({ lines }) => lines).join('\n');
const kept = (h: History) => ({
  events: h.entries.map(({ body }) => body),
  firstAt: h.entries[0]?.body.at ?? null,
  lastAt: h.entries.at(-1)?.body.at ?? null,
});
const past = (h: History, at: number, only: number | null = null): Explanation => {
  const settings = h.state.settings.groups[GROUP];
  if (settings === undefined) throw new Error('no group');
  const { events, firstAt } = kept(h);
  const lastAt = events.findLast((event) => event.at <= at)?.at ?? null;
  return explainPast({ group: GROUP, settings, at, only, kept: { events, firstAt, lastAt } });
};

t.test('a quiet row says what it reads, by whom and how old, and the least that would make it match', async (t) => {
  const h = new History(settingsWith());
  h.pass(3000);
  const forty = row(explain(h.state, GROUP), 40);
  t.equal(forty.answer, 'does-not-match');
  t.equal(forty.hold, null);
  const [fact] = forty.facts;
  t.match(fact, { fact: 'active.reachable', value: 'ok', from: 'probes' });
  t.strictSame(
    fact?.sources.filter(({ who }) => who.startsWith('client-probe')).map(({ who }) => who),
    [`client-probe by daemon, ${B}->${A}`, `client-probe by dublin, eu-west-1->${A}`],
  );
  t.type(fact?.ageMs, 'number');
  t.strictSame(forty.changes, [
    {
      given: [`2 more vantages could not reach ${A} and the standby of db had not heard from its primary for 10s`],
      forMs: 5000,
      follows: `it would fail over to ${B} by itself`,
    },
  ]);
});

t.test('one vantage that is missing is told as one, and a failure people approve as a proposal', async (t) => {
  const h = new History(settingsWith({ autonomy: 'gated' }));
  h.pass(3000);
  h.loseActive();
  h.sights.isolated = ['dublin'];
  h.pass(4000);
  const explanation = explain(h.state, GROUP);
  t.equal(row(explanation, 40).answer, 'cannot-tell');
  t.match(
    text(explanation, 40),
    `It would propose a failover to ${B} if one more vantage could not reach ${A} for 5 s.`,
  );
  t.match(text(explanation, 40), 'active.reachable is unknown, and unknown is neither good nor bad');
  t.match(text(explanation, 40), /client-probe by dublin.*it is the isolated one/);
});

t.test('a hold tells how long it was and is to be, and what each gate in the way waits for', async (t) => {
  const h = new History(settingsWith({ autonomy: 'gated' }));
  h.pass(3000);
  h.loseActive();
  h.pass(4000);
  const forty = row(explain(h.state, GROUP), 40);
  t.equal(forty.answer, 'matches');
  t.ok(forty.hold !== null && forty.hold.heldMs > 0 && forty.hold.leftMs > 0);
  t.equal((forty.hold?.heldMs ?? 0) + (forty.hold?.leftMs ?? 0), 5000);
  t.match(forty.changes[0], { given: ['it goes on like this'], forMs: forty.hold?.leftMs ?? -1 });
  t.match(forty.changes.at(-1), {
    given: [`one more vantage reached ${A}`],
    follows: 'the row would not match any more',
  });
  h.pass(4000);
  const decided = row(explain(h.state, GROUP), 40);
  const authority = decided.gates.find(({ gate }) => gate === 'authority');
  t.match(authority, { answer: 'block', stops: 'people', opens: `failoverd approve ${h.group.proposal?.id}, by sre` });
  t.ok(decided.gates.filter(({ answer }) => answer === 'pass').every(({ opens }) => opens === null));
  t.ok(decided.gates.filter(({ answer }) => answer !== 'pass').every(({ opens }) => (opens ?? '') !== ''));
  t.match(decided.decision, { action: 'propose', autonomy: 'gated' });
});

t.test('every gate says what would open it', async (t) => {
  t.strictSame(
    GATES.map(({ gate }) => gate).filter((gate) => !GATES_TOLD.includes(gate)),
    [],
  );
});

t.test('cooldown tells the instant at which it opens', async (t) => {
  const h = new History(settingsWith());
  h.pass(3000);
  h.loseActive();
  h.pass(12_000);
  const last = h.group.ended.at(-1);
  t.ok(last);
  const gate = row(explain(h.state, GROUP), 40).gates.find((one) => one.gate === 'cooldown');
  const opensAt = new Date((last?.endedAt ?? 0) + 3_600_000).toISOString().slice(0, 19).replace('T', ' ');
  t.equal(gate?.opens, `it opens by itself at ${opensAt} UTC`);
});

t.test('asked for one row, it tells of that one alone', async (t) => {
  const h = new History(settingsWith());
  h.pass(1000);
  t.strictSame(
    explain(h.state, GROUP, 80).rows.map((one) => one.row),
    [80],
  );
  t.strictSame(explain(h.state, GROUP, 41).rows, []);
});

t.test('the least that changes an answer is found, alone or together', async (t) => {
  const both = expressionOf('bad(postgres.reachable) && ok(services.reachable)');
  t.strictSame(smallestTurns(both, { 'postgres.reachable': 'ok', 'services.reachable': 'bad' }, 'yes'), [
    [
      { fact: 'postgres.reachable', to: 'bad' },
      { fact: 'services.reachable', to: 'ok' },
    ],
  ]);
  t.strictSame(smallestTurns(both, { 'postgres.reachable': 'ok', 'services.reachable': 'ok' }, 'yes'), [
    [{ fact: 'postgres.reachable', to: 'bad' }],
  ]);
  const either = expressionOf('bad(postgres.reachable) || replication.replay_lag_seconds > 300');
  t.strictSame(
    smallestTurns(either, { 'postgres.reachable': 'ok', 'replication.replay_lag_seconds': 3 }, 'yes').map((set) =>
      set.map(({ fact }) => fact),
    ),
    [['postgres.reachable'], ['replication.replay_lag_seconds']],
  );
  t.strictSame(
    smallestTurns(expressionOf('bad(postgres.reachable) && ok(postgres.reachable)'), {}, 'yes'),
    [],
    'nothing does',
  );
});

t.test('of the past it tells what a decision saw, in the decision’s own words', async (t) => {
  const h = new History(settingsWith({ autonomy: 'gated' }));
  h.pass(3000);
  h.loseActive();
  h.pass(20_000);
  const at = h.at;
  const decided = past(h, at, 40);
  t.equal(decided.basis, 'journal');
  const forty = row(decided, 40);
  t.equal(forty.answer, 'matches');
  t.match(forty.facts[0], { fact: 'active.reachable', value: 'bad' });
  t.ok((forty.facts[0]?.sources.length ?? 0) > 0);
  t.match(forty.decision, { action: 'propose' });
  t.ok(forty.gates.length > 0);
  t.ok(decided.notes.some((note) => note === `${h.group.proposal?.id} was open`));
  const told = text(decided, 40);
  t.match(told, 'Decided at 2026-01-12 ');
  t.notMatch(told, 'To open it', 'what would open a gate then is not known now');
});

t.test('of an instant in a hold it tells the hold, and that the values were not kept', async (t) => {
  const h = new History(
    settingsWith({
      matrix: [{ id: 40, kind: 'decide', when: 'bad(active.reachable)', for: '5m', action: 'failover' }],
    }),
  );
  h.pass(3000);
  h.loseActive();
  h.pass(60_000);
  const at = h.at - 20_000;
  const forty = row(past(h, at), 40);
  t.equal(forty.answer, 'matches');
  t.ok(forty.hold !== null && forty.hold.writtenAt !== null && forty.hold.writtenAt <= at);
  t.strictSame(forty.facts, []);
  t.ok(forty.notes.some((note) => note.startsWith('the values its facts had were not kept')));
});

t.test('of a time about which nothing was kept it says so, and what came before and after', async (t) => {
  const h = new History(settingsWith());
  h.pass(3000);
  const quiet = h.at;
  h.pass(10_000);
  h.loseActive();
  h.pass(3000);
  const forty = row(past(h, quiet), 40);
  t.equal(forty.answer, 'not-kept');
  t.strictSame(forty.facts, []);
  t.match(forty.notes[0], /^nothing was kept of this row at that time/);
  t.ok(forty.notes.some((note) => note.startsWith('the next thing kept of it: ')));
  t.match(past(h, NIGHT - 86_400_000).notes, [
    'nothing was kept of that time: the journal begins at 2026-01-12 07:00:00 UTC',
  ]);
  const empty = { events: [], firstAt: null, lastAt: null };
  const settings = h.state.settings.groups[GROUP];
  t.ok(settings);
  if (settings !== undefined)
    t.strictSame(explainPast({ group: GROUP, settings, at: quiet, only: null, kept: empty }).notes, [
      'the journal is empty',
    ]);
});

t.test('a row that the config has lost still has what was kept of it', async (t) => {
  const h = new History(settingsWith({ autonomy: 'observe' }));
  h.pass(3000);
  h.loseActive();
  h.pass(12_000);
  const settings = settingsWith({
    matrix: [{ id: 80, kind: 'decide', when: 'bad(workloads.healthy)', action: 'speak-up' }],
  }).groups[GROUP];
  t.ok(settings);
  if (settings === undefined) return;
  const explanation = explainPast({ group: GROUP, settings, at: h.at, only: null, kept: kept(h) });
  const lost = row(explanation, 40);
  t.equal(lost.notes[0], 'the config has no such row any more');
  t.equal(lost.when, 'bad(active.reachable)');
});
