/** What happens to the world in one history: drawn from the seed before it begins. */

import { A, B, type Place, W } from './platform.ts';
import type { Mishap } from './process.ts';
import type { Random } from './random.ts';

/** What becomes of region A; the rest of the faults come on top. */
export const DISASTERS = [
  'none',
  'dies',
  'dies-and-returns',
  'blips',
  'cut-off',
  'one-way',
  'database-dies',
  'gray',
  'vantage-alone',
] as const;
export type Disaster = (typeof DISASTERS)[number];

export type Cut = { readonly from: Place; readonly to: Place; readonly atMs: number; readonly forMs: number };
export type Isolation = { readonly place: Place; readonly atMs: number; readonly forMs: number };

export type Schedule = {
  readonly autonomy: 'auto' | 'gated';
  /** The `for` of row 40; also shorter than evidence lives, so that no safety rests on it being long. */
  readonly holdMs: number;
  readonly disaster: Disaster;
  readonly disasterAtMs: number;
  readonly disasterForMs: number;
  readonly cuts: readonly Cut[];
  readonly isolations: readonly Isolation[];
  readonly mishaps: Mishap[];
  readonly freezes: readonly { readonly atMs: number; readonly forMs: number }[];
  readonly clockJumps: readonly { readonly atMs: number; readonly byMs: number }[];
  readonly operationFaults: number;
  readonly pagerFaults: number;
  readonly hypervisorDownUntilMs: number;
  readonly dnsDownUntilMs: number;
  readonly standbyStuckUntilMs: number;
  readonly strangerEpochAtMs: number | null;
  readonly alertFaults: number;
  readonly abortAtMs: number | null;
  /** Corruption is reported, and cleared again: at the latest when everything heals. */
  readonly report: { readonly atMs: number; readonly forMs: number } | null;
};

export const HEAL_MS = 60_000;
export const END_MS = 240_000;

const PLACES: readonly Place[] = [A, B, W, 'internet'];

export function scheduleOf(random: Random, faultFree: boolean): Schedule {
  const some = (probability: number): boolean => !faultFree && random.chance(probability);
  const until = (probability: number): number => (some(probability) ? random.int(10_000, HEAL_MS) : 0);
  const times = <T>(probability: number, most: number, make: () => T): T[] =>
    some(probability) ? Array.from({ length: random.int(1, most) }, make) : [];
  const window = () => ({ atMs: random.int(3000, 50_000), forMs: random.int(200, 25_000) });
  return {
    autonomy: random.chance(0.7) ? 'auto' : 'gated',
    holdMs: random.pick([1000, 2000, 5000, 5000]),
    disaster: random.pick(DISASTERS),
    disasterAtMs: random.int(6000, 20_000),
    disasterForMs: random.int(500, 30_000),
    cuts: times(0.4, 3, () => ({ from: random.pick(PLACES), to: random.pick(PLACES), ...window() })),
    isolations: times(0.3, 2, () => ({ place: random.pick([B, W] as const), ...window() })),
    mishaps: times(0.6, 4, () => ({
      seq: random.int(2, 60),
      fate: random.pick(['crash-before', 'crash-after', 'crash-after', 'fail-before', 'fail-after'] as const),
      downMs: random.int(200, 15_000),
    })),
    freezes: times(0.2, 2, window),
    clockJumps: times(0.2, 2, () => ({
      atMs: random.int(1000, 50_000),
      byMs: random.pick([-3_600_000, -30_000, -2000, 2000, 30_000, 3_600_000]),
    })),
    operationFaults: faultFree ? 0 : random.pick([0, 0, 0.05, 0.3]),
    pagerFaults: faultFree ? 0 : random.pick([0, 0.5]),
    hypervisorDownUntilMs: until(0.15),
    dnsDownUntilMs: until(0.15),
    standbyStuckUntilMs: until(0.15),
    strangerEpochAtMs: some(0.03) ? random.int(5000, 40_000) : null,
    alertFaults: faultFree ? 0 : random.pick([0, 0.5]),
    abortAtMs: some(0.1) ? random.int(10_000, 50_000) : null,
    report: some(0.15) ? window() : null,
  };
}
