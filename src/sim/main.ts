/**
 * `npm run sim -- --seeds N [--from S] [--jobs J] [--json]`, or `--seed S --trace` to read one history.
 * Exit 0: no violation. 1: at least one; each is printed with the seed that shows it again. 2: usage.
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { systemClock } from '../runtime/clock.ts';
import { processEnvironment } from '../runtime/environment.ts';
import { runMutants } from './mutants/run.ts';
import { add, type Batch, emptySummary, type Summary } from './summary.ts';
import { runHistory } from './world.ts';

const environment = processEnvironment();
const USAGE = `usage: npm run sim -- [--seeds N] [--from S] [--jobs J] [--json]
       npm run sim -- --seed S [--trace]
       npm run sim -- --mutants [--only NN[,NN]] [--from S] [--seeds N] [--jobs J] [--json]`;
const BATCH = 250;
/** Every so many histories are replayed from their recorded inputs, to prove that the core is deterministic. */
const REPLAY_EVERY = 10;

/** What was typed can't be taken; anything else that is thrown is a defect, and must not look like this. */
class UsageError extends Error {}

function whole(text: string | undefined, fallback: number, name: string): number {
  if (text === undefined) return fallback;
  if (!/^\d{1,9}$/.test(text)) throw new UsageError(`--${name} takes a whole number, not ${text}`);
  return Number(text);
}

async function one(seed: number, trace: boolean, json: boolean): Promise<number> {
  const report = await runHistory({
    seed,
    replay: true,
    ...(trace ? { trace: (line: string) => environment.print(`${line}\n`) } : {}),
  });
  if (json) environment.print(`${JSON.stringify(report)}\n`);
  else
    environment.print(
      `seed ${seed}: ${report.schedule.disaster}, ${report.outcome}, ${report.violations.length} violations\n`,
    );
  return report.violations.length === 0 ? 0 : 1;
}

/** Runs batches on so many threads; rejects when a thread dies. */
function many(from: number, seeds: number, jobs: number, progress: (total: Summary) => void): Promise<Summary> {
  const batches: Batch[] = [];
  for (let first = from; first < from + seeds; first += BATCH)
    batches.push({ from: first, seeds: Math.min(BATCH, from + seeds - first), replayEvery: REPLAY_EVERY });
  const total = emptySummary();
  let busy = 0;
  return new Promise((resolve, reject) => {
    const started = Math.min(jobs, batches.length);
    for (let job = 0; job < started; job += 1) {
      const worker = new Worker(
        new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url),
      );
      busy += 1;
      const next = (): void => {
        const batch = batches.shift();
        if (batch !== undefined) return worker.postMessage(batch);
        busy -= 1;
        worker.terminate().catch(reject);
        if (busy === 0) resolve(total);
      };
      worker.on('message', (summary: Summary) => {
        add(total, summary);
        progress(total);
        next();
      });
      worker.on('error', reject);
      next();
    }
    if (started === 0) resolve(total);
  });
}

function print(total: Summary, tookMs: number): void {
  const line = (text: string): void => environment.print(`${text}\n`);
  for (const [outcome, count] of Object.entries(total.outcomes).sort()) line(`  ${outcome.padEnd(34)} ${count}`);
  for (const { seed, invariant, what } of total.violations.slice(0, 20))
    line(`  VIOLATION of invariant ${invariant} at seed ${seed}: ${what}   (npm run sim -- --seed ${seed} --trace)`);
  line(
    `${total.histories} schedules, ${(total.simulatedMs / 3_600_000).toFixed(1)} h simulated, ${total.events} events, ${total.entries} journal entries, ` +
      `${(total.histories / (tookMs / 1000)).toFixed(0)} schedules/s: ${total.violations.length} violations`,
  );
}

function argumentsOf() {
  try {
    return parseArgs({
      args: [...environment.argv],
      options: {
        seeds: { type: 'string' },
        from: { type: 'string' },
        seed: { type: 'string' },
        jobs: { type: 'string' },
        trace: { type: 'boolean' },
        json: { type: 'boolean' },
        mutants: { type: 'boolean' },
        only: { type: 'string' },
        help: { type: 'boolean' },
      },
    }).values;
  } catch (error) {
    // parseArgs throws for nothing but what was typed.
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

async function main(): Promise<number> {
  const values = argumentsOf();
  if (values.help) {
    environment.print(`${USAGE}\n`);
    return 0;
  }
  if (values.seed !== undefined) return one(whole(values.seed, 1, 'seed'), values.trace ?? false, values.json ?? false);
  const jobs = Math.max(1, whole(values.jobs, availableParallelism(), 'jobs'));
  const json = values.json ?? false;
  const from = whole(values.from, 1, 'from');
  if (values.mutants) {
    const within = values.seeds === undefined ? null : whole(values.seeds, 0, 'seeds');
    return runMutants({ only: values.only, from, within, jobs, json, environment });
  }
  const beganMs = systemClock.mono();
  const seeds = whole(values.seeds, 1000, 'seeds');
  let told = beganMs;
  const total = await many(whole(values.from, 1, 'from'), seeds, jobs, (so) => {
    if (values.json || systemClock.mono() - told < 5000) return;
    told = systemClock.mono();
    environment.complain(`${so.histories} of ${seeds} schedules, ${so.violations.length} violations\n`);
  });
  if (values.json) environment.print(`${JSON.stringify(total)}\n`);
  else print(total, systemClock.mono() - beganMs);
  return total.violations.length === 0 ? 0 : 1;
}

main().then(
  (code) => environment.endWith(code),
  (error: unknown) => {
    const usage = error instanceof UsageError;
    environment.complain(
      `${usage ? `${error.message}\n${USAGE}` : error instanceof Error ? error.stack : String(error)}\n`,
    );
    environment.endWith(usage ? 2 : 1);
  },
);
