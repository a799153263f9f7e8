import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'a run is called off because nobody can tell that the region is still lost',
  file: 'src/policies/run.ts',
  find: `  if (finding.verdict !== 'ok') return false;`,
  replace: `  if (finding.verdict === 'bad') return false;`,
  caughtBy: [27],
};
