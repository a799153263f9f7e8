// The guard's machine, driven by hand: one guard or two, a store that does as it is told, and a PostgreSQL that is a word.
import t from 'tap';
import { initialGuard, step } from '../../src/guard/machine.ts';
import {
  FRESH_DURABLE,
  type GuardDurable,
  type GuardEffect,
  type GuardInput,
  type GuardOrder,
  type GuardSettings,
  type GuardState,
  type PostgresSeen,
} from '../../src/model/guard.ts';
import type { LeaseAnswer, LeaseRecord, LeaseTimings } from '../../src/model/lease.ts';

const STRICT: LeaseTimings = {
  renewMs: 3000,
  attemptMs: 2000,
  electionGapMs: 10_000,
  demoteAfterMs: 19_000,
  stopWithinMs: 6000,
  deadManAfterMs: 25_000,
  leaseMs: 50_000,
  waitMs: 58_000,
};

const settings = (region: string, changed: Partial<GuardSettings> = {}): GuardSettings => ({
  group: 'platform',
  component: 'postgres',
  region,
  peers: region === 'a' ? ['b'] : ['a'],
  timings: STRICT,
  timingsHash: 'strict',
  deadMan: 'absolute',
  isolation: 'stop',
  onCrash: 'restart',
  crashRestarts: 3,
  role: region === 'a' ? 'primary' : 'standby',
  ...changed,
});

const seen = (state: PostgresSeen['state'], open = state === 'standby'): PostgresSeen => ({
  state,
  open,
  sample: null,
  receiveLsn: null,
  replayLsn: null,
  timeline: 1,
  cleanShutdown: state === 'stopped' ? true : null,
  systemIdentifier: '1',
});

/** A store of one record, and lives as the embedded one has them. */
class Store {
  record: LeaseRecord | null = null;
  revision = 0;
  incarnation = { id: 'one', start: 1 };
  pinned = true;
  answer(effect: Extract<GuardEffect, { kind: 'ask' }>): LeaseAnswer {
    const { operation, guard } = effect.request;
    const common = () => ({
      incarnation: this.incarnation,
      revision: this.revision === 0 ? null : String(this.revision),
      record: this.record,
      floor: 0,
      guards: Object.fromEntries(
        ['a', 'b'].filter((g) => g !== guard).map((g) => [g, { ageMs: 0, pinned: this.pinned }]),
      ),
    });
    if (operation.kind === 'read') return { kind: 'is', ...common() };
    const expected = this.revision === 0 ? null : String(this.revision);
    if (operation.expected !== expected) return { kind: 'conflict', ...common() };
    this.record = operation.record;
    this.revision += 1;
    return { kind: 'set', ...common() };
  }
}

class Guard {
  state: GuardState;
  mono = 0;
  effects: GuardEffect[] = [];
  pg: PostgresSeen;
  pets: number[] = [];
  /** Null = the store can't be reached. */
  store: Store | null;
  process: string;
  constructor(
    s: GuardSettings,
    store: Store,
    pg: PostgresSeen,
    durable: GuardDurable = FRESH_DURABLE,
    process = `${s.region}1`,
  ) {
    this.state = initialGuard(s);
    this.store = store;
    this.pg = pg;
    this.process = process;
    const fresh = durable === FRESH_DURABLE;
    this.give({ kind: 'started', process, durable, fresh, seen: pg, renewedMono: null });
  }
  give(input: GuardInput extends infer I ? (I extends GuardInput ? Omit<I, 'at' | 'mono'> : never) : never): void {
    const { state, effects } = step(this.state, { ...input, at: 1_000_000 + this.mono, mono: this.mono } as GuardInput);
    this.state = state;
    this.effects.push(...effects);
    for (const effect of effects) this.do(effect);
  }
  do(effect: GuardEffect): void {
    if (effect.kind === 'pet') {
      this.pets.push(effect.sentMono);
      if (!this.state.deadManArmed) this.give({ kind: 'dead-man', armed: true });
    } else if (effect.kind === 'ask') {
      const answer = this.store?.answer(effect) ?? null;
      if (answer === null) this.mono += effect.timeoutMs;
      this.give({ kind: 'answered', number: effect.number, answer });
    } else if (effect.kind === 'perform') {
      const { number, task } = effect;
      const next = {
        'start-standby': 'standby',
        'start-fenced': 'primary',
        promote: 'primary',
        stop: 'stopped',
      } as const;
      const state = task in next ? next[task as keyof typeof next] : this.pg.state;
      this.pg = seen(state, task === 'open' || task === 'promote' || state === 'standby');
      const end = task === 'stop' || task === 'scan' ? { timeline: 1, lsn: '0/100' } : null;
      this.give({ kind: 'performed', number, task, result: { ok: true, message: '', seen: this.pg, end } });
    }
  }
  /** Lets time pass in steps of half a second. */
  run(forMs: number): void {
    const until = this.mono + forMs;
    while (this.mono < until) {
      this.mono += 500;
      this.give({ kind: 'tick' });
    }
  }
  order(order: GuardOrder): { taken: boolean; message: string } {
    const from = this.effects.length;
    this.give({ kind: 'order', request: 'r', order });
    const answer = this.effects.slice(from).find((effect) => effect.kind === 'answer-order');
    return answer?.kind === 'answer-order' ? answer.answer : { taken: false, message: 'no answer' };
  }
}

