/**
 * What every lease store must keep, asked of each in the same words (safety.md, "The lease" and "Embedded store"; decision 0016).
 * Guards are played by hand: what they do with an answer is theirs, and tested where they are.
 */
import type { Test } from 'tap';
import type { Incarnation, LeaseAnswer, LeaseRecord, LeaseRequest, Release } from '../../src/model/lease.ts';

export const GROUP = 'platform';
export const COMPONENT = 'db';
export const A = 'us-east-1';
export const B = 'eu-central-1';

export type StoreUnderTest = {
  readonly waitMs: number;
  readonly renewMs: number;
  /** Of the terms it is configured with. */
  readonly timingsHash: string;
  ask(request: LeaseRequest): Promise<LeaseAnswer>;
  /** The request arrives and is worked on; its answer reaches nobody. */
  askInVain(request: LeaseRequest): Promise<void>;
  pass(ms: number): Promise<void>;
  /** What is durable now, to start on later: a backup. */
  copy(): Promise<unknown>;
  /** The process dies without a word, and another starts: on what is durable, or on a backup. */
  restart(from?: unknown): Promise<void>;
  /** A person lets a halted lease go on. */
  clear(): Promise<void>;
  /** Changes of the lease that were made durable. */
  written(): Promise<number>;
};

/** A guard as the store sees it: it sets what it is told to, and keeps what it was answered. */
export class Guard {
  readonly region: string;
  readonly store: StoreUnderTest;
  process = 'p1';
  pin: Incarnation | null = null;
  obeyed = 0;
  /** As of the last answer. */
  last: LeaseAnswer | null = null;

  constructor(store: StoreUnderTest, region: string) {
    this.store = store;
    this.region = region;
  }

  request(operation: LeaseRequest['operation']): LeaseRequest {
    const { region: guard, process, pin, obeyed } = this;
    return { group: GROUP, component: COMPONENT, guard, process, pin, obeyed, operation };
  }

  async ask(operation: LeaseRequest['operation']): Promise<LeaseAnswer> {
    this.last = await this.store.ask(this.request(operation));
    return this.last;
  }

  read = (): Promise<LeaseAnswer> => this.ask({ kind: 'read' });

  /** Reads, and obeys this life of the store from now on. */
  async pinAnew(): Promise<void> {
    const { incarnation } = await this.read();
    this.pin = incarnation;
    await this.read();
  }

  record(over: Partial<LeaseRecord> = {}): LeaseRecord {
    const standing = this.last?.record ?? null;
    const own = standing?.holder === this.region;
    return {
      epoch: standing?.epoch ?? 1,
      holder: this.region,
      process: this.process,
      counter: own ? (standing?.counter ?? 0) + 1 : 0,
      state: 'held',
      peers: standing !== null && own ? standing.peers : [],
      isolation: 'stop',
      writer: standing?.writer ?? this.region,
      timingsHash: this.store.timingsHash,
      sample: null,
      release: null,
      ...over,
    };
  }

  setOf(over: Partial<LeaseRecord> = {}): LeaseRequest['operation'] {
    return { kind: 'set', expected: this.last?.revision ?? null, record: this.record(over) };
  }

  /** Sets on the revision that it was told last. */
  set = (over: Partial<LeaseRecord> = {}): Promise<LeaseAnswer> => this.ask(this.setOf(over));

  /** Takes the lease above all that was taken. */
  async acquire(over: Partial<LeaseRecord> = {}): Promise<LeaseAnswer> {
    const answer = await this.set({ epoch: (this.last?.floor ?? 0) + 1, counter: 0, ...over });
    if (answer.kind === 'set' && answer.record !== null) this.obeyed = answer.record.epoch;
    return answer;
  }
}

const clean: Release = { kind: 'clean', timeline: 1, endLsn: '0/3000060', at: 1 };

/** Why it was refused, or what came instead. */
export const codeOf = (answer: LeaseAnswer): string => (answer.kind === 'refused' ? answer.code : answer.kind);

/** Both pinned, the wait over, and A holding epoch 1 with B as its peer. */
export async function settled(store: StoreUnderTest): Promise<{ a: Guard; b: Guard }> {
  const [a, b] = [new Guard(store, A), new Guard(store, B)];
  await a.pinAnew();
  await b.pinAnew();
  await store.pass(store.waitMs);
  await a.read();
  await a.acquire({ peers: [B] });
  await b.read();
  return { a, b };
}

