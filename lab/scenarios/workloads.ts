import { killRegion, type Scenario, untilDecided, untilFailedOver, untilQuiet } from './scenario.ts';

export const podFailure: Scenario = {
  name: 'pod-failure',
  says: 'a pod crashes on and on: people are told once nobody has healed it, and nothing is moved',
  expects: 'nothing',
  wants: [
    { kind: 'decided', decision: { row: 80, action: 'speak-up' } },
    { kind: 'paged', page: 'speak-up' },
    { kind: 'holds', row: 40, least: 0, most: 0 },
  ],
  twin: { of: 'pod-failure-region-dies', but: 'the region lives' },
  act: async (platform, tell) => {
    await untilQuiet(platform);
    platform.monitoring.signals.set('pods', 1);
    tell('a pod begins to crash');
    await untilDecided(platform, tell, { row: 80, action: 'speak-up' });
  },
};

export const podFailureRegionDies: Scenario = {
  name: 'pod-failure-region-dies',
  says: 'as pod-failure, but the region dies: failover',
  expects: 'failover',
  wants: [{ kind: 'trigger', trigger: 'auto' }],
  twin: { of: 'pod-failure', but: 'the region dies' },
  act: async (platform, tell) => {
    await untilQuiet(platform);
    platform.monitoring.signals.set('pods', 1);
    tell('a pod begins to crash');
    await killRegion(platform, tell);
    await untilFailedOver(platform, tell);
  },
};
