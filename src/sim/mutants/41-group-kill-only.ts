import type { Mutant } from './mutant.ts';

/** What the guard does to processes is done by its stand-in here; the real one is tried on real servers. */
export const mutant: Mutant = {
  says: 'a stop kills the postmaster and its process group, and every backend lives on',
  file: 'src/sim/lease/rules.ts',
  find: '  groupKillOnly: false,',
  replace: '  groupKillOnly: true,',
  world: 'lease',
  caughtBy: [1, 4, 30],
};
