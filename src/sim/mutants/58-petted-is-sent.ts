import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'a guard that is restarted takes the time of the last pet for that of the send',
  file: 'src/guard/machine.ts',
  find: `input.renewedMono - (settings.deadMan === 'relative' ? attemptMs : 0);`,
  replace: `input.renewedMono - (settings.deadMan === 'relative' ? 0 * attemptMs : 0);`,
  world: 'lease',
  caughtBy: [30],
  within: 20000,
};
