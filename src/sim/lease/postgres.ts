/**
 * One PostgreSQL as it really is: files, a postmaster, and backends that need no postmaster to go on committing (safety.md,
 * "What the simulator must hold"). The truth that the oracle reads; guards see it through `look` alone.
 */
import type { PostgresSeen } from '../../model/guard.ts';
import type { Context, Region } from './context.ts';

/** Where one timeline left another: what lies at or below `at` is common to both. */
export type Fork = { readonly from: number; readonly at: number };
/** Shared by all: timeline numbers in order of their making, and what each grew from. */
export class Timelines {
  readonly forks = new Map<number, Fork>();
  /** The history of one timeline holds what was written at `lsn` on another, or on itself. */
  holds(timeline: number, writtenOn: number, lsn: number): boolean {
    let [at, upTo] = [timeline, Number.POSITIVE_INFINITY];
    for (;;) {
      if (at === writtenOn) return lsn <= upTo;
      const fork = this.forks.get(at);
      if (fork === undefined) return false;
      at = fork.from;
      upTo = Math.min(upTo, fork.at);
    }
  }
}

export const lsnText = (lsn: number): string => `0/${lsn.toString(16).toUpperCase()}`;

type Postmaster = {
  mode: 'standby' | 'primary';
  readonly startedAtMs: number;
  /** By listen_addresses: what a stranger starts listens nowhere. */
  readonly listens: boolean;
  /** The pg_hba in force lets clients in. */
  open: boolean;
  /** A promotion was asked for, and takes effect some time unless this postmaster ends before. */
  promotionAsked: boolean;
  promoted: boolean;
  readonly by: 'guard' | 'stranger';
};

export class Postgres {
  readonly #world: Context;
  readonly region: Region;
  readonly #timelines: Timelines;

  // Files.
  standbySignal = false;
  timeline = 1;
  /** End of WAL on disk. A crash keeps it, and loses what was inserted and not flushed. */
  flushed = 0;
  cleanShutdown = false;
  frozenReplay = false;
  /** From the control file. */
  ranAs: 'primary' | 'standby' | null = null;

  // Processes.
  postmaster: Postmaster | null = null;
  inserted = 0;
  /** Backends with a client, which may outlive their postmaster. */
  sessions = false;
  /** Those backends can write: their server was no standby when it was last there. */
  #sessionsWrite = false;
  frozen = false;
  writable = false;
  /** Last start of a postmaster that this PostgreSQL has seen. */
  startedAtMs = Number.NEGATIVE_INFINITY;

  constructor(world: Context, region: Region, timelines: Timelines) {
    this.#world = world;
    this.region = region;
    this.#timelines = timelines;
  }

  get alive(): boolean {
    return this.postmaster !== null || this.sessions;
  }
  get promotionPending(): boolean {
    return this.postmaster?.promotionAsked ?? false;
  }
  /** Holds what the history of the newest primary does not. */
  divergesFrom(timeline: number): boolean {
    return this.flushed > 0 && !this.#timelines.holds(timeline, this.timeline, this.flushed);
  }

