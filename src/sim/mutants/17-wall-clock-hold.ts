import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'a hold is counted on the wall clock',
  file: 'src/policies/matrix.ts',
  find: '  const pendingMs = (holdPendingMs[key] ?? 0) + addedMs;',
  replace: '  const pendingMs = Math.max(0, at - hold.checkpointAt, 0 * addedMs * (holdPendingMs[key] ?? 0));',
  caughtBy: [17],
};
