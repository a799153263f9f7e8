import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'a lost answer to an own set is taken for somebody else’s',
  file: 'src/guard/machine/lease.ts',
  find: `    else own(turn, answer, first || answer.kind === 'conflict');`,
  replace: `    else if (answer.kind === 'conflict' && answer.record !== null && turn.state.durable.holds !== null) deposed(turn, answer.record);
    else own(turn, answer, first || answer.kind === 'conflict');`,
  world: 'lease',
  attack: { kind: 'lonely' },
  caughtBy: [28],
};
