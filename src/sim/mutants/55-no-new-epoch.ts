import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'a restart in place takes no new epoch',
  file: 'src/guard/machine/candidate.ts',
  find: ': Math.max(past, view.floor) + 1;',
  replace: `: Math.max(past, view.floor) + (durable.lastRole === 'primary' ? 0 : 1);`,
  also: [
    {
      file: 'src/policies/lease-store.ts',
      find: '  if (record.counter <= standing.counter)',
      replace: '  if (record.counter < 0)',
    },
    {
      file: 'src/guard/machine/lease.ts',
      find: '  if (durable.holds !== set.epoch) {',
      replace: `  if (durable.holds !== set.epoch || part === 'starting') {`,
    },
  ],
  world: 'lease',
  caughtBy: [2, 5],
  within: 5000,
};
