/** A run, open or ended, by phases with their times against their budgets. PURE. */
import type { EndedRun, Run, StepState } from '../model/ledger.ts';
import type { State } from '../model/loop.ts';
import type { PhaseName, StepId } from '../model/plan.ts';
import type { WallMs } from '../model/primitives.ts';
import type { GroupSettings } from '../model/settings.ts';
import type { EndedReport, PhaseReport, RunReport, StepReport } from './status-document.ts';

type StepLike = Pick<StepState, 'status' | 'attempt' | 'startedAt' | 'endedAt'> & Partial<StepState>;
type Live = Pick<StepReport, 'underWay' | 'lastAnswer'>;
const OVER: Live = { underWay: null, lastAnswer: null };

function stepReport(id: string, state: StepLike, at: WallMs, live: Live): StepReport {
  const { status, attempt, startedAt, endedAt } = state;
  return {
    id,
    status,
    attempt,
    startedAt,
    endedAt,
    // Wall time may have been set back while the step ran.
    tookMs: startedAt === null ? null : Math.max(0, (endedAt ?? at) - startedAt),
    overdue: state.overdue ?? false,
    code: state.code ?? null,
    message: state.message ?? null,
    ...live,
  };
}

/** What this process is doing for a step that is not done, and what it heard last. */
function liveOf(state: State, run: Run, step: StepId): Live {
  if (run.steps[step]?.status === 'done') return OVER;
  const { operations, lastAnswer } = state.volatile;
  const asked = Object.values(operations).find((one) => one.group === run.plan.group && one.step === step);
  const heard = lastAnswer[`${run.id}/${step}`];
  return {
    underWay: asked === undefined ? null : { operation: asked.operation, sinceMs: state.mono - asked.startedMono },
    lastAnswer:
      heard === undefined
        ? null
        : {
            operation: heard.operation,
            answer: heard.result.kind,
            message: heard.result.message,
            ageMs: state.mono - heard.mono,
          },
  };
}

function phaseReport(phase: PhaseName, budgetMs: number, steps: StepReport[], at: WallMs): PhaseReport {
  const started = steps.flatMap((step) => (step.startedAt === null ? [] : [step.startedAt]));
  const done = steps.every((step) => step.status === 'done');
  const failed = steps.some((step) => step.status === 'failed');
  const endedAt = done || failed ? Math.max(...steps.map((step) => step.endedAt ?? 0)) : at;
  return {
    phase,
    budgetMs,
    startedAt: started.length === 0 ? null : Math.min(...started),
    tookMs: started.length === 0 ? null : Math.max(0, endedAt - Math.min(...started)),
    status: failed ? 'failed' : done ? 'done' : started.length === 0 ? 'pending' : 'running',
    steps,
  };
}

/** Phases in the order of their first step. */
function phasesOf(
  steps: readonly { readonly phase: PhaseName; readonly report: StepReport }[],
  budgetMs: (phase: PhaseName) => number,
  at: WallMs,
): PhaseReport[] {
  const byPhase = new Map<PhaseName, StepReport[]>();
  for (const { phase, report } of steps) byPhase.set(phase, [...(byPhase.get(phase) ?? []), report]);
  return [...byPhase].map(([phase, reports]) => phaseReport(phase, budgetMs(phase), reports, at));
}

const PENDING: StepLike = { status: 'pending', attempt: 0, startedAt: null, endedAt: null };

export function runReport(run: Run, state: State): RunReport {
  const { at } = state;
  const { id, plan, status, why, epoch, planHash, trigger, approvals, decision, overdue, clocks, loss } = run;
  const steps = plan.steps.map((step) => ({
    phase: step.phase,
    report: stepReport(step.id, run.steps[step.id] ?? PENDING, at, liveOf(state, run, step.id)),
  }));
  const budgetMs = (phase: PhaseName): number =>
    Math.max(0, ...plan.steps.filter((step) => step.phase === phase).map((step) => step.budgetMs));
  return {
    id,
    from: plan.from,
    to: plan.to,
    status,
    why,
    epoch,
    planHash,
    fence: plan.fence,
    trigger,
    approvals: approvals.map(({ person, role, at: givenAt }) => ({ person, role, at: givenAt })),
    decision,
    rtoMs: plan.rtoMs,
    sinceDecidedMs: Math.max(0, (clocks.verifiedAt ?? at) - clocks.decidedAt),
    overdue,
    phases: phasesOf(steps, budgetMs, at),
    clocks,
    loss,
  };
}

export function endedReport(run: EndedRun, settings: GroupSettings): EndedReport {
  const { id, from, to, outcome, why, trigger, epoch, planHash, clocks, endedAt, loss } = run;
  const steps = run.steps.flatMap((step) =>
    isPhase(step.phase) ? [{ phase: step.phase, report: stepReport(step.id, step, endedAt, OVER) }] : [],
  );
  return {
    id,
    from,
    to,
    outcome,
    why,
    trigger,
    epoch,
    planHash,
    clocks,
    endedAt,
    rtoMs: clocks.verifiedAt === null ? null : clocks.verifiedAt - clocks.decidedAt,
    loss,
    phases: phasesOf(steps, (phase) => settings.phaseBudgetMs[phase], endedAt),
  };
}

const PHASES: readonly string[] = ['assessment', 'database', 'dns', 'verification'] satisfies PhaseName[];
const isPhase = (text: string): text is PhaseName => PHASES.includes(text);
