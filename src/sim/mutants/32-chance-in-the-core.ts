import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'a decision depends on more than its inputs',
  file: 'src/policies/matrix.ts',
  find: '  const heldMs = hold.heldMs + pendingMs;',
  replace: '  const heldMs = hold.heldMs + pendingMs + Math.floor(Math.random() * 3);',
  caughtBy: [17],
};
