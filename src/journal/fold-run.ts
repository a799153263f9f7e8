/**
 * The part of the fold that follows one run: which step may be intended when, and what can't be taken back. PURE.
 */
import type { EventBody, EventOf } from '../model/events.ts';
import type { EndedRun, GroupLedger, Run, StepState } from '../model/ledger.ts';
import type { PlanStep, StepKind } from '../model/plan.ts';
import { intended, irrevocable, isOverridden, proven, READING_STEPS, toUndo } from '../model/run.ts';
import { foldDivergence } from './fold-divergence.ts';
import { refuse } from './illegal.ts';

/** Runs kept whole in the ledger; older ones are in the journal. */
const ENDED_RUNS_KEPT = 20;

type RunEvent = Extract<EventBody, { run: string }>;

/** Steps before the durable epoch; everything else acts under it (invariant 3). */
const BEFORE_EPOCH: readonly StepKind[] = ['assess', 'take-epoch'];

const PENDING: StepState = {
  status: 'pending',
  attempt: 0,
  incarnation: null,
  startedAt: null,
  endedAt: null,
  preState: null,
  outcome: null,
  code: null,
  message: null,
  proof: null,
  overdue: false,
};

export function foldRun(group: GroupLedger, event: RunEvent): GroupLedger {
  if (event.kind === 'run.opened') return openRun(group, event);
  if (event.kind === 'divergence.found') return foldDivergence(group, event);
  if (event.kind === 'fence.lost' || event.kind === 'fence.held') return foldFence(group, event);
  const run = group.run ?? refuse(event, 'no run is open');
  if (run.id !== event.run) refuse(event, `${event.run} is not the open run`);
  switch (event.kind) {
    case 'epoch.taken':
      if (run.epochTaken || event.epoch !== run.epoch || event.epoch <= group.epoch) {
        refuse(event, `epoch ${event.epoch} can't follow ${group.epoch} in a run of epoch ${run.epoch}`);
      }
      return { ...group, epoch: event.epoch, run: { ...run, epochTaken: true } };
    case 'epoch.released':
      if (!run.epochTaken || irrevocable(run) || toUndo(run) !== undefined) refuse(event, 'the epoch was acted under');
      return { ...group, run: { ...run, epochTaken: false } };
    case 'step.intended':
    case 'step.attempted':
    case 'step.done':
    case 'step.failed':
    case 'step.overdue':
      return foldStep(group, run, event);
    case 'step.undone':
      return undoStep(group, run, event);
    case 'loss.estimated':
      return { ...group, run: { ...run, loss: event.loss } };
    case 'run.aborting':
      if (run.status === 'aborting') refuse(event, 'the run is being undone already');
      if (irrevocable(run)) refuse(event, 'the first point of no return is passed');
      return { ...group, run: { ...run, status: 'aborting', why: event.why } };
    case 'run.paused':
      // Invariant 11: nothing cancels, or stops, after the promotion's intent.
      if (run.status !== 'running') refuse(event, `the run is ${run.status}`);
      if (intended(run, 'promote')) refuse(event, 'promotion was begun');
      return { ...group, run: { ...run, status: 'paused', why: event.why, asks: event.asks ?? null } };
    case 'run.resumed':
      if (run.status !== 'paused' && run.status !== 'halted') refuse(event, `the run is ${run.status}`);
      return {
        ...group,
        run: { ...run, status: 'running', why: null, ceilings: run.asks ?? run.ceilings, asks: null },
      };
    case 'run.halted':
      if (run.status === 'halted') refuse(event, 'the run is halted already');
      return { ...group, run: { ...run, status: 'halted', why: event.why } };
    case 'run.overdue':
      if (run.overdue) refuse(event, 'the run is overdue already');
      return { ...group, run: { ...run, overdue: true } };
    case 'run.ended':
      return endRun(group, run, event);
    default:
      return refuse(event satisfies never, 'this version does not know such an event');
  }
}

function foldFence(group: GroupLedger, event: EventOf<'fence.lost' | 'fence.held'>): GroupLedger {
  const window = group.commitWindow;
  if (window === null || window.run !== event.run) return refuse(event, `${event.run} has no commit window`);
  const lost = event.kind === 'fence.lost' ? { at: event.at, why: event.why } : null;
  if ((lost === null) === (window.lost === null)) refuse(event, 'it was so already');
  return { ...group, commitWindow: { ...window, lost } };
}

