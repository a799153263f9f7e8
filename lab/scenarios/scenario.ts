import type { StatusDocument } from '../../src/daemon/status-document.ts';
import { REGION } from '../config.ts';
import type { Platform, PlatformOptions } from '../platform.ts';
import { waitFor } from '../servers/wait.ts';
import type { CrashFacts } from './daemon-crash.ts';

/** What must have come of it: a verified failover, nothing at all, or a run that stopped before clients were moved. */
export type Expectation = 'failover' | 'nothing' | 'no-cutover';

export interface Scenario {
  readonly name: string;
  readonly says: string;
  readonly expects: Expectation;
  readonly options?: Pick<PlatformOptions, 'autonomy' | 'daemonNode' | 'tls'>;
  /** What happens to the world. Returns when the outcome is there, or its time is up. */
  readonly act: (platform: Platform, tell: (line: string) => void) => Promise<void>;
  /** What came of the crash that it put into the daemon; null before. */
  readonly crash?: () => CrashFacts | null;
}

const OUTCOME_TIMEOUT_MS = 60_000;
/** Longer than detection, hold and run together take in the lab. */
export const QUIET_MS = 15_000;

export async function status(platform: Platform): Promise<StatusDocument | undefined> {
  try {
    const answer = await fetch(`${platform.daemons.url}/api/v1/status`, {
      headers: { accept: 'application/json' },
      signal: AbortSignal.timeout(3_000),
    });
    return (await answer.json()) as StatusDocument;
  } catch {
    // Not started, crashed, or starting: there is no status, and who asks asks again.
    return undefined;
  }
}

export async function untilQuiet(platform: Platform): Promise<void> {
  if (platform.daemons.running().failoverd === undefined) return;
  await waitFor('failoverd sees that all is well', 20_000, async () => {
    const group = (await status(platform))?.groups[0];
    return group?.summary.mood === 'quiet' && group.replication?.streaming === 'ok';
  });
  // Some traffic in quiet times, for a life before the failure.
  await platform.clients.public.waitForAcks(REGION.a, 60, 10_000);
}

/**
 * The run's end, and writes acknowledged by the new side; what failoverd says it is about is told whenever it turns to
 * something else. False when it didn't come in time.
 */
export async function untilFailedOver(platform: Platform, tell: (line: string) => void): Promise<boolean> {
  const timeoutMs = platform.daemons.running().failoverd === undefined ? QUIET_MS : OUTCOME_TIMEOUT_MS;
  let mood = 'quiet';
  const ended = await waitFor('the run ends', timeoutMs, async () => {
    const group = (await status(platform))?.groups[0];
    if (group === undefined) return false;
    const { summary } = group;
    if (summary.mood !== mood && summary.mood !== 'blind') tell(`failoverd, ${summary.mood}: ${summary.next}`);
    mood = summary.mood;
    return group.ended.length > 0;
  });
  if (!ended) return false;
  const served = await waitFor('clients write to the new side', 15_000, async () => {
    return (platform.clients.public.stats().ackedByRegion[REGION.b] ?? 0) >= 20;
  });
  if (served) tell(`clients write to ${REGION.b}; now everything is read back`);
  return served;
}

export async function untilHeld(platform: Platform): Promise<boolean> {
  return await waitFor('a hold starts', 15_000, async () => {
    const group = (await status(platform))?.groups[0];
    return group !== undefined && (group.holds.length > 0 || group.run !== null);
  });
}

/** Nothing is to happen: look on for a while, in which it would have. */
export async function lookOn(): Promise<void> {
  await waitFor('nothing', QUIET_MS, async () => false);
}
