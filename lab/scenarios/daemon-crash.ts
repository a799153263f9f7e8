import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { REGION } from '../config.ts';
import { waitFor } from '../platform.ts';
import { LabError } from '../servers/errors.ts';
import { type Scenario, status, untilFailedOver, untilQuiet } from './scenario.ts';

const PRELOAD = fileURLToPath(new URL('../crash-at.mjs', import.meta.url));

/** The daemon is killed right after the `after`-th journal entry of a failover, counted from the start of the hold. */
export function daemonCrash(after: number, crashFile: string): Scenario {
  return {
    name: 'daemon-crash',
    says: `failoverd is killed -9 after entry ${after} of a failover, and started again: it ends as one that was not`,
    expects: 'failover',
    options: {
      daemonNode: {
        argv: ['--import', PRELOAD],
        env: { FAILOVERD_LAB_CRASH_AFTER: String(after), FAILOVERD_LAB_CRASH_FILE: path.resolve(crashFile) },
      },
    },
    act: async (platform, tell) => {
      await untilQuiet(platform);
      await platform.hypervisor.act(REGION.a, 'crash');
      await waitFor('the crash', 45_000, async () => {
        if (platform.daemon()?.exited() === true) return true;
        const group = (await status(platform))?.groups[0];
        return group !== undefined && group.ended.length > 0;
      });
      // A run that nobody disturbed proves nothing about crashes.
      if (platform.daemon()?.exited() !== true) throw new LabError('not-reachable', 'failoverd was not killed');
      tell('failoverd was killed; it is started again');
      await platform.restartDaemon();
      await untilFailedOver(platform);
    },
  };
}
