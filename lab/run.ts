import type { Log } from './binaries/missing.ts';
import { type PlatformOptions, raise, type Sabotage } from './platform.ts';
import { collect, type ScenarioFacts } from './report.ts';
import type { Expectation, Scenario } from './scenarios/scenario.ts';
import { codeOf, textOf } from './servers/errors.ts';
import { judge, type Verdict } from './verdict.ts';

export interface RunOptions {
  readonly sabotage?: Sabotage | null;
  readonly monitoring?: PlatformOptions['monitoring'];
  /** Of the lab's folder, when the scenario is over: nothing, or what the report names. */
  readonly keep: 'nothing' | 'reports' | 'reports-if-failed';
  /** Ends the lab at once; the scenario is then an error. */
  readonly interrupted?: AbortSignal;
  readonly log: Log;
}

/** A scenario that came to no verdict: something of the lab itself failed. */
export interface BrokenRun {
  readonly scenario: string;
  readonly expects: Expectation;
  readonly sabotage: Sabotage | null;
  readonly passed: false;
  readonly error: string;
  readonly code: string | null;
}

export type Report = BrokenRun | (ScenarioFacts & Verdict);

export const isBroken = (report: Report): report is BrokenRun => 'error' in report;

/** Raise a lab, let the scenario happen, read back what came of it, and take the lab down. Throws what went wrong. */
export async function runScenario(scenario: Scenario, options: RunOptions): Promise<ScenarioFacts & Verdict> {
  const { log, interrupted } = options;
  const sabotage = options.sabotage ?? null;
  log(`${scenario.name}: ${scenario.says}`);
  const { monitoring = 'installed' } = options;
  const platform = await raise({ ...scenario.options, monitoring, log, sabotage, interrupted });
  let failed = true;
  try {
    await orInterrupted(scenario.act(platform, log), interrupted);
    const facts = await orInterrupted(collect(platform, scenario, sabotage), interrupted);
    const verdict = judge(facts);
    failed = !verdict.passed;
    return { ...facts, ...verdict };
  } finally {
    const wanted = options.keep === 'reports' || (options.keep === 'reports-if-failed' && failed);
    const keep = wanted && interrupted?.aborted !== true ? 'reports' : 'nothing';
    await platform.down(keep);
    if (keep === 'reports') log(`kept, without secrets: ${platform.folder.out('')}`);
  }
}

/** The same, and what went wrong is a report too, which has not passed. */
export async function reportOf(scenario: Scenario, options: RunOptions): Promise<Report> {
  try {
    return await runScenario(scenario, options);
  } catch (error) {
    const { name, expects } = scenario;
    const why = { error: textOf(error), code: codeOf(error) ?? null };
    return { scenario: name, expects, sabotage: options.sabotage ?? null, passed: false, ...why };
  }
}

/** What it gives, unless it is interrupted first: a scenario may wait for a minute for what can't come any more. */
async function orInterrupted<T>(work: Promise<T>, interrupted: AbortSignal | undefined): Promise<T> {
  if (interrupted === undefined) return await work;
  const { promise, reject } = Promise.withResolvers<never>();
  const interrupt = (): void => reject(interrupted.reason);
  interrupted.addEventListener('abort', interrupt, { once: true });
  try {
    interrupted.throwIfAborted();
    return await Promise.race([work, promise]);
  } finally {
    interrupted.removeEventListener('abort', interrupt);
  }
}
