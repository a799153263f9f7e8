import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'corruption that is reported during a run does not stop it',
  file: 'src/policies/run.ts',
  find: `  if (run.status === 'running' && (vetoed(turn, group, run) || recovered(turn, group, run))) return;`,
  replace: `  if (run.status === 'running' && recovered(turn, group, run)) return;`,
  caughtBy: [17],
};
