/**
 * Spreads the seeds of a world over threads, batch by batch, and adds up what comes back in the order of the seeds: the sum is
 * the same with any number of threads.
 */
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { add, type Batch, emptySummary, type Summary } from './summary.ts';

const BATCH = 250;

export type Wanted = Omit<Batch, 'from' | 'seeds'> & {
  readonly from: number;
  readonly seeds: number;
  readonly jobs: number;
  /** Histories of one batch; default 250. */
  readonly batch?: number;
  /** No batch begins once this says so. */
  readonly enough: (total: Summary) => boolean;
  readonly progress: (total: Summary) => void;
};

/** The thread's module. The compiled package has it beside this one under the same extension, and under a name of its own. */
function workerUrl(): URL {
  const extension = extname(new URL(import.meta.url).pathname);
  return new URL(extension === '.ts' ? './worker.ts' : `./sim-worker${extension}`, import.meta.url);
}

/** Rejects when a thread dies: what broke is no result. */
export function runMany(wanted: Wanted): Promise<Summary> {
  const { from, seeds, jobs, batch: size = BATCH, enough, progress, ...how } = wanted;
  const total = emptySummary(how.world);
  let next = from;
  const take = (): Batch | null => {
    if (next >= from + seeds || enough(total)) return null;
    const batch = { ...how, from: next, seeds: Math.min(size, from + seeds - next) };
    next += batch.seeds;
    return batch;
  };
  /** Done before one with lower seeds was, by its first seed. */
  const early = new Map<number, Summary>();
  let due = from;
  const done = (batch: Batch, summary: Summary): void => {
    early.set(batch.from, summary);
    for (let one = early.get(due); one !== undefined; one = early.get(due)) {
      add(total, one);
      early.delete(due);
      due += one.histories;
    }
    progress(total);
  };
  return new Promise((resolve, reject) => {
    const started = Math.min(jobs, Math.ceil(seeds / size));
    let busy = started;
    if (started === 0) resolve(total);
    for (let job = 0; job < started; job += 1) {
      const worker = new Worker(workerUrl());
      let current: Batch | null = null;
      const give = (): void => {
        current = take();
        if (current !== null) return worker.postMessage(current);
        busy -= 1;
        worker.terminate().catch(reject);
        if (busy === 0) resolve(total);
      };
      worker.on('message', (summary: Summary) => {
        if (current !== null) done(current, summary);
        give();
      });
      worker.on('error', reject);
      give();
    }
  });
}
