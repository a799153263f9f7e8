/**
 * One thread that hunts one mutant, or none as a control (a composition root): it plants the mutant, loads the world, and
 * goes through histories until one breaks an invariant that the mutant says it breaks.
 */
import { parentPort, workerData } from 'node:worker_threads';
import type { HistoryReport, RunOptions, World } from '../contract.ts';
import type { Mutant, WorldName } from './mutant.ts';
import { plant } from './plant.ts';

export type Found = { readonly seed: number; readonly invariant: number; readonly what: string };
export type Hunt = {
  readonly mutant: Mutant | null;
  readonly world: WorldName;
  /** Histories that are looked through in this order; without a mutant all of them. */
  readonly seeds: { readonly from: number; readonly count: number } | readonly number[];
  /** Histories without a fault that must be clean first. */
  readonly plain: number;
};
export type Catch =
  | { readonly kind: 'progress'; readonly seeds: number }
  /** `others`: invariants that it broke on the way and does not declare. */
  | { readonly kind: 'caught'; readonly by: Found; readonly seeds: number; readonly others: readonly number[] }
  | { readonly kind: 'survived'; readonly seeds: number; readonly others: readonly Found[] }
  /** It shows where nothing is wrong: any test at all would see it. */
  | { readonly kind: 'unclean'; readonly by: Found }
  | { readonly kind: 'unplanted'; readonly files: readonly string[] };

/** Every tenth is replayed from its recorded inputs, as the simulator does it. */
const REPLAY_EVERY = 10;
const OTHERS_KEPT = 20;
const TELL_EVERY = 25;

/**
 * Whether nothing but this happens in the history without faults of a seed: `nothing`, or the active side is `lost` for
 * good. In the whole world the other disasters are faults of links, or of a server that comes back.
 */
async function happenings(world: WorldName): Promise<(seed: number) => 'nothing' | 'lost' | null> {
  if (world !== 'whole') return () => 'lost';
  const [{ scheduleOf }, { randomOf }, { OWN_SETUP }] = await Promise.all([
    import('../schedule.ts'),
    import('../random.ts'),
    import('../settings.ts'),
  ]);
  return (seed) => {
    const { disaster } = scheduleOf(seed, randomOf(seed), OWN_SETUP, true);
    return disaster === 'none' ? 'nothing' : disaster === 'dies' ? 'lost' : null;
  };
}

const foundIn = (seed: number, { violations }: HistoryReport): readonly Found[] =>
  violations.map(({ invariant, what }) => ({ seed, invariant, what }));

/** A mutant may break the world itself. That is seen, and is no catch: no invariant has the number 0. */
async function tried(world: World, seed: number, options: RunOptions): Promise<readonly Found[]> {
  try {
    return foundIn(seed, await world.run(seed, options));
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error);
    return [{ seed, invariant: 0, what }];
  }
}

/** What shows without any fault, or null. */
async function unclean(world: World, { mutant, world: name, plain }: Hunt): Promise<Found | null> {
  const happensIn = await happenings(name);
  for (let seed = 1, clean = 0; clean < plain; seed += 1) {
    const happens = happensIn(seed);
    if (happens === null || (happens === 'lost' && mutant?.obvious === true)) continue;
    const [first] = await tried(world, seed, { faultFree: true });
    if (first !== undefined) return first;
    clean += 1;
  }
  return null;
}

async function hunt(order: Hunt, tell: (seeds: number) => void): Promise<Catch> {
  const { mutant, seeds } = order;
  const unplanted = mutant === null ? () => [] : plant(mutant);
  const { worldNamed } = await import('../worlds.ts');
  const missing = unplanted();
  if (missing.length > 0) return { kind: 'unplanted', files: missing.map(({ file }) => file) };
  const world = worldNamed(order.world);
  const shown = await unclean(world, order);
  if (shown !== null) return { kind: 'unclean', by: shown };
  const declared = mutant?.caughtBy ?? [];
  const others: Found[] = [];
  let count = 0;
  for (const seed of 'count' in seeds ? range(seeds) : seeds) {
    count += 1;
    const found = await tried(world, seed, { replay: seed % REPLAY_EVERY === 0 });
    const by = found.find(({ invariant }) => declared.includes(invariant));
    if (by !== undefined)
      return { kind: 'caught', by, seeds: count, others: [...new Set(others.map(({ invariant }) => invariant))] };
    if (others.length < OTHERS_KEPT) others.push(...found);
    if (count % TELL_EVERY === 0) tell(count);
  }
  return { kind: 'survived', seeds: count, others };
}

function* range({ from, count }: { readonly from: number; readonly count: number }): Generator<number> {
  for (let seed = from; seed < from + count; seed += 1) yield seed;
}

const port = parentPort;
if (port !== null)
  hunt(workerData as Hunt, (seeds) => port.postMessage({ kind: 'progress', seeds } satisfies Catch)).then(
    (caught) => port.postMessage(caught),
    (error: unknown) => {
      // Outside a promise, so that the thread dies and its maker hears of it.
      queueMicrotask(() => {
        throw error;
      });
    },
  );
