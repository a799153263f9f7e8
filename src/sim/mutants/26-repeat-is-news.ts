import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'an alert that is sent again is taken for a new one',
  file: 'src/policies/alerts.ts',
  find: `      this.heard.set(key, mono);
      return false;`,
  replace: '      this.received.set(key, alert);',
  caughtBy: [16],
};
