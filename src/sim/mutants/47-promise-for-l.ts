import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'a promise lasts L and not W',
  file: 'src/guard/machine/orders.ts',
  find: `mono + settings.timings.waitMs) });
  }
  turn.effects.push`,
  replace: `mono + settings.timings.leaseMs) });
  }
  turn.effects.push`,
  world: 'lease',
  caughtBy: [6],
};
