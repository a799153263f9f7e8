/**
 * The guard beside each PostgreSQL, as data: what it keeps on disk, what is asked of it, what it answers (safety.md, "The
 * guard"). Its judgement is `guard/machine.ts`: `step(state, input) -> { state, effects }`, persisted before it acts, the same
 * in the process and in the simulator.
 */
import Type, { type Static } from 'typebox';
import type { DeadManKind, Isolation, LeaseTimings, Revision } from './lease.ts';
import { Incarnation, type LeaseAnswer, type LeaseRecord, type LeaseRequest, LeaseSample, Release } from './lease.ts';
import { Lsn, type MonoMs, Name, type RegionId, RunId, type WallMs } from './primitives.ts';

const Maybe = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const closed = { additionalProperties: false } as const;
const Text = Type.String({ maxLength: 1000 });
const Epoch = Type.Integer({ minimum: 1 });

/**
 * By what right a candidate takes the lease (safety.md, "Fence proofs"). `released` needs no claim: the record says it.
 * `person`: people approved it knowing that there is no proof.
 */
export const Claim = Type.Enum(['expired', 'confirmed', 'person']);
export type Claim = 'expired' | 'confirmed' | 'person';

export const Candidacy = Type.Object({ run: RunId, epoch: Epoch, claim: Claim }, closed);
export type Candidacy = Static<typeof Candidacy>;

/** The replay stops here, over restarts, until it is thawed (safety.md, "Freeze"). */
export const Freeze = Type.Object({ lsn: Maybe(Lsn), why: Text }, closed);
export type Freeze = Static<typeof Freeze>;

/** What survives the guard: written and fsynced before anything that rests on it. */
export const GuardDurable = Type.Object(
  {
    version: Type.Literal(1),
    /** Highest epoch obeyed: the lease's, and that of orders. Only grows (invariant 3). */
    obeyed: Type.Integer({ minimum: 0 }),
    pin: Maybe(Incarnation),
    /** Whether this guard may have promised anybody not to be promoted; a start counts as having just promised. */
    promisedTo: Maybe(Type.Object({ holder: Name, epoch: Epoch }, closed)),
    /** While it stands, nothing is promised (invariant 6). */
    candidacy: Maybe(Candidacy),
    /** The epoch of a lease this guard acquired and has not given back; null = it holds none. */
    holds: Maybe(Epoch),
    /** A promotion that was asked of PostgreSQL, until proof of it or of PostgreSQL's end (invariant 11). */
    promotion: Maybe(Type.Object({ run: Maybe(RunId), epoch: Epoch }, closed)),
    frozen: Maybe(Freeze),
    /** Deposed at this epoch: another has it. Not started before its divergent WAL is archived (invariant 21). */
    deposedBy: Maybe(Epoch),
    /** What PostgreSQL was last started or promoted to be; null = never by this guard. */
    lastRole: Maybe(Type.Enum(['primary', 'standby'])),
    /** It released, and stays down until it is told to resume: for a run, or after a crash with `onCrash: release`. */
    rests: Maybe(Type.Object({ run: Maybe(RunId), why: Text }, closed)),
  },
  closed,
);
export type GuardDurable = Static<typeof GuardDurable>;

export const FRESH_DURABLE: GuardDurable = {
  version: 1,
  obeyed: 0,
  pin: null,
  promisedTo: null,
  candidacy: null,
  holds: null,
  promotion: null,
  frozen: null,
  deposedBy: null,
  lastRole: null,
  rests: null,
};

/** What a look at PostgreSQL found: processes first, then what the server says of itself. */
export type PostgresSeen = {
  /** `stopped` is proof of stop: no process in the data directory, no attachment of its shared memory (safety.md). */
  readonly state: 'stopped' | 'starting' | 'standby' | 'primary' | 'unknown';
  /** Whether clients are let in: the file of `pg_hba` in force, not what somebody hopes. */
  readonly open: boolean;
  readonly sample: LeaseSample | null;
  /** Of a standby. */
  readonly receiveLsn: Lsn | null;
  readonly replayLsn: Lsn | null;
  readonly timeline: number | null;
  /** From the control file, while stopped. */
  readonly cleanShutdown: boolean | null;
  /** From the control file, while stopped: what it was when it ended. Left out where that can't be told, as of a base backup. */
  readonly ranAs?: 'primary' | 'standby';
  readonly systemIdentifier: string | null;
};

