/**
 * The lease of one PostgreSQL: who may write, as a record behind compare-and-set (safety.md, "The lease"). The store
 * contract is a plain log with compare-and-set, so that the embedded store and a replicated one answer alike.
 *
 * A guard is named by the region it stands in: one guard, one PostgreSQL, one data directory.
 */
import Type, { type Static } from 'typebox';
import { Lsn, MonoMs, Name, WallMs } from './primitives.ts';

const Maybe = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const closed = { additionalProperties: false } as const;
const Count = Type.Integer({ minimum: 0 });

/** What an isolated primary does: `stop`, which `expired` needs, or `serve` and go on (safety.md, "Isolation"). */
export const Isolation = Type.Enum(['stop', 'serve']);
export type Isolation = 'stop' | 'serve';

/** The primary's log at one renewal, by its own clock. */
export const LeaseSample = Type.Object(
  { timeline: Type.Integer({ minimum: 1 }), insertLsn: Lsn, flushLsn: Lsn, clockAt: WallMs },
  closed,
);
export type LeaseSample = Static<typeof LeaseSample>;

/**
 * Said by a holder after the proof that its PostgreSQL is stopped. `clean`: shut down, ends at `endLsn`. `crash`: ends at the
 * last valid record as scanned. `unpromoted`: it held the lease, was never asked to promote, and gives it back.
 */
export const Release = Type.Object(
  {
    kind: Type.Enum(['clean', 'crash', 'unpromoted']),
    timeline: Maybe(Type.Integer({ minimum: 1 })),
    endLsn: Maybe(Lsn),
    at: WallMs,
  },
  closed,
);
export type Release = Static<typeof Release>;

export const LeaseRecord = Type.Object(
  {
    /** Grows with every acquisition, a restart in place among them (invariant 2). */
    epoch: Type.Integer({ minimum: 1 }),
    /** The region whose guard holds it. */
    holder: Name,
    /** The guard process that made this set; a random id, new with each start. */
    process: Type.String({ minLength: 1, maxLength: 64 }),
    /** Grows by one with each set of that holder in that epoch. */
    counter: Count,
    state: Type.Enum(['held', 'released']),
    /** Guards that may be promoted after this one: only the holder's set changes them. */
    peers: Type.Array(Name, { uniqueItems: true, maxItems: 16 }),
    /**
     * The region whose PostgreSQL took writes last, or was last allowed to. Set before a promotion is asked for; a holder that gives
     * the lease back without it has changed nothing, and the writer may go on.
     */
    writer: Name,
    isolation: Isolation,
    /** Of the timings that holder keeps: a candidate with others waits for another span than it is promised. */
    timingsHash: Type.String({ maxLength: 64 }),
    sample: Maybe(LeaseSample),
    release: Maybe(Release),
  },
  closed,
);
export type LeaseRecord = Static<typeof LeaseRecord>;

/** Names one state of the record. Opaque: compared for equality and nothing else. */
export const Revision = Type.String({ minLength: 1, maxLength: 80 });
export type Revision = string;

/**
 * One life of the store. `start` counts its starts, from the journal: a store that comes up with a lower one, or with the same
 * one and another id, is a copy or was restored from a backup.
 */
export const Incarnation = Type.Object(
  { id: Type.String({ minLength: 1, maxLength: 64 }), start: Type.Integer({ minimum: 1 }) },
  closed,
);
export type Incarnation = Static<typeof Incarnation>;

/** Asked by a guard every renew interval, as standby (`read`) and as holder or candidate (`set`). */
export const LeaseRequest = Type.Object(
  {
    group: Name,
    component: Name,
    guard: Name,
    process: Type.String({ minLength: 1, maxLength: 64 }),
    /** The life of the store this guard obeys; null = none yet. */
    pin: Maybe(Incarnation),
    /** Highest epoch this guard has obeyed. A store that knows of less halts. */
    obeyed: Count,
    operation: Type.Union([
      Type.Object({ kind: Type.Literal('read') }, closed),
      Type.Object({ kind: Type.Literal('set'), expected: Maybe(Revision), record: LeaseRecord }, closed),
    ]),
  },
  closed,
);
export type LeaseRequest = Static<typeof LeaseRequest>;

/** How a guard was last heard of by the store. */
export const GuardHeard = Type.Object({ ageMs: Type.Number({ minimum: 0 }), pinned: Type.Boolean() }, closed);

const current = {
  incarnation: Incarnation,
  revision: Maybe(Revision),
  record: Maybe(LeaseRecord),
  /** Highest epoch that anything of the group has taken: a new acquisition is above it. */
  floor: Count,
  /** Other guards of the component, by region. */
  guards: Type.Record(Type.String(), GuardHeard),
};

