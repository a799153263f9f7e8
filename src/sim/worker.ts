/** One thread of the simulator (a composition root): runs the batches it is given and reports. */
import { parentPort } from 'node:worker_threads';
import { type Batch, emptySummary, type Summary } from './summary.ts';
import { runHistory } from './world.ts';

/** Violations told of one batch; a batch that bad needs no more to be looked at. */
const VIOLATIONS_KEPT = 50;

async function runBatch(batch: Batch): Promise<Summary> {
  const summary = emptySummary();
  for (let seed = batch.from; seed < batch.from + batch.seeds; seed += 1) {
    const report = await runHistory({ seed, replay: seed % batch.replayEvery === 0 });
    summary.histories += 1;
    summary.simulatedMs += report.simulatedMs;
    summary.events += report.events;
    summary.entries += report.entries;
    const outcome = `${report.schedule.disaster}: ${report.outcome}`;
    summary.outcomes[outcome] = (summary.outcomes[outcome] ?? 0) + 1;
    if (summary.violations.length < VIOLATIONS_KEPT)
      summary.violations.push(...report.violations.map(({ invariant, what }) => ({ seed, invariant, what })));
  }
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
