import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'a promotion is given up when pg_promote gave no answer in time',
  file: 'src/guard/machine/server.ts',
  find: '  if (!result.ok) tell(turn, `${task}-failed`, result.message);',
  replace:
    "  if (!result.ok) tell(turn, `${task}-failed`, result.message);\n  if (!result.ok && task === 'promote') persist(turn, { promotion: null, candidacy: null });\n  if (!result.ok && task === 'promote') become(turn, 'holding', 'gave up');",
  world: 'lease',
  caughtBy: [1, 11],
};
