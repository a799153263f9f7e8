/**
 * The journal of a group over a time, told as a week is told: each hold, decision, proposal and run with its reasons
 * (`model/review.ts`). What began earlier and reached into the time counts too. PURE.
 */
import type { DecisionRecord, EventBody, EventOf } from '../model/events.ts';
import type { KeptEvents } from '../model/explanation.ts';
import { rowKey } from '../model/matrix.ts';
import type { ComponentId, GroupId, WallMs } from '../model/primitives.ts';
import {
  MOST_LISTED,
  type Review,
  type ReviewedDecision,
  type ReviewedHold,
  type ReviewedNotice,
  type ReviewedProposal,
  type ReviewedRow,
  type ReviewedRun,
} from '../model/review.ts';

/** Actions of decisions that would move something, or ask people to. */
const ACTS = new Set(['observe', 'propose', 'failover', 'partial', 'restart', 'switchover']);

type Writable<T> = { -readonly [K in keyof T]: T[K] };
type Gathered = {
  readonly starts: Review['starts'][number][];
  readonly holds: Writable<ReviewedHold>[];
  readonly decisions: Writable<ReviewedDecision>[];
  readonly proposals: Writable<ReviewedProposal>[];
  readonly runs: Writable<ReviewedRun>[];
  readonly reports: Writable<Review['reports'][number]>[];
  readonly notices: Writable<ReviewedNotice>[];
};

export function reviewOf(options: {
  readonly group: GroupId;
  readonly from: WallMs;
  readonly to: WallMs;
  readonly kept: KeptEvents;
}): Review {
  const { group, from, to, kept } = options;
  const all: Gathered = { starts: [], holds: [], decisions: [], proposals: [], runs: [], reports: [], notices: [] };
  for (const event of kept.events) if (event.at <= to) gather(all, event);
  const reached = (endedAt: WallMs | null): boolean => endedAt === null || endedAt >= from;
  const holds = all.holds.filter(({ endedAt }) => reached(endedAt));
  const decisions = all.decisions.filter(({ endedAt }) => reached(endedAt));
  const proposals = all.proposals.filter(({ closedAt }) => reached(closedAt));
  const runs = all.runs.filter(({ outcome, clocks, openedAt }) =>
    reached(outcome === null ? null : (clocks.verifiedAt ?? clocks.executedAt ?? openedAt)),
  );
  const notices = all.notices.filter(({ closedAt }) => reached(closedAt));
  const lists = [holds, decisions, proposals, runs, notices];
  return {
    group,
    from,
    to,
    journalFrom: kept.firstAt,
    starts: all.starts.filter(({ at }) => at >= from).slice(-MOST_LISTED),
    rows: rowsOf(holds, decisions),
    holds: holds.slice(-MOST_LISTED),
    decisions: decisions.slice(-MOST_LISTED),
    proposals: proposals.slice(-MOST_LISTED),
    runs: runs.slice(-MOST_LISTED),
    reports: all.reports.filter(({ clearedAt }) => reached(clearedAt)).slice(-MOST_LISTED),
    blindMs: blindMs(notices, from, to),
    notices: notices.slice(-MOST_LISTED),
    leftOut: lists.reduce((sum, list) => sum + Math.max(0, list.length - MOST_LISTED), 0),
  };
}

/** A row, and whom it was judged for; null = the group, as in entries that name nobody. */
type Judged = { readonly row: number; readonly component?: ComponentId | null | undefined };
const keyOf = ({ row, component }: Judged): string => rowKey(row, component ?? null);
const isSame = (one: Judged, other: Judged): boolean => keyOf(one) === keyOf(other);

