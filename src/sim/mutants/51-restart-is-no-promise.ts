import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'a guard that starts does not count as having just promised',
  file: 'src/guard/machine.ts',
  find: `    promisedUntilMono: mono + waitMs,
    pinnedMono`,
  replace: `    promisedUntilMono: mono,
    pinnedMono`,
  world: 'lease',
  attack: { kind: 'confirmed' },
  caughtBy: [1, 6],
  within: 20000,
};
