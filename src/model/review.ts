/**
 * What a failover group went through over a time, from its journal: what was held, decided, proposed and run, and what
 * stood in the way. In observe it is what failoverd would have done (design §1).
 */
import Type, { type Static } from 'typebox';
import { FoundDivergence } from './divergence.ts';
import { Approval, Clocks, GateReport, Report, RunOutcome } from './events.ts';
import { NoticeKind } from './notices.ts';
import { LossBracket } from './plan.ts';
import { Autonomy, Name, ProposalId, RunId, WallMs } from './primitives.ts';

const Maybe = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
/** Whom the row was judged for; null = the group. */
const component = Maybe(Name);
const closed = { additionalProperties: false } as const;

/** Of each list the newest so many are told; the counts are of all. */
export const MOST_LISTED = 500;

export const ReviewedHold = Type.Object(
  {
    row: Type.Integer(),
    component,
    region: Type.String(),
    startedAt: WallMs,
    impactAt: WallMs,
    heldMs: Type.Number({ description: 'Milliseconds in which the condition was seen' }),
    endedAt: Maybe(WallMs),
    /** Why it ended; null while it goes on. */
    why: Maybe(Type.String()),
  },
  closed,
);
export type ReviewedHold = Static<typeof ReviewedHold>;

export const ReviewedDecision = Type.Object(
  {
    at: WallMs,
    row: Type.Integer(),
    component,
    region: Type.String(),
    action: Type.String(),
    autonomy: Autonomy,
    why: Type.String(),
    /** It would have acted or proposed, had it not only observed. */
    wouldHaveActed: Type.Boolean(),
    /** Gates that did not pass, in their order. */
    inTheWay: Type.Array(GateReport),
    /** What lowered its autonomy. */
    autonomyWhy: Type.Array(Type.String()),
    /** What would have been lost, in words; null where the decision moves nothing. */
    expectedLoss: Maybe(Type.String()),
    endedAt: Maybe(WallMs),
    endedWhy: Maybe(Type.String()),
  },
  closed,
);
export type ReviewedDecision = Static<typeof ReviewedDecision>;

export const ReviewedProposal = Type.Object(
  {
    id: ProposalId,
    row: Type.Integer(),
    openedAt: WallMs,
    loss: LossBracket,
    approvals: Type.Array(Approval),
    closedAt: Maybe(WallMs),
    reason: Maybe(Type.String()),
    why: Maybe(Type.String()),
  },
  closed,
);
export type ReviewedProposal = Static<typeof ReviewedProposal>;

export const ReviewedRun = Type.Object(
  {
    id: RunId,
    row: Type.Integer(),
    from: Type.String(),
    to: Type.String(),
    trigger: Type.Enum(['auto', 'approved']),
    openedAt: WallMs,
    rtoMs: Type.Number(),
    loss: LossBracket,
    /** What the old side has alone, by component, once it was back and counted. */
    divergence: Type.Optional(Type.Record(Name, FoundDivergence)),
    outcome: Maybe(RunOutcome),
    why: Maybe(Type.String()),
    /** All five once it has ended; before that those that are known. */
    clocks: Clocks,
    /** Decided to verified, milliseconds (dr-strategy §2.2); null without both. */
    tookMs: Maybe(Type.Number()),
  },
  closed,
);
export type ReviewedRun = Static<typeof ReviewedRun>;

export const ReviewedRow = Type.Object(
  {
    row: Type.Integer(),
    component,
    holds: Type.Integer(),
    heldMs: Type.Number(),
    decisions: Type.Integer(),
    wouldHaveActed: Type.Integer(),
    /** Decisions that a gate, veto or report stopped for everybody. */
    heldBack: Type.Integer(),
  },
  closed,
);
export type ReviewedRow = Static<typeof ReviewedRow>;

/** What made failoverd blind, or its ground doubtful, as people were told of it. */
export const ReviewedNotice = Type.Object(
  {
    notice: NoticeKind,
    /** A region whose watchdog was silent; a component that answered as another cluster. */
    subject: Name,
    openedAt: WallMs,
    why: Type.String(),
    closedAt: Maybe(WallMs),
    closedWhy: Maybe(Type.String()),
  },
  closed,
);
export type ReviewedNotice = Static<typeof ReviewedNotice>;

export const Review = Type.Object(
  {
    group: Name,
    from: WallMs,
    to: WallMs,
    /** When the journal begins: before that nothing is known. */
    journalFrom: Maybe(WallMs),
    /** Starts of the daemon within the time; what was between the last entry and a start nobody looked at. */
    starts: Type.Array(Type.Object({ at: WallMs, version: Type.String() }, closed)),
    rows: Type.Array(ReviewedRow),
    holds: Type.Array(ReviewedHold),
    decisions: Type.Array(ReviewedDecision),
    proposals: Type.Array(ReviewedProposal),
    runs: Type.Array(ReviewedRun),
    reports: Type.Array(
      Type.Object(
        { report: Report, at: WallMs, by: Type.String(), what: Type.String(), clearedAt: Maybe(WallMs) },
        closed,
      ),
    ),
    /** How long monitoring of any region was silent within the time, milliseconds: silent alerts meant nothing then. */
    blindMs: Type.Number(),
    notices: Type.Array(ReviewedNotice),
    /** How many of the lists were left out for being older than the newest 500. */
    leftOut: Type.Integer(),
  },
  closed,
);
export type Review = Static<typeof Review>;
export const Reviews = Type.Object({ from: WallMs, to: WallMs, groups: Type.Array(Review) }, closed);
export type Reviews = Static<typeof Reviews>;
