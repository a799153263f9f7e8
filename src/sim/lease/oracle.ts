/**
 * Judges by what is true: PostgreSQL's processes and files, the store's record, the client's ledger, the messages that arrived.
 * What a guard believes is never asked.
 */
import type { Claim, GuardDurable, GuardState, Part, PostgresTask } from '../../model/guard.ts';
import type { LeaseRecord, LeaseRequest } from '../../model/lease.ts';
import type { Violation } from '../contract.ts';
import { type Context, nameOf, type Region, RHO, regionOf } from './context.ts';
import type { Postgres, Timelines } from './postgres.ts';
import type { Site } from './site.ts';

export type Basis = 'first' | 'own' | 'released' | 'expired' | 'confirmed' | 'person' | 'none';
type Acquisition = { readonly atMs: number; readonly epoch: number; readonly basis: Basis };
type Promise = { readonly holder: string; readonly epoch: number; readonly atMs: number };
type Acknowledged = { readonly region: Region; readonly timeline: number; readonly lsn: number; readonly atMs: number };

/** What has to be so in this history, beside what has to be so in all. */
export type Expectations = {
  /** Healthy, in reach of the store or of all its peers, and ordered nothing: this primary is never to stop (invariant 28). */
  readonly staysUp: Region | null;
  /** Dead from some instant on while all others are well: another is to be writable by then (invariant 27). */
  readonly takenOverByMs: number | null;
  /** Two switchovers are ordered, and nothing stands in their way: the first primary writes again in the end. */
  readonly returns: boolean;
};

/** Timers and the work of a step take so long at most. */
const SLACK_MS = 60;

export class Oracle {
  readonly violations: Violation[] = [];
  readonly acknowledged: Acknowledged[] = [];
  /** Between the last instant at which one could commit and the first at which the next one could; less than 0 = both could. */
  leastMarginMs = Number.POSITIVE_INFINITY;
  takeovers = 0;
  /** The first of them. */
  takenOverMs: number | null = null;
  overlapMs = 0;
  readonly bases: Record<Basis, number> = {
    first: 0,
    own: 0,
    released: 0,
    expired: 0,
    confirmed: 0,
    person: 0,
    none: 0,
  };

  #world: Context | null = null;
  #sites: readonly Site[] = [];
  readonly #timelines: Timelines;
  readonly #expect: Expectations;
  readonly #writableSince: (number | null)[] = [null, null, null];
  readonly #writableUntil: number[] = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY];
  readonly #renewedMs: number[] = [0, 0, 0];
  readonly #acquired: (Acquisition | null)[] = [null, null, null];
  readonly #holders = new Map<number, string>();
  readonly #promises: Promise[][] = [[], [], []];
  /** This lease was given back: what was promised to it, or to those it has followed, binds nobody, however late it was. */
  #releasedUpTo = 0;
  /** By which right each acquisition was asked for, when it was. */
  readonly #claims = new Map<string, Claim | null>();
  readonly #rounds = new Map<string, number>();
  /** Fences that were read back right before the order to promote, by epoch ordered. */
  readonly readBack = new Set<string>();
  #record: LeaseRecord | null = null;
  #changedMs = Number.NEGATIVE_INFINITY;
  #newestTimeline = 1;
  #lastWriter: Region | null = null;
  #firstAck: { region: Region; atMs: number }[] = [];
  /** People took the responsibility: that two can write is not a fault of the lease then. */
  #byPerson = false;

