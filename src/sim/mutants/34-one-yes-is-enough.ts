import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'one approval is enough where two are needed',
  file: 'src/policies/proposals.ts',
  find: '  if (open.length > 0 || judged',
  replace: '  if (open.length > 1 || judged',
  caughtBy: [22],
  obvious: true,
};
