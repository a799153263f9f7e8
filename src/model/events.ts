/**
 * The journal's event kinds. State that must survive a restart is a fold of these and of nothing else; whatever an
 * effect needs is in an event that was durable before it (invariant 7).
 */
import Type, { type Static } from 'typebox';
import { FoundDivergence } from './divergence.ts';
import { Alert } from './evidence.ts';
import { LeaseHalt, LeaseRecord } from './lease.ts';
import { Mandate } from './mandate.ts';
import { NoticeKind } from './notices.ts';
import { KeptAnswer } from './orders.ts';
import { Ceilings, LossBracket, Plan, PrimarySample, StepId } from './plan.ts';
import { Autonomy, GateAnswer, Name, PageId, ProposalId, RaiseId, Role, RunId, Verdict, WallMs } from './primitives.ts';
import { Readiness } from './readiness.ts';

const Text = Type.String({ maxLength: 2000 });
const Facts = Type.Record(Type.String(), Type.Unknown());
export type Facts = Static<typeof Facts>;
const event = <K extends string, P extends Type.TProperties>(kind: K, properties: P) =>
  Type.Object({ kind: Type.Literal(kind), at: WallMs, ...properties }, { additionalProperties: false });
const group = { group: Name };
/** A row, and the component it was judged for; entries of rows of the group, and those of older versions, name none. */
const judged = { row: Type.Integer(), component: Type.Optional(Name) };
const step = { ...group, run: RunId, step: StepId };

/** One sign that a decision stands on, as it was seen. */
export const Sign = Type.Object(
  {
    class: Type.Enum(['client-probe', 'replication', 'alert', 'metric']),
    vantage: Type.String(),
    path: Type.String(),
    verdict: Verdict,
    ageMs: Type.Number(),
    says: Text,
  },
  { additionalProperties: false },
);
export type Sign = Static<typeof Sign>;

export const GateReport = Type.Object(
  { gate: Type.String(), answer: GateAnswer, why: Text },
  { additionalProperties: false },
);
export type GateReport = Static<typeof GateReport>;

/** Everything a decision was made from, enough to make it again (invariant 17). */
export const DecisionRecord = Type.Object(
  {
    ...judged,
    /** The row's expression, and what each of its facts was. */
    when: Type.String(),
    values: Type.Array(
      Type.Object(
        { fact: Type.String(), value: Type.Union([Verdict, Type.Number()]), why: Text },
        { additionalProperties: false },
      ),
    ),
    /** What one fact alone would have to be for the row to answer otherwise. */
    turnedBy: Type.Array(Text),
    region: Type.String(),
    action: Type.String(),
    heldMs: Type.Number(),
    forMs: Type.Number(),
    signs: Type.Array(Sign),
    vetoes: Type.Array(
      Type.Object({ veto: Type.String(), verdict: Verdict, why: Text }, { additionalProperties: false }),
    ),
    gates: Type.Array(GateReport),
    autonomy: Autonomy,
    autonomyWhy: Type.Array(Text),
    why: Text,
  },
  { additionalProperties: false },
);
export type DecisionRecord = Static<typeof DecisionRecord>;

export const Clocks = Type.Object(
  {
    impactAt: WallMs,
    detectedAt: WallMs,
    decidedAt: WallMs,
    executedAt: Type.Union([WallMs, Type.Null()]),
    verifiedAt: Type.Union([WallMs, Type.Null()]),
  },
  { additionalProperties: false },
);
export type Clocks = Static<typeof Clocks>;

export const Approval = Type.Object(
  {
    person: Name,
    role: Role,
    at: WallMs,
    nonce: Type.String(),
    expiresAt: WallMs,
    /** Why one SRE alone said yes for everybody who was needed; null for an ordinary approval (design §6). */
    breakGlass: Type.Union([Text, Type.Null()]),
  },
  { additionalProperties: false },
);
export type Approval = Static<typeof Approval>;

export const RunOutcome = Type.Enum(['verified', 'unverified', 'undone', 'abandoned']);
export type RunOutcome = 'verified' | 'unverified' | 'undone' | 'abandoned';

