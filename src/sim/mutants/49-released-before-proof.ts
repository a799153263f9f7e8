import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'the lease is released while the stop is under way, before the proof of it',
  file: 'src/guard/machine.ts',
  find: `    part === 'stopped' &&
    durable.holds !== null &&
    ended !== null &&`,
  replace: `    (part === 'stopped' || part === 'stopping') &&
    durable.holds !== null &&
    (ended !== null || part === 'stopping') &&`,
  world: 'lease',
  caughtBy: [4, 1],
};
