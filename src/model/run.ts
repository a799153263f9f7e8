/** Questions about a run that the fold, the policies and the pages all ask. */
import type { GroupLedger, Proposal, Run } from './ledger.ts';
import type { PlanStep, StepKind } from './plan.ts';

/** Steps that only read: they have no intent, their proof is all there is. */
export const READING_STEPS: readonly StepKind[] = ['assess', 'verify-http', 'verify-dns'];
export const stepOf = (run: Run, kind: StepKind): PlanStep | undefined =>
  run.plan.steps.find((step) => step.kind === kind);

/** Whether a step of this kind was ever begun: its effect may exist from then on. */
export function intended(run: Run, kind: StepKind): boolean {
  const step = stepOf(run, kind);
  return step !== undefined && (run.steps[step.id]?.attempt ?? 0) > 0;
}

/** Whether something was begun that nothing takes back: the first point of no return is passed (design §2). */
export const irrevocable = (run: Run): boolean =>
  run.plan.steps.some((step) => step.undo === 'forward' && (run.steps[step.id]?.attempt ?? 0) > 0);

/** The last step whose effect may exist and can be taken back. */
export const toUndo = (run: Run): PlanStep | undefined =>
  run.plan.steps.findLast((step) => {
    const state = run.steps[step.id];
    return (
      (step.undo === 'withdraw' || step.undo === 'resume') && (state?.attempt ?? 0) > 0 && state?.status !== 'undone'
    );
  });

export function proven(run: Run, kind: StepKind): boolean {
  const step = stepOf(run, kind);
  return step !== undefined && run.steps[step.id]?.status === 'done';
}

/**
 * Whether somebody else has taken an epoch that this run would have to be above: nothing more may be done with its own then
 * (invariant 3). What its target's guard takes on top of it is its own.
 */
export const isOverridden = ({ epoch, run }: Pick<GroupLedger, 'epoch' | 'run'>): boolean =>
  run !== null && (run.epochTaken ? epoch > Math.max(run.epoch, run.leaseEpoch) : epoch >= run.epoch);

/** Whether a run in progress has taken this epoch for the guard in `region`, and nobody anything after it. */
export const isOwnEpochOf = ({ epoch: taken, run }: GroupLedger, epoch: number, region: string): boolean =>
  run?.epochTaken === true && run.epoch === epoch && taken === epoch && run.plan.to === region;

type Approved = Pick<Proposal, 'needs' | 'approvals'>;

/** Whether one SRE said yes for all (design §6). */
export const isBroken = ({ approvals }: Pick<Proposal, 'approvals'>): boolean =>
  approvals.some(({ breakGlass }) => breakGlass !== null);

/** Roles that a proposal still waits for. */
export const missing = (proposal: Approved): Proposal['needs'] =>
  isBroken(proposal) ? [] : proposal.needs.filter((role) => !proposal.approvals.some((given) => given.role === role));
