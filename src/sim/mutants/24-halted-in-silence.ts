import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'a run is halted and nobody is told',
  file: 'src/policies/run.ts',
  find: "  page(\n    turn,\n    'stuck',\n    group,\n    `${run.id} is halted at ${step.id}`,",
  replace: "  page(\n    turn,\n    'run',\n    group,\n    `${run.id} is halted at ${step.id}`,",
  caughtBy: [29],
};