const booted = (): { a: Guard; b: Guard; store: Store } => {
  const store = new Store();
  const a = new Guard(settings('a'), store, seen('stopped'));
  a.run(1000);
  const b = new Guard(settings('b'), store, seen('stopped'));
  b.run(1000);
  return { a, b, store };
};
const both = (guards: readonly Guard[], forMs: number): void => {
  for (let passed = 0; passed < forMs; passed += 500) for (const guard of guards) guard.run(500);
};
const RUN = 'run-platform-1';

t.test('a first primary starts fenced, acquires, and only then lets clients in (invariant 5)', async (t) => {
  const { a, store } = booted();
  t.equal(a.state.part, 'primary');
  t.equal(store.record?.holder, 'a');
  t.equal(store.record?.writer, 'a');
  const kinds = a.effects.map((e) =>
    e.kind === 'perform' ? e.task : e.kind === 'ask' ? e.request.operation.kind : e.kind,
  );
  t.ok(kinds.indexOf('start-fenced') < kinds.indexOf('set'), 'acquired after the start');
  t.ok(kinds.indexOf('set') < kinds.indexOf('open'), 'opened after the acquisition');
  t.ok(kinds.indexOf('pet') < kinds.indexOf('open'), 'the dead-man watches before clients are let in');
  t.equal(a.state.durable.holds, 1);
});

t.test('an isolated primary stops G after the send of its last renewal (invariant 30)', async (t) => {
  const { a } = booted();
  a.run(10_000);
  a.store = null;
  const renewed = a.state.renewedMono ?? 0;
  a.run(18_000);
  t.equal(a.state.part, 'stopped');
  const stop = a.effects.findIndex((e) => e.kind === 'perform' && e.task === 'stop');
  t.ok(stop > 0);
  t.ok(a.mono - renewed >= STRICT.demoteAfterMs, 'not before G');
});

t.test('a standby takes the lease by expiry after W, promotes, and takes it for done when it sees it', async (t) => {
  const { a, b, store } = booted();
  both([a, b], 70_000);
  a.store = null;
  t.same(b.order({ kind: 'candidacy', run: RUN, epoch: 7, claim: 'expired' }).taken, true);
  b.run(50_000);
  t.equal(b.state.part, 'candidate', 'not before W');
  b.run(12_000);
  t.equal(b.state.part, 'holding');
  t.match(store.record, { holder: 'b', epoch: 7, writer: 'a' });
  t.equal(b.order({ kind: 'promote', run: RUN, epoch: 7, claim: 'expired' }).taken, true);
  b.run(1000);
  t.equal(b.state.part, 'primary');
  t.match(store.record, { holder: 'b', writer: 'b' });
  const kinds = b.effects.map((e) => (e.kind === 'perform' ? e.task : e.kind));
  t.ok(kinds.indexOf('pet') < kinds.indexOf('promote'), 'the dead-man watches before PostgreSQL is asked');
  a.store = store;
  a.run(20_000);
  t.equal(a.state.part, 'deposed', 'the old primary is not started again');
});

