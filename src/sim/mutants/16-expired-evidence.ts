import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'evidence never expires',
  file: 'src/policies/vantage.ts',
  find: '  mono - kept.receivedMono <= lifeMs;',
  replace: '  mono - kept.receivedMono <= lifeMs * 100;',
  caughtBy: [15, 17, 18],
};
