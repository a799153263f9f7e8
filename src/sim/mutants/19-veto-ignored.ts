import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'a standby that streams does not stand against a failover',
  file: 'src/policies/diagnoses.ts',
  find: `  if (vetoed !== undefined)
    return`,
  replace: `  if (vetoed !== undefined && vetoed.verdict !== 'bad')
    return`,
  caughtBy: [17],
};