export function leaseContract(t: Test, open: (t: Test) => Promise<StoreUnderTest>): void {
  t.test('the record is begun by the guard of the active region alone, after W, above the floor', async (t) => {
    const store = await open(t);
    const [a, b] = [new Guard(store, A), new Guard(store, B)];
    const first = await a.read();
    t.match(first, { kind: 'is', revision: null, record: null, floor: 0 });
    t.equal(codeOf(await a.acquire()), 'not-pinned', 'whoever obeys no life of the store is granted nothing');
    await a.pinAnew();
    const early = await a.acquire();
    t.equal(codeOf(early), 'warming');
    if (early.kind === 'refused') t.ok((early.retryAfterMs ?? 0) > 0 && (early.retryAfterMs ?? 0) <= store.waitMs);
    t.equal((await a.read()).record, null, 'and nothing was changed');
    await b.pinAnew();
    await store.pass(store.waitMs);
    await b.read();
    t.equal(codeOf(await b.acquire()), 'not-holder');
    await a.read();
    t.equal(codeOf(await a.set({ epoch: 1, state: 'released', release: clean })), 'not-holder', 'nothing to give back');
    t.equal(codeOf(await a.acquire()), 'set');
    t.match(a.last, { floor: 1, record: { epoch: 1, holder: A, state: 'held' } });
  });

  t.test('a set is read by whoever asks after it, and each has a revision of its own', async (t) => {
    const store = await open(t);
    const { a, b } = await settled(store);
    const seen = new Set([a.last?.revision]);
    for (let round = 0; round < 3; round += 1) {
      const answer = await a.set();
      t.equal(answer.kind, 'set');
      t.strictSame((await b.read()).record, answer.record);
      t.equal(b.last?.revision, answer.revision);
      seen.add(answer.revision);
    }
    t.equal(seen.size, 4);
  });

  t.test('a set on another revision than the one that stands changes nothing', async (t) => {
    const store = await open(t);
    const { a, b } = await settled(store);
    const stale = a.setOf();
    await a.set();
    const { record, revision } = await b.read();
    t.equal((await a.ask(stale)).kind, 'conflict');
    t.match(a.last, { record, revision }, 'the answer says what stands');
    t.equal(codeOf(await b.ask({ ...b.setOf({ epoch: 2 }), expected: null } as never)), 'conflict', 'nor on none');
    t.match(await b.read(), { record, revision });
  });

  t.test('a candidate takes exactly the revision that it waited on', async (t) => {
    const store = await open(t);
    const { a, b } = await settled(store);
    await b.read();
    const taking = b.setOf({ epoch: 2 });
    await a.set();
    t.equal((await b.ask(taking)).kind, 'conflict', 'the holder renewed in between');
    t.equal(codeOf(await b.acquire({ peers: [A] })), 'set');
    t.match(b.last, { floor: 2, record: { epoch: 2, holder: B, peers: [A] } });
    t.equal((await a.set()).kind, 'conflict', 'the old holder renews no more');
    t.equal(codeOf(await a.set({ epoch: 1 })), 'below-floor', 'not even knowing what stands');
    t.equal(codeOf(await a.set({ epoch: 2 })), 'not-holder');
  });

  t.test('epochs only grow', async (t) => {
    const store = await open(t);
    const { a, b } = await settled(store);
    t.equal(codeOf(await b.set({ epoch: 1 })), 'not-holder');
    t.equal(codeOf(await a.acquire()), 'set', 'a restart in place takes a new one');
    t.equal(a.last?.record?.epoch, 2);
    await b.read();
    t.equal(codeOf(await b.set({ epoch: 1 })), 'below-floor');
    t.equal(codeOf(await a.set({ counter: 0 })), 'not-holder', 'and counters grow within one');
  });

  t.test('who is no peer of the holder does not take a lease that is held', async (t) => {
    const store = await open(t);
    const { a, b } = await settled(store);
    t.equal(codeOf(await a.set({ peers: [] })), 'set');
    await b.read();
    t.equal(codeOf(await b.acquire()), 'not-holder');
    t.equal(codeOf(await a.set({ peers: [A, B] })), 'not-holder', 'nobody follows itself');
    t.equal(codeOf(await a.set({ peers: [B] })), 'set', 'only the holder’s set changes who is');
    await b.read();
    t.equal(codeOf(await b.acquire()), 'set');
  });

  t.test('a guard sets what is its own', async (t) => {
    const store = await open(t);
    const { a, b } = await settled(store);
    t.equal(codeOf(await b.set({ holder: A, epoch: 1, counter: 7 })), 'not-holder');
    t.equal(codeOf(await b.set({ holder: A, epoch: 2 })), 'not-holder');
    t.equal(codeOf(await a.set({ process: 'another' })), 'not-holder');
    a.process = 'p2';
    t.equal(codeOf(await a.set()), 'set', 'a guard that was restarted goes on with its lease');
  });

  t.test('only the holder gives back, once; then another may take it', async (t) => {
    const store = await open(t);
    const { a, b } = await settled(store);
    t.equal(codeOf(await b.set({ epoch: 1, counter: 9, state: 'released', release: clean })), 'not-holder');
    t.equal(codeOf(await a.set({ state: 'released' })), 'not-holder', 'a release says what it is');
    t.equal(codeOf(await a.set({ peers: [] })), 'set');
    t.equal(codeOf(await a.set({ state: 'released', release: clean })), 'set');
    t.match((await b.read()).record, { state: 'released', release: clean, holder: A, epoch: 1 });
    t.equal(codeOf(await a.set({ state: 'held', release: null })), 'not-holder', 'what was given back is not taken up');
    t.equal(codeOf(await b.acquire({ peers: [A] })), 'set', 'not only by a peer: nobody relies on it any more');
    t.equal(b.last?.record?.release, null);
  });

  t.test('whoever takes the lease keeps the timings of the config', async (t) => {
    const store = await open(t);
    const { a, b } = await settled(store);
    t.equal(codeOf(await b.acquire({ timingsHash: 'other' })), 'timings');
    t.equal(codeOf(await a.set({ timingsHash: 'other' })), 'timings');
    t.equal(codeOf(await a.set()), 'set');
  });

  t.test('what others rely on is durable before it is answered; a renewal leaves nothing behind', async (t) => {
    const store = await open(t);
    const { a } = await settled(store);
    const before = await store.written();
    for (let round = 0; round < 5; round += 1) await a.set();
    t.equal(await store.written(), before);
    await a.set({ peers: [] });
    t.equal(await store.written(), before + 1, 'peers');
    await a.set({ isolation: 'serve' });
    t.equal(await store.written(), before + 2, 'isolation');
    await a.set({ isolation: 'serve', state: 'released', release: clean });
    t.equal(await store.written(), before + 3, 'a release');
    await a.acquire();
    t.equal(await store.written(), before + 4, 'an acquisition');
  });

  t.test('who wrote last is said by whoever is about to, and is durable', async (t) => {
    const store = await open(t);
    const { b } = await settled(store);
    t.equal(b.last?.record?.writer, A);
    t.equal(codeOf(await b.acquire({ writer: 'eu-west-1' })), 'not-holder');
    t.equal(codeOf(await b.acquire()), 'set');
    t.equal(b.last?.record?.writer, A, 'taking the lease is not writing');
    const before = await store.written();
    t.equal(codeOf(await b.set({ writer: B })), 'set');
    t.equal(await store.written(), before + 1);
    t.equal(codeOf(await b.set({ writer: A })), 'not-holder', 'there is no way back');
  });

  t.test('an answer that was lost leaves the set made or not, and a read tells which', async (t) => {
    const store = await open(t);
    const { a, b } = await settled(store);
    const lost = a.setOf({ counter: 41 });
    await store.askInVain(a.request(lost));
    t.equal((await a.ask(lost)).kind, 'conflict', 'sent again it finds itself');
    t.match(a.last?.record, { holder: A, counter: 41 }, 'and knows its own counter');
    t.equal(codeOf(await a.set()), 'set');
    await b.read();
    const taking = b.setOf({ epoch: 2, counter: 0, peers: [A] });
    await store.askInVain(b.request(taking));
    await store.restart();
    t.match((await a.read()).record, { epoch: 2, holder: B }, 'an acquisition that nobody heard of is one');
  });

  t.test('guards tell each other’s age and pin through the store', async (t) => {
    const store = await open(t);
    const { a, b } = await settled(store);
    await b.read();
    await store.pass(store.renewMs);
    const { guards } = await a.read();
    t.strictSame(Object.keys(guards), [B]);
    t.equal(guards[B]?.pinned, true);
    t.ok((guards[B]?.ageMs ?? 0) >= store.renewMs * 0.9);
  });

  t.test('a new life: nothing is granted until all obey it, and no acquisition before W', async (t) => {
    const store = await open(t);
    const { a, b } = await settled(store);
    for (let round = 0; round < 4; round += 1) await a.set();
    const old = a.setOf();
    const before = await a.read();
    await store.restart();
    t.equal((await a.ask(old)).kind, 'conflict', 'no revision of an earlier life matches');
    t.not(a.last?.revision, before.revision);
    t.ok((a.last?.incarnation.start ?? 0) > before.incarnation.start, 'lives are counted');
    t.not(a.last?.incarnation.id, before.incarnation.id);
    t.match(a.last?.record, { epoch: 1, holder: A }, 'acquisitions are not forgotten');
    t.ok((a.last?.record?.counter ?? 0) <= (before.record?.counter ?? 0), 'renewals may be');
    t.equal(codeOf(await a.set({ counter: 100 })), 'not-pinned');
    t.match(a.last?.guards, {}, 'the peer was not heard of in this life');
    await b.read();
    a.pin = b.last?.incarnation ?? null;
    t.equal(codeOf(await a.set({ counter: 100 })), 'not-pinned', 'its peer obeys the life before');
    t.equal(a.last?.guards[B]?.pinned, false);
    await b.pinAnew();
    await a.read();
    t.equal(codeOf(await a.set({ counter: 100 })), 'set', 'the holder goes on from its own counter');
    await b.read();
    t.equal(codeOf(await b.acquire()), 'warming');
    await a.read();
    t.equal(codeOf(await a.acquire()), 'warming', 'its own restart in place, too');
    t.equal(codeOf(await a.set({ state: 'released', release: clean })), 'set', 'giving back takes no wait');
    await b.read();
    t.equal(codeOf(await b.acquire()), 'warming', 'and taking what was given back does');
    await store.pass(store.waitMs);
    await b.read();
    t.equal(codeOf(await b.acquire()), 'set');
  });

  t.test('the holder drops a peer that is silent, not one that obeys another life', async (t) => {
    const store = await open(t);
    const { a, b } = await settled(store);
    await store.restart();
    await a.pinAnew();
    t.equal(codeOf(await a.set({ peers: [] })), 'not-pinned', 'the peer had no time to be heard yet');
    await store.pass(store.renewMs * 3);
    await b.read();
    t.equal(codeOf(await a.set({ peers: [] })), 'not-pinned', 'it is there, and obeys the life before');
    await store.pass(store.renewMs * 3);
    t.equal(codeOf(await a.set({ peers: [] })), 'set');
    await b.pinAnew();
    await store.pass(store.waitMs);
    await b.read();
    t.equal(codeOf(await b.acquire()), 'not-holder', 'whoever was dropped takes nothing until it is named again');
  });

  t.test(
    'invariant 28: a standby’s region and failoverd lost at once don’t stop the primary, nor its restart in place',
    async (t) => {
      const store = await open(t);
      const { a } = await settled(store);
      await store.restart();
      await a.pinAnew();
      await store.pass(store.renewMs * 3);
      t.equal(codeOf(await a.set()), 'set', 'also where it goes on naming it');
      await store.pass(store.waitMs);
      t.equal(codeOf(await a.acquire({ peers: [B] })), 'set');
    },
  );

  t.test(
    'invariant 27: the primary’s region and failoverd lost at once don’t keep the standby from the lease',
    async (t) => {
      const store = await open(t);
      const { b } = await settled(store);
      await store.restart();
      await b.pinAnew();
      await store.pass(store.waitMs);
      await b.read();
      t.equal(codeOf(await b.acquire({ peers: [A] })), 'set');
      t.equal(codeOf(await b.set()), 'set', 'nor from renewing it');
    },
  );

  t.test('a store that was restored from a backup halts, and stays so until a person clears it', async (t) => {
    const store = await open(t);
    const { a, b } = await settled(store);
    const backup = await store.copy();
    await b.acquire({ peers: [A] });
    await store.restart(backup);
    const halted = await b.read();
    t.equal(codeOf(halted), 'halted', 'B has obeyed an epoch that this store knows nothing of');
    t.equal(codeOf(await a.read()), 'halted', 'for everybody');
    t.equal(codeOf(await a.set()), 'halted');
    await store.restart();
    await a.pinAnew();
    t.equal(codeOf(await a.set()), 'halted', 'over a restart');
    const { incarnation } = await a.read();
    await store.clear();
    const cleared = await a.read();
    t.equal(cleared.kind, 'is');
    t.ok(cleared.incarnation.start > incarnation.start, 'it goes on as a later life');
    t.ok(cleared.floor >= b.obeyed, 'above all that was obeyed');
    t.equal((await b.read()).kind, 'is', 'and B finds nothing amiss');
    await a.pinAnew();
    await b.pinAnew();
    t.equal(codeOf(await b.acquire()), 'warming', 'after another wait');
    await store.pass(store.waitMs);
    await b.read();
    t.equal(codeOf(await b.acquire()), 'set');
    t.ok((b.last?.record?.epoch ?? 0) > 2, 'at an epoch of its own');
  });

  t.test('a store that a guard knows a later life of halts, also where epochs are equal', async (t) => {
    const store = await open(t);
    const { b } = await settled(store);
    const backup = await store.copy();
    await store.restart();
    await store.restart();
    await b.pinAnew();
    await store.restart(backup);
    t.equal(codeOf(await b.read()), 'halted');
  });

  t.test('a copy with the same count of lives halts where a guard obeys the other', async (t) => {
    const store = await open(t);
    const { a, b } = await settled(store);
    const backup = await store.copy();
    await store.restart();
    await b.pinAnew();
    await store.restart(backup);
    t.equal((await a.read()).incarnation.start, b.pin?.start, 'as many lives');
    t.equal(codeOf(await a.read()), 'is', 'A was pinned to what both come from');
    t.equal(codeOf(await b.read()), 'halted', 'B to the other one');
    t.equal(codeOf(await a.read()), 'halted');
  });
}