/**
 * `start-standby`: with standby.signal, read-only. `start-fenced`: as primary, letting nobody in. `open`: lets clients in.
 * `promote`: asks for the promotion; its answer is never proof. `stop`: fast, then immediate, then killed; its answer is proof.
 * `freeze` and `thaw`: the recovery target, by a restart. `scan`: the end of valid WAL of a stopped one. `rejoin`: archive what
 * diverged, rewind or clone; it leaves a stopped standby (invariant 21).
 */
export type PostgresTask =
  | 'start-standby'
  | 'start-fenced'
  | 'open'
  | 'promote'
  | 'stop'
  | 'freeze'
  | 'thaw'
  | 'scan'
  | 'rejoin';

export type PostgresResult = {
  readonly ok: boolean;
  readonly message: string;
  readonly seen: PostgresSeen;
  /** Of a scan, and of a clean stop. */
  readonly end: { readonly timeline: number; readonly lsn: Lsn } | null;
};

/** What people and the controller order; answered once what it says is durable, long before it is carried out. */
export const GuardOrder = Type.Union([
  /** Take the lease, by this claim, at this epoch or above. Repeating it changes nothing. */
  Type.Object({ kind: Type.Literal('candidacy'), run: RunId, epoch: Epoch, claim: Claim }, closed),
  /** As holder for that run: promote. */
  Type.Object({ kind: Type.Literal('promote'), run: RunId, epoch: Epoch, claim: Claim }, closed),
  /** Give a candidacy up, and a lease that was never used to promote. Refused once the promotion is durable. */
  Type.Object({ kind: Type.Literal('withdraw'), run: RunId, epoch: Epoch }, closed),
  /** As holder and primary: stop, prove it, and release: the fence of this side where it can be reached. */
  Type.Object({ kind: Type.Literal('release'), run: RunId, epoch: Epoch }, closed),
  /**
   * After a release that nobody has made use of: acquire anew and serve again. With the run that was given up, so that its release
   * is stale from then on, however late it arrives.
   */
  Type.Object({ kind: Type.Literal('resume'), run: Maybe(RunId), epoch: Maybe(Epoch), why: Text }, closed),
  /** Deposed: archive what diverged, become a standby of who has the lease (invariant 21). */
  Type.Object({ kind: Type.Literal('rejoin'), why: Text }, closed),
  Type.Object({ kind: Type.Literal('freeze'), why: Text }, closed),
  Type.Object({ kind: Type.Literal('thaw'), why: Text }, closed),
]);
export type GuardOrder = Static<typeof GuardOrder>;

/** A primary that can't reach the store asks every promotable peer for this (safety.md, "Promises"). */
export const PromiseRequest = Type.Object({ group: Name, component: Name, holder: Name, epoch: Epoch }, closed);
export type PromiseRequest = Static<typeof PromiseRequest>;

export type OrderAnswer = {
  readonly taken: boolean;
  /** Why not, or what comes next. */
  readonly message: string;
};

/** The guard's part: what it is doing with PostgreSQL. */
export type Part =
  | 'unknown' // just started, nothing seen yet
  | 'stopped'
  | 'standby'
  | 'candidate' // standby that takes the lease
  | 'holding' // standby that has the lease, and was not told to promote
  | 'promoting'
  | 'starting' // as primary, fenced, until the lease is acquired after that start (invariant 5)
  | 'primary'
  | 'stopping' // demotion or release under way
  | 'deposed'; // stopped: another has the lease

export type GuardSettings = {
  readonly group: string;
  readonly component: string;
  readonly region: RegionId;
  readonly peers: readonly RegionId[];
  readonly timings: LeaseTimings;
  readonly timingsHash: string;
  readonly deadMan: DeadManKind;
  readonly isolation: Isolation;
  readonly onCrash: 'restart' | 'release';
  /** Failed restarts in place before the lease is released. */
  readonly crashRestarts: number;
  /** What this one is at the very first start: only a `primary` creates the record. */
  readonly role: 'primary' | 'standby';
};

