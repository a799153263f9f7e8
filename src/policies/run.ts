/**
 * The run machine: which operation of which step comes next, and what its answer means (design §7). PURE. The executor
 * performs what is asked for here and decides nothing.
 *
 *   check -> intent (durable) -> do -> outcome (durable) -> verify -> done
 *
 * - An unfinished step that this process did not begin is *verified* first (invariant 8).
 * - An outcome is never taken for the effect: only a read proves it.
 * - Before the fence is intended, a run that can't go on is undone. After it, it goes forward or waits for a person.
 * - A promotion that was begun has no end but proof (invariant 11).
 */
import { byPart, withKey, withoutKey } from '../model/keyed.ts';
import type { Run, StepState } from '../model/ledger.ts';
import type { InputOf, Operation, OperationResult, Volatile } from '../model/loop.ts';
import { rowName } from '../model/matrix.ts';
import type { PlanStep } from '../model/plan.ts';
import type { GroupId } from '../model/primitives.ts';
import { intended, irrevocable, proven, READING_STEPS, toUndo } from '../model/run.ts';
import { type Left, leftAtPromotion } from './ceilings.ts';
import { COMMIT_WINDOW, fenceRead, watchFence } from './commit-window.ts';
import { DIAGNOSES } from './diagnoses.ts';
import { overriddenBy } from './leases.ts';
import { lossOfRun } from './loss.ts';
import { standingReport } from './reports.ts';
import { componentsOf, judgeRow } from './rows.ts';
import { page, remember, say, type Turn, wakeAt } from './turn.ts';
import { groupLedger, viewOf } from './view.ts';

/** An effect that does not show this long after it was asked for is asked for again, after a fresh check. */
const REDO_AFTER_MS = 5000;
const POLL_MS = { least: 20, most: 2000 } as const;
const TIMEOUT_MS = { read: 5000, act: 10_000, fenceGrace: 1000 } as const;

const keyOf = (run: Run, step: PlanStep): string => `${run.id}/${step.id}`;

export function advanceRun(turn: Turn, group: GroupId): void {
  const run = groupLedger(turn.state, group).run;
  if (run === null) return watchFence(turn, group);
  const { at } = turn.state;
  if (!run.overdue && at >= run.clocks.decidedAt + run.plan.rtoMs) {
    const message = `${run.id} is open for longer than the RTO of ${run.plan.rtoMs / 1000} s`;
    say(turn, { kind: 'run.overdue', at, group, run: run.id, message });
    page(turn, 'overdue', group, message, waitsFor(run)); // invariant 29
    return;
  }
  if (run.status === 'aborting') return undo(turn, group, run);
  if (overridden(turn, group, run)) return;
  const step = run.plan.steps.find((candidate) => run.steps[candidate.id]?.status !== 'done');
  if (step === undefined) return end(turn, group, run, 'verified', `${run.plan.to} serves; every step is proven`);
  const state = run.steps[step.id];
  if (state === undefined) throw new RangeError(`step ${step.id} has no state`);
  if (state.status === 'failed') return afterFailure(turn, group, run, step, state);
  if (run.status === 'running' && (vetoed(turn, group, run) || recovered(turn, group, run))) return;
  if (overdue(turn, group, run, step, state)) return;
  next(turn, group, run, step, state);
}

const waitsFor = (run: Run): string => {
  const step = run.plan.steps.find((candidate) => run.steps[candidate.id]?.status !== 'done');
  const state = step === undefined ? undefined : run.steps[step.id];
  return `It is ${run.status}${run.why === null ? '' : ` (${run.why})`} at ${step?.id ?? 'the end'}: ${state?.message ?? state?.status ?? ''}`;
};

function undo(turn: Turn, group: GroupId, run: Run): void {
  const step = toUndo(run);
  if (step !== undefined) return undoStep(turn, group, run, step);
  const { at } = turn.state;
  if (run.epochTaken) say(turn, { kind: 'epoch.released', at, group, run: run.id, epoch: run.epoch });
  end(turn, group, run, 'undone', run.why ?? 'aborted');
}

