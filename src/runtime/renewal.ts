/** Looks again and again whether secrets and certificates are others now, and tells of it once. */
import { problemText } from './config/problem.ts';
import type { Secrets } from './config/secrets.ts';
import type { Log } from './log.ts';
import type { Timers } from './timers.ts';

/** A secret that was renewed is used at most so long after; reading a few small files costs nothing. */
export const RENEW_EVERY_MS = 5_000;

export type Renewing = {
  /** Bounded by the files that are being read. */
  stop(): Promise<void>;
};

export function keepRenewing(options: {
  readonly secrets: Pick<Secrets, 'renew'>;
  readonly timers: Timers;
  readonly log: Log;
  readonly everyMs?: number;
}): Renewing {
  const { secrets, timers, log, everyMs = RENEW_EVERY_MS } = options;
  let stopped = false;
  let looking: Promise<void> = Promise.resolve();
  let told = '';
  const look = async (): Promise<void> => {
    const { renewed, problems } = await secrets.renew();
    if (renewed.length > 0) log.info({ renewed }, 'secrets or certificates were renewed');
    const now = problems.map(problemText).join('\n');
    // Once for each trouble: a file that is missing for a day is one line, not seventeen thousand.
    if (now !== told)
      for (const problem of problems)
        log.error({ path: problem.path }, `the one of before stays in force: ${problemText(problem)}`);
    told = now;
    if (!stopped) cancel = timers.after(everyMs, begin);
  };
  const begin = (): void => {
    looking = look();
  };
  let cancel = timers.after(everyMs, begin);
  return {
    async stop() {
      stopped = true;
      cancel();
      await looking;
    },
  };
}