type At = { readonly at: WallMs; readonly mono: MonoMs };
export type GuardInput =
  /**
   * A process came up. `renewedMono`: send time of the last good renewal as the dead-man that outlived us keeps it (its deadline
   * less H), on this process's clock; null = there is none, or it isn't armed. `fresh`: nothing was found on disk.
   */
  | (At & {
      kind: 'started';
      process: string;
      durable: GuardDurable;
      fresh: boolean;
      seen: PostgresSeen;
      renewedMono: MonoMs | null;
    })
  | (At & { kind: 'tick' })
  /** The answer to effect `ask` of that number; null = none came in time, or it was cut off. */
  | (At & { kind: 'answered'; number: number; answer: LeaseAnswer | null })
  /** A peer's answer to effect `ask-promise`; null = none. */
  | (At & { kind: 'promised'; number: number; peer: RegionId; promised: boolean | null })
  | (At & { kind: 'performed'; number: number; task: PostgresTask; result: PostgresResult })
  /** A look, once a second and whenever the postmaster ended. */
  | (At & { kind: 'seen'; seen: PostgresSeen })
  /** The dead-man's process or device is gone, or is there again. */
  | (At & { kind: 'dead-man'; armed: boolean })
  | (At & { kind: 'order'; request: string; order: GuardOrder })
  | (At & { kind: 'promise-asked'; request: string; ask: PromiseRequest });

export type GuardEffect =
  /** Durable before every effect after it in the list; the loop stops the process where it can't be. */
  | { readonly kind: 'persist'; readonly durable: GuardDurable }
  | { readonly kind: 'ask'; readonly number: number; readonly request: LeaseRequest; readonly timeoutMs: number }
  | {
      readonly kind: 'ask-promise';
      readonly number: number;
      readonly peer: RegionId;
      readonly ask: PromiseRequest;
      readonly timeoutMs: number;
    }
  /** One task at a time, but for `stop`, which cuts off whatever is under way. */
  | { readonly kind: 'perform'; readonly number: number; readonly task: PostgresTask; readonly timeoutMs: number }
  /** The dead-man's deadline is this send time plus H; older ones than it has are void. Arms it. */
  | { readonly kind: 'pet'; readonly sentMono: MonoMs }
  | { readonly kind: 'disarm' }
  | { readonly kind: 'answer-order'; readonly request: string; readonly answer: OrderAnswer }
  | { readonly kind: 'answer-promise'; readonly request: string; readonly promised: boolean; readonly why: string }
  | { readonly kind: 'wake'; readonly mono: MonoMs }
  /** For logs and metrics; nothing comes back of it. */
  | { readonly kind: 'tell'; readonly code: string; readonly message: string };

export type Ask = {
  readonly number: number;
  readonly sentMono: MonoMs;
  readonly expected: Revision | null;
  readonly set: LeaseRecord | null;
};

/** Why PostgreSQL is being stopped, or was. */
export type StopReason =
  | 'lapsed' // the lease was not renewed for G
  | 'foreign' // another has it
  | 'released' // ordered
  | 'crashed' // its end is being proven, to release
  | 'stranger' // it runs as what it may not be
  | 'unresolved'; // a promotion that nobody knows the end of

