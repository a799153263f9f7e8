import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'a guard promises at any epoch, also below one that it obeyed, and after its disk was lost',
  file: 'src/guard/machine/orders.ts',
  find: "  if (ask.epoch < durable.obeyed) return `epoch ${ask.epoch} is stale: ${durable.obeyed} was obeyed here`;\n  // Its disk may have been lost, and with it that another was obeyed.\n  if (durable.obeyed === 0 && view === null) return 'it knows nothing of the lease yet';\n",
  replace: '',
  caughtBy: [6],
  unit: 'test/guard/machine-tight.test.ts',
};
