import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'a lost answer to an own set is taken for somebody else’s',
  file: 'src/guard/machine/lease.ts',
  find: '  if (record.epoch > holds || !holderOf(record, turn.state)) return deposed(turn, record);',
  replace: '  if (record.epoch > holds || !holderOf(record, turn.state) || hurry) return deposed(turn, record);',
  world: 'lease',
  attack: { kind: 'lonely' },
  caughtBy: [28],
};
