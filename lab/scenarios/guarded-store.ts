import { REGION } from '../config.ts';
import { beside, guarded, guardsOf, mustStatus, pauseFor, untilGuard, watchGaps } from './guarded.ts';

const GAP = 'longest time in which A took no writes, milliseconds';
const EPOCHS = 'acquisitions of the lease meanwhile';
/** Several times G: what counts as renewed meanwhile is what the scenario is about. */
const AWAY_MS = 20_000;
/** A stall of a loaded machine; a demotion costs G, a stop and a start. */
const UNDISTURBED_MS = 3_500;

const undisturbed = [
  { kind: 'measured', name: GAP, most: UNDISTURBED_MS },
  { kind: 'measured', name: EPOCHS, most: 0 },
] as const;

export const storeDown = guarded({
  name: 'store-down',
  says: 'failoverd, and the lease store with it, is away for 20 s: B’s guard promises, and A stays up',
  expects: 'nothing',
  wants: undisturbed,
  act: async (platform, tell) => {
    const { a } = guardsOf(platform);
    const client = await beside(platform);
    const before = (await mustStatus(a)).holds ?? 0;
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
    return { [GAP]: Math.round(gaps.longestMs()), [EPOCHS]: ((await mustStatus(a)).holds ?? 0) - before };
  },
});

export const standbyRegionLost = guarded({
  name: 'standby-region-lost',
  says: 'region B dies with its guard and its database: A drops it, and stays up',
  expects: 'nothing',
  wants: undisturbed,
  act: async (platform, tell) => {
    const { a, b } = guardsOf(platform);
    const client = await beside(platform);
    const before = (await mustStatus(a)).holds ?? 0;
    const gaps = watchGaps(client);
    await platform.regions.hypervisor.act(REGION.b, 'crash');
    tell('region B is gone');
    await pauseFor(AWAY_MS);
    await client.waitForAcks(REGION.a, 10, 10_000);
    gaps.stop();
    const epochs = ((await mustStatus(a)).holds ?? 0) - before;
    // Back, so that what it holds can be read: nothing of it was moved.
    await platform.regions.hypervisor.act(REGION.b, 'on');
    await untilGuard(b, 'follows', 60_000, ({ part, postgres }) => part === 'standby' && postgres.state === 'standby');
    return { [GAP]: Math.round(gaps.longestMs()), [EPOCHS]: epochs };
  },
});
