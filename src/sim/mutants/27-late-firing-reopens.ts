import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'an alert fires again by a webhook that was sent before it was resolved',
  file: 'src/policies/alerts.ts',
  find: '    if (askedMono === null) return false;',
  replace: '    if (askedMono === null) return true;',
  caughtBy: [16],
};
