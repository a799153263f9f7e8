import { REGION } from '../config.ts';
import {
  beside,
  EPOCHS,
  epochOf,
  GAP,
  guarded,
  guardsOf,
  pauseFor,
  UNDISTURBED,
  untilGuard,
  watchGaps,
} from './guarded.ts';

/** Several times G: what counts as renewed meanwhile is what the scenario is about. */
const AWAY_MS = 20_000;
export const storeDown = guarded({
  name: 'store-down',
  says: 'failoverd, and the lease store with it, is away for 20 s: B’s guard promises, and A stays up',
  expects: 'nothing',
  wants: UNDISTURBED,
  act: async (platform, tell) => {
    const { a } = guardsOf(platform);
    const client = await beside(platform);
    const before = await epochOf(a);
    const gaps = watchGaps(client);
    await platform.daemons.running().failoverd?.kill('SIGKILL');
    tell('failoverd is killed');
    await pauseFor(AWAY_MS);
    await platform.daemons.restart();
    tell('failoverd is there again');
    await untilGuard(
      a,
      'has renewed',
      30_000,
      ({ part, renewedAgoMs }) => part === 'primary' && (renewedAgoMs ?? 1e9) < 4_000,
    );
    await pauseFor(5_000);
    await client.waitForAcks(REGION.a, 10, 10_000);
    gaps.stop();
    return { [GAP]: Math.round(gaps.longestMs()), [EPOCHS]: (await epochOf(a)) - before };
  },
});

export const standbyRegionLost = guarded({
  name: 'standby-region-lost',
  says: 'region B dies with its guard and its database: A drops it, and stays up',
  expects: 'nothing',
  wants: UNDISTURBED,
  act: async (platform, tell) => {
    const { a, b } = guardsOf(platform);
    const client = await beside(platform);
    const before = await epochOf(a);
    const gaps = watchGaps(client);
    await platform.regions.hypervisor.act(REGION.b, 'crash');
    tell('region B is gone');
    await pauseFor(AWAY_MS);
    await client.waitForAcks(REGION.a, 10, 10_000);
    gaps.stop();
    const epochs = (await epochOf(a)) - before;
    // Back, so that what it holds can be read: nothing of it was moved.
    await platform.regions.hypervisor.act(REGION.b, 'on');
    await untilGuard(b, 'follows', 60_000, ({ part, postgres }) => part === 'standby' && postgres.state === 'standby');
    return { [GAP]: Math.round(gaps.longestMs()), [EPOCHS]: epochs };
  },
});