  constructor(timelines: Timelines, expect: Expectations) {
    this.#timelines = timelines;
    this.#expect = expect;
  }
  watch(world: Context, sites: readonly Site[]): void {
    this.#world = world;
    this.#sites = sites;
  }
  get #nowMs(): number {
    return this.#world?.time.nowMs ?? 0;
  }
  violate(invariant: number, what: string): void {
    if (this.violations.some((each) => each.invariant === invariant)) return;
    this.violations.push({ invariant, what, atMs: this.#nowMs });
    this.#world?.say('ORACLE', `invariant ${invariant} is broken: ${what}`);
  }
  #site(region: Region): Site | null {
    return this.#sites[region] ?? null;
  }
  #postgres(region: Region): Postgres | null {
    return this.#site(region)?.postgres ?? null;
  }

  // ---- PostgreSQL ----

  writable(region: Region, can: boolean): void {
    const now = this.#nowMs;
    if (this.#world?.tracing) this.#world.say(`postgres ${nameOf(region)}`, can ? 'can commit' : 'can not commit');
    if (!can) {
      this.#checkOverdue(region);
      const since = this.#writableSince[region] ?? now;
      this.#writableSince[region] = null;
      this.#writableUntil[region] = now;
      for (const other of this.#others(region)) {
        const otherSince = this.#writableSince[other] ?? null;
        if (otherSince !== null) this.overlapMs += now - Math.max(since, otherSince);
      }
      if (this.#expect.staysUp === region) this.violate(28, `${nameOf(region)} is healthy and was stopped`);
      return;
    }
    this.#writableSince[region] = now;
    this.#wrote.add(region);
    this.#checkStart(region);
    let margin = Number.POSITIVE_INFINITY;
    for (const other of this.#others(region)) {
      if (this.#writableSince[other] !== null) {
        if (!this.#byPerson) this.violate(1, `${nameOf(other)} and ${nameOf(region)} can both commit`);
        margin = Math.min(margin, -1);
      } else margin = Math.min(margin, now - (this.#writableUntil[other] ?? Number.NEGATIVE_INFINITY));
    }
    if (this.#lastWriter !== null && this.#lastWriter !== region) {
      this.takeovers += 1;
      this.takenOverMs ??= now;
      if (this.#acquired[region]?.basis === 'expired') this.leastMarginMs = Math.min(this.leastMarginMs, margin);
    }
    this.#lastWriter = region;
  }
  #others(region: Region): readonly Region[] {
    return this.#sites.map((site) => site.region).filter((each) => each !== region);
  }
  /**
   * Invariant 5: not writable after a start before a lease acquired after that start. A server that was started as a standby is made
   * writable by its promotion, which has rules of its own (invariants 4 and 11).
   */
  #checkStart(region: Region): void {
    if (this.#postgres(region)?.postmaster?.promoted) return;
    const startedMs = this.#postgres(region)?.startedAtMs ?? 0;
    const acquired = this.#acquired[region];
    if (startedMs > 0 && (acquired === null || acquired === undefined || acquired.atMs < startedMs))
      this.violate(5, `${nameOf(region)} is writable, and acquired no lease since its PostgreSQL was started`);
  }
  promoted(region: Region): void {
    this.#newestTimeline = this.#postgres(region)?.timeline ?? this.#newestTimeline;
  }

  /** Invariant 30: while its guard is scheduled, not writable later than G + K after the send of the last good renewal. */
  #checkOverdue(region: Region): void {
    const site = this.#site(region);
    const world = this.#world;
    if (site === null || world === null || this.#writableSince[region] === null) return;
    const watchMs = (world.timings.demoteAfterMs + world.timings.stopWithinMs) / site.clock.rate + 2 * SLACK_MS;
    const unwatchedMs = this.#nowMs - Math.max(site.deadMan.unarmedSinceMs, this.#writableSince[region] ?? 0);
    if (
      site.writesUnwatched &&
      site.running &&
      !site.frozen &&
      unwatchedMs > watchMs &&
      this.#nowMs - site.scheduledSinceMs > watchMs
    )
      this.violate(
        30,
        `${nameOf(region)} is writable, and no dead-man has watched it for ${Math.round(unwatchedMs)} ms`,
      );
    if (site.settings.isolation === 'serve' || !site.running || site.frozen) return;
    // With nobody on its list there is nobody who could be promoted, and nobody to be renewed against.
    const record = this.#record;
    if (record?.holder === nameOf(region) && record.state === 'held' && record.peers.length === 0) return;
    const { demoteAfterMs, stopWithinMs } = world.timings;
    const dueMs = (this.#renewedMs[region] ?? 0) + demoteAfterMs / site.clock.rate;
    const latestMs = Math.max(dueMs, site.scheduledSinceMs) + stopWithinMs / site.clock.rate + SLACK_MS;
    if (this.#nowMs > latestMs)
      this.violate(30, `${nameOf(region)} is writable ${Math.round(this.#nowMs - latestMs)} ms after G + K`);
  }
  /** An answer arrived that shows a set of this guard's to stand, which was sent then. */
  renewed(region: Region, sentMs: number): void {
    this.#checkOverdue(region);
    this.#renewedMs[region] = Math.max(this.#renewedMs[region] ?? 0, sentMs);
  }

  // ---- the guard's acts ----

  /** A guard plays another part: for faults that wait for it. */
  onPart: ((region: Region, part: Part) => void) | null = null;
  became(region: Region, part: Part): void {
    this.onPart?.(region, part);
  }

  setSent(region: Region, request: LeaseRequest, disk: GuardDurable | null): void {
    const { operation } = request;
    if (operation.kind !== 'set') return;
    const obeyed = disk?.obeyed ?? 0;
    if (operation.record.counter === 0)
      this.#claims.set(`${nameOf(region)} ${operation.record.epoch}`, disk?.candidacy?.claim ?? null);
    // The acquisition itself raises the epoch, and is obeyed once it is granted.
    if (operation.record.counter > 0 && operation.record.holder === nameOf(region) && obeyed < operation.record.epoch)
      this.violate(3, `${nameOf(region)} renews at epoch ${operation.record.epoch}, and ${obeyed} is durable`);
  }
  taskBegins(region: Region, task: PostgresTask, disk: GuardDurable | null): void {
    const postgres = this.#postgres(region);
    if (postgres === null) return;
    const name = nameOf(region);
    if (task === 'start-standby' || task === 'start-fenced') {
      if (!postgres.alive && this.#wrote.has(region) && postgres.divergesFrom(this.#newestTimeline))
        this.violate(21, `${name} is started (${task}) with WAL that the newest primary does not have`);
    }
    if (task === 'promote' && (disk?.promotion ?? null) === null)
      this.violate(7, `${name} asks for a promotion that is not durable`);
    if (task === 'open' && (disk?.holds ?? null) === null) this.violate(3, `${name} is opened without a lease on disk`);
    if ((task === 'open' || task === 'promote') && (disk?.obeyed ?? 0) < (disk?.holds ?? 0))
      this.violate(3, `${name}: ${task} below the epoch that is durable`);
  }
  promotionAsked(region: Region): void {
    const name = nameOf(region);
    const postgres = this.#postgres(region);
    const world = this.#world;
    if (postgres === null || world === null || postgres.postmaster?.mode !== 'standby') return;
    // Nobody can come in to what a stranger has started: it takes no write, whatever it is.
    if (!postgres.postmaster.listens) return;
    const acquired = this.#acquired[region] ?? null;
    const waitMs = world.timings.waitMs / (1 + RHO);
    const proven =
      acquired !== null &&
      acquired.basis !== 'none' &&
      (acquired.basis !== 'confirmed' ||
        this.readBack.has(`${name} ${acquired.epoch}`) ||
        this.#nowMs - acquired.atMs >= waitMs - SLACK_MS);
    if (!proven) this.violate(4, `${name} is promoted without a release, a fence read back, or a wait`);
    if (this.#record?.holder !== name)
      this.violate(4, `${name} is promoted, and ${this.#record?.holder} has the lease`);
    this.#checkPromises(region, 'is promoted');
  }
  #given = 0;
  /** After each promise: by an aimed adversary. */
  onPromise: ((count: number) => void) | null = null;
  promiseGiven(region: Region, holder: string, epoch: number, decidedMs: number): void {
    this.#given += 1;
    if (this.#world?.tracing) this.#world.say(`guard ${nameOf(region)}`, `promises ${holder} at epoch ${epoch}`);
    this.onPromise?.(this.#given);
    this.#promises[region]?.push({ holder, epoch, atMs: decidedMs });
  }
  promiseReceived(region: Region, peer: Region, round: number, sentMs: number, state: GuardState | null): void {
    const key = `${region} ${round} ${state?.process}`;
    const got = (this.#rounds.get(key) ?? 0) | (1 << peer);
    this.#rounds.set(key, got);
    const needed = this.#record?.holder === nameOf(region) ? this.#record.peers : [];
    if (needed.every((each) => (got & (1 << regionOf(each))) !== 0)) this.renewed(region, sentMs);
  }
  /** Invariant 6. A release of that very lease discharges the promise. */
  #checkPromises(region: Region, does: string): void {
    const world = this.#world;
    if (world === null) return;
    for (const { holder, epoch, atMs } of this.#promises[region] ?? [])
      if (epoch > this.#releasedUpTo && this.#nowMs - atMs < world.timings.waitMs / (1 + RHO) - SLACK_MS)
        this.violate(6, `${nameOf(region)} ${does}, and promised ${holder} at epoch ${epoch} not to be`);
  }
  archived(region: Region): void {
    this.#wrote.delete(region);
    const postgres = this.#postgres(region);
    if (postgres !== null) this.#archives.push({ region, timeline: postgres.timeline, lsn: postgres.flushed });
  }
  /** Took writes, and has not been archived since. */
  readonly #wrote = new Set<Region>();
  readonly #archives: { region: Region; timeline: number; lsn: number }[] = [];

  // ---- the store ----

  /** The record as the history begins. */
  begins(record: LeaseRecord | null, region: Region): void {
    this.#record = record;
    this.#changedMs = 0;
    if (record === null) return;
    this.#holders.set(record.epoch, record.holder);
    this.#acquired[region] = { atMs: 0, epoch: record.epoch, basis: 'first' };
  }
  stored(before: LeaseRecord | null, after: LeaseRecord): void {
    const now = this.#nowMs;
    const world = this.#world;
    if (world === null) return;
    if (before !== null && after.epoch < before.epoch)
      this.violate(2, `the epoch went from ${before.epoch} to ${after.epoch}`);
    const holder = this.#holders.get(after.epoch);
    if (holder !== undefined && holder !== after.holder)
      this.violate(2, `epoch ${after.epoch} was ${holder}’s and is ${after.holder}’s`);
    this.#holders.set(after.epoch, after.holder);
    // Until now there was nobody who could have been promoted, and nobody to be renewed against.
    if (before?.state === 'held' && before.peers.length === 0) this.renewed(regionOf(before.holder), now);
    if (before === null || after.epoch > before.epoch) this.#acquires(before, after);
    else if (after.state === 'released' && before.state === 'held') this.#releases(after);
    this.#record = after;
    this.#changedMs = now;
  }
  #acquires(before: LeaseRecord | null, after: LeaseRecord): void {
    const world = this.#world;
    const region = regionOf(after.holder);
    const site = this.#site(region);
    if (world === null || site === null) return;
    const now = this.#nowMs;
    const waited = now - this.#changedMs >= world.timings.waitMs / (1 + RHO) - SLACK_MS;
    const claim = this.#claims.get(`${after.holder} ${after.epoch}`) ?? null;
    const basis: Basis =
      before === null
        ? 'first'
        : before.state === 'released'
          ? 'released'
          : before.holder === after.holder
            ? 'own'
            : claim === 'expired' && waited
              ? 'expired'
              : claim === 'confirmed' || claim === 'person'
                ? claim
                : 'none';
    if (world.tracing) world.say('ORACLE', `${after.holder} acquires epoch ${after.epoch}: ${basis}`);
    this.bases[basis] += 1;
    if (basis === 'person') this.#byPerson = true;
    if (basis === 'none')
      this.violate(4, `${after.holder} took epoch ${after.epoch} from ${before?.holder} without proof`);
    this.#acquired[region] = { atMs: now, epoch: after.epoch, basis };
    if (basis !== 'own' && basis !== 'released') this.#checkPromises(region, 'takes the lease');
    for (const other of this.#others(region)) {
      const postgres = this.#postgres(other);
      if (postgres?.promotionPending && postgres.postmaster?.listens && !this.#byPerson)
        this.violate(11, `${after.holder} takes the lease, and ${nameOf(other)} may yet be promoted`);
      if (basis === 'released' && before?.holder === nameOf(other) && postgres?.writable)
        this.violate(4, `${nameOf(other)} released, and can commit`);
    }
  }
  #releases(after: LeaseRecord): void {
    const region = regionOf(after.holder);
    const postgres = this.#postgres(region);
    if (postgres?.promotionPending) this.violate(11, `${after.holder} releases, and may yet be promoted`);
    if (postgres?.writable) this.violate(4, `${after.holder} releases, and can commit`);
    this.#releasedUpTo = Math.max(this.#releasedUpTo, after.epoch);
  }

  // ---- the client ----

  /** Acknowledged, and not in the history of the newest primary. */
  lost(): readonly Acknowledged[] {
    return this.acknowledged.filter(({ timeline, lsn }) => !this.#timelines.holds(this.#newestTimeline, timeline, lsn));
  }

  acknowledge(region: Region, timeline: number, lsn: number): void {
    const now = this.#nowMs;
    this.acknowledged.push({ region, timeline, lsn, atMs: now });
    const last = this.#firstAck.at(-1);
    if (last?.region === region) return;
    if (this.#firstAck.some((each) => each.region === region) && !this.#byPerson) {
      const acquired = this.#acquired[region]?.atMs ?? 0;
      if (last !== undefined && acquired < last.atMs)
        this.violate(1, `${nameOf(region)} acknowledges a write after ${nameOf(last.region)} has`);
    }
    this.#firstAck.push({ region, atMs: now });
  }

  /** What can be told only when it is over. */
  ends(): void {
    for (const { region } of this.#sites) this.#checkOverdue(region);
    const byMs = this.#expect.takenOverByMs;
    if (byMs !== null && !this.#sites.some((site) => site.postgres.writable && site.region !== 0))
      this.violate(27, `nobody took over until ${Math.round(byMs / 1000)} s`);
    if (this.#expect.returns && (this.takeovers < 2 || this.#postgres(0)?.writable !== true))
      this.violate(27, `after ${this.takeovers} of 2 switchovers a does not write again`);
    for (const { region, timeline, lsn } of this.acknowledged) {
      if (this.#timelines.holds(this.#newestTimeline, timeline, lsn)) {
        const newest = this.#sites.find((site) => site.postgres.timeline === this.#newestTimeline);
        if (newest !== undefined && newest.postgres.flushed >= lsn) continue;
      }
      const own = this.#postgres(region);
      if (own !== null && own.flushed >= lsn && this.#timelines.holds(own.timeline, timeline, lsn)) continue;
      const kept = this.#archives.some(
        (each) => each.region === region && each.lsn >= lsn && this.#timelines.holds(each.timeline, timeline, lsn),
      );
      if (!kept) return this.violate(26, `a write that ${nameOf(region)} acknowledged at ${lsn} is nowhere any more`);
    }
  }
}
