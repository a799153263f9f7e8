import type { Mutant } from './mutant.ts';

/** A number that the rules refuse at load; the history is run with it, and two sides can commit. */
export const mutant: Mutant = {
  says: 'W is L: no margin for clocks that drift (50 s in the strict profile)',
  file: 'src/sim/lease/plan.ts',
  find: '19, 6, 25, 50, 58)',
  replace: '19, 6, 25, 50, 50)',
  world: 'lease',
  attack: { profile: 'strict', kind: 'aimed' },
  caughtBy: [1],
};
