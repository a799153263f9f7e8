import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'what a vantage sees counts while its own control targets fail',
  file: 'src/policies/view.ts',
  find: `  if (vantage.connected !== 'ok') return { ...base, verdict: 'unknown', why: vantage.why, ageMs: null, badSince: null };
  let bad`,
  replace: '  let bad',
  caughtBy: [18],
};
