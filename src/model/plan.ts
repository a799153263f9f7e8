/**
 * Plans and steps as data: what a run will do is settled, hashed and shown before anything moves (design §2, §7).
 */
import Type, { type Static } from 'typebox';
import { Lsn, Name, WallMs } from './primitives.ts';

export const RunKind = Type.Literal('failover');

export const StepKind = Type.Enum([
  'assess', // the target is what we think it is, and ready
  'take-epoch', // win the right to act; pure journal
  'fence', // stop the old side and read back that it is stopped
  'acquire-lease', // the target's guard has the lease, so nobody else has
  'promote', // make the standby writable
  'write-epoch-row', // the epoch, written through the new primary
  'cutover-dns', // clients follow
  'verify-http', // the service answers through its public name
  'verify-write', // a write is accepted through the public name
  'verify-dns', // resolvers give the new address
]);
export type StepKind =
  | 'assess'
  | 'take-epoch'
  | 'fence'
  | 'acquire-lease'
  | 'promote'
  | 'write-epoch-row'
  | 'cutover-dns'
  | 'verify-http'
  | 'verify-write'
  | 'verify-dns';

export const PhaseName = Type.Enum(['assessment', 'database', 'dns', 'verification']);
export type PhaseName = 'assessment' | 'database' | 'dns' | 'verification';

/**
 * What undoing a step means: `release` gives the epoch back, `withdraw` the lease, unpromoted; `resume` lets the old side's guard
 * acquire it anew; `forward` says that there is no way back, `none` that nothing was changed.
 */
export const UndoKind = Type.Enum(['none', 'release', 'withdraw', 'resume', 'forward']);

export const StepId = Type.String({ pattern: '^[a-z0-9-]+(\\.[a-z0-9-]+)?$' });
export type StepId = string;

export const PlanStep = Type.Object(
  {
    id: StepId,
    phase: PhaseName,
    kind: StepKind,
    component: Type.Union([Name, Type.Null()]),
    budgetMs: Type.Number(),
    undo: UndoKind,
  },
  { additionalProperties: false },
);
export type PlanStep = Static<typeof PlanStep>;

export const Plan = Type.Object(
  {
    kind: RunKind,
    group: Name,
    from: Type.String(),
    to: Type.String(),
    /** `none`: no fence step; a person must have been told that the old primary may still take writes. */
    fence: Type.Enum(['command', 'guard', 'none']),
    rtoMs: Type.Number(),
    /** What it acts on, as `boundHash` of the settings says it: a yes is for these addresses and no others. */
    bound: Type.Optional(Type.String()),
    steps: Type.Array(PlanStep),
  },
  { additionalProperties: false },
);
export type Plan = Static<typeof Plan>;

/**
 * What may be lost, as a bracket: the truth lies between low and high (invariant 19). `null` means unknown, never zero.
 * `windowFrom`/`windowTo` are instants on the old primary's clock: an acknowledged write that is missing on the new
 * side and was committed inside the window is inside the bracket.
 */
export const LossBracket = Type.Object(
  {
    lowBytes: Type.Union([Type.Number(), Type.Null()]),
    highBytes: Type.Union([Type.Number(), Type.Null()]),
    lowSeconds: Type.Union([Type.Number(), Type.Null()]),
    highSeconds: Type.Union([Type.Number(), Type.Null()]),
    fromLsn: Type.Union([Lsn, Type.Null()]),
    windowFrom: Type.Union([WallMs, Type.Null()]),
    windowTo: Type.Union([WallMs, Type.Null()]),
    basis: Type.String(),
    /** Counted from the old side's own log, after it was back: nothing is estimated. */
    final: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
);
export type LossBracket = Static<typeof LossBracket>;

/** The last sight of the old primary's log, kept with a hold so that a restart does not forget it. */
export const PrimarySample = Type.Object(
  {
    component: Name,
    region: Type.String(),
    at: WallMs,
    timeline: Type.Union([Type.Integer(), Type.Null()]),
    insertLsn: Lsn,
    flushLsn: Lsn,
    clockAt: WallMs,
    /** 99th percentile of the write rate over the samples held, bytes per second; null = there was one sample alone. */
    p99BytesPerSecond: Type.Union([Type.Number(), Type.Null()]),
    /**
     * How old it may be at impact, milliseconds: two intervals of the probe and one deadline. Entries of before it was
     * written down have none, and count for 2000.
     */
    freshMs: Type.Optional(Type.Number()),
  },
  { additionalProperties: false },
);
export type PrimarySample = Static<typeof PrimarySample>;

/** Limits a yes is bound to: facts may move inside them; leaving them voids the yes and says which (design §6). */
export const Ceilings = Type.Object(
  {
    lossSeconds: Type.Union([Type.Number(), Type.Null()]),
    lossBytes: Type.Union([Type.Number(), Type.Null()]),
    /** False: approved knowing that the old primary may still take writes. */
    fenceProof: Type.Boolean(),
  },
  { additionalProperties: false },
);
export type Ceilings = Static<typeof Ceilings>;
