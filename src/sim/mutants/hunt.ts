/** Hunts mutants, each in a thread of its own, and makes sure that what caught one is the mutant and not the world. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { systemTimers } from '../../runtime/timers.ts';
import { type Diff, diffOf, editsOf, type NamedMutant, WITHIN } from './mutant.ts';
import { ROOT } from './plant.ts';
import type { Catch, Found, Hunt } from './worker.ts';

export type Fate =
  | Exclude<Catch, { kind: 'progress' }>
  | { readonly kind: 'failed-test'; readonly test: string }
  | { readonly kind: 'passed-test'; readonly test: string }
  /** What caught it is broken without it too. */
  | { readonly kind: 'unproven'; readonly why: string }
  | { readonly kind: 'timeout'; readonly seeds: number };

export const isKilled = ({ kind }: Fate): boolean => kind === 'caught' || kind === 'failed-test';

/** A mutant may make the core turn in circles. */
const LIMIT_MS = 300_000;
const PLAIN = 12;

export const diffsOf = (mutant: NamedMutant): readonly ({ readonly file: string } & Diff)[] =>
  editsOf(mutant).map((edit) => ({ file: edit.file, ...diffOf(readFileSync(new URL(edit.file, ROOT), 'utf8'), edit) }));

export type Progress = (seeds: number) => void;

/** Throws an Error when the thread dies, which is a defect of the harness. */
function inThread(hunt: Hunt, tell: Progress): Promise<Exclude<Catch, { kind: 'progress' }> | 'timeout'> {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: hunt });
  return new Promise((resolve, reject) => {
    const end = (settle: () => void): void => {
      cancel();
      worker.terminate().then(settle, reject);
    };
    const cancel = systemTimers.after(LIMIT_MS, () => end(() => resolve('timeout')));
    worker.on('message', (caught: Catch) => {
      if (caught.kind === 'progress') tell(caught.seeds);
      else end(() => resolve(caught));
    });
    worker.on('error', (error) => end(() => reject(error)));
  });
}

export type HuntOptions = {
  readonly from?: number;
  readonly plain?: number;
  readonly tell?: Progress;
  /** Told of seeds that break an invariant without the mutant: defects of what is not mutated, or of the world. */
  readonly spoilt?: (seed: number) => void;
};

/** Goes through the histories from `from` on until the mutant is caught. */
export async function huntOne(
  mutant: NamedMutant,
  { from = 1, plain = PLAIN, tell = () => undefined, spoilt = () => undefined }: HuntOptions = {},
): Promise<Fate> {
  if (mutant.unit !== undefined) return huntByTest(mutant, mutant.unit);
  const where = { world: mutant.world ?? 'whole', attack: mutant.attack ?? null } as const;
  const bound = from + (mutant.within ?? WITHIN);
  let looked = 0;
  for (let first = from; first < bound; ) {
    const seeds = { from: first, count: bound - first };
    const fate = await inThread({ mutant, ...where, seeds, plain: first === from ? plain : 0 }, (count) => {
      looked = first - from + count;
      tell(looked);
    });
    if (fate === 'timeout') return { kind: 'timeout', seeds: looked };
    if (fate.kind !== 'caught') return fate;
    const { seed } = fate.by;
    const control = await inThread({ mutant: null, ...where, seeds: [seed], plain: 0 }, () => undefined);
    const clean = control !== 'timeout' && control.kind === 'survived' && control.others.length === 0;
    if (clean) return { ...fate, seeds: seed - from + 1 };
    // That seed is a violation of its own, and proves nothing here.
    spoilt(seed);
    first = seed + 1;
  }
  return { kind: 'unproven', why: 'every seed that breaks an invariant breaks one without the mutant too' };
}

/** The test must fail with the mutant, and pass without. */
async function huntByTest(mutant: NamedMutant, test: string): Promise<Fate> {
  const preload = new URL(`./preload.ts?mutant=${mutant.number}`, import.meta.url).href;
  if (await passes([`--import=${preload}`, test])) return { kind: 'passed-test', test };
  if (await passes([test])) return { kind: 'failed-test', test };
  return { kind: 'unproven', why: `${test} fails without the mutant too` };
}

/** A test that is killed or can't be started has not failed: that is no answer. */
function passes(args: readonly string[]): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const options = { cwd: fileURLToPath(ROOT), timeout: LIMIT_MS, maxBuffer: 64 * 1024 * 1024 };
    execFile(process.execPath, [...args], options, (error) => {
      if (error === null) resolve(true);
      else if (typeof error.code === 'number') resolve(false);
      else reject(error);
    });
  });
}

/** All of them, so many at a time; `done` hears of each as it is known. */
export async function huntAll(
  mutants: readonly NamedMutant[],
  { from, jobs }: { readonly from: number; readonly jobs: number },
  told: {
    readonly done: (mutant: NamedMutant, fate: Fate) => void;
    readonly progress: (mutant: NamedMutant, seeds: number) => void;
    readonly spoilt: (mutant: NamedMutant, seed: number) => void;
  },
): Promise<void> {
  const waiting = [...mutants];
  const next = async (): Promise<void> => {
    for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
      const one = mutant;
      told.done(
        one,
        await huntOne(one, {
          from,
          tell: (seeds) => told.progress(one, seeds),
          spoilt: (seed) => told.spoilt(one, seed),
        }),
      );
    }
  };
  await Promise.all(Array.from({ length: Math.min(jobs, mutants.length) }, next));
}

export const foundText = ({ seed, invariant, what }: Found): string =>
  `invariant ${invariant} at seed ${seed}: ${what}`;
