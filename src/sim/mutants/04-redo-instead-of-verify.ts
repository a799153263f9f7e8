import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'after a crash an unfinished step is begun anew instead of being read',
  file: 'src/policies/run.ts',
  find: `  if (!mine && last === undefined) return 'verify';`,
  replace: `  if (!mine && last === undefined) return 'check';`,
  caughtBy: [8],
};