  /** False: there is one already, or a backend of the one before is still attached to the shared memory. */
  start(mode: 'standby' | 'primary', by: 'guard' | 'stranger'): boolean {
    if (this.alive) return false;
    const now = this.#world.time.nowMs;
    this.postmaster = {
      mode: mode === 'standby' || (by === 'stranger' && this.standbySignal) ? 'standby' : 'primary',
      startedAtMs: now,
      listens: by === 'guard',
      // A standby serves readers from its start on: once promoted, their sessions can write.
      open: by === 'guard' && mode === 'standby',
      promotionAsked: false,
      promoted: false,
      by,
    };
    this.startedAtMs = now;
    this.ranAs = this.postmaster.mode;
    this.inserted = this.flushed;
    this.cleanShutdown = false;
    if (this.#world.tracing) this.#world.say(`postgres ${this.#name}`, `started as ${this.postmaster.mode} by ${by}`);
    this.#changed();
    return true;
  }
  /** The real pg_hba comes into force. */
  open(): boolean {
    if (this.postmaster === null) return false;
    this.postmaster.open = true;
    this.#changed();
    return true;
  }
  /** A request like any other: what becomes of it shows in `look`, and nowhere else. */
  askPromotion(effectAfterMs: number): void {
    const postmaster = this.postmaster;
    if (postmaster === null || postmaster.mode === 'primary' || postmaster.promotionAsked) return;
    postmaster.promotionAsked = true;
    this.#takeEffect(postmaster, effectAfterMs);
  }
  #takeEffect(postmaster: Postmaster, afterMs: number): void {
    this.#world.time.after(afterMs, () => {
      if (this.postmaster !== postmaster) return;
      if (this.frozen) return this.#takeEffect(postmaster, 100);
      postmaster.promotionAsked = false;
      postmaster.mode = 'primary';
      this.ranAs = 'primary';
      postmaster.promoted = true;
      const next = this.#timelines.forks.size + 2;
      this.#timelines.forks.set(next, { from: this.timeline, at: this.flushed });
      this.timeline = next;
      // Promotion deletes the file; the driver writes it back.
      this.standbySignal = false;
      if (this.#world.tracing) this.#world.say(`postgres ${this.#name}`, `promoted, timeline ${next}`);
      this.#world.oracle.promoted(this.region);
      this.#changed();
    });
  }
  /** Ends as a crash does. Backends of a busy server do not notice that their postmaster is gone. */
  killPostmaster(backendsLiveOn: boolean): void {
    if (this.postmaster === null) return;
    if (this.#world.tracing)
      this.#world.say(`postgres ${this.#name}`, `postmaster ended${backendsLiveOn ? ', backends live on' : ''}`);
    this.#sessionsWrite = this.postmaster.mode === 'primary';
    this.postmaster = null;
    if (!backendsLiveOn) this.sessions = false;
    this.#changed();
  }
  killBackends(): void {
    this.sessions = false;
    this.#changed();
  }
  /** Everything ends: nothing that was not flushed remains. */
  kill(why: string): void {
    if (!this.alive) return;
    if (this.#world.tracing) this.#world.say(`postgres ${this.#name}`, `ended: ${why}`);
    this.postmaster = null;
    this.sessions = false;
    this.#changed();
  }
  shutDown(): void {
    if (!this.alive) return;
    this.flushed = Math.max(this.flushed, this.inserted);
    this.cleanShutdown = true;
    this.kill('shut down');
  }
  freeze(frozen: boolean): void {
    this.frozen = frozen;
    this.#changed();
  }

  insert(bytes: number): number | null {
    if (!this.writable) return null;
    this.inserted += bytes;
    return this.inserted;
  }
  /** A backend flushes what it inserted, if it is still there to do so; then it may acknowledge. */
  flush(lsn: number, timeline: number): boolean {
    if (!this.writable || this.timeline !== timeline || this.inserted < lsn) return false;
    this.flushed = Math.max(this.flushed, lsn);
    return true;
  }
  /** WAL from a primary: taken in by a standby of the same history. */
  receive(lsn: number, timeline: number): void {
    const standby = this.postmaster !== null && this.postmaster.mode === 'standby' && !this.frozen;
    if (!standby || this.frozenReplay || lsn <= this.flushed) return;
    if (!this.#timelines.holds(timeline, this.timeline, this.flushed)) return;
    this.flushed = lsn;
    this.inserted = lsn;
    this.timeline = timeline;
  }

  look(nowWallMs: number): PostgresSeen {
    const postmaster = this.postmaster;
    const state =
      postmaster === null
        ? this.sessions && !this.#world.rules.groupKillOnly
          ? 'unknown'
          : 'stopped'
        : this.frozen
          ? 'unknown'
          : postmaster.mode;
    const lsn = lsnText(this.flushed);
    return {
      state,
      open: this.sessions || (postmaster?.open ?? false),
      sample:
        state === 'primary'
          ? { timeline: this.timeline, insertLsn: lsnText(this.inserted), flushLsn: lsn, clockAt: nowWallMs }
          : null,
      receiveLsn: state === 'standby' ? lsn : null,
      replayLsn: state === 'standby' ? lsn : null,
      timeline: state === 'unknown' ? null : this.timeline,
      cleanShutdown: state === 'stopped' ? this.cleanShutdown : null,
      ...(state === 'stopped' && this.ranAs !== null ? { ranAs: this.ranAs } : {}),
      systemIdentifier: state === 'unknown' ? null : '7000000000000000001',
    };
  }

  get #name(): string {
    return 'abc'[this.region] ?? '?';
  }
  #changed(): void {
    const postmaster = this.postmaster;
    const enters = postmaster?.listens && postmaster.open;
    if (enters) {
      // Clients come as soon as they may; a session that is open stays so.
      this.sessions = true;
      this.#sessionsWrite = postmaster.mode === 'primary';
    } else if (postmaster !== null && this.sessions) this.#sessionsWrite = postmaster.mode === 'primary';
    const can = !this.frozen && this.sessions && this.#sessionsWrite;
    if (can === this.writable) return;
    this.writable = can;
    this.#world.oracle.writable(this.region, can);
  }
}
