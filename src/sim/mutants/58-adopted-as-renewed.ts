import type { Mutant } from './mutant.ts';

export const mutant: Mutant = {
  says: 'a guard that is restarted takes its PostgreSQL for renewed just now',
  file: 'src/guard/machine.ts',
  find: 'renewedMono: renewedMono ?? mono - demoteAfterMs + 2 * attemptMs',
  replace: 'renewedMono: mono',
  also: [
    {
      file: 'src/guard/machine.ts',
      find: '  const { waitMs, demoteAfterMs, attemptMs } = settings.timings;',
      replace: '  const { waitMs, attemptMs } = settings.timings;',
    },
  ],
  world: 'lease',
  caughtBy: [1, 30],
};
