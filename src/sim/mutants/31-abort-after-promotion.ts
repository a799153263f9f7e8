import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'an abort is obeyed after the promotion was begun',
  file: 'src/policies/people.ts',
  find: `  if (intended(run, 'promote')) {`,
  replace: `  if (intended(run, 'promote') && run.status !== 'running') {`,
  also: [
    {
      file: 'src/journal/fold-run.ts',
      find: `      if (intended(run, 'promote')) refuse(event, 'promotion was begun');
`,
      replace: '',
    },
  ],
  caughtBy: [11],
};
