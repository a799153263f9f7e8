import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'a standby that streamed lately does not stand against a failover',
  file: 'src/policies/postgres-view.ts',
  find: '  if (ageMs <= settings.standbyStreamedWithinMs)',
  replace: '  if (ageMs <= 0 * settings.standbyStreamedWithinMs)',
  caughtBy: [17],
  unit: 'test/policies/failover.test.ts',
};
