import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'the dead-man is petted with the time of the answer',
  file: 'src/guard/machine/lease.ts',
  find: `turn.effects.push({ kind: 'pet', sentMono });`,
  replace: `turn.effects.push({ kind: 'pet', sentMono: turn.state.mono });`,
  caughtBy: [30],
  unit: 'test/guard/machine-tight.test.ts',
};
