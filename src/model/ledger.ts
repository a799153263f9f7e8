/**
 * The ledger: everything durable, folded from the journal (`journal/fold.ts`). Plain data, so that it can be printed,
 * compared and hashed.
 */
import Type, { type Static } from 'typebox';
import { FoundDivergence } from './divergence.ts';
import { Approval, Clocks, DecisionRecord, GENESIS_HASH, Page, RunOutcome } from './events.ts';
import { Alert } from './evidence.ts';
import { KeptLease } from './lease.ts';
import { Mandate } from './mandate.ts';
import { Notice } from './notices.ts';
import { KeptAnswer } from './orders.ts';
import { Ceilings, LossBracket, Plan, PrimarySample } from './plan.ts';
import { Name, ProposalId, RaiseId, Role, RunId, WallMs } from './primitives.ts';
import { Readiness } from './readiness.ts';

const Maybe = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const Facts = Type.Record(Type.String(), Type.Unknown());

export const Hold = Type.Object({
  row: Type.Integer(),
  /** Whom it is held for; null = the group. */
  component: Maybe(Name),
  region: Type.String(),
  startedAt: WallMs,
  impactAt: WallMs,
  heldMs: Type.Number(),
  checkpointAt: WallMs,
  sample: Maybe(PrimarySample),
});
export type Hold = Static<typeof Hold>;

export const Proposal = Type.Object({
  id: ProposalId,
  openedAt: WallMs,
  plan: Plan,
  planHash: Type.String(),
  epoch: Type.Integer(),
  ceilings: Ceilings,
  loss: LossBracket,
  needs: Type.Array(Role),
  expiresAt: WallMs,
  decision: DecisionRecord,
  approvals: Type.Array(Approval),
});
export type Proposal = Static<typeof Proposal>;

/**
 * Where one step stands. `intended` = its intent is durable and no outcome is known; `settling` = an outcome is known
 * and not yet verified, `undone` = done or not, it was taken back. After a restart both are read before anything is repeated (invariant 8).
 */
export const StepStatus = Type.Enum(['pending', 'intended', 'settling', 'done', 'failed', 'undone']);
export const StepState = Type.Object({
  status: StepStatus,
  attempt: Type.Integer(),
  /** The incarnation that wrote the last intent. */
  incarnation: Maybe(Type.String()),
  startedAt: Maybe(WallMs),
  endedAt: Maybe(WallMs),
  preState: Maybe(Facts),
  /** Outcome of the last attempt. */
  outcome: Maybe(Type.Enum(['ok', 'failed', 'indeterminate'])),
  code: Maybe(Type.String()),
  message: Maybe(Type.String()),
  proof: Maybe(Facts),
  overdue: Type.Boolean(),
});
export type StepState = Static<typeof StepState>;

export const RunStatus = Type.Enum(['running', 'aborting', 'paused', 'halted', 'ended']);
export const Run = Type.Object({
  id: RunId,
  plan: Plan,
  planHash: Type.String(),
  epoch: Type.Integer(),
  trigger: Type.Enum(['auto', 'approved']),
  approvals: Type.Array(Approval),
  ceilings: Ceilings,
  decision: DecisionRecord,
  status: RunStatus,
  why: Maybe(Type.String()),
  /** The ceilings that letting it go on accepts; null while those it has are kept. */
  asks: Maybe(Ceilings),
  steps: Type.Record(Type.String(), StepState),
  epochTaken: Type.Boolean(),
  /** Highest epoch above its own that the target's guard took the lease at, as at a restart in place; 0 = none. */
  leaseEpoch: Type.Integer(),
  loss: LossBracket,
  sample: Maybe(PrimarySample),
  clocks: Clocks,
  overdue: Type.Boolean(),
  divergence: Type.Optional(Type.Record(Name, FoundDivergence)),
});
export type Run = Static<typeof Run>;

export const EndedRun = Type.Object({
  id: RunId,
  planHash: Type.String(),
  epoch: Type.Integer(),
  from: Type.String(),
  to: Type.String(),
  trigger: Type.String(),
  row: Type.Integer(),
  why: Type.String(),
  outcome: RunOutcome,
  clocks: Clocks,
  endedAt: WallMs,
  loss: LossBracket,
  /** By component, what the old side had that the new one has not; none before the old side was back. */
  divergence: Type.Optional(Type.Record(Name, FoundDivergence)),
  /** Whether the data had moved: the active region is `to` from then on. */
  promoted: Type.Boolean(),
  steps: Type.Array(
    Type.Object({
      id: Type.String(),
      phase: Type.String(),
      status: StepStatus,
      startedAt: Maybe(WallMs),
      endedAt: Maybe(WallMs),
      attempt: Type.Integer(),
    }),
  ),
});
export type EndedRun = Static<typeof EndedRun>;

/** A config that would let failoverd do more than is agreed: it waits for as many people as business hours ask for. */
export const Raise = Type.Object({
  id: RaiseId,
  openedAt: WallMs,
  configHash: Type.String(),
  mandate: Mandate,
  widens: Type.Array(Type.String()),
  needs: Type.Array(Role),
  expiresAt: WallMs,
  approvals: Type.Array(Approval),
});
export type Raise = Static<typeof Raise>;

