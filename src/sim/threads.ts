/** Spreads the seeds of a world over threads, batch by batch, and adds up what comes back. */
import { Worker } from 'node:worker_threads';
import { add, type Batch, emptySummary, type Summary } from './summary.ts';

const BATCH = 250;

export type Wanted = Omit<Batch, 'from' | 'seeds'> & {
  readonly from: number;
  readonly seeds: number;
  readonly jobs: number;
  /** No batch begins once this says so. */
  readonly enough: (total: Summary) => boolean;
  readonly progress: (total: Summary) => void;
};

/** Rejects when a thread dies: what broke is no result. */
export function runMany(wanted: Wanted): Promise<Summary> {
  const { world, replayEvery, chosen, from, seeds, jobs, enough, progress } = wanted;
  const total = emptySummary(world);
  let next = from;
  const take = (): Batch | null => {
    if (next >= from + seeds || enough(total)) return null;
    const batch = { world, replayEvery, chosen, from: next, seeds: Math.min(BATCH, from + seeds - next) };
    next += batch.seeds;
    return batch;
  };
  return new Promise((resolve, reject) => {
    const started = Math.min(jobs, Math.ceil(seeds / BATCH));
    let busy = started;
    if (started === 0) resolve(total);
    for (let job = 0; job < started; job += 1) {
      const file = import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js';
      const worker = new Worker(new URL(file, import.meta.url));
      const give = (): void => {
        const batch = take();
        if (batch !== null) return worker.postMessage(batch);
        busy -= 1;
        worker.terminate().catch(reject);
        if (busy === 0) resolve(total);
      };
      worker.on('message', (summary: Summary) => {
        add(total, summary);
        progress(total);
        give();
      });
      worker.on('error', reject);
      give();
    }
  });
}
