/** What every part of the lease's world is given: virtual time, chance, the network, the oracle, a pencil. */
import type { LeaseTimings } from '../../model/lease.ts';
import type { Random } from '../random.ts';
import type { Scheduler } from '../scheduler.ts';
import type { Fault } from './coverage.ts';
import type { Network } from './network.ts';
import type { Oracle } from './oracle.ts';
import type { WorldRules } from './rules.ts';

/** Region by its number: 0 is the primary's at the beginning. */
export type Region = number;
export const REGION_NAMES = ['a', 'b', 'c'] as const;
export const nameOf = (region: Region): string => REGION_NAMES[region] ?? `region-${region}`;
export const regionOf = (name: string): Region => REGION_NAMES.indexOf(name as (typeof REGION_NAMES)[number]);

/** Clock rate error that the timings allow for: rates lie in [1 - RHO, 1 + RHO]. */
export const RHO = 1 / 21;

export type Context = {
  readonly time: Scheduler;
  readonly random: Random;
  readonly rules: WorldRules;
  readonly timings: LeaseTimings;
  readonly net: Network;
  readonly oracle: Oracle;
  /** Told only while somebody reads: ask `tracing` before a line is put together. */
  readonly tracing: boolean;
  say(who: string, what: string): void;
  /** A fault has met a guard in whatever part it plays now. */
  cover(fault: Fault, region: Region): void;
};
