/** The lease under attack, as a kind of world that the simulator runs. */
import type { World } from '../contract.ts';
import { analyticMarginMs } from './aimed.ts';
import { COVERAGE } from './coverage.ts';
import { ownOf, refuses } from './own.ts';
import { PROFILES } from './plan.ts';
import { runLeaseHistory } from './world.ts';

/** From so many histories on the adversary must have come as near to the bound as it ever will. */
const JUDGED_FROM = 2000;
/** Further from the analytic bound than this part of W, and the adversary is too weak to prove anything (safety.md). */
const NEAR = 0.1;

export const LEASE: World = {
  name: 'lease',
  coverage: COVERAGE,
  run: (seed, { trace, chosen, faultFree = false }) =>
    Promise.resolve(
      runLeaseHistory({
        seed,
        ...(trace === undefined ? {} : { trace }),
        ...(chosen ? { own: ownOf(chosen), faultFree } : {}),
      }),
    ),
  refuses,
  judge: (least, histories) => {
    const lines: string[] = [];
    const failures: string[] = [];
    for (const profile of PROFILES) {
      const bound = analyticMarginMs(profile);
      const seen = least[profile.name];
      const waitMs = profile.timings.waitMs;
      const over = seen === undefined ? Number.POSITIVE_INFINITY : seen - bound;
      const far = over > NEAR * waitMs;
      lines.push(
        `least margin, ${profile.name}: ${seconds(seen)} between the last instant of the old primary and the first of the new; by arithmetic ${seconds(bound)}; ` +
          `${((over / waitMs) * 100).toFixed(1)} % of W (${seconds(waitMs)}) away`,
      );
      if (far && histories >= JUDGED_FROM)
        failures.push(`${profile.name}: the adversary is too weak: over ${NEAR * 100} % of W away from the bound`);
    }
    return { lines, failures };
  },
};

const seconds = (ms: number | undefined): string => (ms === undefined ? 'never seen' : `${(ms / 1000).toFixed(2)} s`);
