/** Many histories in one worker, and what came of them, as plain data that adds up. */
import { runHistory } from './world.ts';

export type Batch = { readonly from: number; readonly seeds: number; readonly replayEvery: number };
export type Summary = {
  histories: number;
  simulatedMs: number;
  events: number;
  entries: number;
  outcomes: Record<string, number>;
  violations: { readonly seed: number; readonly invariant: number; readonly what: string }[];
};

export const emptySummary = (): Summary => ({
  histories: 0,
  simulatedMs: 0,
  events: 0,
  entries: 0,
  outcomes: {},
  violations: [],
});

/** Seeds that failed are kept up to here; the rest is counted. */
const VIOLATIONS_KEPT = 50;

export function add(into: Summary, more: Summary): void {
  into.histories += more.histories;
  into.simulatedMs += more.simulatedMs;
  into.events += more.events;
  into.entries += more.entries;
  for (const [outcome, count] of Object.entries(more.outcomes))
    into.outcomes[outcome] = (into.outcomes[outcome] ?? 0) + count;
  into.violations.push(...more.violations);
}

export async function runBatch(batch: Batch, progress: (summary: Summary) => void): Promise<Summary> {
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
    if (summary.histories % 250 === 0) progress(summary);
  }
  return summary;
}
