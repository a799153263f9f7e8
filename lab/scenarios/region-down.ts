import { PEOPLE } from '../config.ts';
import { approve, killRegion, type Scenario, untilFailedOver, untilQuiet } from './scenario.ts';

export const regionDownAuto: Scenario = {
  name: 'region-down-auto',
  says: 'the primary region dies; failoverd moves the service by itself',
  expects: 'failover',
  act: async (platform, tell) => {
    await untilQuiet(platform);
    await killRegion(platform, tell);
    await untilFailedOver(platform, tell);
  },
};

export const regionDownGated: Scenario = {
  name: 'region-down-gated',
  says: 'the primary region dies; two people say yes, then failoverd moves the service',
  expects: 'failover',
  options: { autonomy: 'gated' },
  act: async (platform, tell) => {
    await untilQuiet(platform);
    await killRegion(platform, tell);
    for (const person of PEOPLE) if (!(await approve(platform, person, tell))) return;
    await untilFailedOver(platform, tell);
  },
};
