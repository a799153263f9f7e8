import type { Mutant } from './mutant.ts';

/** The check of the adapter, which the simulator has a stand-in for, is broken with the plan: it would hold the traffic back. */
export const mutant: Mutant = {
  says: 'traffic moves before the database is known to take writes at this epoch',
  file: 'src/policies/plans/failover.ts',
  find: `  return { kind: 'failover', group, from, to, fence, rtoMs, bound, steps };`,
  replace: `  const order = (step: PlanStep): number => (step.kind === 'write-epoch-row' ? 1 : 0);
  return { kind: 'failover', group, from, to, fence, rtoMs, bound, steps: steps.toSorted((a, b) => order(a) - order(b)) };`,
  also: [
    {
      file: 'src/sim/actor.ts',
      find: `      if (!this.#platform.commits(b) || !row) return no('not-writable');`,
      replace: `      if (!this.#platform.commits(b) && !row) return no('not-writable');`,
    },
  ],
  caughtBy: [13],
  obvious: true,
};
