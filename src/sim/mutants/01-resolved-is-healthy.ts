import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'a resolved alert ends what holds, as if it were a sign of health',
  file: 'src/policies/step.ts',
  find: '  if (taken.fresh.length > 0) askForProbes(turn, taken.fresh);',
  replace: `  const { at, ledger } = turn.state;
  for (const group of posts.some(({ alerts }) => alerts.some(({ status }) => status === 'resolved')) ? taken.fresh : [])
    for (const { row } of Object.values(ledger.groups[group]?.holds ?? {}))
      say(turn, { kind: 'hold.ended', at, group, row, why: 'resolved' });
  if (taken.fresh.length > 0) askForProbes(turn, taken.fresh);`,
  caughtBy: [16],
};
