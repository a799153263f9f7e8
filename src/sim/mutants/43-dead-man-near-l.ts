import type { Mutant } from './mutant.ts';

/** A number that the rules refuse at load; the history is run with it, and two sides can commit. */
export const mutant: Mutant = {
  says: 'H is L - 5 s: a relative dead-man that is petted late fires after the lease has expired',
  file: 'src/sim/lease/plan.ts',
  find: '19, 6, 25, 50, 58)',
  replace: '19, 6, 45, 50, 58)',
  world: 'lease',
  attack: { profile: 'strict', kind: 'aimed' },
  caughtBy: [1],
};
