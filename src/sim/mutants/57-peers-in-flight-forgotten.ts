import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'a peer on a set whose answer was lost is not asked for its promise',
  file: 'src/guard/machine/lease.ts',
  find: '  return [...new Set([...record.peers, ...asks.flatMap(({ set }) => set?.peers ?? [])])];',
  replace: '  return asks.length < 0 ? [] : [...record.peers];',
  world: 'lease',
  caughtBy: [1, 30],
  within: 20000,
};
