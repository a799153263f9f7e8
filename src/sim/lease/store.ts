/**
 * The store's process: the real rules on a journal that is durable or says so, in one life after another. It may also be what it
 * should not be: restored from a backup, or there twice.
 */
import type { KeptLease, LeaseAnswer, LeaseRecord, LeaseRequest, SeenLease } from '../../model/lease.ts';
import { NO_LEASE, NOT_SEEN } from '../../model/lease.ts';
import type { answerLease } from '../../policies/lease-store.ts';
import type { HostClock } from './clock.ts';
import { type Context, nameOf, type Region } from './context.ts';

export type StoreRules = typeof answerLease;
/** `standsMs`: when the set was sent by which that guard has the lease as of this answer; null = it has not. */
export type Reply = (answer: LeaseAnswer, standsMs: number | null) => void;
type Granted = { readonly epoch: number; readonly to: string } | null;
type Journal = { readonly kept: KeptLease; readonly floor: number; readonly granted: Granted; readonly starts: number };

export const GROUP = 'shop';
export const COMPONENT = 'postgres';
export const TIMINGS_HASH = 'hash';

export type StoreManners = {
  /** Its journal's fsync says yes and keeps it in memory. */
  readonly journalLies: boolean;
  /** A read is answered with what was true some time ago. */
  readonly stale: number;
};

export class StoreProcess {
  readonly #world: Context;
  readonly #rules: StoreRules;
  readonly #clock: HostClock;
  readonly #manners: StoreManners;
  readonly #waitMs: number;
  readonly #renewMs: number;
  up = true;
  journal: Journal;
  #synced: Journal;
  #seen: SeenLease = NOT_SEEN;
  #id = 'life-1';
  #startReading: number;
  readonly #said = new Map<string, LeaseAnswer>();
  /** Every set that was made, with the send time of the request: by region. */
  readonly acceptedMs: number[] = [0, 0, 0];
  /** After each set: by an aimed adversary. */
  onSet: ((region: Region, record: LeaseRecord) => void) | null = null;

  constructor(world: Context, rules: StoreRules, clock: HostClock, manners: StoreManners, record: LeaseRecord | null) {
    this.#world = world;
    this.#rules = rules;
    this.#clock = clock;
    this.#manners = manners;
    this.#waitMs = world.timings.waitMs;
    this.#renewMs = world.timings.renewMs;
    // It has been up for long when the history begins.
    this.#startReading = -10 * this.#waitMs;
    const kept: KeptLease = { ...NO_LEASE, record, setAt: record === null ? null : 0 };
    this.journal = { kept, floor: record?.epoch ?? 0, granted: null, starts: 1 };
    this.#synced = this.journal;
    // Whoever the record names has been heard, and obeys this life.
    const heard = { mono: -this.#startReading, pin: this.life, obeyed: record?.epoch ?? 0 };
    const names = record === null ? [] : [record.holder, ...record.peers];
    this.#seen = { ...NOT_SEEN, heard: Object.fromEntries(names.map((name) => [name, heard])) };
  }
  get life() {
    return { id: this.#id, start: this.journal.starts };
  }
  get record(): LeaseRecord | null {
    return this.#seen.record ?? this.journal.kept.record;
  }
  /** Written to the journal in this history. */
  entries = 0;
  #write(journal: Journal): void {
    this.entries += 1;
    this.journal = journal;
    if (!this.#manners.journalLies) this.#synced = journal;
  }

  /** An epoch for a run, durable before anybody is told. */
  takeEpoch(to: Region): number {
    const epoch = this.journal.floor + 1;
    this.#write({ ...this.journal, floor: epoch, granted: { epoch, to: nameOf(to) } });
    return epoch;
  }

  ask(region: Region, request: LeaseRequest, sentMs: number, reply: Reply): void {
    if (!this.up) return;
    const world = this.#world;
    const { nowMs } = world.time;
    const mono = this.#clock.read(nowMs) - this.#startReading;
    const at = this.#clock.wall(nowMs);
    const before = this.record;
    const answered = this.#rules(
      { kept: this.journal.kept, seen: this.#seen },
      {
        incarnation: this.life,
        startMono: 0,
        floor: this.journal.floor,
        granted: this.journal.granted,
        active: 'a',
        waitMs: this.#waitMs,
        renewMs: this.#renewMs,
        timingsHash: TIMINGS_HASH,
      },
      request,
      { at, mono },
    );
    this.#seen = answered.seen;
    for (const event of answered.events) {
      const { kept, floor } = this.journal;
      if (event.kind === 'lease.set')
        this.#write({
          ...this.journal,
          kept: { ...kept, record: event.record, setAt: event.at },
          floor: Math.max(floor, event.record.epoch),
        });
      else
        this.#write({
          ...this.journal,
          kept: {
            ...kept,
            halt: { at, guard: event.guard, code: event.code, epoch: event.epoch, start: event.start, why: event.why },
          },
        });
    }
    const { answer } = answered;
    if (answer.kind === 'set' && request.operation.kind === 'set') {
      this.acceptedMs[region] = Math.max(this.acceptedMs[region] ?? 0, sentMs);
      const { record } = request.operation;
      if (world.tracing)
        world.say(
          'store',
          `set by ${request.guard}: epoch ${record.epoch}, ${record.state}, counter ${record.counter}, peers ${record.peers.join(' ') || 'none'}`,
        );
      world.oracle.stored(before, record);
      reply(answer, this.acceptedMs[region] ?? null);
      this.onSet?.(region, record);
      return;
    }
    if (world.tracing && answer.kind !== 'is')
      world.say(
        'store',
        `to ${request.guard}: ${answer.kind === 'refused' ? `${answer.code}, ${answer.message}` : answer.kind}`,
      );
    const key = request.guard;
    if (answer.kind === 'is' && this.#manners.stale > 0) {
      const old = this.#said.get(key);
      if (old !== undefined && world.random.chance(this.#manners.stale)) {
        world.cover('stale-read', region);
        return reply(old, null);
      }
      this.#said.set(key, answer);
    }
    const own = answer.record?.holder === nameOf(region) && answer.record.state === 'held';
    reply(answer, own ? (this.acceptedMs[region] ?? null) : null);
  }

  stop(): void {
    this.up = false;
    if (this.#world.tracing) this.#world.say('store', 'ends');
  }
  /** The next life: what was not written down is gone. */
  start(powerLost: boolean): void {
    if (this.up) return;
    this.up = true;
    if (powerLost) this.journal = this.#synced;
    this.#begin();
  }
  restore(journal: Journal): void {
    this.journal = journal;
    this.#synced = journal;
    this.#begin();
  }
  #begin(): void {
    this.#write({ ...this.journal, starts: this.journal.starts + 1 });
    this.#id = `life-${this.journal.starts}-${this.#world.random.int(0, 1_000_000)}`;
    this.#seen = NOT_SEEN;
    this.#said.clear();
    this.#startReading = this.#clock.read(this.#world.time.nowMs);
    if (this.#world.tracing) this.#world.say('store', `starts, life ${this.journal.starts}`);
  }
  /** A running copy: the same life, the same memory. */
  copy(): StoreProcess {
    const twin = new StoreProcess(this.#world, this.#rules, this.#clock, this.#manners, null);
    twin.journal = this.journal;
    twin.#synced = this.journal;
    twin.#seen = this.#seen;
    twin.#id = this.#id;
    twin.#startReading = this.#startReading;
    return twin;
  }
}