/** A compensation may be repeated until it is known to have worked; the page of an overdue run tells people of one that doesn't. */
function undoStep(turn: Turn, group: GroupId, run: Run, step: PlanStep): void {
  const state = run.steps[step.id];
  if (state === undefined) throw new RangeError(`step ${step.id} has no state`);
  const { volatile, mono } = turn.state;
  if (busyGroupsIn(volatile.operations).some((busy) => busy.has(group))) return;
  const notBefore = volatile.notBeforeMono[keyOf(run, step)] ?? 0;
  if (notBefore > mono) return wakeAt(turn, notBefore);
  ask(turn, group, run, step, state, 'undo');
}

function undone(turn: Turn, group: GroupId, run: Run, step: PlanStep, result: OperationResult): void {
  if (result.kind !== 'ok' || run.status !== 'aborting') return later(turn, run, step);
  say(turn, { kind: 'step.undone', at: turn.state.at, group, run: run.id, step: step.id, message: result.message });
}

function end(turn: Turn, group: GroupId, run: Run, outcome: 'verified' | 'unverified' | 'undone', why: string): void {
  say(turn, { kind: 'run.ended', at: turn.state.at, group, run: run.id, outcome, why, clocks: run.clocks });
  const title = {
    verified: `${run.id} is done: ${run.plan.to} serves`,
    unverified: `${run.id} moved, but could not be verified`,
    undone: `${run.id} was undone`,
  }[outcome];
  page(turn, outcome === 'unverified' ? 'stuck' : 'run', group, title, why);
}

function afterFailure(turn: Turn, group: GroupId, run: Run, step: PlanStep, state: StepState): void {
  const why = `${step.id} failed: ${state.message ?? state.code ?? ''}`;
  if (step.phase === 'verification') return end(turn, group, run, 'unverified', why);
  say(turn, { kind: 'run.aborting', at: turn.state.at, group, run: run.id, person: null, why });
}

/**
 * Somebody else took the lease above this run's epoch: the old side was restarted in place, or a person acts beside us. Nothing
 * more is done at that epoch (invariant 3). True where the run ended, or was stopped, for it.
 */
function overridden(turn: Turn, group: GroupId, run: Run): boolean {
  const by = overriddenBy(groupLedger(turn.state, group));
  if (by === null) return false;
  const { at } = turn.state;
  const base = { at, group, run: run.id } as const;
  if (!irrevocable(run)) {
    say(turn, { kind: 'run.aborting', ...base, person: null, why: by });
    return true;
  }
  if (proven(run, 'promote')) {
    end(turn, group, run, 'unverified', `${by}; what was to follow the promotion is not done`);
    return true;
  }
  if (run.status === 'halted') return false;
  say(turn, { kind: 'run.halted', ...base, code: 'epoch-overridden', why: by });
  page(
    turn,
    'stuck',
    group,
    `${run.id} is halted: its epoch was overtaken`,
    intended(run, 'promote')
      ? `${by}. A promotion was asked for and may still take effect: look at both sides now, and let one of them alone take writes. The run ends once the promotion is proven.`
      : `${by}. The old side was being fenced and nothing is promoted. Abort ${run.id} to give it up; a new one has an epoch of its own.`,
  );
  return true;
}

/** Before the first point of no return, proof that the old side serves undoes the run; anything less does not (design §7). */
function recovered(turn: Turn, group: GroupId, run: Run): boolean {
  if (intended(run, 'fence') || intended(run, 'acquire-lease') || intended(run, 'promote')) return false;
  const view = viewOf(turn.state, group);
  if (view.active !== run.plan.from) return false;
  const finding = DIAGNOSES.RegionUnreachable.judge(view);
  if (finding.verdict !== 'ok') return false;
  say(turn, {
    kind: 'run.aborting',
    at: turn.state.at,
    group,
    run: run.id,
    person: null,
    why: `${run.plan.from} serves again: ${finding.why}`,
  });
  return true;
}

/**
 * A veto that came up after the decision: before the first point of no return it undoes the run; before promotion the run waits
 * for a person; afterwards there is nothing left to veto.
 */
