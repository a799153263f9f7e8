import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'a process that starts does not know of runs that ended before it',
  file: 'src/policies/gates/index.ts',
  find: `    if (last === undefined) return pass('no run before');`,
  replace: `    if (last === undefined || last.endedAt < view.at - view.upMs) return pass('no run before');`,
  caughtBy: [12],
  unit: 'test/policies/over-restarts.test.ts',
};
