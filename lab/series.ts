import pLimit from 'p-limit';
import type { Sabotage } from './platform.ts';
import type { ScenarioFacts } from './report.ts';
import { isBroken, type Report } from './run.ts';
import { daemonCrash } from './scenarios/daemon-crash.ts';
import type { Scenario } from './scenarios/scenario.ts';
import { endingOf, type Verdict } from './verdict.ts';

/** A failover has some thirty-five entries; a series has an end. */
const MOST_CRASHES = 60;

/** What each crash of a series came to, and whether together they left no entry out. */
export interface SeriesReport {
  readonly scenario: 'daemon-crash-series';
  readonly sabotage: Sabotage | null;
  readonly crashes: readonly SeriesCrash[];
  /** The entries of a run that nobody disturbed, by name: after each of them there must have been a crash. */
  readonly entries: readonly string[];
  readonly withoutCrash: readonly string[];
  readonly error?: string;
  readonly passed: boolean;
}

export interface SeriesCrash {
  readonly after: number | string;
  /** The last of these had just been committed; null when nothing was killed. */
  readonly entries: readonly string[] | null;
  readonly ended: boolean;
  readonly passed: boolean;
}

export interface SeriesOptions {
  /** The same failover, undisturbed. */
  readonly reference: Report;
  readonly sabotage: Sabotage | null;
  readonly run: (scenario: Scenario) => Promise<Report>;
  /** Labs side by side. */
  readonly jobs: number;
}

/** One crash after the other, each in a new lab, until every entry of a failover has had its own. */
export async function crashSeries(options: SeriesOptions): Promise<SeriesReport> {
  const { reference, sabotage } = options;
  const series = { scenario: 'daemon-crash-series', sabotage } as const;
  if (isBroken(reference) || !reference.passed) {
    const error = 'the failover that nobody disturbed did not pass: there is nothing to compare with';
    return { ...series, crashes: [], entries: [], withoutCrash: [], error, passed: false };
  }
  const crashes = await crashesByNumber(options, reference);
  const entries = entriesOf(reference);
  // No two runs write the same entries in the same order: one may have slipped through between two numbers.
  for (const missed of missing(entries, crashes)) crashes.push(await crashAfter(missed, options, reference));
  const withoutCrash = missing(entries, crashes);
  const through = crashes.some(({ ended }) => ended);
  const passed = through && withoutCrash.length === 0 && crashes.every((crash) => crash.passed);
  const cut = through ? {} : { error: `no crash came after the run's end, in ${crashes.length}` };
  return { ...series, crashes, entries, withoutCrash, ...cut, passed };
}

async function crashesByNumber(options: SeriesOptions, reference: ScenarioFacts & Verdict): Promise<SeriesCrash[]> {
  const limit = pLimit(options.jobs);
  const crashes: SeriesCrash[] = [];
  let counted = 0;
  let over = false;
  const one = async (after: number): Promise<void> => {
    // Several entries in one commit share a crash; after the run's end there is none.
    if (over || after <= counted) return;
    const report = await options.run(daemonCrash(after, endingOf(reference)));
    crashes.push(crashOf(after, report));
    if (isBroken(report) || report.crash === null) return;
    if (report.crash.counted > after) counted = Math.max(counted, report.crash.counted);
    over ||= report.crash.ended;
  };
  await limit.map(
    Array.from({ length: MOST_CRASHES }, (_, index) => index + 1),
    one,
  );
  return crashes;
}

async function crashAfter(
  name: string,
  options: SeriesOptions,
  reference: ScenarioFacts & Verdict,
): Promise<SeriesCrash> {
  return crashOf(name, await options.run(daemonCrash(name, endingOf(reference))));
}

function crashOf(after: number | string, report: Report): SeriesCrash {
  const crash = isBroken(report) ? null : report.crash;
  return { after, entries: crash?.entries ?? null, ended: crash?.ended === true, passed: report.passed };
}

/** From the start of the hold to the run's end, each once. When pages and alerts come is chance, so they are not asked for. */
export function entriesOf({ entries }: Pick<ScenarioFacts, 'entries'>): string[] {
  const run = entries.slice(entries.indexOf('hold.started'), entries.indexOf('run.ended') + 1);
  return [...new Set(run.filter((entry) => !/^(?:page|alerts)\./.test(entry)))];
}

const missing = (entries: readonly string[], crashes: readonly SeriesCrash[]): string[] =>
  entries.filter((entry) => !crashes.some((crash) => crash.entries?.includes(entry) === true));
