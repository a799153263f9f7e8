import { REGION } from '../config.ts';
import { WAYS_TO_A } from '../platform/network.ts';
import type { Platform } from '../platform.ts';
import { lookOn, type Scenario, untilFailedOver, untilHeld, untilQuiet } from './scenario.ts';

const toA = (platform: Platform) => WAYS_TO_A.map((name) => platform.network.links.link(name));

export const regionBlip: Scenario = {
  name: 'region-blip',
  says: 'the primary region is cut off, and back before the hold ends: nothing happens',
  expects: 'nothing',
  act: async (platform, tell) => {
    await untilQuiet(platform);
    for (const link of toA(platform)) link.cut({ mode: 'reset' });
    const held = await untilHeld(platform);
    for (const link of toA(platform)) link.heal();
    tell(held ? 'the hold had begun; the region is back' : 'no hold began');
    await lookOn(platform);
  },
};

export const regionBlipStaysDown: Scenario = {
  name: 'region-blip-stays-down',
  says: 'as region-blip, but the region does not come back: failover',
  expects: 'failover',
  act: async (platform, tell) => {
    await untilQuiet(platform);
    for (const link of toA(platform)) link.cut({ mode: 'reset' });
    await platform.regions.hypervisor.act(REGION.a, 'crash');
    await untilFailedOver(platform, tell);
  },
};
