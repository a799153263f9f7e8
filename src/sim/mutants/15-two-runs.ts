import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'a second run opens beside the first',
  file: 'src/policies/matrix.ts',
  find: '  if (turn.events.length > 0 || view.ledger.run !== null) return;',
  replace: '  if (turn.events.length > 0) return;',
  also: [
    {
      file: 'src/policies/gates/index.ts',
      find: '    view.ledger.run === null ? pass',
      replace: '    view.ledger.run === null || view.ledger.run.epoch >= 0 ? pass',
    },
    {
      file: 'src/journal/fold-run.ts',
      find: '  if (group.run !== null) refuse(event, `run ${group.run.id} is open`);\n',
      replace: '',
    },
    {
      file: 'src/journal/fold.ts',
      find: '    if (group.run !== null) refuse(event, `run ${group.run.id} is open`);\n',
      replace: '',
    },
  ],
  caughtBy: [12],
  obvious: true,
};
