import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'a candidate counts W from before it saw the revision',
  file: 'src/guard/machine/lease.ts',
  find: '      unchangedMono: unchanged ? view.unchangedMono : mono,',
  replace: '      unchangedMono: view === null ? mono : unchanged ? view.unchangedMono : view.heardMono,',
  world: 'lease',
  caughtBy: [1, 4],
  obvious: true,
};
