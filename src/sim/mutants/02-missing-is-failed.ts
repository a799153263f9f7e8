import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'what was not seen lately counts as failed',
  file: 'src/policies/view.ts',
  find: `  if (missing !== '') return { ...base, verdict: 'unknown', why: missing, ageMs: null, badSince: null };`,
  replace: `  if (missing !== '') return { ...base, verdict: 'bad', why: missing, ageMs: 0, badSince: null };`,
  caughtBy: [15, 17],
};
