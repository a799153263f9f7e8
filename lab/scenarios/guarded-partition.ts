import { isolationLoss } from '../../src/guard/timings.ts';
import type { LeaseConfig } from '../../src/model/lease-config.ts';
import { termsOf } from '../../src/model/lease-config.ts';
import { REGION } from '../config.ts';
import type { LinkName } from '../links/index.ts';
import { leaseOf } from '../platform/guards.ts';
import { WAYS_TO_A } from '../platform/network.ts';
import {
  ALL_WAYS,
  beside,
  cut,
  guarded,
  guardsOf,
  heal,
  mustStatus,
  pauseFor,
  untilGuard,
  watchGaps,
} from './guarded.ts';
import { killRegion, untilFailedOver } from './scenario.ts';

export const guardedRegionDown = guarded({
  name: 'guarded-region-down',
  says: 'guards keep the lease; region A dies with its guard: B’s guard waits for the lease to end, and promotes',
  expects: 'failover',
  act: async (platform, tell) => {
    await killRegion(platform, tell);
    await untilFailedOver(platform, tell);
    return undefined;
  },
});

export const partitionPrimary = guarded({
  name: 'partition-primary',
  says: 'A lives on with a client of its own, cut from everybody: its guard stops it before B may be promoted',
  expects: 'failover',
  act: async (platform, tell) => {
    await beside(platform);
    cut(platform, ALL_WAYS, tell);
    await untilFailedOver(platform, tell);
    return undefined;
  },
});

/** What A says arrives, and no answer to it: its renewals are made, and it can't know. */
const ONE_WAY: readonly LinkName[] = ['A->W', 'A->B'];

export const partitionOneWay = guarded({
  name: 'partition-one-way',
  says: 'A is cut from everybody, but what its guard says still arrives: only the answers are lost',
  expects: 'failover',
  twin: { of: 'partition-primary', but: 'A’s guard is heard, and hears nothing' },
  act: async (platform, tell) => {
    await beside(platform);
    cut(platform, WAYS_TO_A, tell);
    for (const link of ONE_WAY) platform.network.links.link(link).oneWay('from');
    tell(`no answer passes any more: ${ONE_WAY.join(', ')}`);
    await untilFailedOver(platform, tell);
    return undefined;
  },
});

/** GitHub's partition of October 2018. */
const ISOLATED_MS = 43_000;
const LOST = 'milliseconds in which A took no writes';
const START_MS = 10_000;

/** The least and the most that `check` prints for an isolation of that length, with what a start of PostgreSQL takes. */
function lossOf(isolation: 'stop' | 'serve'): { readonly least: number; readonly most: number } {
  const lease = leaseOf({ isolation }) as LeaseConfig;
  const { leastMs, mostMs } = isolationLoss(termsOf(lease), ISOLATED_MS);
  // A ledger has its own grain: a write every 50 ms, each waited for as long as a second.
  return { least: Math.max(0, leastMs - 1000), most: mostMs + (isolation === 'stop' ? START_MS : 3000) };
}

const partition43 = (isolation: 'stop' | 'serve') =>
  guarded({
    name: isolation === 'stop' ? 'partition-43s' : 'partition-43s-serve',
    says: `A is isolated for 43 s, and comes back before anybody approves a failover; isolation: ${isolation}`,
    expects: 'proposal',
    guarded: { isolation },
    options: { autonomy: 'gated' },
    ...(isolation === 'stop' ? {} : { twin: { of: 'partition-43s', but: 'an isolated primary goes on' } }),
    wants: [{ kind: 'measured', name: LOST, ...lossOf(isolation) }],
    act: async (platform, tell) => {
      const client = await beside(platform);
      const gaps = watchGaps(client);
      cut(platform, ALL_WAYS, tell);
      await pauseFor(ISOLATED_MS);
      // Only the clients' view is healed last: the proposal has to stand while it is looked at.
      heal(platform, ['A->W', 'A->B'], tell);
      await untilGuard(
        guardsOf(platform).a,
        'is an open primary',
        60_000,
        ({ part, postgres }) => part === 'primary' && postgres.open,
      );
      await client.waitForAcks(REGION.a, 10, 20_000);
      gaps.stop();
      tell(`A took no writes for ${Math.round(gaps.longestMs())} ms`);
      return {
        [LOST]: Math.round(gaps.longestMs()),
        'epoch of the lease': (await mustStatus(guardsOf(platform).a)).holds ?? 0,
      };
    },
  });

export const partition43s = partition43('stop');
export const partition43sServe = partition43('serve');
