import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'what a vantage sees counts while its own control targets fail',
  file: 'src/policies/view.ts',
  find: `  if (vantage.connected !== 'ok') return { ...base, verdict: 'unknown', why: vantage.why, ageMs: null, badSince: null };
  let bad`,
  replace: '  let bad',
  also: [
    {
      file: 'src/policies/vantage.ts',
      find: '  return answeredMono !== null && answeredMono > beganMono ? null :',
      replace: '  return answeredMono === null || answeredMono > beganMono ? null :',
    },
  ],
  caughtBy: [18],
};