t.test('a renewal whose answer was lost is adopted with the time it was sent, and not taken for foreign', async (t) => {
  const { a, store } = booted();
  a.run(4000);
  const real = store.answer.bind(store);
  let lose = true;
  const sent: number[] = [];
  a.store = Object.assign(Object.create(store), {
    answer(effect: Extract<GuardEffect, { kind: 'ask' }>): LeaseAnswer | null {
      const answer = real(effect);
      if (!lose || effect.request.operation.kind !== 'set') return answer;
      lose = false;
      sent.push(a.mono);
      return null;
    },
  }) as Store;
  a.run(8000);
  t.equal(a.state.part, 'primary');
  t.ok((a.state.renewedMono ?? 0) >= (sent[0] ?? Number.POSITIVE_INFINITY));
});

t.test('a released lease is taken at once', async (t) => {
  const { a, b, store } = booted();
  both([a, b], 70_000);
  t.equal(a.order({ kind: 'release', run: RUN, epoch: 2 }).taken, true);
  a.run(4000);
  t.match(store.record, { holder: 'a', state: 'released', release: { kind: 'clean' } });
  t.equal(b.order({ kind: 'candidacy', run: RUN, epoch: 2, claim: 'expired' }).taken, true);
  b.run(4000);
  t.equal(b.state.part, 'holding');
  t.equal(b.order({ kind: 'withdraw', run: RUN, epoch: 2 }).taken, true);
  b.run(4000);
  t.match(store.record, { holder: 'b', state: 'released', writer: 'a', release: { kind: 'unpromoted' } });
  a.run(8000);
  t.equal(a.state.part, 'stopped', 'it rests until it is told to resume');
  t.equal(a.order({ kind: 'resume', run: RUN, epoch: 2, why: 'aborted' }).taken, true);
  a.run(8000);
  t.equal(a.state.part, 'primary');
  t.equal(store.record?.epoch, 4, 'a new epoch before the start, so that nobody has come in between, and one after it');
});

t.test('stale orders are refused', async (t) => {
  const { b } = booted();
  t.match(b.order({ kind: 'candidacy', run: RUN, epoch: 1, claim: 'expired' }), { taken: false, message: /stale/ });
  t.match(b.order({ kind: 'promote', run: RUN, epoch: 2, claim: 'person' }), { taken: false });
});

t.test('a store that was cleared is a new life of the same id: it is pinned anew', async (t) => {
  const { b, store } = booted();
  store.incarnation = { id: 'one', start: 2 };
  b.run(4000);
  t.strictSame(b.state.durable.pin, { id: 'one', start: 2 });
  t.ok(b.state.pinnedMono > 0, 'and W begins again');
});

t.test('a release that a restart of the guard has cut off is still made', async (t) => {
  const { a, store } = booted();
  const rests = { run: RUN, why: 'released for a run' } as const;
  const again = new Guard(settings('a'), store, seen('primary', true), { ...a.state.durable, rests }, 'a2');
  again.run(6000);
  t.match(store.record, { holder: 'a', state: 'released' });
});

t.test('a release that is ordered while PostgreSQL is being stopped for something else is made', async (t) => {
  const { a, store } = booted();
  a.state = {
    ...a.state,
    part: 'stopping',
    stopping: 'unresolved',
    task: { number: 9001, task: 'stop', sinceMono: a.mono },
  };
  t.equal(a.order({ kind: 'release', run: RUN, epoch: 9 }).taken, true);
  a.pg = seen('stopped');
  const end = { timeline: 1, lsn: '0/100' } as const;
  a.give({ kind: 'performed', number: 9001, task: 'stop', result: { ok: true, message: '', seen: a.pg, end } });
  a.run(4000);
  t.match(store.record, { holder: 'a', state: 'released' });
});

t.test('a late resume of an older run does not take a newer run’s release back', async (t) => {
  const { a } = booted();
  a.order({ kind: 'release', run: RUN, epoch: 2 });
  a.run(4000);
  t.equal(a.order({ kind: 'resume', run: RUN, epoch: 2, why: 'aborted' }).taken, true);
  a.run(8000);
  t.equal(a.state.part, 'primary');
  const epoch = a.state.durable.obeyed + 1;
  t.equal(a.order({ kind: 'release', run: 'run-platform-2', epoch }).taken, true);
  a.run(4000);
  t.equal(a.order({ kind: 'resume', run: RUN, epoch: 2, why: 'aborted' }).taken, false);
  t.not(a.state.durable.rests, null);
});
