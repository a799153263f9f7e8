import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'one vantage is a quorum',
  file: 'src/policies/quorum.ts',
  find: '  if (bad >= k) return',
  replace: '  if (bad >= 1) return',
  caughtBy: [15],
  obvious: true,
};
