import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'what was written between the last sample and the fence is left out of the loss',
  file: 'src/policies/loss.ts',
  find: '(rate * sinceSampleMs) / 1000',
  replace: '(rate * 0 * sinceSampleMs) / 1000',
  caughtBy: [19],
  obvious: true,
};
