import { setTimeout as sleep } from 'node:timers/promises';
import type { GuardStatus } from '../../src/model/guard.ts';
import type { TrafficClient } from '../client/client.ts';
import { REGION } from '../config.ts';
import type { LinkName } from '../links/index.ts';
import type { GuardedLab } from '../platform/guards.ts';
import { WAYS_FROM_A, WAYS_TO_A } from '../platform/network.ts';
import type { Platform, PlatformOptions } from '../platform.ts';
import { LabError } from '../servers/errors.ts';
import { type GuardNode, guardStatus, processesOf, untilGuard } from '../servers/guard.ts';
import { signalAll } from '../servers/processes.ts';
import { waitFor } from '../servers/wait.ts';
import type { Want } from '../wants.ts';
import { type Expectation, type Scenario, type Twin, untilFailedOver, untilQuiet } from './scenario.ts';

/** What scenarios with guards have in common: two guards, one lease, and figures that are asked past failoverd. */
export type Tell = (line: string) => void;
export type Measured = Record<string, number>;

/** Every way between A and anybody but the clients beside it. */
export const ALL_WAYS: readonly LinkName[] = [...WAYS_TO_A, ...WAYS_FROM_A];

export const guardsOf = ({ regions }: Platform): { readonly a: GuardNode; readonly b: GuardNode } => {
  if (regions.guards === undefined) throw new LabError('bad-input', 'this lab has no guards');
  return regions.guards;
};

export interface GuardedScenario {
  readonly name: string;
  readonly says: string;
  readonly expects: Expectation;
  readonly guarded?: GuardedLab;
  readonly options?: Pick<PlatformOptions, 'autonomy' | 'variant'>;
  readonly twin?: Twin;
  readonly wants?: readonly Want[];
  readonly act: (platform: Platform, tell: Tell) => Promise<Measured | undefined>;
}

export function guarded({ act, guarded: lab = {}, options, ...given }: GuardedScenario): Scenario {
  let measured: Measured = {};
  return {
    ...given,
    options: { ...options, guarded: lab },
    measured: () => measured,
    act: async (platform, tell) => {
      measured = {};
      await untilQuiet(platform);
      measured = (await act(platform, tell)) ?? {};
    },
  };
}

export function cut(platform: Platform, ways: readonly LinkName[], tell: Tell): void {
  for (const link of ways) platform.network.links.link(link).cut({ mode: 'drop' });
  tell(`nothing passes any more: ${ways.join(', ')}`);
}

export function heal(platform: Platform, ways: readonly LinkName[], tell: Tell): void {
  for (const link of ways) platform.network.links.link(link).heal();
  tell(`the ways are open again: ${ways.join(', ')}`);
}

/** A client that stands beside A, whom no cut reaches. */
export async function beside(platform: Platform): Promise<TrafficClient> {
  const client = platform.clients.local('local');
  await client.waitForAcks(REGION.a, 10, 10_000);
  return client;
}

/** The longest time in which a client was told nothing by A, from now on until it is stopped; milliseconds. */
export function watchGaps(client: TrafficClient): { readonly longestMs: () => number; readonly stop: () => void } {
  let lastAckMs = performance.now();
  let acked = client.stats().ackedByRegion[REGION.a] ?? 0;
  let longestMs = 0;
  const timer = setInterval(() => {
    const now = client.stats().ackedByRegion[REGION.a] ?? 0;
    if (now > acked) lastAckMs = performance.now();
    acked = now;
    longestMs = Math.max(longestMs, performance.now() - lastAckMs);
  }, 50);
  return { longestMs: () => longestMs, stop: () => clearInterval(timer) };
}

/** Freezes, wakes or kills one part of a side, and nothing else of it. It must be there. */
export async function signalPart(
  node: GuardNode,
  part: Parameters<typeof processesOf>[1],
  signal: NodeJS.Signals,
): Promise<void> {
  const pids = await processesOf(node, part);
  if (pids.length === 0) throw new LabError('not-running', `no process of the ${part} of ${node.postgres.dir}`);
  signalAll(pids, signal);
}

/** The lease as a guard has it now; it must answer. */
export async function mustStatus(node: GuardNode): Promise<GuardStatus> {
  const status = await waitForStatus(node);
  if (status === undefined) throw new LabError('not-running', `the guard on ${node.host}:${node.port} does not answer`);
  return status;
}

async function waitForStatus(node: GuardNode): Promise<GuardStatus | undefined> {
  let status: GuardStatus | undefined;
  await waitFor('the guard answers', 10_000, async () => {
    status = await guardStatus(node);
    return status !== undefined;
  });
  return status;
}

/** Epoch by which a guard holds the lease; 0 where it doesn't. */
export const epochOf = async (node: GuardNode): Promise<number> => (await mustStatus(node)).holds ?? 0;

export const GAP = 'longest time in which A took no writes, milliseconds';
export const EPOCHS = 'acquisitions of the lease meanwhile';
/** A stall of a loaded machine; a demotion costs G, a stop and a start. */
const UNDISTURBED_MS = 3_500;

/** A went on, under the lease it had. */
export const UNDISTURBED = [
  { kind: 'measured', name: GAP, most: UNDISTURBED_MS },
  { kind: 'measured', name: EPOCHS, most: 0 },
] as const;

export const pauseFor = async (ms: number): Promise<void> => await sleep(ms);

export { untilFailedOver, untilGuard };
