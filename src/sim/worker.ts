/** One thread of the simulator (a composition root): runs the batches it is given and reports. */
import { parentPort } from 'node:worker_threads';
import { processorTime } from '../runtime/processor.ts';
import { addHistory, type Batch, emptySummary, type Summary } from './summary.ts';
import { worldNamed } from './worlds.ts';

async function runBatch({ world: name, from, seeds, replayEvery, chosen }: Batch): Promise<Summary> {
  const world = worldNamed(name);
  const summary = emptySummary(name);
  const beganMs = processorTime();
  for (let seed = from; seed < from + seeds; seed += 1)
    addHistory(summary, await world.run(seed, { replay: seed % replayEvery === 0, chosen }));
  summary.cpuMs = processorTime() - beganMs;
  return summary;
}

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
