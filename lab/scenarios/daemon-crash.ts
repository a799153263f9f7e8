import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { REGION } from '../config.ts';
import type { Platform } from '../platform.ts';
import { LabError } from '../servers/errors.ts';
import { waitFor } from '../servers/wait.ts';
import type { Ending } from '../verdict.ts';
import { type Scenario, status, untilFailedOver, untilQuiet } from './scenario.ts';

const PRELOAD = fileURLToPath(new URL('../crash-at.mjs', import.meta.url));
const CRASH_FILE = 'crash.json';

/** What the preload wrote down in the instant before the kill. */
interface CrashNote {
  /** Entries of the failover that were committed by then. */
  readonly counted: number;
  /** Those of the last commit, in order: nothing can come between them. */
  readonly entries: readonly string[];
  /** The last of them is the run's end. */
  readonly ended: boolean;
}

export interface CrashFacts extends CrashNote {
  /** After which entry of the failover: a number, counted from the start of the hold, or what it is called. */
  readonly wanted: number | string;
  /** How the process ended, as the kernel told its parent. */
  readonly endedBy: number | NodeJS.Signals | null;
  /** How the same failover ends when nobody disturbs it. */
  readonly reference: Ending;
}

/** failoverd is killed right after that journal entry of a failover, and started again. */
export function daemonCrash(wanted: number | string, reference: Ending): Scenario {
  let crash: CrashFacts | null = null;
  return {
    name: 'daemon-crash',
    says: `failoverd is killed -9 after entry ${wanted} of a failover, and started again: it ends as one that was not`,
    expects: 'failover',
    options: {
      daemonNode: (folder) => ({
        argv: ['--import', PRELOAD],
        env: { FAILOVERD_LAB_CRASH_AFTER: String(wanted), FAILOVERD_LAB_CRASH_FILE: folder.out(CRASH_FILE) },
      }),
    },
    act: async (platform, tell) => {
      await untilQuiet(platform);
      await platform.regions.hypervisor.act(REGION.a, 'crash');
      crash = { ...(await untilKilled(platform)), wanted, reference };
      tell(`failoverd was killed after ${crash.entries.at(-1) ?? '?'}; it is started again`);
      await platform.daemons.restart();
      await untilFailedOver(platform, tell);
    },
    crash: () => crash,
  };
}

async function untilKilled(platform: Platform): Promise<CrashNote & Pick<CrashFacts, 'endedBy'>> {
  const { failoverd } = platform.daemons.running();
  await waitFor('the crash', 45_000, async () => {
    if (failoverd?.exited() === true) return true;
    return ((await status(platform))?.groups[0]?.ended.length ?? 0) > 0;
  });
  // A run that nobody disturbed proves nothing about crashes.
  if (failoverd?.exited() !== true) throw new LabError('not-reachable', 'failoverd was not killed');
  const note = JSON.parse(await readFile(platform.folder.out(CRASH_FILE), 'utf8')) as CrashNote;
  return { ...note, endedBy: failoverd.endedBy() };
}
