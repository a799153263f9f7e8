/** What came of many histories, as plain data that adds up over threads. */

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

export function add(into: Summary, more: Summary): void {
  into.histories += more.histories;
  into.simulatedMs += more.simulatedMs;
  into.events += more.events;
  into.entries += more.entries;
  for (const [outcome, count] of Object.entries(more.outcomes))
    into.outcomes[outcome] = (into.outcomes[outcome] ?? 0) + count;
  into.violations.push(...more.violations);
}
