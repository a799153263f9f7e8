import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'somebody else than the holder changes who may be promoted: whoever is dropped stands all the same',
  file: 'src/guard/machine/candidate.ts',
  find: '  if (!record.peers.includes(settings.region)) return `${record.holder} dropped it from the guards that may come next`;\n',
  replace: '',
  also: [
    {
      file: 'src/policies/lease-store.ts',
      find: "  if (held !== null && !held.peers.includes(guard))\n    return refusal('not-holder', `${held.holder} holds the lease and does not name ${guard} among its peers`);\n",
      replace: '',
    },
  ],
  caughtBy: [4],
  unit: 'test/guard/machine-tight.test.ts',
};
