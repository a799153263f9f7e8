import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'a store that was restored from a backup is obeyed',
  file: 'src/guard/machine/lease.ts',
  find: '  if (pin !== null && incarnation.start <= pin.start) {',
  replace: '  if (pin !== null && incarnation.start < 0) {',
  also: [
    {
      file: 'src/policies/lease-store.ts',
      find: '  if (older !== null && !isToldIn(kept.halt, older)) {',
      replace: '  if (older?.start === -1 && !isToldIn(kept.halt, older)) {',
    },
  ],
  world: 'lease',
  attack: { rules: { storeRestored: true } },
  caughtBy: [1, 2, 3, 4],
};
