import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'a promotion that takes longer than its budget ends the run',
  file: 'src/policies/run.ts',
  find: `  const unresolved = step.kind === 'promote' && state.attempt > 0;`,
  replace: `  const unresolved = step.kind === 'promote' && state.attempt > 0;
  if (unresolved) end(turn, group, run, 'unverified', message);
  if (unresolved) return true;`,
  also: [
    {
      file: 'src/journal/fold-run.ts',
      find: `      if (!proven(run, 'promote')) refuse(event, 'the data did not move');
`,
      replace: '',
    },
  ],
  caughtBy: [11],
};
