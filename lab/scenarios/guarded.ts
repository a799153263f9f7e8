import { REGION } from '../config.ts';
import { WAYS_FROM_A, WAYS_TO_A } from '../platform/network.ts';
import { killRegion, type Scenario, untilFailedOver, untilQuiet } from './scenario.ts';

/** Every way between A and anybody but the clients beside it. */
const ALL_WAYS = [...WAYS_TO_A, ...WAYS_FROM_A];

export const guardedRegionDown: Scenario = {
  name: 'guarded-region-down',
  says: 'guards keep the lease; region A dies with its guard: B’s guard waits for the lease to end, and promotes',
  expects: 'failover',
  options: { guarded: {} },
  act: async (platform, tell) => {
    await untilQuiet(platform);
    await killRegion(platform, tell);
    await untilFailedOver(platform, tell);
  },
};

export const partitionPrimary: Scenario = {
  name: 'partition-primary',
  says: 'A lives on with a client of its own, cut from everybody: its guard stops it before B may be promoted',
  expects: 'failover',
  options: { guarded: {} },
  act: async (platform, tell) => {
    await platform.clients.local('local').waitForAcks(REGION.a, 10, 10_000);
    await untilQuiet(platform);
    for (const link of ALL_WAYS) platform.network.links.link(link).cut({ mode: 'drop' });
    tell(`nothing passes any more: ${ALL_WAYS.join(', ')}`);
    await untilFailedOver(platform, tell);
  },
};
