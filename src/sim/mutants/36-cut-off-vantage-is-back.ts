import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'what a vantage saw while it was cut off counts as soon as it is back',
  file: 'src/policies/vantage.ts',
  find: '  if (connectedSinceMono !== null && bad.some(',
  replace: '  if (connectedSinceMono === Number.POSITIVE_INFINITY && bad.some(',
  caughtBy: [18],
  unit: 'test/policies/returning.test.ts',
};
