import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'a fence that takes long is an error that undoes the run, though it was acted on',
  file: 'src/policies/run.ts',
  find: `const reversible = step.kind === 'assess' || step.kind === 'take-epoch';`,
  replace: `const reversible = step.kind === 'assess' || step.kind === 'take-epoch' || step.kind === 'fence';`,
  also: [
    {
      file: 'src/journal/fold-run.ts',
      find: `      if (!run.epochTaken || intended(run, 'fence') || intended(run, 'promote'))`,
      replace: `      if (!run.epochTaken || intended(run, 'promote'))`,
    },
    {
      file: 'src/journal/fold-run.ts',
      find: `      if (intended(run, 'fence') || intended(run, 'promote')) refuse(event, 'the first point of no return is passed');`,
      replace: `      if (intended(run, 'promote')) refuse(event, 'the first point of no return is passed');`,
    },
    {
      file: 'src/journal/fold-run.ts',
      find: `      if (run.epochTaken || intended(run, 'fence') || intended(run, 'promote'))`,
      replace: `      if (run.epochTaken || intended(run, 'promote'))`,
    },
  ],
  caughtBy: [10],
};
