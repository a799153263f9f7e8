import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'a promotion that was asked for is withdrawn',
  file: 'src/guard/machine/orders.ts',
  find: `  if (durable.promotion !== null || part === 'promoting')
    return no('the promotion was asked for: it ends by proof only'); // invariant 11`,
  replace: `  if (part === 'promoting') put(turn, { part: 'holding' });`,
  caughtBy: [11],
  unit: 'test/guard/machine-tight.test.ts',
};
