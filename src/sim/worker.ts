/** One thread of the simulator: runs the batches it is given and reports. */
import { parentPort } from 'node:worker_threads';
import { type Batch, runBatch } from './summary.ts';

parentPort?.on('message', (batch: Batch) => {
  runBatch(batch, () => undefined).then(
    (summary) => parentPort?.postMessage(summary),
    (error: unknown) => {
      // Outside a promise, so that the thread dies and its maker hears of it.
      queueMicrotask(() => {
        throw error;
      });
    },
  );
});
