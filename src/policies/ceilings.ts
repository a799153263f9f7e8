/**
 * What a yes is bound to, compared with the facts of now: when the proposal is looked at, and again by what the promotion's
 * own check read, which is the last look before the data moves (design §6, invariants 20 and 22). PURE.
 */
import type { Facts } from '../model/events.ts';
import type { Run } from '../model/ledger.ts';
import type { Ceilings, LossBracket, PlanStep } from '../model/plan.ts';
import { bracket, receivedOf } from './loss.ts';

/** Which ceiling the facts have left, or null. */
export function leftCeiling(ceilings: Ceilings, loss: LossBracket): string | null {
  const over = (limit: number | null, now: number | null, unit: string): string | null => {
    if (limit === null) return null;
    if (now === null) return `the loss was approved up to ${limit} ${unit} and is unknown now: ${loss.basis}`;
    return now > limit ? `the loss was approved up to ${limit} ${unit} and is up to ${round(now)} ${unit} now` : null;
  };
  return over(ceilings.lossSeconds, loss.highSeconds, 's') ?? over(ceilings.lossBytes, loss.highBytes, 'bytes');
}

const round = (value: number): number => Math.round(value * 10) / 10;

export type Left = { readonly why: string /** What a person would have to accept. */; readonly ceilings: Ceilings };

/**
 * What the promotion's check says of the run's ceilings; null = it stays inside them, or says nothing of them. `facts` is
 * what the check read on the standby.
 */
export function leftAtPromotion(run: Run, step: PlanStep, facts: Facts): Left | null {
  if (step.kind !== 'promote' || facts['promoted'] === true) return null;
  // The sample is of one PostgreSQL: another one's position has nothing to be compared with.
  if (run.sample !== null && run.sample.component !== step.component) return null;
  const { impactAt } = run.clocks;
  const loss = bracket(run.sample, impactAt, receivedOf(facts), Math.max(impactAt, run.sample?.at ?? impactAt));
  const why = leftCeiling(run.ceilings, loss);
  if (why === null) return null;
  return {
    why,
    ceilings: {
      ...run.ceilings,
      lossSeconds: loss.highSeconds,
      lossBytes: run.ceilings.lossBytes === null ? null : loss.highBytes,
    },
  };
}
