import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'a restart in place takes no new epoch',
  file: 'src/guard/machine/candidate.ts',
  find: ': Math.max(past, view.floor) + 1;',
  replace: `: Math.max(past, view.floor) + (durable.lastRole === 'primary' ? 0 : 1);`,
  world: 'lease',
  caughtBy: [2, 5, 27],
};
