import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'a yes to one proposal counts for whichever is open',
  file: 'src/policies/people.ts',
  find: '    if (ledger.proposal?.id === target) return',
  replace: `    if (ledger.proposal && target.startsWith('proposal-')) return`,
  caughtBy: [22],
};