function vetoed(turn: Turn, group: GroupId, run: Run): boolean {
  if (intended(run, 'promote')) return false;
  const view = viewOf(turn.state, group);
  const [veto] = view.settings.rows
    .filter((row) => row.kind === 'veto' && row.against.includes('failover'))
    .flatMap((row) => componentsOf(view.settings, row).map((of) => ({ row, of, ...judgeRow(view, row, of) })))
    .filter(({ verdict }) => verdict === 'bad');
  const why = veto === undefined ? standingReport(view.ledger) : `${rowName(veto.row.id, veto.of)} (veto): ${veto.why}`;
  if (why === null) return false;
  const base = { at: turn.state.at, group, run: run.id, person: null, why } as const;
  if (!irrevocable(run)) {
    say(turn, { kind: 'run.aborting', ...base });
    return true;
  }
  say(turn, { kind: 'run.paused', ...base });
  page(
    turn,
    'stuck',
    group,
    `${run.id} waits: ${why}`,
    `The old side is fenced and nothing is promoted. Clear what stands in the way, then approve ${run.id} to go on; or abort it to give it up.`,
  );
  return true;
}

/** When the step's budget began: with the end of the one before it. */
function beganAt(run: Run, step: PlanStep): number {
  const index = run.plan.steps.indexOf(step);
  const before = index <= 0 ? undefined : run.plan.steps[index - 1];
  const ended = before === undefined ? undefined : run.steps[before.id]?.endedAt;
  return ended ?? run.clocks.decidedAt;
}

function overdue(turn: Turn, group: GroupId, run: Run, step: PlanStep, state: StepState): boolean {
  const { at } = turn.state;
  if (run.status !== 'running' || at - beganAt(run, step) <= step.budgetMs) return false;
  const last = turn.state.volatile.lastAnswer[keyOf(run, step)]?.result;
  const message = `not done within its budget of ${step.budgetMs / 1000} s${last === undefined ? '' : `: ${last.message}`}`;
  const reversible = step.kind === 'assess' || step.kind === 'take-epoch';
  if (reversible || step.phase === 'verification') {
    say(turn, { kind: 'step.failed', at, group, run: run.id, step: step.id, code: last?.code ?? 'overdue', message });
    return true;
  }
  if (state.overdue) return false;
  const unresolved = step.kind === 'promote' && state.attempt > 0;
  say(turn, { kind: 'step.overdue', at, group, run: run.id, step: step.id, message });
  page(
    turn,
    unresolved ? 'stuck' : 'overdue',
    group,
    `${run.id}: ${step.id} is overdue`,
    unresolved
      ? `${message}. The promotion was asked for and may still take effect: do not start the old primary, do not promote another. Traffic was not moved.`
      : `${message}. It is tried again; the run waits at this step.`,
  );
  return true;
}

const busyGroupsIn = byPart<Volatile['operations'][string], ReadonlySet<GroupId>>(
  // The fence of a run that is over is read beside whatever comes next.
  (part) => new Set([...part.values()].filter(({ step }) => step !== COMMIT_WINDOW).map(({ group }) => group)),
);

function next(turn: Turn, group: GroupId, run: Run, step: PlanStep, state: StepState): void {
  const key = keyOf(run, step);
  const { volatile, mono, incarnation, at } = turn.state;
  if (busyGroupsIn(volatile.operations).some((busy) => busy.has(group))) return;
  const notBefore = volatile.notBeforeMono[key] ?? 0;
  if (notBefore > mono) return wakeAt(turn, notBefore);
  const waiting = run.status !== 'running';
  if (step.kind === 'take-epoch') {
    if (waiting) return;
    const base = { at, group, run: run.id } as const;
    // One transaction: the epoch is durable before any effect that carries it (invariant 3).
    say(
      turn,
      {
        kind: 'step.intended',
        ...base,
        step: step.id,
        epoch: run.epoch,
        attempt: state.attempt + 1,
        incarnation,
        undo: step.undo,
        preState: { epoch: run.epoch - 1 },
      },
      { kind: 'epoch.taken', ...base, epoch: run.epoch },
      { kind: 'step.done', ...base, step: step.id, proof: { epoch: run.epoch } },
    );
    return;
  }
  const operation = operationFor(turn, step, state, key);
  // A run that waits for a person begins nothing; what was begun is still read.
  if (waiting && (operation !== 'verify' || state.attempt === 0)) return;
  ask(turn, group, run, step, state, operation);
}

