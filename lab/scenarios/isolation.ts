import { REGION } from '../config.ts';
import type { Platform } from '../platform.ts';
import { lookOn, type Scenario, untilFailedOver, untilQuiet } from './scenario.ts';

function cutFromBoth(platform: Platform): void {
  for (const name of ['B->A', 'W->A'] as const) platform.links.link(name).cut({ mode: 'drop' });
}

export const isolatedVantage: Scenario = {
  name: 'isolated-vantage',
  says: 'both vantages lose sight of A, but the witness is cut off from everything: its word counts for nothing',
  expects: 'nothing',
  act: async (platform) => {
    await untilQuiet(platform);
    platform.links.link('W->control').cut({ mode: 'drop' });
    cutFromBoth(platform);
    await lookOn();
  },
};

export const isolatedVantageNot: Scenario = {
  name: 'isolated-vantage-not',
  says: 'as isolated-vantage, but the witness is connected: failover',
  expects: 'failover',
  act: async (platform) => {
    await untilQuiet(platform);
    cutFromBoth(platform);
    await untilFailedOver(platform);
  },
};

export const cutOffRegion: Scenario = {
  name: 'cut-off-region',
  says: 'A lives on with a client of its own, cut from B and the witness: powered off, read back, then failover',
  expects: 'failover',
  act: async (platform, tell) => {
    const local = platform.localClient('local');
    await local.waitForAcks(REGION.a, 10, 10_000);
    await untilQuiet(platform);
    tell('A is cut from B and from the witness, and goes on taking writes from its own client');
    cutFromBoth(platform);
    await untilFailedOver(platform);
  },
};

export const cutOffRegionNotCut: Scenario = {
  name: 'cut-off-region-not-cut',
  says: 'as cut-off-region without the cut: nothing happens',
  expects: 'nothing',
  act: async (platform) => {
    const local = platform.localClient('local');
    await local.waitForAcks(REGION.a, 10, 10_000);
    await untilQuiet(platform);
    await lookOn();
  },
};
