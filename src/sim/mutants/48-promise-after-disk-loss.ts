import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'a guard whose disk was lost promises as if it knew whom it had obeyed',
  file: 'src/guard/machine/orders.ts',
  find: `  if (durable.obeyed === 0 && view === null) return 'it knows nothing of the lease yet';
`,
  replace: '',
  world: 'lease',
  caughtBy: [1, 6, 30],
};
