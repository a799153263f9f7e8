import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'a promotion that gave no answer in time is taken for done',
  file: 'src/policies/run.ts',
  find: `  if (outcome !== 'ok') later(turn, run, step);`,
  replace: `  if (step.kind === 'promote' && outcome === 'indeterminate') return verified(turn, group, run, step, state, { ...result, kind: 'ok' });
  if (outcome !== 'ok') later(turn, run, step);`,
  caughtBy: [11],
};
