import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'a fence that takes long is an error that undoes the run, though it was acted on',
  file: 'src/policies/run.ts',
  find: `const reversible = step.kind === 'assess' || step.kind === 'take-epoch';`,
  replace: `const reversible = step.kind === 'assess' || step.kind === 'take-epoch' || step.kind === 'fence';`,
  also: [
    {
      file: 'src/model/run.ts',
      find: `  run.plan.steps.some((step) => step.undo === 'forward' && `,
      replace: `  run.plan.steps.some((step) => step.kind === 'promote' && `,
    },
  ],
  caughtBy: [10],
};
