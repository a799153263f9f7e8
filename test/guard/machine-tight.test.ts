// Rules of the guard's machine that no history shows within reason, since others stand before them: each input by hand.
import t from 'tap';
import { waitsFor } from '../../src/guard/machine/candidate.ts';
import { initialGuard, step } from '../../src/guard/machine.ts';
import {
  FRESH_DURABLE,
  type GuardDurable,
  type GuardEffect,
  type GuardInput,
  type GuardSettings,
  type GuardState,
  type PostgresSeen,
} from '../../src/model/guard.ts';
import type { LeaseAnswer, LeaseRecord } from '../../src/model/lease.ts';

const SETTINGS: GuardSettings = {
  group: 'platform',
  component: 'postgres',
  region: 'a',
  peers: ['b', 'c'],
  timings: {
    renewMs: 3000,
    attemptMs: 2000,
    electionGapMs: 10_000,
    demoteAfterMs: 19_000,
    stopWithinMs: 6000,
    deadManAfterMs: 25_000,
    leaseMs: 25_000,
    waitMs: 30_000,
  },
  timingsHash: 'absolute',
  deadMan: 'absolute',
  isolation: 'stop',
  onCrash: 'restart',
  crashRestarts: 3,
  role: 'primary',
};
const seen = (state: PostgresSeen['state']): PostgresSeen => ({
  state,
  open: true,
  sample: null,
  receiveLsn: null,
  replayLsn: null,
  timeline: 1,
  cleanShutdown: null,
  systemIdentifier: '1',
});
const RECORD: LeaseRecord = {
  epoch: 5,
  holder: 'a',
  process: 'a1',
  counter: 7,
  state: 'held',
  peers: ['b', 'c'],
  writer: 'a',
  isolation: 'stop',
  timingsHash: 'absolute',
  sample: null,
  release: null,
};
const RUN = 'run-platform-1';

type Unclocked<I> = I extends GuardInput ? Omit<I, 'at' | 'mono'> : never;
class Hand {
  state: GuardState = initialGuard(SETTINGS);
  mono = 100_000;
  constructor(state: PostgresSeen['state'], durable: Partial<GuardDurable>, renewedMono: number | null = null) {
    const kept = { ...FRESH_DURABLE, ...durable };
    this.give({ kind: 'started', process: 'a2', durable: kept, fresh: false, seen: seen(state), renewedMono });
  }
  give(input: Unclocked<GuardInput>): readonly GuardEffect[] {
    const { state, effects } = step(this.state, { ...input, at: this.mono, mono: this.mono } as GuardInput);
    this.state = state;
    return effects;
  }
  answer(kind: 'is' | 'set', record: LeaseRecord): readonly GuardEffect[] {
    const guards = { b: { ageMs: 0, pinned: true }, c: { ageMs: 0, pinned: true } };
    const answer: LeaseAnswer = {
      kind,
      incarnation: { id: 'one', start: 1 },
      revision: `r${record.counter}`,
      record,
      floor: 5,
      guards,
    };
    return this.give({ kind: 'answered', number: this.state.asking ?? -1, answer });
  }
  promises(holder: string, epoch: number): boolean | undefined {
    const ask = { group: 'platform', component: 'postgres', holder, epoch };
    return this.give({ kind: 'promise-asked', request: 'p', ask }).find((effect) => effect.kind === 'answer-promise')
      ?.promised;
  }
}

t.test('the dead-man is petted with the time at which the renewal was sent, however late its answer is', async (t) => {
  const a = new Hand('primary', { holds: 5, obeyed: 5, lastRole: 'primary' }, 99_000);
  a.answer('is', RECORD);
  const sentMono = a.mono;
  const { set } = a.state.asks.find(({ number }) => number === a.state.asking) ?? {};
  if (set == null) throw new RangeError('nothing was set');
  a.mono += 1700;
  const pets = a.answer('set', set).filter((effect) => effect.kind === 'pet');
  t.strictSame(pets, [{ kind: 'pet', sentMono }]);
  t.equal(a.state.renewedMono, sentMono, 'and the lease counts from then (invariant 30)');
});

t.test('who obeys an epoch promises no lower one, and who knows of none promises nothing (invariant 6)', async (t) => {
  const knows = new Hand('standby', { obeyed: 5, lastRole: 'standby' });
  t.equal(knows.promises('b', 4), false);
  t.equal(knows.promises('b', 5), true);
  const lost = new Hand('standby', { lastRole: 'standby' });
  t.equal(lost.promises('b', 5), false, 'its disk may have been lost');
  t.ok(knows.state.promisedUntilMono >= knows.mono + SETTINGS.timings.waitMs, 'for W');
});

t.test('a promotion that was asked for is not withdrawn (invariant 11)', async (t) => {
  const a = new Hand('standby', { holds: 5, obeyed: 5, candidacy: { run: RUN, epoch: 5, claim: 'expired' } });
  a.answer('is', { ...RECORD, process: 'a2', writer: 'b' });
  const { set } = a.state.asks.find(({ number }) => number === a.state.asking) ?? {};
  if (set == null) throw new RangeError('nothing was set');
  a.answer('set', set);
  const say = (order: Extract<GuardInput, { kind: 'order' }>['order']) =>
    a.give({ kind: 'order', request: 'r', order }).find((effect) => effect.kind === 'answer-order')?.answer.taken;
  t.equal(say({ kind: 'promote', run: RUN, epoch: 5, claim: 'expired' }), true);
  t.equal(a.state.part, 'promoting');
  t.equal(say({ kind: 'withdraw', run: RUN, epoch: 5 }), false);
  t.match(a.state, { part: 'promoting', durable: { promotion: { run: RUN } } });
});

t.test(
  'whom the holder dropped from its peers does not take the lease, however long it waits (invariant 4)',
  async (t) => {
    const held = { ...RECORD, holder: 'b', process: 'b1', writer: 'b', peers: ['c'] };
    const waited = (record: LeaseRecord): GuardState => {
      const a = new Hand('standby', { obeyed: 5, candidacy: { run: RUN, epoch: 6, claim: 'expired' } });
      a.answer('is', record);
      a.mono += SETTINGS.timings.waitMs + 1;
      a.give({ kind: 'tick' });
      a.answer('is', record);
      return a.state;
    };
    t.not(waitsFor(waited(held)), null);
    t.equal(waitsFor(waited({ ...held, peers: ['a', 'c'] })), null, 'and one that is named may take it');
  },
);