function gather(all: Gathered, event: EventBody): void {
  switch (event.kind) {
    case 'daemon.started':
      all.starts.push({ at: event.at, version: event.version });
      return;
    case 'hold.started':
      all.holds.push({
        row: event.row,
        component: event.component ?? null,
        region: event.region,
        startedAt: event.at,
        impactAt: event.impactAt,
        heldMs: 0,
        endedAt: null,
        why: null,
      });
      return;
    case 'hold.advanced': {
      const hold = all.holds.findLast((one) => isSame(one, event) && one.endedAt === null);
      if (hold !== undefined) hold.heldMs = event.heldMs;
      return;
    }
    case 'hold.ended': {
      const hold = all.holds.findLast((one) => isSame(one, event) && one.endedAt === null);
      if (hold !== undefined) Object.assign(hold, { endedAt: event.at, why: event.why });
      return;
    }
    case 'decision.made':
      return decided(all, event);
    case 'decision.cleared':
      endDecision(all, event, event.at, event.why);
      return;
    case 'proposal.opened':
      all.proposals.push({
        id: event.proposal,
        row: event.decision.row,
        openedAt: event.at,
        loss: event.loss,
        approvals: [],
        closedAt: null,
        reason: null,
        why: null,
      });
      return;
    case 'approval.given': {
      const proposal = all.proposals.findLast(({ id }) => id === event.proposal);
      if (proposal !== undefined) proposal.approvals = [...proposal.approvals, event.approval];
      return;
    }
    case 'proposal.closed': {
      const proposal = all.proposals.findLast(({ id }) => id === event.proposal);
      if (proposal !== undefined) Object.assign(proposal, { closedAt: event.at, reason: event.reason, why: event.why });
      return;
    }
    case 'run.opened':
      all.runs.push(runOf(event));
      return;
    case 'loss.estimated': {
      const run = all.runs.findLast(({ id }) => id === event.run);
      if (run !== undefined) run.loss = event.loss;
      return;
    }
    case 'divergence.found': {
      const run = all.runs.findLast(({ id }) => id === event.run);
      if (run === undefined) return;
      run.loss = event.loss;
      run.divergence = { ...run.divergence, [event.divergence.component]: event.divergence };
      return;
    }
    case 'run.ended': {
      const run = all.runs.findLast(({ id }) => id === event.run);
      if (run === undefined) return;
      const { outcome, why, clocks } = event;
      const tookMs = clocks.verifiedAt === null ? null : clocks.verifiedAt - clocks.decidedAt;
      Object.assign(run, { outcome, why, clocks, tookMs });
      return;
    }
    case 'report.made':
      all.reports.push({ report: event.report, at: event.at, by: event.by, what: event.what, clearedAt: null });
      return;
    case 'report.cleared': {
      const report = all.reports.findLast((one) => one.report === event.report && one.clearedAt === null);
      if (report !== undefined) report.clearedAt = event.at;
      return;
    }
    case 'notice.opened':
      all.notices.push({
        notice: event.notice,
        subject: event.subject,
        openedAt: event.at,
        why: event.why,
        closedAt: null,
        closedWhy: null,
      });
      return;
    case 'notice.closed': {
      const notice = all.notices.findLast(
        (one) => one.notice === event.notice && one.subject === event.subject && one.closedAt === null,
      );
      if (notice !== undefined) Object.assign(notice, { closedAt: event.at, closedWhy: event.why });
      return;
    }
    default:
      // The rest is the inside of a run, or of nobody's week.
      return;
  }
}

function decided(all: Gathered, { at, decision }: EventOf<'decision.made'>): void {
  endDecision(all, decision, at, 'another decision took its place');
  all.decisions.push({
    at,
    row: decision.row,
    component: decision.component ?? null,
    region: decision.region,
    action: decision.action,
    autonomy: decision.autonomy,
    why: decision.why,
    wouldHaveActed: ACTS.has(decision.action),
    inTheWay: decision.gates.filter(({ answer }) => answer !== 'pass'),
    autonomyWhy: [...decision.autonomyWhy],
    expectedLoss: lossIn(decision),
    endedAt: null,
    endedWhy: null,
  });
}

function endDecision(all: Gathered, of: Judged, endedAt: WallMs, endedWhy: string): void {
  const open = all.decisions.findLast((one) => isSame(one, of) && one.endedAt === null);
  if (open !== undefined) Object.assign(open, { endedAt, endedWhy });
}

/** The gate that weighs the loss says how much it would be, whatever it answers. */
const lossIn = (decision: DecisionRecord): string | null =>
  decision.gates.find(({ gate }) => gate === 'loss-budget')?.why ?? null;

function runOf(event: EventOf<'run.opened'>): Writable<ReviewedRun> {
  const { run, plan, decision, trigger, loss, impactAt, detectedAt, at } = event;
  const clocks = { impactAt, detectedAt, decidedAt: at, executedAt: null, verifiedAt: null };
  return {
    id: run,
    row: decision.row,
    from: plan.from,
    to: plan.to,
    trigger,
    openedAt: at,
    rtoMs: plan.rtoMs,
    loss,
    outcome: null,
    why: null,
    clocks,
    tookMs: null,
  };
}

/** Regions that were silent at the same time are counted once. They come in the order in which they began. */
function blindMs(notices: readonly ReviewedNotice[], from: WallMs, to: WallMs): number {
  let sum = 0;
  let seenUntil = from;
  for (const { notice, openedAt, closedAt } of notices) {
    if (notice !== 'watchdog-silent') continue;
    const [begun, ended] = [Math.max(openedAt, seenUntil), Math.min(closedAt ?? to, to)];
    sum += Math.max(0, ended - begun);
    seenUntil = Math.max(seenUntil, ended);
  }
  return sum;
}

function rowsOf(holds: readonly ReviewedHold[], decisions: readonly ReviewedDecision[]): ReviewedRow[] {
  const judged = new Map([...holds, ...decisions].map((one) => [keyOf(one), one]));
  const inOrder = [...judged.values()].sort(
    (a, b) => a.row - b.row || (a.component ?? '').localeCompare(b.component ?? ''),
  );
  return inOrder.map((of) => {
    const held = holds.filter((hold) => isSame(hold, of));
    const made = decisions.filter((decision) => isSame(decision, of));
    return {
      row: of.row,
      component: of.component,
      holds: held.length,
      heldMs: held.reduce((sum, { heldMs }) => sum + heldMs, 0),
      decisions: made.length,
      wouldHaveActed: made.filter(({ wouldHaveActed }) => wouldHaveActed).length,
      heldBack: made.filter(({ action }) => action === 'hold').length,
    };
  });
}
