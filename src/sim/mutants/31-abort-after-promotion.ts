import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'an abort is obeyed after the promotion was begun',
  file: 'src/policies/people.ts',
  find: `  if (intended(run, 'promote')) {`,
  replace: `  if (proven(run, 'promote')) {`,
  also: [
    {
      file: 'src/policies/people.ts',
      find: 'import { intended, isBroken }',
      replace: 'import { intended, isBroken, proven }',
    },
    {
      file: 'src/journal/fold-run.ts',
      find: `      if (intended(run, 'promote')) refuse(event, 'promotion was begun');
`,
      replace: '',
    },
  ],
  caughtBy: [11],
};
