import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'a run acts at the epoch of the one before it',
  file: 'src/policies/proposals.ts',
  find: `    planHash: planHash(plan),
    epoch: view.ledger.epoch + 1,
    trigger,`,
  replace: `    planHash: planHash(plan),
    epoch: Math.max(1, view.ledger.epoch),
    trigger,`,
  also: [
    {
      file: 'src/journal/fold-run.ts',
      find: 'event.epoch !== group.epoch + 1',
      replace: 'event.epoch < group.epoch',
    },
    {
      file: 'src/journal/fold-run.ts',
      find: 'event.epoch <= group.epoch',
      replace: 'event.epoch < group.epoch',
    },
  ],
  caughtBy: [2],
  unit: 'test/policies/over-restarts.test.ts',
};
