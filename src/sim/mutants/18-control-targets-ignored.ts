import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'an answer of a control target vouches for what failed after it',
  file: 'src/policies/vantage.ts',
  find: 'answeredMono !== null && answeredMono > beganMono ? null',
  replace: 'answeredMono !== null && answeredMono > beganMono - 60_000 ? null',
  caughtBy: [18],
};
