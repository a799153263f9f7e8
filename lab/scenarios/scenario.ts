import type { GroupStatus, StatusDocument } from '../../src/daemon/status-document.ts';
import { REGION } from '../config.ts';
import type { Platform, PlatformOptions } from '../platform.ts';
import { waitFor } from '../servers/wait.ts';
import type { Want } from '../wants.ts';
import type { CrashFacts } from './daemon-crash.ts';

/**
 * What must have come of it: a verified failover; nothing at all; a run that stopped before clients were moved; no run,
 * though one is due, and people are called for; or no run before people say yes, and they are asked.
 */
export type Expectation = 'failover' | 'nothing' | 'no-cutover' | 'held' | 'proposal';

/** Another scenario that differs from this one by one thing. */
export interface Twin {
  readonly of: string;
  readonly but: string;
}

export interface Scenario {
  readonly name: string;
  readonly says: string;
  readonly expects: Expectation;
  readonly wants?: readonly Want[];
  readonly twin?: Twin;
  readonly options?: Pick<PlatformOptions, 'autonomy' | 'daemonNode' | 'guarded' | 'patroni' | 'tls' | 'variant'>;
  /** What happens to the world. Returns when the outcome is there, or its time is up. */
  readonly act: (platform: Platform, tell: (line: string) => void) => Promise<void>;
  /** What came of the crash that it put into the daemon; null before. */
  readonly crash?: () => CrashFacts | null;
  /** What it measured on the way. */
  readonly measured?: () => Readonly<Record<string, number>>;
}

const OUTCOME_TIMEOUT_MS = 60_000;
/** Longer than detection, hold and run together take in the lab. */
export const QUIET_MS = 15_000;
/** Where what holds a failover back has been seen to: what comes of a decision comes at its next look, within a second. */
const AFTERWARDS_MS = 5_000;
export const SEEN_WITHIN_MS = 30_000;

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
  await waitFor('failoverd sees that all is well', SEEN_WITHIN_MS, async () => {
    const group = (await status(platform))?.groups[0];
    if (group?.summary.mood !== 'quiet' || group.replication?.streaming !== 'ok') return false;
    // How both sides are made is asked seldom; until it is known, nothing is failed over without people.
    return group.gates.every(({ gate, answer }) => gate !== 'target-matches' || answer === 'pass');
  });
  // Some traffic in quiet times, for a life before the failure.
  await platform.clients.public.waitForAcks(REGION.a, 60, SEEN_WITHIN_MS);
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

/** Nothing is to happen: look on for a while, in which it would have. Ends early when a run was opened all the same. */
export async function lookOn(platform: Platform, forMs: number = QUIET_MS): Promise<void> {
  await untilGroup(platform, 'nothing', forMs, ({ run, ended }) => run !== null || ended.length > 0);
}

/** True once the group is seen to be so; false when it wasn't in time, or nobody is there to tell. */
export async function untilGroup(
  platform: Platform,
  what: string,
  timeoutMs: number,
  is: (group: GroupStatus) => boolean,
): Promise<boolean> {
  const there = platform.daemons.running().failoverd !== undefined;
  return await waitFor(what, there ? timeoutMs : Math.min(timeoutMs, QUIET_MS), async () => {
    const group = (await status(platform))?.groups[0];
    return group !== undefined && is(group);
  });
}

/** Waits until failoverd has decided so, or opened a run instead; then looks on whether more comes of it. */
export async function untilDecided(
  platform: Platform,
  tell: (line: string) => void,
  wanted: { readonly row: number; readonly action: string },
): Promise<void> {
  const { row, action } = wanted;
  const decided = await untilGroup(platform, `row ${row}: ${action}`, SEEN_WITHIN_MS, (group) => {
    const made = group.decisions.some((decision) => decision.row === row && decision.action === action);
    return made || group.run !== null || group.ended.length > 0;
  });
  tell(decided ? `row ${row} is decided` : `row ${row} was not decided in time`);
  await lookOn(platform, AFTERWARDS_MS);
}

/** For what needs time and nothing else. */
export async function pause(forMs: number): Promise<void> {
  await waitFor('time to pass', forMs, async () => false);
}

export async function killRegion(platform: Platform, tell: (line: string) => void): Promise<void> {
  tell(`region ${REGION.a} dies: every process of it is killed at once`);
  await platform.regions.hypervisor.act(REGION.a, 'crash');
}

/** What a person says to failoverd; the status of its answer. */
export async function order(platform: Platform, person: string, path: string, body: object): Promise<number> {
  const answer = await fetch(`${platform.daemons.url}/api/v1/${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${platform.daemons.tokens[person] ?? ''}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(5_000),
  });
  await answer.body?.cancel();
  return answer.status;
}

/** Says yes as soon as there is something to say yes to; false when there was nothing in time. */
export async function approve(
  platform: Platform,
  person: string,
  tell: (line: string) => void,
  breakGlass?: string,
): Promise<boolean> {
  const said = await waitFor(`${person} approves`, SEEN_WITHIN_MS, async () => {
    const proposal = (await status(platform))?.groups[0]?.proposal;
    if (proposal === null || proposal === undefined) return false;
    const words = { planHash: proposal.planHash, ...(breakGlass === undefined ? {} : { breakGlass }) };
    return (await order(platform, person, `proposals/${proposal.id}/approve`, words)) === 200;
  });
  tell(said ? `${person} approved` : `${person} found nothing to approve`);
  return said;
}