function operationFor(turn: Turn, step: PlanStep, state: StepState, key: string): Operation {
  const { doAsked, doAskedMono, lastAnswer } = turn.state.volatile;
  if (READING_STEPS.includes(step.kind)) return 'verify';
  if (state.status === 'pending') return 'check';
  const mine = state.incarnation === turn.state.incarnation;
  if (state.status === 'intended' && mine && doAsked[key] !== state.attempt) return 'do';
  const last = lastAnswer[key];
  // Invariant 8: what an earlier life began is read first, whatever its outcome was said to be.
  if (!mine && last === undefined) return 'verify';
  // A check that says no to a second attempt may say so because the first one took effect after all.
  if (last?.operation === 'check') return state.attempt > 0 ? 'verify' : 'check';
  const absent = last?.operation === 'verify' && last.result.kind === 'no';
  if (!absent) return state.status === 'settling' && state.outcome === 'failed' ? 'check' : 'verify';
  // A read proved that the effect is not there. What this process just asked for may still be on its way.
  const askedMono = doAsked[key] === state.attempt ? doAskedMono[key] : undefined;
  return askedMono === undefined || turn.state.mono - askedMono >= REDO_AFTER_MS ? 'check' : 'verify';
}

function timeoutOf(turn: Turn, group: GroupId, step: PlanStep, operation: Operation): number {
  if (step.kind === 'fence') return (turn.state.settings.groups[group]?.fenceTimeoutMs ?? 0) + TIMEOUT_MS.fenceGrace;
  const fenceMs =
    step.kind === 'promote' && operation === 'check' ? (turn.state.settings.groups[group]?.fenceTimeoutMs ?? 0) : 0;
  return fenceMs + (operation === 'do' ? TIMEOUT_MS.act : TIMEOUT_MS.read);
}

function ask(turn: Turn, group: GroupId, run: Run, step: PlanStep, state: StepState, operation: Operation): void {
  const key = keyOf(run, step);
  const { volatile, mono, ledger, incarnation } = turn.state;
  const count = volatile.operationCount + 1;
  const timeoutMs = timeoutOf(turn, group, step, operation);
  const name = `${key}/${operation}/${state.attempt}/${incarnation}/${count}`;
  const identities = { ...ledger.groups[group]?.identities };
  for (const component of turn.state.settings.groups[group]?.components ?? []) {
    if (component.systemIdentifier !== null) identities[component.id] = component.systemIdentifier;
  }
  turn.effects.push({
    kind: 'perform',
    key: name,
    operation,
    stepKind: step.kind,
    step: step.id,
    run: run.id,
    group,
    component: step.component,
    from: run.plan.from,
    to: run.plan.to,
    epoch: run.epoch,
    attempt: state.attempt,
    timeoutMs,
    preState: { ...state.preState, identities },
    fence: run.plan.fence,
  });
  remember(turn, {
    operationCount: count,
    operations: withKey(volatile.operations, name, {
      group,
      step: step.id,
      operation,
      startedMono: mono,
      deadlineMono: mono + timeoutMs,
    }),
    ...(operation === 'do'
      ? {
          doAsked: withKey(volatile.doAsked, key, state.attempt),
          doAskedMono: withKey(volatile.doAskedMono, key, mono),
        }
      : {}),
  });
}

/** Takes the answer to an operation. One that was not asked for by this process, or was answered, changes nothing. */
export function settle(turn: Turn, input: InputOf<'performed'>): void {
  const asked = turn.state.volatile.operations[input.operation];
  if (asked === undefined) return;
  remember(turn, { operations: withoutKey(turn.state.volatile.operations, input.operation) });
  if (asked.step === COMMIT_WINDOW) return fenceRead(turn, asked.group, input.operation, input.result);
  const run = groupLedger(turn.state, asked.group).run;
  if (run === null || !input.operation.startsWith(`${run.id}/`)) return;
  const step = run.plan.steps.find((candidate) => candidate.id === asked.step);
  const state = run.steps[asked.step];
  if (step === undefined || state === undefined) return;
  if (asked.operation === 'undo') return undone(turn, asked.group, run, step, input.result);
  if (state.status === 'done') return;
  const key = keyOf(run, step);
  remember(turn, {
    lastAnswer: withKey(turn.state.volatile.lastAnswer, key, {
      operation: asked.operation,
      result: input.result,
      mono: turn.state.mono,
    }),
  });
  if (asked.operation === 'check') checked(turn, asked.group, run, step, state, input.result);
  else if (asked.operation === 'do') done(turn, asked.group, run, step, state, input.result);
  else verified(turn, asked.group, run, step, state, input.result);
}

