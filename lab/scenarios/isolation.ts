import { REGION } from '../config.ts';
import type { LinkName } from '../links/index.ts';
import { WAYS_TO_A } from '../platform/network.ts';
import { type Expectation, lookOn, type Scenario, untilFailedOver, untilQuiet } from './scenario.ts';

interface Isolation {
  readonly name: string;
  readonly says: string;
  readonly expects: Extract<Expectation, 'failover' | 'nothing'>;
  /** The links on which every byte is dropped. */
  readonly cut: readonly LinkName[];
  /** A has a client beside it, which no cut reaches: it goes on writing for as long as A lets it. */
  readonly besideA?: boolean;
}

/** Nobody dies here: places lose sight of each other, and only who is cut off from whom decides what must follow. */
function isolation({ name, says, expects, cut, besideA = false }: Isolation): Scenario {
  return {
    name,
    says,
    expects,
    act: async (platform, tell) => {
      if (besideA) await platform.clients.local('local').waitForAcks(REGION.a, 10, 10_000);
      await untilQuiet(platform);
      for (const link of cut) platform.network.links.link(link).cut({ mode: 'drop' });
      tell(cut.length === 0 ? 'nothing is cut' : `nothing passes any more: ${cut.join(', ')}`);
      if (expects === 'nothing') await lookOn(platform);
      else await untilFailedOver(platform, tell);
    },
  };
}

export const isolatedVantage = isolation({
  name: 'isolated-vantage',
  says: 'both vantages lose sight of A, but the witness is cut off from everything: its word counts for nothing',
  expects: 'nothing',
  cut: ['W->control', ...WAYS_TO_A],
});

export const isolatedVantageNot = isolation({
  name: 'isolated-vantage-not',
  says: 'as isolated-vantage, but the witness is connected: failover',
  expects: 'failover',
  cut: WAYS_TO_A,
});

export const cutOffRegion = isolation({
  name: 'cut-off-region',
  says: 'A lives on with a client of its own, cut from B and the witness: powered off, read back, then failover',
  expects: 'failover',
  cut: WAYS_TO_A,
  besideA: true,
});

export const cutOffRegionNotCut = isolation({
  name: 'cut-off-region-not-cut',
  says: 'as cut-off-region without the cut: nothing happens',
  expects: 'nothing',
  cut: [],
  besideA: true,
});