function openRun(group: GroupLedger, event: EventOf<'run.opened'>): GroupLedger {
  // Invariant 12.
  if (group.run !== null) refuse(event, `run ${group.run.id} is open`);
  if (group.proposal !== null) refuse(event, `proposal ${group.proposal.id} is open`);
  if (event.epoch !== group.epoch + 1) refuse(event, `epoch ${event.epoch} does not follow ${group.epoch}`);
  if (event.trigger === 'approved' && event.approvals.length === 0) refuse(event, 'nobody approved');
  if (event.plan.fence === 'none' && (event.trigger === 'auto' || event.ceilings.fenceProof)) {
    refuse(event, 'without a fence a person must have been told so'); // invariant 4
  }
  const {
    run: id,
    plan,
    planHash,
    epoch,
    trigger,
    approvals,
    ceilings,
    decision,
    loss,
    sample,
    impactAt,
    detectedAt,
    at,
  } = event;
  const run: Run = {
    id,
    plan,
    planHash,
    epoch,
    trigger,
    approvals,
    ceilings,
    decision,
    status: 'running',
    why: null,
    asks: null,
    steps: Object.fromEntries(plan.steps.map((step) => [step.id, PENDING])),
    epochTaken: false,
    leaseEpoch: 0,
    loss,
    sample,
    clocks: { impactAt, detectedAt, decidedAt: at, executedAt: null, verifiedAt: null },
    overdue: false,
  };
  return {
    ...group,
    run,
    runs: group.runs + 1,
    autoRunsAt: trigger === 'auto' ? [...group.autoRunsAt.slice(-99), at] : group.autoRunsAt,
  };
}

function foldStep(
  group: GroupLedger,
  run: Run,
  event: EventOf<'step.intended' | 'step.attempted' | 'step.done' | 'step.failed' | 'step.overdue'>,
): GroupLedger {
  const index = run.plan.steps.findIndex((step) => step.id === event.step);
  const step = run.plan.steps[index] ?? refuse(event, `no step ${event.step} in the plan`);
  const state = run.steps[step.id] ?? PENDING;
  const waiting = run.plan.steps.slice(0, index).find((earlier) => run.steps[earlier.id]?.status !== 'done');
  if (waiting !== undefined) refuse(event, `${step.id} comes after ${waiting.id}, which is not done`);
  const next = stepAfter(group, run, step, state, event);
  return {
    ...group,
    ...(step.kind === 'promote' && next.status === 'done' ? { active: run.plan.to } : {}),
    run: clocked({ ...run, steps: { ...run.steps, [step.id]: next } }, event.at),
  };
}

function undoStep(group: GroupLedger, run: Run, event: EventOf<'step.undone'>): GroupLedger {
  if (run.status !== 'aborting') refuse(event, `the run is ${run.status}`);
  if (toUndo(run)?.id !== event.step) refuse(event, `${event.step} is not what is to be undone next`);
  const state = run.steps[event.step] ?? PENDING;
  const undone: StepState = { ...state, status: 'undone', endedAt: event.at, message: event.message };
  return { ...group, run: { ...run, steps: { ...run.steps, [event.step]: undone } } };
}