export type GuardState = {
  readonly settings: GuardSettings;
  readonly process: string;
  readonly at: WallMs;
  readonly mono: MonoMs;
  readonly durable: GuardDurable;
  readonly part: Part;
  readonly why: string;
  readonly seen: PostgresSeen | null;
  /** What the store said last: who has it, and since when nothing has changed as this process saw it. */
  readonly view: {
    readonly revision: Revision | null;
    readonly record: LeaseRecord | null;
    readonly floor: number;
    readonly guards: Readonly<Record<RegionId, { readonly ageMs: number; readonly pinned: boolean }>>;
    readonly heardMono: MonoMs;
    /** When the first answer with this revision was taken in. W is counted from here, never from a send. */
    readonly unchangedMono: MonoMs;
    /** The answer was to a set of ours by which we hold it. What was merely read may be of a while ago. */
    readonly proven: boolean;
  } | null;
  /** Send time of the last good renewal; null = none in this life. */
  readonly renewedMono: MonoMs | null;
  /** When this guard's own set took the lease; a confirmed fence that fails falls back to W from here. */
  readonly acquiredMono: MonoMs | null;
  /** Not before this may this guard be promoted: start, pin and promise each put it off by W (invariant 6). */
  readonly promisedUntilMono: MonoMs;
  /** When the present pin was made, or the process started. */
  readonly pinnedMono: MonoMs;
  /** Asks whose set may have been made, or may be made yet, oldest first. */
  readonly asks: readonly Ask[];
  /** The one that is waited for; one renewal round at a time. */
  readonly asking: number | null;
  /** Promises of the present round, by peer; a round is good when every promotable peer has promised. */
  readonly round: {
    readonly number: number;
    readonly sentMono: MonoMs;
    readonly epoch: number;
    readonly promisedBy: readonly RegionId[];
  } | null;
  readonly nextAskMono: MonoMs;
  /** The set that was last made out of turn. */
  readonly hurried: string | null;
  readonly task: { readonly number: number; readonly task: PostgresTask; readonly sinceMono: MonoMs } | null;
  readonly deadManArmed: boolean;
  /** Since when it is a primary that no dead-man watches; null = one does, or none is to. */
  readonly unwatchedMono: MonoMs | null;
  readonly stopping: StopReason | null;
  /** Where its WAL ends, once it is proven stopped and known. */
  readonly ended: { readonly timeline: number; readonly lsn: Lsn; readonly clean: boolean } | null;
  /** When PostgreSQL was first seen to run after its last fenced start: a lease has to be acquired later (invariant 5). */
  readonly startedMono: MonoMs | null;
  /** When PostgreSQL was last asked to promote; every request stands (safety.md, "Promotion"). */
  readonly askedPromotionMono: MonoMs | null;
  /** A task that failed is not begun again before this. */
  readonly retryMono: MonoMs | null;
  readonly freezeDue: 'freeze' | 'thaw' | null;
  readonly crashes: number;
  readonly numbers: number;
};

/** GET /status of the guard, for the controller, people and the next guard. */
export const GuardStatus = Type.Object(
  {
    group: Name,
    component: Name,
    region: Name,
    process: Type.String(),
    part: Type.String(),
    why: Text,
    obeyed: Type.Integer(),
    holds: Maybe(Epoch),
    candidacy: Maybe(Candidacy),
    promotion: Maybe(Type.Object({ run: Maybe(RunId), epoch: Epoch }, closed)),
    /** The lease as this guard saw it last. */
    lease: Maybe(
      Type.Object(
        {
          epoch: Epoch,
          holder: Name,
          state: Type.Enum(['held', 'released']),
          release: Maybe(Release),
          /** For so long, by this process's clock, nothing has changed. */
          unchangedMs: Type.Number(),
          heardAgoMs: Type.Number(),
        },
        closed,
      ),
    ),
    /** What keeps this guard from taking the lease now; null = nothing. */
    waitsFor: Maybe(Text),
    /** For so long it holds the lease, by its own clock. */
    heldMs: Maybe(Type.Number()),
    renewedAgoMs: Maybe(Type.Number()),
    deadMan: Type.Object({ kind: Type.Enum(['relative', 'absolute', 'none']), armed: Type.Boolean() }, closed),
    postgres: Type.Object(
      {
        state: Type.Enum(['stopped', 'starting', 'standby', 'primary', 'unknown']),
        open: Type.Boolean(),
        timeline: Maybe(Type.Integer()),
        receiveLsn: Maybe(Lsn),
        replayLsn: Maybe(Lsn),
        sample: Maybe(LeaseSample),
      },
      closed,
    ),
    frozen: Maybe(Freeze),
    deposedBy: Maybe(Epoch),
    rests: Maybe(Type.Object({ run: Maybe(RunId), why: Text }, closed)),
  },
  closed,
);
export type GuardStatus = Static<typeof GuardStatus>;