export const PageKind = Type.Enum(['proposal', 'run', 'stuck', 'overdue', 'attention', 'executive-notice', 'speak-up']);
export type PageKind = 'proposal' | 'run' | 'stuck' | 'overdue' | 'attention' | 'executive-notice' | 'speak-up';
export const Page = Type.Object(
  {
    id: PageId,
    kind: PageKind,
    group: Type.Union([Name, Type.Null()]),
    title: Text,
    body: Text,
    dueAt: Type.Union([WallMs, Type.Null()]),
  },
  { additionalProperties: false },
);
export type Page = Static<typeof Page>;

/** What was reported of the data, by a person or an alert. */
export const Report = Type.Enum(['corruption', 'deletion']);
export type Report = 'corruption' | 'deletion';

export const AttemptOutcome = Type.Enum(['ok', 'failed', 'indeterminate']);

export const EventBody = Type.Union([
  event('daemon.started', { incarnation: Type.String(), version: Type.String(), configHash: Type.String() }),
  /** A config was read while running, and is in force: `by` is a person, or the signal that asked. */
  event('config.loaded', { by: Text, configHash: Type.String(), restartNeeded: Type.Array(Text) }),
  /** It was refused, and the old one goes on. The hash is null where the file could not be understood. */
  event('config.refused', {
    by: Text,
    configHash: Type.Union([Type.String(), Type.Null()]),
    problems: Type.Array(Text),
  }),
  /** What is agreed for a group from now on: at its first start, when it is lowered, and when a raise was approved. */
  event('mandate.set', { ...group, mandate: Mandate, why: Text }),
  event('raise.opened', {
    ...group,
    raise: RaiseId,
    configHash: Type.String(),
    mandate: Mandate,
    widens: Type.Array(Text),
    needs: Type.Array(Role),
    expiresAt: WallMs,
  }),
  event('raise.approved', { ...group, raise: RaiseId, configHash: Type.String(), approval: Approval }),
  event('raise.closed', {
    ...group,
    raise: RaiseId,
    reason: Type.Enum(['approved', 'expired', 'withdrawn', 'aborted']),
    why: Text,
  }),
  event('alerts.received', { alerts: Type.Array(Alert) }),
  /** Alerts that one Alertmanager took for resolved, and that another still lists as firing. */
  event('alerts.reopened', { alerts: Type.Array(Alert) }),
  /** Alerts that fire as far as anybody said, and were not heard of for so long that they count no more. */
  event('alerts.expired', { keys: Type.Array(Type.String()) }),
  event('identity.pinned', { ...group, component: Name, systemIdentifier: Type.String() }),
  /** How a PostgreSQL is made, at its first sight and whenever it is made otherwise. */
  event('readiness.seen', { ...group, component: Name, region: Name, readiness: Readiness }),
  /** It stands for another server now. */
  event('readiness.forgotten', { ...group }),
  event('hold.started', {
    ...group,
    ...judged,
    region: Type.String(),
    impactAt: WallMs,
    sample: Type.Union([PrimarySample, Type.Null()]),
  }),
  event('hold.advanced', { ...group, ...judged, heldMs: Type.Number() }),
  event('hold.ended', { ...group, ...judged, why: Text }),
  event('decision.made', { ...group, decision: DecisionRecord }),
  event('decision.cleared', { ...group, ...judged, why: Text }),
  /** Sticky: it stands in the way until a person clears it (design §5). `by` is a person, or the alert that said it. */
  event('report.made', { ...group, report: Report, by: Text, what: Text }),
  event('report.reminded', { ...group, report: Report }),
  event('report.cleared', { ...group, report: Report, person: Name, why: Text }),
  /** A condition that people are told of when it begins and when it is over (`notices.ts`). */
  event('notice.opened', { ...group, notice: NoticeKind, subject: Name, why: Text }),
  event('notice.closed', { ...group, notice: NoticeKind, subject: Name, why: Text }),
  event('proposal.opened', {
    ...group,
    proposal: ProposalId,
    plan: Plan,
    planHash: Type.String(),
    epoch: Type.Integer(),
    ceilings: Ceilings,
    loss: LossBracket,
    needs: Type.Array(Role),
    expiresAt: WallMs,
    decision: DecisionRecord,
  }),
  event('proposal.closed', {
    ...group,
    proposal: ProposalId,
    reason: Type.Enum(['approved', 'expired', 'recovered', 'invalidated', 'aborted']),
    why: Text,
  }),
  event('approval.given', {
    ...group,
    proposal: ProposalId,
    planHash: Type.String(),
    epoch: Type.Integer(),
    approval: Approval,
  }),
  event('run.opened', {
    ...group,
    run: RunId,
    plan: Plan,
    planHash: Type.String(),
    epoch: Type.Integer(),
    trigger: Type.Enum(['auto', 'approved']),
    approvals: Type.Array(Approval),
    decision: DecisionRecord,
    loss: LossBracket,
    sample: Type.Union([PrimarySample, Type.Null()]),
    impactAt: WallMs,
    detectedAt: WallMs,
    ceilings: Ceilings,
  }),
  event('epoch.taken', { ...group, run: RunId, epoch: Type.Integer() }),
  event('epoch.released', { ...group, run: RunId, epoch: Type.Integer() }),
  event('step.intended', {
    ...step,
    epoch: Type.Integer(),
    attempt: Type.Integer({ minimum: 1 }),
    incarnation: Type.String(),
    undo: Type.String(),
    preState: Facts,
  }),
  event('step.attempted', {
    ...step,
    attempt: Type.Integer(),
    outcome: AttemptOutcome,
    code: Type.Union([Type.String(), Type.Null()]),
    message: Text,
  }),
  event('step.done', { ...step, proof: Facts }),
  event('step.failed', { ...step, code: Type.String(), message: Text }),
  event('step.undone', { ...step, message: Text }),
  event('step.overdue', { ...step, message: Text }),
  event('loss.estimated', { ...group, run: RunId, loss: LossBracket }),
  /** The old side is back, and its log was read: the bracket is final. Found again, where it came back with more. */
  event('divergence.found', { ...group, run: RunId, divergence: FoundDivergence, loss: LossBracket }),
  event('run.aborting', { ...group, run: RunId, person: Type.Union([Name, Type.Null()]), why: Text }),
  /** `asks`: the ceilings that whoever lets it go on accepts, where facts have left those it was approved with. */
  event('run.paused', {
    ...group,
    run: RunId,
    person: Type.Union([Name, Type.Null()]),
    why: Text,
    asks: Type.Optional(Ceilings),
  }),
  event('run.resumed', { ...group, run: RunId, person: Name }),
  event('run.halted', { ...group, run: RunId, code: Type.String(), why: Text }),
  event('run.overdue', { ...group, run: RunId, message: Text }),
  event('run.ended', { ...group, run: RunId, outcome: RunOutcome, why: Text, clocks: Clocks }),
  /** A lease was taken, given back, or changed in what others rely on. A mere renewal is not written down. */
  event('lease.set', {
    ...group,
    component: Name,
    change: Type.Enum(['acquired', 'released', 'changed']),
    record: LeaseRecord,
  }),
  /** The store is older than what a guard has seen: sticky, until a person clears it. Said again where more is seen. */
  event('lease.halted', { ...group, component: Name, ...LeaseHalt.properties }),
  /** `start`: the store goes on as a life of this count, which is above all that guards have seen; `epoch`: so is this one. */
  event('lease.cleared', {
    ...group,
    component: Name,
    person: Name,
    why: Text,
    epoch: Type.Integer({ minimum: 0 }),
    start: Type.Integer({ minimum: 1 }),
  }),
  /** After a run: the old side, which has to stay off through the commit window, is not; and is again. */
  event('fence.lost', { ...group, run: RunId, why: Text }),
  event('fence.held', { ...group, run: RunId, why: Text }),
  /** What a person was told of an order that took effect; beside it in the same turn, and given again for the same key. */
  event('order.answered', { answer: KeptAnswer }),
  event('page.queued', { page: Page }),
  event('page.delivered', { page: PageId }),
  event('page.overdue', { page: PageId }),
]);
export type EventBody = Static<typeof EventBody>;
export type EventKind = EventBody['kind'];
export type EventOf<K extends EventKind> = Extract<EventBody, { kind: K }>;

/**
 * An event as it stands in the journal: its place, and the hash that ties it to all before it. The hash is over the
 * canonical JSON of `{ seq, previous, body }`, so a cut, edited or reordered journal does not add up (invariant 23).
 */
export const JournalEntry = Type.Object(
  { seq: Type.Integer({ minimum: 1 }), previous: Type.String(), hash: Type.String(), body: EventBody },
  { additionalProperties: false },
);
export type JournalEntry = Static<typeof JournalEntry>;

export { GENESIS_HASH } from './genesis.ts';
