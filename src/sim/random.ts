/** Seeded randomness: the same seed and commit give the same history, which is what makes a violation a bug report. */
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

export type Random = {
  /** Whole number between both ends, inclusive. */
  int(from: number, to: number): number;
  chance(probability: number): boolean;
  pick<T>(items: readonly T[]): T;
};

export function randomOf(seed: number): Random {
  const generator = xoroshiro128plus(seed);
  // Neighbouring seeds begin alike; a few draws tell them apart.
  for (let i = 0; i < 4; i += 1) uniformInt(generator, 0, 1);
  const int = (from: number, to: number): number => uniformInt(generator, from, to);
  return {
    int,
    chance: (probability) => int(0, 999_999) < probability * 1_000_000,
    pick: (items) => {
      const item = items[int(0, items.length - 1)];
      if (item === undefined) throw new RangeError('nothing to pick from');
      return item;
    },
  };
}
