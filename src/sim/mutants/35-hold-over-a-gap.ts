import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'a hold goes on over a time in which nobody looked',
  file: 'src/policies/matrix.ts',
  find: '  const addedMs = seenMono === undefined || gapMs > LOOKS_APART_MS ? 0 : gapMs;',
  replace: '  const addedMs = Math.max(0, gapMs);',
  caughtBy: [17],
};
