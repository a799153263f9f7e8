/** What the simulator says of a summary, in lines. PURE: each part is a function of its own, for every kind of world. */
import type { World } from './contract.ts';
import { coverageFailures, coverageTable } from './coverage.ts';
import type { Summary } from './summary.ts';

/** Violations told, and empty cells; the rest is counted. */
const TOLD = 20;

/** Why this summary makes the run fail, a line each; empty = it holds. */
export function failuresOf(world: World, summary: Summary, judgesCoverage: boolean): readonly string[] {
  const { histories, violated } = summary;
  const cells = judgesCoverage ? coverageFailures(world.coverage, summary.hits, histories) : [];
  return [
    ...(violated > 0 ? [`${violated} violations`] : []),
    ...cells.slice(0, TOLD),
    ...(cells.length > TOLD ? [`and ${cells.length - TOLD} more cells`] : []),
    ...(judgesCoverage ? (world.judge?.(summary.least, histories).failures ?? []) : []),
  ];
}

export const outcomeLines = ({ outcomes }: Summary): readonly string[] => {
  const width = Math.max(0, ...Object.keys(outcomes).map((outcome) => outcome.length)) + 2;
  return Object.entries(outcomes)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([outcome, count]) => `  ${outcome.padEnd(width)}${count}`);
};

export const violationLines = ({ violations, violated, world }: Summary): readonly string[] => [
  ...violations
    .slice(0, TOLD)
    .map(
      ({ seed, invariant, what }) =>
        `  VIOLATION of invariant ${invariant} at seed ${seed}: ${what}   (npm run sim -- --world ${world} --seed ${seed} --trace)`,
    ),
  ...(violated > TOLD ? [`  and ${violated - TOLD} more`] : []),
];

/** Schedules, simulated time, events, and how fast that was: by the clock, and for one core by processor time. */
export function totalLine(summary: Summary, tookMs: number): string {
  const { histories, completed, simulatedMs, events, entries, cpuMs, violated, world } = summary;
  const perSecond = (count: number, ms: number): string => (ms > 0 ? (count / (ms / 1000)).toFixed(0) : '-');
  return (
    `${world}: ${histories} schedules (${completed} full failovers), ${hours(simulatedMs)} simulated, ${events} events, ${entries} journal entries, ` +
    `${perSecond(histories, tookMs)} schedules/s, ${perSecond(histories, cpuMs)} schedules/s and ${perSecond(completed, cpuMs)} full failovers/s of one core: ${violated} violations`
  );
}

const hours = (ms: number): string => `${(ms / 3_600_000).toFixed(1)} h`;

export function coverageLines(world: World, summary: Summary): readonly string[] {
  const { fullFrom } = world.coverage;
  const few = summary.histories < fullFrom ? [`  (every possible cell must be hit from ${fullFrom} schedules on)`] : [];
  return [...coverageTable(world.coverage, summary.hits), ...few];
}

export function summaryLines(
  world: World,
  summary: Summary,
  tookMs: number,
  judgesCoverage: boolean,
): readonly string[] {
  return [
    ...outcomeLines(summary),
    ...coverageLines(world, summary),
    ...(judgesCoverage ? (world.judge?.(summary.least, summary.histories).lines ?? []) : []),
    ...violationLines(summary),
    ...failuresOf(world, summary, judgesCoverage).map((failure) => `  FAILED: ${failure}`),
    totalLine(summary, tookMs),
  ];
}
