/** Numbers side by side: how they are taken, and what is said of them. */

export interface Sample {
  /** What was measured of one side in one round, in the unit of the bench; by its name. */
  readonly [quantity: string]: number;
}

export interface Side {
  readonly name: string;
  /** One round. Throws when it could not be measured. */
  readonly measure: () => Promise<Sample>;
}

export interface Quartiles {
  readonly q1: number;
  readonly median: number;
  readonly q3: number;
}

export type Unit = 'ms' | 'µs' | 'MB' | '%' | '/s';

/** One bound and how it was met: the measured value over the baseline's, or over a fixed limit. */
export interface Finding {
  readonly bound: string;
  readonly unit: Unit;
  readonly rounds: number;
  readonly measured: Quartiles;
  /** Null where the limit is a fixed number. */
  readonly baseline: Quartiles | null;
  /** Median over median; over the limit where there is no baseline; the limit over the median where it is the least. */
  readonly ratio: number;
  readonly limit: number;
  readonly verdict: 'within' | 'over';
  /** The limit is to be reached, and not to be kept below. */
  readonly least?: true;
}

/** What explains a finding and is no bound itself. */
export interface Note {
  readonly note: string;
  readonly unit: Unit;
  readonly measured: Quartiles;
}

export interface BenchResult {
  readonly bench: string;
  readonly says: string;
  readonly findings: readonly Finding[];
  readonly notes: readonly Note[];
  /** Where the time goes that a bound is over by, from profiles; told only where one is over. */
  readonly whyOver?: readonly string[];
}

export type Tell = (line: string) => void;

export interface BenchOptions {
  readonly rounds: number;
  readonly tell: Tell;
  /** Aborted when nobody wants the numbers any more; heard between two measurements. */
  readonly signal: AbortSignal;
}

/** By linear interpolation between the closest ranks. Throws a RangeError for no numbers at all. */
export function quartiles(values: readonly number[]): Quartiles {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number => {
    const rank = share * (sorted.length - 1);
    const [low, high] = [sorted[Math.floor(rank)], sorted[Math.ceil(rank)]];
    if (low === undefined || high === undefined) throw new RangeError('no numbers');
    return low + (high - low) * (rank - Math.floor(rank));
  };
  return { q1: at(0.25), median: at(0.5), q3: at(0.75) };
}

/**
 * Measures the sides in turn, round by round (A, B, A, B ...), so that whatever else the machine does meets them all
 * alike. The first round warms disks and caches up and doesn't count.
 */
export async function interleaved(
  sides: readonly Side[],
  { rounds, tell, signal }: BenchOptions,
): Promise<ReadonlyMap<string, readonly Sample[]>> {
  const samples = new Map<string, Sample[]>(sides.map(({ name }) => [name, []]));
  for (let round = 0; round <= rounds; round += 1) {
    const words: string[] = [];
    for (const { name, measure } of sides) {
      signal.throwIfAborted();
      const sample = await measure();
      if (round > 0) samples.get(name)?.push(sample);
      // The first is what the bound is about; the others explain it.
      const [whole] = Object.values(sample);
      words.push(`${name} ${whole?.toFixed(0) ?? '-'}`);
    }
    tell(`  ${round === 0 ? 'warm-up' : `round ${round} of ${rounds}`}: ${words.join(', ')}`);
  }
  return samples;
}

export function quantity(samples: ReadonlyMap<string, readonly Sample[]>, side: string, name: string): number[] {
  return (samples.get(side) ?? []).flatMap((sample) => sample[name] ?? []);
}

export function compare(
  bound: string,
  unit: Finding['unit'],
  measured: readonly number[],
  baseline: readonly number[],
  limit: number,
): Finding {
  const [ours, theirs] = [quartiles(measured), quartiles(baseline)];
  const ratio = ours.median / theirs.median;
  const verdict = ratio <= limit ? 'within' : 'over';
  return { bound, unit, rounds: measured.length, measured: ours, baseline: theirs, ratio, limit, verdict };
}

/** Against a fixed limit in the same unit. */
export function against(bound: string, unit: Finding['unit'], measured: readonly number[], limit: number): Finding {
  const ours = quartiles(measured);
  const ratio = ours.median / limit;
  const verdict = ratio <= 1 ? 'within' : 'over';
  return { bound, unit, rounds: measured.length, measured: ours, baseline: null, ratio, limit, verdict };
}

/** Against a fixed limit in the same unit that it has to reach: the more the better. */
export function least(bound: string, unit: Finding['unit'], measured: readonly number[], limit: number): Finding {
  const ours = quartiles(measured);
  const ratio = limit / ours.median;
  const verdict = ratio <= 1 ? 'within' : 'over';
  return { bound, unit, rounds: measured.length, measured: ours, baseline: null, ratio, limit, verdict, least: true };
}

const spread = ({ q1, median, q3 }: Quartiles): string => `${median.toFixed(0)} (${q1.toFixed(0)} to ${q3.toFixed(0)})`;

export function findingLine({ bound, unit, measured, baseline, ratio, limit, verdict, least }: Finding): string {
  const word = least === true ? 'at least' : 'limit';
  if (baseline === null) return `${bound}: ${spread(measured)} ${unit}, ${word} ${limit} ${unit}: ${verdict}`;
  const numbers = `${spread(measured)} ${unit} against ${spread(baseline)} ${unit}`;
  return `${bound}: ${numbers}, ratio ${ratio.toFixed(2)}, limit ${limit}: ${verdict}`;
}

export const noteLine = ({ note, unit, measured }: Note): string => `${note}: ${spread(measured)} ${unit}`;
