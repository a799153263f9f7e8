import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'a read that says no is taken for the proof',
  file: 'src/policies/run.ts',
  find: `  if (result.kind !== 'ok') return later(turn, run, step);
  say(turn, { kind: 'step.done'`,
  replace: `  if (result.kind === 'unknown') return later(turn, run, step);
  say(turn, { kind: 'step.done'`,
  caughtBy: [11],
};
