import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'a hold is counted on the wall clock',
  file: 'src/policies/matrix.ts',
  find: '  const heldMs = hold.heldMs + pendingMs;',
  replace: '  const heldMs = Math.max(hold.heldMs + pendingMs, at - hold.startedAt);',
  caughtBy: [17],
};
