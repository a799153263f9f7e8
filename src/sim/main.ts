/**
 * `npm run sim`: many histories of each kind of world, or one to read (`options.ts` has the usage).
 *
 * Exit 0: nothing was violated, and every possible cell of the coverage was hit where enough schedules were run. 1: not so;
 * a violation is printed with the seed that shows it again, and the first of them as a transcript. 2: usage, or a config
 * that the world can't stand for.
 */
import { availableParallelism } from 'node:os';
import { systemClock } from '../runtime/clock.ts';
import { loadConfig } from '../runtime/config/load.ts';
import { processEnvironment } from '../runtime/environment.ts';
import type { Chosen, World } from './contract.ts';
import { runMutants } from './mutants/run.ts';
import { type Options, optionsOf, UsageError, usageOf } from './options.ts';
import { failuresOf, summaryLines } from './print.ts';
import type { Summary } from './summary.ts';
import { runMany } from './threads.ts';
import { WORLDS, worldNamed } from './worlds.ts';

const environment = processEnvironment();
const NAMES = WORLDS.map(({ name }) => name);
const REPLAY_EVERY = 10;
const TELL_EVERY_MS = 5000;
/** Lines of the transcript of a violation: its end is what matters. */
const TRANSCRIPT_LINES = 120;

const print = (line: string): void => environment.print(`${line}\n`);

async function one(world: World, seed: number, options: Options, chosen: Chosen | null): Promise<number> {
  const trace = options.trace ? { trace: print } : {};
  const report = await world.run(seed, { replay: true, chosen, ...trace });
  if (options.json) print(JSON.stringify(report));
  else print(`${world.name} seed ${seed}: ${report.outcome}, ${report.violations.length} violations`);
  return report.violations.length === 0 ? 0 : 1;
}

/** The first violation, told from the beginning of its end. */
async function tellFirst(world: World, summary: Summary, chosen: Chosen | null): Promise<void> {
  const [first] = summary.violations;
  if (first === undefined) return;
  const lines: string[] = [];
  await world.run(first.seed, {
    replay: first.seed % REPLAY_EVERY === 0,
    chosen,
    trace: (line) => lines.push(line),
  });
  print(`\ntranscript of ${world.name} seed ${first.seed}, which breaks invariant ${first.invariant}:`);
  if (lines.length > TRANSCRIPT_LINES)
    print(`  (${lines.length - TRANSCRIPT_LINES} lines before; --seed ${first.seed} --trace tells all)`);
  for (const line of lines.slice(-TRANSCRIPT_LINES)) print(line);
}

async function many(world: World, options: Options, chosen: Chosen | null): Promise<number> {
  const beganMs = systemClock.mono();
  let toldMs = beganMs;
  const tookMs = (): number => systemClock.mono() - beganMs;
  const summary = await runMany({
    world: world.name,
    replayEvery: REPLAY_EVERY,
    chosen,
    from: options.from,
    seeds: options.seeds,
    jobs: options.jobs ?? availableParallelism(),
    enough: () => options.minutes !== null && tookMs() >= options.minutes * 60_000,
    progress: (so) => {
      if (options.json || systemClock.mono() - toldMs < TELL_EVERY_MS) return;
      toldMs = systemClock.mono();
      environment.complain(`${world.name}: ${so.histories} schedules, ${so.violated} violations\n`);
    },
  });
  // A user's own settings make some steps rare or absent: holes are told, and no failure.
  const judgesCoverage = chosen === null;
  const failures = failuresOf(world, summary, judgesCoverage);
  if (options.json) print(JSON.stringify({ ...summary, failures }));
  else {
    for (const line of summaryLines(world, summary, tookMs(), judgesCoverage)) print(line);
    await tellFirst(world, summary, chosen);
  }
  return failures.length === 0 ? 0 : 1;
}

/** The user's group, if one was named; throws a {@link UsageError} for a config that is wrong or that no world fits. */
async function chosenOf({ config: file, group: named }: Options, worlds: readonly World[]): Promise<Chosen | null> {
  if (file === null) return null;
  const loaded = await loadConfig(file, environment.workingDirectory);
  if (loaded.kind === 'refused')
    throw new UsageError(
      loaded.problems
        .map(({ line, path, value, message, remedy }) => `${file}:${line}: ${path}: ${value}: ${message}; ${remedy}`)
        .join('\n'),
    );
  const groups = Object.keys(loaded.config.groups);
  const group = named ?? (groups.length === 1 ? groups[0] : undefined);
  if (group === undefined)
    throw new UsageError(`${file} has ${groups.length} groups: name one of ${groups.join(', ')} with --group`);
  const chosen = { config: loaded.config, group };
  const reasons = worlds.flatMap((world) => world.refuses(chosen).map((reason) => `${world.name}: ${reason}`));
  if (reasons.length > 0) throw new UsageError(`${file} can’t be simulated:\n  ${reasons.join('\n  ')}`);
  return chosen;
}

async function main(): Promise<number> {
  const options = optionsOf(environment.argv, NAMES);
  if (options.help) {
    print(usageOf(NAMES));
    return 0;
  }
  if (options.mutants) return runMutants(options, environment);
  const worlds = options.worlds.map(worldNamed);
  const chosen = await chosenOf(options, worlds);
  let code = 0;
  for (const world of worlds)
    code = Math.max(
      code,
      options.seed === null ? await many(world, options, chosen) : await one(world, options.seed, options, chosen),
    );
  return code;
}

main().then(
  (code) => environment.endWith(code),
  (error: unknown) => {
    const usage = error instanceof UsageError;
    environment.complain(
      `${usage ? `${error.message}\n${usageOf(NAMES)}` : error instanceof Error ? error.stack : String(error)}\n`,
    );
    environment.endWith(usage ? 2 : 1);
  },
);
