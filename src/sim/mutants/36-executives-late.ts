import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'whoever must hear of a failover is told when the daemon gets to it',
  file: 'src/policies/pages.ts',
  find: '    if (sending >= AT_ONCE) continue;',
  replace: `    if (sending >= AT_ONCE || kind === 'overdue') continue;`,
  caughtBy: [29],
};
