import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { REGION } from '../config.ts';
import type { Platform } from '../platform.ts';
import { run } from '../servers/command.ts';
import { LabError } from '../servers/errors.ts';
import { processesOf } from '../servers/guard.ts';
import { waitFor } from '../servers/wait.ts';
import {
  ALL_WAYS,
  beside,
  cut,
  EPOCHS,
  epochOf,
  GAP,
  guarded,
  guardsOf,
  pauseFor,
  signalPart,
  type Tell,
  UNDISTURBED,
  untilFailedOver,
  untilGuard,
  watchGaps,
} from './guarded.ts';
import { untilGroup } from './scenario.ts';

/** Each far enough from G that a loaded machine doesn't make it one of the long ones. */
const SHORT_MS = [1_000, 2_000, 1_500] as const;
const BETWEEN_MS = 5_000;

export const guardFrozenShortly = guarded({
  name: 'guard-frozen-shortly',
  says: 'the guard of A is frozen for 1, 2 and 1.5 s: it renews again before G is over, and nothing happens',
  expects: 'nothing',
  wants: UNDISTURBED,
  twin: { of: 'guard-frozen', but: 'it is woken within G' },
  act: async (platform, tell) => {
    const { a } = guardsOf(platform);
    const client = await beside(platform);
    const before = await epochOf(a);
    const gaps = watchGaps(client);
    for (const frozenMs of SHORT_MS) {
      await signalPart(a, 'guard', 'SIGSTOP');
      await pauseFor(frozenMs);
      await signalPart(a, 'guard', 'SIGCONT');
      tell(`the guard of A was frozen for ${frozenMs} ms`);
      await pauseFor(BETWEEN_MS);
    }
    gaps.stop();
    return { [GAP]: Math.round(gaps.longestMs()), [EPOCHS]: (await epochOf(a)) - before };
  },
});

const ENDED = 'milliseconds from the freeze of the guard to the end of its PostgreSQL';

export const guardFrozen = guarded({
  name: 'guard-frozen',
  says: 'the guard of A alone is frozen: its dead-man ends PostgreSQL, B takes over, and who is woken later lies down',
  expects: 'failover',
  // H, with what a kill takes on a machine under load; the figure is at most so much, never at least.
  wants: [{ kind: 'measured', name: ENDED, most: 20_000 }],
  act: async (platform, tell) => {
    const { a } = guardsOf(platform);
    await beside(platform);
    const frozenMono = performance.now();
    await signalPart(a, 'guard', 'SIGSTOP');
    tell('the guard of A is frozen; its PostgreSQL and its dead-man are not');
    await waitFor('PostgreSQL of A is ended', 30_000, async () => (await processesOf(a, 'postgres')).length === 0);
    const endedMs = Math.round(performance.now() - frozenMono);
    tell(`PostgreSQL of A was ended after ${endedMs} ms`);
    await untilFailedOver(platform, tell);
    await signalPart(a, 'guard', 'SIGCONT');
    await untilGuard(a, 'is deposed', 60_000, ({ part }) => part === 'deposed');
    tell('the guard of A was woken, and is deposed');
    return { [ENDED]: endedMs };
  },
});

const REFUSED = 'exit code of check for the same group in auto';
const WROTE = 'writes that A took while it was cut off';
const CUT_OFF_MS = 30_000;
const INVALID = 2;

export const guardAndDeadManFrozen = guarded({
  name: 'guard-and-deadman-frozen',
  says: 'nothing but its guard ends PostgreSQL of A, and that one is frozen, and A cut off: auto was refused, people are asked',
  expects: 'proposal',
  guarded: { deadMan: 'none' },
  options: { autonomy: 'gated' },
  twin: { of: 'guard-frozen', but: 'the dead-man is frozen with its guard, as one that isn’t there' },
  wants: [
    { kind: 'old-side-alive' },
    { kind: 'measured', name: REFUSED, least: INVALID, most: INVALID },
    { kind: 'measured', name: WROTE, least: 20 },
  ],
  act: async (platform, tell) => {
    const { a } = guardsOf(platform);
    const refused = await checkInAuto(platform, tell);
    const client = await beside(platform);
    await signalPart(a, 'guard', 'SIGSTOP');
    tell('the guard of A is frozen, and no dead-man watches');
    cut(platform, ALL_WAYS, tell);
    const before = client.stats().ackedByRegion[REGION.a] ?? 0;
    await untilGroup(platform, 'people are asked', 60_000, ({ proposal }) => proposal !== null);
    await pauseFor(CUT_OFF_MS);
    return { [REFUSED]: refused, [WROTE]: (client.stats().ackedByRegion[REGION.a] ?? 0) - before };
  },
});

const BIN = fileURLToPath(new URL('../../bin/failoverd.mjs', import.meta.url));

/** What `failoverd check` says to the same configuration in auto: by no fence of it is anything proven. */
async function checkInAuto(platform: Platform, tell: Tell): Promise<number> {
  const text = await readFile(platform.daemons.config, 'utf8');
  const auto = text.replace('autonomy: gated', 'autonomy: auto').replaceAll(/auto: false/g, 'auto: true');
  if (auto === text) throw new LabError('bad-input', 'the configuration of this lab is not gated');
  const file = platform.folder.at('auto.yaml');
  await writeFile(file, auto, { mode: 0o600 });
  const answer = await run([process.execPath, BIN, 'check', file], { cwd: platform.folder.dir, timeoutMs: 60_000 });
  const words = `${answer.stdout}${answer.stderr}`;
  tell(`failoverd check of the same in auto: ${words.split('\n').find((line) => line.includes('proof')) ?? words}`);
  if (!words.includes('auto-without-proof')) throw new LabError('bad-input', `check said something else: ${words}`);
  return answer.exitCode ?? -1;
}

export const postgresFrozen = guarded({
  name: 'postgres-frozen',
  says: 'every process of A’s PostgreSQL is frozen under a living guard: killed and proven before B is promoted',
  expects: 'failover',
  act: async (platform, tell) => {
    const { a } = guardsOf(platform);
    const client = await beside(platform);
    await signalPart(a, 'postgres', 'SIGSTOP');
    tell('PostgreSQL of A is frozen; its guard is not');
    await untilFailedOver(platform, tell);
    tell(`a client beside A was told of ${client.stats().ackedByRegion[REGION.a] ?? 0} writes in all`);
    return undefined;
  },
});

const FROZEN_MS = 30_000;

export const daemonFrozen = guarded({
  name: 'daemon-frozen',
  says: 'failoverd, and the lease store with it, is frozen for 30 s: A stays up by promises, and what it knew is not acted on',
  expects: 'nothing',
  wants: [...UNDISTURBED, { kind: 'never-decided', decision: { row: 40 } }],
  act: async (platform, tell) => {
    const { a } = guardsOf(platform);
    const { failoverd } = platform.daemons.running();
    if (failoverd === undefined) throw new LabError('not-running', 'failoverd is not there');
    const client = await beside(platform);
    const before = await epochOf(a);
    const gaps = watchGaps(client);
    failoverd.kill('SIGSTOP');
    tell('failoverd is frozen');
    await pauseFor(FROZEN_MS);
    failoverd.kill('SIGCONT');
    tell('failoverd was woken');
    // Longer than the hold of row 40 takes, with its detection.
    await pauseFor(15_000);
    await client.waitForAcks(REGION.a, 10, 10_000);
    gaps.stop();
    return { [GAP]: Math.round(gaps.longestMs()), [EPOCHS]: (await epochOf(a)) - before };
  },
});
