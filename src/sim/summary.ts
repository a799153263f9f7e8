/** What came of many histories of one world, as plain data that adds up over threads. PURE. */
import type { Chosen, HistoryReport, Measure } from './contract.ts';

export type Batch = {
  readonly world: string;
  readonly from: number;
  readonly seeds: number;
  /** Every so many histories are replayed from their recorded inputs, to prove that the core is deterministic. */
  readonly replayEvery: number;
  readonly chosen: Chosen | null;
  /** The same worlds without their faults: disasters alone. */
  readonly faultFree?: boolean;
  /** Keeps what each history measured, in the order of the seeds. */
  readonly measure?: boolean;
};

export type Found = { readonly seed: number; readonly invariant: number; readonly what: string };

export type Summary = {
  readonly world: string;
  histories: number;
  /** Those in which a failover came to its end. */
  completed: number;
  simulatedMs: number;
  events: number;
  entries: number;
  /** Processor time of the threads, milliseconds. */
  cpuMs: number;
  readonly outcomes: Record<string, number>;
  readonly hits: Record<string, number>;
  readonly least: Record<string, number>;
  /** What was measured, where that was asked for; histories in which it did not come about have no part in it. */
  readonly measured: Partial<Record<Measure, number[]>>;
  readonly violations: Found[];
  /** All of them, also those that are not kept. */
  violated: number;
};

/** Violations kept; a run that bad needs no more to be looked at. */
const VIOLATIONS_KEPT = 200;

export const emptySummary = (world: string): Summary => ({
  world,
  histories: 0,
  completed: 0,
  simulatedMs: 0,
  events: 0,
  entries: 0,
  cpuMs: 0,
  outcomes: {},
  hits: {},
  least: {},
  measured: {},
  violations: [],
  violated: 0,
});

export function addHistory(into: Summary, report: HistoryReport, measure = false): void {
  into.histories += 1;
  into.completed += report.completed ? 1 : 0;
  into.simulatedMs += report.simulatedMs;
  into.events += report.events;
  into.entries += report.entries;
  into.outcomes[report.outcome] = (into.outcomes[report.outcome] ?? 0) + 1;
  sum(into.hits, report.hits);
  lower(into.least, report.least);
  if (measure)
    for (const [key, value] of Object.entries(report.measured ?? {}) as [Measure, number][])
      append(into.measured, key, [value]);
  into.violated += report.violations.length;
  for (const { invariant, what } of report.violations) keep(into, { seed: report.seed, invariant, what });
}

export function add(into: Summary, more: Summary): void {
  into.histories += more.histories;
  into.completed += more.completed;
  into.simulatedMs += more.simulatedMs;
  into.events += more.events;
  into.entries += more.entries;
  into.cpuMs += more.cpuMs;
  sum(into.outcomes, more.outcomes);
  sum(into.hits, more.hits);
  lower(into.least, more.least);
  for (const [key, values] of Object.entries(more.measured) as [Measure, number[]][])
    append(into.measured, key, values);
  into.violated += more.violated;
  for (const found of more.violations) keep(into, found);
}

function keep(into: Summary, found: Found): void {
  if (into.violations.length < VIOLATIONS_KEPT) into.violations.push(found);
}

function sum(into: Record<string, number>, more: Readonly<Record<string, number>>): void {
  for (const [key, count] of Object.entries(more)) into[key] = (into[key] ?? 0) + count;
}

function append(into: Summary['measured'], key: Measure, values: readonly number[]): void {
  const all = into[key] ?? [];
  for (const value of values) all.push(value);
  into[key] = all;
}

function lower(into: Record<string, number>, more: Readonly<Record<string, number>>): void {
  for (const [key, value] of Object.entries(more)) into[key] = Math.min(into[key] ?? value, value);
}
