/** One thread of the simulator (a composition root): runs the batches it is given and reports. */
import { parentPort } from 'node:worker_threads';
import { runBatch } from './batch.ts';
import type { Batch } from './summary.ts';

parentPort?.on('message', (batch: Batch) => {
  runBatch(batch).then(
    (summary) => parentPort?.postMessage(summary),
    (error: unknown) => {
      // Outside a promise, so that the thread dies and its maker hears of it.
      queueMicrotask(() => {
        throw error;
      });
    },
  );
});