/** After a run that moved the data and fenced the old side: for a while that one has to stay as it is (design §7). */
export const CommitWindow = Type.Object({
  run: RunId,
  from: Type.String(),
  to: Type.String(),
  epoch: Type.Integer(),
  fence: Plan.properties.fence,
  since: WallMs,
  /** Why the old side is known to be on; null = it was off when it was last read. */
  lost: Maybe(Type.Object({ at: WallMs, why: Type.String() })),
});
export type CommitWindow = Static<typeof CommitWindow>;

export const GroupLedger = Type.Object({
  active: Maybe(Type.String()),
  /** Highest epoch ever taken; only grows (invariant 2). */
  epoch: Type.Integer(),
  identities: Type.Record(Name, Type.String()),
  /** How each PostgreSQL was last seen to be made, by `component/region`. */
  readiness: Type.Record(Type.String(), Type.Object({ at: WallMs, readiness: Readiness })),
  /** By row, and by row and component where a row is judged for each component (`rowKey`). */
  holds: Type.Record(Type.String(), Hold),
  decisions: Type.Record(Type.String(), DecisionRecord),
  /** Open reports, by what they report. */
  reports: Type.Record(
    Type.String(),
    Type.Object({ at: WallMs, by: Type.String(), what: Type.String(), remindedAt: WallMs }),
  ),
  /** Conditions that people were told of and that are not over. */
  notices: Type.Record(Type.String(), Notice),
  proposal: Maybe(Proposal),
  /** Numbers proposals and runs, so that ids need no randomness. */
  proposals: Type.Integer(),
  runs: Type.Integer(),
  run: Maybe(Run),
  /** Newest last. */
  ended: Type.Array(EndedRun),
  /** Of the last run that has one. */
  commitWindow: Maybe(CommitWindow),
  /** When runs without approvals were opened, for the attempts gate. */
  autoRunsAt: Type.Array(WallMs),
  /** What is agreed that failoverd may do; null in a journal from before it was kept, and before the first start. */
  mandate: Maybe(Mandate),
  raise: Maybe(Raise),
  raises: Type.Integer(),
  /** By component. */
  leases: Type.Record(Name, KeptLease),
});
export type GroupLedger = Static<typeof GroupLedger>;

export const KeptPage = Type.Object({
  page: Page,
  queuedAt: WallMs,
  deliveredAt: Maybe(WallMs),
  overdue: Type.Boolean(),
});
export type KeptPage = Static<typeof KeptPage>;

export const KeptAlert = Type.Object({
  alert: Alert,
  receivedAt: WallMs,
  /** When it had not been heard of for too long to count; null while it counts. */
  expiredAt: Maybe(WallMs),
});
export type KeptAlert = Static<typeof KeptAlert>;

/** The config in force, and how the last attempt to read another one ended. */
export const ConfigLedger = Type.Object({
  hash: Maybe(Type.String()),
  since: Maybe(WallMs),
  /** Keys that changed and count only after a restart. */
  restartNeeded: Type.Array(Type.String()),
  /** Why the config on disk was refused when it was last read; null = it was taken. */
  refused: Maybe(Type.Object({ at: WallMs, by: Type.String(), problems: Type.Array(Type.String()) })),
});
export type ConfigLedger = Static<typeof ConfigLedger>;

export const Ledger = Type.Object({
  seq: Type.Integer(),
  hash: Type.String(),
  incarnation: Maybe(Type.String()),
  /** How often failoverd has started on this journal: with `incarnation`, the life of its lease store. */
  starts: Type.Integer(),
  config: ConfigLedger,
  /** Wall time of the newest event; tells how long nobody watched before a start. */
  lastAt: Maybe(WallMs),
  groups: Type.Record(Type.String(), GroupLedger),
  alerts: Type.Record(Type.String(), KeptAlert),
  /** Undelivered pages, and the newest delivered ones. */
  pages: Type.Record(Type.String(), KeptPage),
  pageCount: Type.Integer(),
  /** Answers to orders with a key, by person and key; oldest first. */
  answers: Type.Record(Type.String(), KeptAnswer),
});
export type Ledger = Static<typeof Ledger>;

export const EMPTY_GROUP: GroupLedger = {
  active: null,
  epoch: 0,
  identities: {},
  readiness: {},
  holds: {},
  decisions: {},
  reports: {},
  notices: {},
  proposal: null,
  proposals: 0,
  runs: 0,
  run: null,
  ended: [],
  commitWindow: null,
  autoRunsAt: [],
  mandate: null,
  raise: null,
  raises: 0,
  leases: {},
};

export const EMPTY_LEDGER: Ledger = {
  seq: 0,
  hash: GENESIS_HASH,
  incarnation: null,
  starts: 0,
  config: { hash: null, since: null, restartNeeded: [], refused: null },
  lastAt: null,
  groups: {},
  alerts: {},
  pages: {},
  pageCount: 0,
  answers: {},
};