/** Looks again soon at first and seldom later: a tenth of the time the step has taken so far. */
function later(turn: Turn, run: Run, step: PlanStep): void {
  const tookMs = Math.max(0, turn.state.at - beganAt(run, step));
  const pauseMs = Math.min(POLL_MS.most, Math.max(POLL_MS.least, Math.ceil(tookMs / 10)));
  remember(turn, {
    notBeforeMono: withKey(turn.state.volatile.notBeforeMono, keyOf(run, step), turn.state.mono + pauseMs),
  });
}

function halt(turn: Turn, group: GroupId, run: Run, step: PlanStep, result: OperationResult): void {
  if (run.status === 'halted') return later(turn, run, step);
  const why = `${step.id}: ${result.message}`;
  say(turn, { kind: 'run.halted', at: turn.state.at, group, run: run.id, code: result.code ?? 'halt', why });
  page(
    turn,
    'stuck',
    group,
    `${run.id} is halted at ${step.id}`,
    `${result.message}. Nothing more is done until a person has looked: approve ${run.id} to go on.`,
  );
}

/** The yes that this run was opened with does not cover what its promotion would cost: a person looks again (invariant 22). */
function outOfCeilings(turn: Turn, group: GroupId, run: Run, { why, ceilings }: Left): void {
  const whose = run.trigger === 'auto' ? 'what a run may do by itself' : 'the approval';
  const text = `${whose} no longer covers the promotion: ${why}`;
  say(turn, { kind: 'run.paused', at: turn.state.at, group, run: run.id, person: null, why: text, asks: ceilings });
  page(
    turn,
    'stuck',
    group,
    `${run.id} waits before the promotion`,
    `${text}. The old side is fenced and nothing is promoted. To accept that loss, approve ${run.id}; executives are told. Or abort it to give it up.`,
  );
}

function checked(
  turn: Turn,
  group: GroupId,
  run: Run,
  step: PlanStep,
  state: StepState,
  result: OperationResult,
): void {
  if (result.kind === 'halt') return halt(turn, group, run, step, result);
  // The old side was proven off and is on again: somebody switched it on, and must know what stands on it being off.
  if (result.code === 'fence-lost')
    return halt(turn, group, run, step, {
      ...result,
      message: `${run.plan.from} is on again after it was fenced: ${result.message}`,
    });
  if (result.kind !== 'ok' || run.status !== 'running') return later(turn, run, step);
  // Once a promotion was asked for there is no way but forward (invariant 11).
  const left = intended(run, 'promote') ? null : leftAtPromotion(run, step, result.facts);
  if (left !== null) return outOfCeilings(turn, group, run, left);
  say(turn, {
    kind: 'step.intended',
    at: turn.state.at,
    group,
    run: run.id,
    step: step.id,
    epoch: run.epoch,
    attempt: state.attempt + 1,
    incarnation: turn.state.incarnation,
    undo: step.undo,
    preState: result.facts,
  });
}

function done(turn: Turn, group: GroupId, run: Run, step: PlanStep, state: StepState, result: OperationResult): void {
  const outcome = result.kind === 'ok' ? 'ok' : result.kind === 'no' ? 'failed' : 'indeterminate';
  say(turn, {
    kind: 'step.attempted',
    at: turn.state.at,
    group,
    run: run.id,
    step: step.id,
    attempt: state.attempt,
    outcome,
    code: result.code,
    message: result.message,
  });
  if (result.kind === 'halt') return halt(turn, group, run, step, result);
  if (outcome !== 'ok') later(turn, run, step);
}

function verified(
  turn: Turn,
  group: GroupId,
  run: Run,
  step: PlanStep,
  state: StepState,
  result: OperationResult,
): void {
  const { at } = turn.state;
  if (result.kind === 'halt') return halt(turn, group, run, step, result);
  if (result.kind !== 'ok') return later(turn, run, step);
  say(turn, { kind: 'step.done', at, group, run: run.id, step: step.id, proof: result.facts });
  if (step.kind === 'promote')
    say(turn, { kind: 'loss.estimated', at, group, run: run.id, loss: lossOfRun(run, state.preState ?? {}, at) });
}