function stepAfter(
  group: GroupLedger,
  run: Run,
  step: PlanStep,
  state: StepState,
  event: EventOf<'step.intended' | 'step.attempted' | 'step.done' | 'step.failed' | 'step.overdue'>,
): StepState {
  switch (event.kind) {
    case 'step.intended':
      if (run.status !== 'running') refuse(event, `the run is ${run.status}`);
      if (!BEFORE_EPOCH.includes(step.kind) && (!run.epochTaken || isOverridden(group))) {
        refuse(event, `epoch ${event.epoch} is not the durable epoch ${group.epoch} of this run`); // invariant 3
      }
      if (event.epoch !== run.epoch) refuse(event, `the run has epoch ${run.epoch}`);
      if (state.status === 'done' || state.status === 'failed') refuse(event, `${step.id} is ${state.status}`);
      if (event.attempt !== state.attempt + 1) refuse(event, `attempt ${event.attempt} can't follow ${state.attempt}`);
      return {
        ...state,
        status: 'intended',
        attempt: event.attempt,
        incarnation: event.incarnation,
        startedAt: state.startedAt ?? event.at,
        // The last read that found the effect absent: later reads are compared with it, a compare-and-set sets on it.
        preState: event.preState,
        outcome: null,
        code: null,
        message: null,
      };
    case 'step.attempted':
      if (state.status !== 'intended' || event.attempt !== state.attempt)
        refuse(event, `attempt ${event.attempt} was not intended`); // invariant 7
      return { ...state, status: 'settling', outcome: event.outcome, code: event.code, message: event.message };
    case 'step.done': {
      const reading = READING_STEPS.includes(step.kind);
      if (state.status === 'done' || (state.attempt === 0 && !reading))
        refuse(event, `${step.id} was not begun or is done`);
      return {
        ...state,
        status: 'done',
        startedAt: state.startedAt ?? event.at,
        endedAt: event.at,
        proof: event.proof,
      };
    }
    case 'step.failed':
      if (step.kind === 'promote' && state.attempt > 0)
        refuse(event, 'a promotion that was begun has no end but proof'); // invariant 11
      if (state.status === 'done' || state.status === 'failed') refuse(event, `${step.id} is ${state.status}`);
      return { ...state, status: 'failed', endedAt: event.at, code: event.code, message: event.message };
    case 'step.overdue':
      if (state.overdue) refuse(event, `${step.id} is overdue already`);
      return { ...state, overdue: true };
    default:
      return exhausted(event);
  }
}

/** *Executed* is when the last step that changes anything for clients was proven, *verified* when all were. */
function clocked(run: Run, at: number): Run {
  const done = (phase: 'dns' | 'verification' | 'database') => {
    const steps = run.plan.steps.filter((step) => step.phase === phase);
    return steps.every((step) => run.steps[step.id]?.status === 'done');
  };
  const executedAt = run.clocks.executedAt ?? (done('database') && done('dns') ? at : null);
  const verifiedAt = run.clocks.verifiedAt ?? (executedAt !== null && done('verification') ? at : null);
  return { ...run, clocks: { ...run.clocks, executedAt, verifiedAt } };
}

function endRun(group: GroupLedger, run: Run, event: EventOf<'run.ended'>): GroupLedger {
  const all = run.plan.steps.every((step) => run.steps[step.id]?.status === 'done');
  switch (event.outcome) {
    case 'verified':
      if (!all) refuse(event, 'steps are left');
      break;
    case 'undone':
      if (run.epochTaken || irrevocable(run) || toUndo(run) !== undefined)
        refuse(event, 'something was done that was not undone');
      break;
    case 'abandoned':
      if (intended(run, 'promote')) refuse(event, 'an unresolved promotion ends only by proof'); // invariant 11
      break;
    case 'unverified':
      if (!proven(run, 'promote')) refuse(event, 'the data did not move');
      break;
    default:
      return exhausted(event.outcome);
  }
  const ended: EndedRun = {
    id: run.id,
    planHash: run.planHash,
    epoch: run.epoch,
    from: run.plan.from,
    to: run.plan.to,
    trigger: run.trigger,
    row: run.decision.row,
    why: event.why,
    outcome: event.outcome,
    clocks: event.clocks,
    endedAt: event.at,
    loss: run.loss,
    ...(run.divergence === undefined ? {} : { divergence: run.divergence }),
    promoted: proven(run, 'promote'),
    steps: run.plan.steps.map((step) => {
      const state = run.steps[step.id] ?? PENDING;
      return {
        id: step.id,
        phase: step.phase,
        status: state.status,
        startedAt: state.startedAt,
        endedAt: state.endedAt,
        attempt: state.attempt,
      };
    }),
  };
  const { fence, from, to } = run.plan;
  const { id, epoch } = run;
  const commitWindow =
    proven(run, 'promote') && fence !== 'none'
      ? { run: id, from, to, epoch, fence, since: event.at, lost: null }
      : group.commitWindow;
  return { ...group, run: null, commitWindow, ended: [...group.ended, ended].slice(-ENDED_RUNS_KEPT) };
}

function exhausted(value: never): never {
  throw new TypeError(`unknown: ${JSON.stringify(value)}`);
}
