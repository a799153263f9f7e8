import { REGION } from '../config.ts';
import type { Platform } from '../platform.ts';
import { LabError } from '../servers/errors.ts';
import { postmasterPid } from '../servers/postgres-process.ts';
import { waitFor } from '../servers/wait.ts';
import { guarded, guardsOf, mustStatus, type Tell, untilGuard } from './guarded.ts';
import { lookOn, untilFailedOver } from './scenario.ts';

const EPOCHS = 'acquisitions of the lease meanwhile';
const TOOK = 'milliseconds from the kill to the first write on the other side';

async function killPostmaster({ regions }: Platform, tell: Tell): Promise<void> {
  const pid = await postmasterPid(regions.postgres.a);
  if (pid === undefined) throw new LabError('not-running', 'A has no postmaster');
  process.kill(pid, 'SIGKILL');
  tell(`the postmaster of A (${pid}) is killed -9; its backends are not`);
}

export const postmasterKilled = guarded({
  name: 'postmaster-killed',
  says: 'the postmaster of A is killed under a living guard: restarted in place, at a new epoch',
  expects: 'nothing',
  wants: [{ kind: 'measured', name: EPOCHS, least: 1, most: 1 }],
  act: async (platform, tell) => {
    const { a } = guardsOf(platform);
    const before = (await mustStatus(a)).holds ?? 0;
    await killPostmaster(platform, tell);
    await untilGuard(
      a,
      'is open at a new epoch',
      30_000,
      ({ part, postgres, holds }) => part === 'primary' && postgres.open && (holds ?? 0) > before,
    );
    await platform.clients.public.waitForAcks(REGION.a, 20, 20_000);
    await lookOn(platform, 5_000);
    return { [EPOCHS]: ((await mustStatus(a)).holds ?? 0) - before };
  },
});

export const postmasterKilledRelease = guarded({
  name: 'postmaster-killed-release',
  says: 'the same with onCrash: release: the lease is given up at once, and B is promoted without waiting for its end',
  expects: 'failover',
  guarded: { onCrash: 'release' },
  twin: { of: 'postmaster-killed', but: 'onCrash: release' },
  wants: [{ kind: 'measured', name: TOOK, most: 60_000 }],
  act: async (platform, tell) => {
    const killedMono = performance.now();
    await killPostmaster(platform, tell);
    const served = waitFor(
      'B takes a write',
      60_000,
      async () => (platform.clients.public.stats().ackedByRegion[REGION.b] ?? 0) > 0,
    );
    await served;
    const tookMs = Math.round(performance.now() - killedMono);
    tell(`B took a write after ${tookMs} ms`);
    await untilFailedOver(platform, tell);
    return { [TOOK]: tookMs };
  },
});
