// What one group is told costs what that group has, and the others are left alone; nothing that matters is looked at later
// than it would be if every group were judged at every input.
import t from 'tap';
import { controlsAt, groupName, sightsOf, watchedState } from '../../bench/many-groups.ts';
import { initialState, turn } from '../../src/engine/core.ts';
import { foldAll } from '../../src/journal/fold.ts';
import type { JournalEntry } from '../../src/model/events.ts';
import type { Observation } from '../../src/model/evidence.ts';
import { EMPTY_LEDGER } from '../../src/model/ledger.ts';
import type { Input, State } from '../../src/model/loop.ts';

const GROUPS = 150;
const start = watchedState(GROUPS);
const later = (ms: number) => ({ at: start.at + ms, mono: start.mono + ms });
const alert = (group: string, status: 'firing' | 'resolved' = 'firing') => ({
  fingerprint: `00000000000${group.slice(-5)}`,
  startsAt: start.at,
  status,
  labels: { alertname: 'RegionUnreachable', group },
  summary: null,
});
const probed = (state: State, input: Input): string[] => [
  ...new Set(turn(state, input).effects.flatMap((effect) => (effect.kind === 'probe' ? [effect.group] : []))),
];

t.test('an alert asks for probes of the groups it speaks of, and of no other', async (t) => {
  const webhook = (...groups: string[]): Input => ({
    kind: 'webhook',
    request: 'r',
    ...later(10),
    alerts: groups.map((group) => alert(group)),
  });
  t.same(probed(start, webhook(groupName(7))), [groupName(7)]);
  t.same(probed(start, webhook(groupName(7), groupName(9), groupName(7))), [groupName(7), groupName(9)]);
  t.same(probed(start, webhook('nobody')), []);
});

t.test('an input is judged for its own group: the others keep what they had, the very same objects', async (t) => {
  const group = groupName(3);
  const { state, entries } = turn(start, {
    kind: 'report',
    request: 'r',
    ...later(10),
    person: { id: 'ann', roles: ['sre'] },
    group,
    report: 'corruption',
    what: 'checksums fail',
  });
  t.ok(
    entries.some(({ body }) => body.kind === 'decision.made' && body.group === group),
    'the veto row speaks at once',
  );
  t.notSame(state.ledger.groups[group], start.ledger.groups[group]);
  for (const name of Object.keys(start.ledger.groups)) {
    if (name !== group) t.equal(state.ledger.groups[name], start.ledger.groups[name]);
  }
  t.same(start.ledger.groups[group]?.reports, {}, 'and the state before is as it was');
});

const HIT = groupName(5);
/** Region a is gone for one group, and its standby says that it no longer streams. */
const failing = (): Observation[] =>
  sightsOf(HIT, start.at + 20, true).map((seen) =>
    seen.kind === 'postgres' && seen.region === 'b' && seen.facts !== null
      ? { ...seen, facts: { ...seen.facts, walReceiver: 'none' as const } }
      : seen,
  );
const observed = (ms: number, observations: readonly Observation[]): Input => ({
  kind: 'observed',
  ...later(ms),
  observations: [...observations],
});
const kindsOf = (state: State, input: Input): string[] => turn(state, input).entries.map(({ body }) => body.kind);
const told = turn(start, { kind: 'webhook', request: 'r', ...later(10), alerts: [alert(HIT)] }).state;

t.test('what began to fail is judged with the next answer of a control target, not only at a tick', async (t) => {
  const controls = (ms: number): Input => observed(ms, controlsAt(start.at + ms));
  for (const [what, input] of [
    ['the vantages might be the isolated ones', observed(20, failing())],
    ['an answer that came in with it may be older', observed(20, [...controlsAt(start.at + 20), ...failing()])],
  ] as const) {
    t.same(kindsOf(told, input), [], what); // invariant 18
    const after = turn(told, input).state;
    t.ok(kindsOf(after, controls(30)).includes('hold.started'), kindsOf(after, controls(30)).join());
    t.same(turn(after, controls(30)).state.volatile.unvouched, {}, 'it is told once');
  }
});

t.test('a vantage that turns out to be isolated, or no longer is, has all its groups judged', async (t) => {
  const holding = turn(turn(told, observed(20, failing())).state, observed(30, controlsAt(start.at + 30))).state;
  /** A group whose hold goes on asks to be looked at again in time, whenever it is judged. */
  const judged = (state: State, input: Input): boolean =>
    turn(state, input).effects.some(({ kind }) => kind === 'wake');
  const control = (ms: number, verdict: 'ok' | 'bad'): Input =>
    observed(
      ms,
      controlsAt(start.at + ms)
        .slice(2)
        .map((seen) => ({ ...seen, verdict })),
    );
  t.notOk(judged(holding, control(40, 'ok')), 'as it was before');
  t.ok(judged(holding, control(40, 'bad')));
  const isolated = turn(holding, control(40, 'bad')).state;
  t.notOk(judged(isolated, control(50, 'bad')), 'as it was before');
  t.ok(judged(isolated, control(50, 'ok')));
});

t.test(
  'the journal of many groups folds to the ledger the daemon has, also when alerts come and go by the thousand',
  async (t) => {
    let state = initialState(start.settings);
    const entries: JournalEntry[] = [];
    const give = (input: Input): void => {
      const out = turn(state, input);
      state = out.state;
      entries.push(...out.entries);
    };
    give({ kind: 'started', ...later(0), incarnation: 'a', version: '0', configHash: '' });
    for (let round = 0; round < 24; round += 1) {
      for (const status of ['firing', 'resolved'] as const) {
        const alerts = Array.from({ length: GROUPS }, (_, n) => ({
          ...alert(groupName(n), status),
          startsAt: start.at + round,
        }));
        give({ kind: 'webhook', request: 'r', ...later(round + 1), alerts });
      }
    }
    const kept = Object.values(state.ledger.alerts);
    t.ok(kept.length <= 2_200 && kept.length >= 2_000, `${kept.length} resolved alerts are kept`);
    t.ok(
      kept.every(({ receivedAt }) => receivedAt > start.at + 8),
      'the newest ones',
    );
    t.strictSame(foldAll(EMPTY_LEDGER, entries), state.ledger);
    t.equal(JSON.stringify(foldAll(EMPTY_LEDGER, entries)), JSON.stringify(state.ledger));
  },
);
