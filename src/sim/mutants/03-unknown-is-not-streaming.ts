import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'a standby that is not known to stream is taken for one that does not: the veto is a negated unknown',
  file: 'src/policies/diagnoses.ts',
  find: `verdict: postgres.streaming === 'ok' ? 'bad' : postgres.streaming === 'bad' ? 'ok' : 'unknown',`,
  replace: `verdict: postgres.streaming === 'ok' ? 'bad' : 'ok',`,
  caughtBy: [17],
  unit: 'test/policies/unknown-veto.test.ts',
};
