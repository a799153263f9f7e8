/** The command line of the simulator. PURE. */
import { parseArgs } from 'node:util';

/** `worlds`: the names that `--world` takes. */
export const usageOf = (worlds: readonly string[]): string => {
  const names = worlds.join('|');
  return `usage: npm run sim -- [--seeds N] [--from S] [--minutes M] [--jobs J] [--world ${names}|both] [--config FILE [--group G]] [--json]
       npm run sim -- --mutants [--only NN[,NN]] [--from S] [--seeds N] [--jobs J] [--json]
       npm run sim -- --seed S [--trace] [--world ${names}] [--config FILE [--group G]] [--json]
exit 0: no violation, and coverage where enough schedules were run. 1: a violation or a hole. 2: usage, or a config that does not fit.`;
};

/** What was typed can't be taken; anything else that is thrown is a defect, and must not look like this. */
export class UsageError extends Error {}

export type Options = {
  readonly help: boolean;
  readonly json: boolean;
  readonly trace: boolean;
  /** One history, or null: many. */
  readonly seed: number | null;
  readonly seeds: number;
  readonly seedsGiven: boolean;
  readonly from: number;
  /** Stop after so long, however many seeds are left; null = no such bound. */
  readonly minutes: number | null;
  readonly jobs: number | null;
  readonly worlds: readonly string[];
  readonly config: string | null;
  readonly group: string | null;
  /** Hunt mutants of failoverd instead; `only` those with these numbers. */
  readonly mutants: boolean;
  readonly only: string | null;
};

const DEFAULT_SEEDS = 1000;
/** With a bound in time and none in seeds. */
const MOST_SEEDS = 999_999_999;

/** Throws a {@link UsageError} that names the option and the value. */
export function optionsOf(argv: readonly string[], known: readonly string[]): Options {
  const values = parsed(argv);
  const minutes = values.minutes === undefined ? null : positive(values.minutes, 'minutes');
  if (values.group !== undefined && values.config === undefined)
    throw new UsageError('--group names a group of a config: give --config too');
  if (values.seed !== undefined && (values.seeds ?? values.from ?? values.minutes ?? values.jobs) !== undefined)
    throw new UsageError('--seed runs one history: leave --seeds, --from, --minutes and --jobs out');
  if (values.trace && values.seed === undefined) throw new UsageError('--trace tells one history: name it with --seed');
  if (values.only !== undefined && !values.mutants) throw new UsageError('--only names mutants: give --mutants too');
  const worlds = worldsOf(values.world, known);
  const [first] = worlds;
  return {
    help: values.help ?? false,
    json: values.json ?? false,
    trace: values.trace ?? false,
    seed: values.seed === undefined ? null : whole(values.seed, 'seed'),
    seedsGiven: values.seeds !== undefined,
    seeds: values.seeds === undefined ? (minutes === null ? DEFAULT_SEEDS : MOST_SEEDS) : whole(values.seeds, 'seeds'),
    from: values.from === undefined ? 1 : whole(values.from, 'from'),
    minutes,
    jobs: values.jobs === undefined ? null : Math.max(1, whole(values.jobs, 'jobs')),
    // A seed is one of one world.
    worlds: values.seed !== undefined && values.world === undefined && first !== undefined ? [first] : worlds,
    config: values.config ?? null,
    group: values.group ?? null,
    mutants: values.mutants ?? false,
    only: values.only ?? null,
  };
}

function parsed(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        seeds: { type: 'string' },
        from: { type: 'string' },
        seed: { type: 'string' },
        minutes: { type: 'string' },
        jobs: { type: 'string' },
        world: { type: 'string' },
        config: { type: 'string' },
        group: { type: 'string' },
        mutants: { type: 'boolean' },
        only: { type: 'string' },
        trace: { type: 'boolean' },
        json: { type: 'boolean' },
        help: { type: 'boolean' },
      },
    }).values;
  } catch (error) {
    // parseArgs throws for nothing but what was typed.
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function worldsOf(name: string | undefined, known: readonly string[]): readonly string[] {
  if (name === undefined || name === 'both') return known;
  if (!known.includes(name)) throw new UsageError(`--world takes ${known.join(', ')} or both, not ${name}`);
  return [name];
}

function whole(text: string, name: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new UsageError(`--${name} takes a whole number up to 999999999, not ${text}`);
  return Number(text);
}

function positive(text: string, name: string): number {
  const value = Number(text);
  if (!/^\d+(?:\.\d+)?$/.test(text) || value <= 0)
    throw new UsageError(`--${name} takes a number above 0, not ${text}`);
  return value;
}
