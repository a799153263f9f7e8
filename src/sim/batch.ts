/** Runs one batch of histories of a world and adds up what comes of them. */
import { processorTime } from '../runtime/processor.ts';
import { addHistory, type Batch, emptySummary, type Summary } from './summary.ts';
import { worldNamed } from './worlds.ts';

export async function runBatch({ world: name, from, seeds, replayEvery, chosen, ...how }: Batch): Promise<Summary> {
  const world = worldNamed(name);
  const summary = emptySummary(name);
  const { faultFree = false, measure = false } = how;
  const beganMs = processorTime();
  for (let seed = from; seed < from + seeds; seed += 1)
    addHistory(summary, await world.run(seed, { replay: seed % replayEvery === 0, chosen, faultFree }), measure);
  summary.cpuMs = processorTime() - beganMs;
  return summary;
}
