import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'an answer of a control target vouches for what failed after it',
  file: 'src/policies/view.ts',
  find: 'vantage.answeredMono > beganMono;',
  replace: 'vantage.answeredMono > beganMono - 60_000;',
  caughtBy: [18],
};
