/**
 * One thread that hunts one mutant, or none as a control (a composition root): it plants the mutant, loads the world, and
 * goes through histories until one breaks an invariant that the mutant says it breaks.
 */
import { parentPort, workerData } from 'node:worker_threads';
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

type World = {
  /** What one history broke. */
  attacked(seed: number): Promise<readonly Found[]>;
  /** Whether nothing but this happens in the history without faults: `nothing`, or the active side is `lost` for good. */
  plainly(seed: number): 'nothing' | 'lost' | null;
  plain(seed: number): Promise<readonly Found[]>;
};

/** Every tenth is replayed from its recorded inputs, as the simulator does it. */
const REPLAY_EVERY = 10;
const OTHERS_KEPT = 20;
const TELL_EVERY = 25;

async function worldOf(name: WorldName): Promise<World> {
  switch (name) {
    case 'platform': {
      const { runHistory } = await import('../world.ts');
      const { scheduleOf } = await import('../schedule.ts');
      const { randomOf } = await import('../random.ts');
      return {
        attacked: async (seed) =>
          (await runHistory({ seed, replay: seed % REPLAY_EVERY === 0 })).violations.map(at(seed)),
        plainly(seed) {
          const { disaster } = scheduleOf(randomOf(seed), true);
          return disaster === 'none' ? 'nothing' : disaster === 'dies' ? 'lost' : null;
        },
        plain: async (seed) => (await runHistory({ seed, faultFree: true })).violations.map(at(seed)),
      };
    }
    case 'lease':
      throw new RangeError('the world of the lease is not there yet');
    default:
      return name satisfies never;
  }
}

const at =
  (seed: number) =>
  ({ invariant, what }: { readonly invariant: number; readonly what: string }): Found => ({ seed, invariant, what });

/** A mutant may break the world itself. That is seen, and is no catch: no invariant has the number 0. */
async function tried(seed: number, history: (seed: number) => Promise<readonly Found[]>) {
  try {
    return await history(seed);
  } catch (error) {
    return [{ seed, invariant: 0, what: error instanceof Error ? error.message : String(error) }];
  }
}

async function hunt({ mutant, world: name, seeds, plain }: Hunt, tell: (seeds: number) => void): Promise<Catch> {
  const unplanted = mutant === null ? () => [] : plant(mutant);
  const world = await worldOf(name);
  const missing = unplanted();
  if (missing.length > 0) return { kind: 'unplanted', files: missing.map(({ file }) => file) };
  for (let seed = 1, clean = 0; clean < plain; seed += 1) {
    const happens = world.plainly(seed);
    if (happens === null || (happens === 'lost' && mutant?.obvious === true)) continue;
    clean += 1;
    const [found] = await tried(seed, world.plain);
    if (found !== undefined) return { kind: 'unclean', by: found };
  }
  const declared = mutant?.caughtBy ?? [];
  const others: Found[] = [];
  let count = 0;
  for (const seed of 'count' in seeds ? range(seeds) : seeds) {
    count += 1;
    const found = await tried(seed, world.attacked);
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