/**
 * - `is`: the answer to a read. `set`: the record is what was asked for, as of this answer.
 * - `conflict`: the revision expected is not the one that stands; nothing was changed.
 * - `refused`: nothing was changed, and the same request may be granted later. `warming`: too soon after a start of the store;
 *   `not-pinned`: the asker, or a promotable peer, obeys another life of the store; `below-floor`: the epoch is not above what was
 *   taken; `not-holder`: a change that only the holder may make; `timings`: the asker keeps other timings than the group, or than
 *   the holder it would follow, and waited for another span; `halted`: the store is older than what a guard has seen, and a person
 *   is needed.
 *
 * No answer, or one that came too late, says nothing: the set may have been made.
 */
export const LeaseAnswer = Type.Union([
  Type.Object({ kind: Type.Literal('is'), ...current }, closed),
  Type.Object({ kind: Type.Literal('set'), ...current }, closed),
  Type.Object({ kind: Type.Literal('conflict'), ...current }, closed),
  Type.Object(
    {
      kind: Type.Literal('refused'),
      ...current,
      code: Type.Enum(['warming', 'not-pinned', 'below-floor', 'not-holder', 'timings', 'halted']),
      message: Type.String({ maxLength: 500 }),
      retryAfterMs: Maybe(Type.Number({ minimum: 0 })),
    },
    closed,
  ),
]);
export type LeaseAnswer = Static<typeof LeaseAnswer>;

/** Why a lease was halted, and what a guard had seen that its store had not: a later life, another one, a higher epoch. */
export const LeaseHalt = Type.Object(
  {
    at: WallMs,
    guard: Name,
    code: Type.Enum(['later-life', 'another-life', 'higher-epoch']),
    /** Highest epoch that any guard said it had obeyed. */
    epoch: Count,
    /** Highest count of a life that any guard said it was pinned to; 0 = none was. */
    start: Count,
    why: Type.String({ maxLength: 500 }),
  },
  closed,
);
export type LeaseHalt = Static<typeof LeaseHalt>;

/** What is durable of one lease. The counter and the sample of its record may be behind: renewals are not written down. */
export const KeptLease = Type.Object(
  {
    record: Maybe(LeaseRecord),
    /** When that record was written down; null while there is none. */
    setAt: Maybe(WallMs),
    halt: Maybe(LeaseHalt),
  },
  closed,
);
export type KeptLease = Static<typeof KeptLease>;
export const NO_LEASE: KeptLease = { record: null, setAt: null, halt: null };

/** What one life of the store knows of a lease, and may be lost with it without harm. */
export const SeenLease = Type.Object(
  {
    /** The record with the renewals of this life; null = as it was kept. */
    record: Maybe(LeaseRecord),
    /** Sets made in this life: they number revisions. */
    sets: Count,
    /** When the revision last changed; null = not in this life. */
    changedMono: Maybe(MonoMs),
    /** Each guard as it was last heard, by region. */
    heard: Type.Record(Type.String(), Type.Object({ mono: MonoMs, pin: Maybe(Incarnation), obeyed: Count }, closed)),
  },
  closed,
);
export type SeenLease = Static<typeof SeenLease>;
export const NOT_SEEN: SeenLease = { record: null, sets: 0, changedMono: null, heard: {} };

export const leaseKey = (group: string, component: string): string => `${group}/${component}`;

/** A compare-and-set log of lease records. */
export type LeaseStore = {
  /** Rejects where nothing is known of what became of the request: a set may have been made all the same. */
  ask(request: LeaseRequest, signal: AbortSignal): Promise<LeaseAnswer>;
};

/** All in milliseconds; what each is, and the rules between them, stand in `guard/timings.ts` (safety.md, "The lease"). */
export type LeaseTimings = {
  /** r: between two renewals. */
  readonly renewMs: number;
  /** q: one attempt is waited for so long. */
  readonly attemptMs: number;
  /** E: the store may be without a leader so long. */
  readonly electionGapMs: number;
  /** G: demotion starts so long after the send of the last good renewal. */
  readonly demoteAfterMs: number;
  /** K: the stop, until no backend can commit, takes at most so long. */
  readonly stopWithinMs: number;
  /** H: the dead-man ends PostgreSQL so long after the send of the last good renewal. */
  readonly deadManAfterMs: number;
  /** L: the lease. */
  readonly leaseMs: number;
  /** W: a candidate waits so long on an unchanged revision. */
  readonly waitMs: number;
};

export type DeadManKind = 'relative' | 'absolute' | 'none';
