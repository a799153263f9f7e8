import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import pLimit from 'p-limit';
import type { Log } from './binaries/missing.ts';
import { demo } from './demo.ts';
import { SABOTAGES, type Sabotage } from './platform.ts';
import { power } from './region/power.ts';
import { isBroken, type Report, reportOf } from './run.ts';
import { daemonCrash } from './scenarios/daemon-crash.ts';
import { regionDownAuto, SCENARIOS } from './scenarios/index.ts';
import type { Scenario } from './scenarios/scenario.ts';
import { crashSeries, type SeriesReport } from './series.ts';
import { LabError, textOf } from './servers/errors.ts';
import { down, readStanding, serve, up } from './standing.ts';
import { endingOf } from './verdict.ts';

const CRASHES = 'daemon-crash';
const USAGE = `call: lab list | up | down | demo
      lab scenario NAME|all [--json] [--sabotage ${SABOTAGES.join('|')}] [--jobs N]
      (--jobs: labs side by side, each in a network of its own; 2 by default)
      lab scenario ${CRASHES} --after NUMBER|ENTRY   one crash, such as --after "step.intended fence"
      lab power off|on|status REGION [--hypervisor URL]`;
const MOST_JOBS = 8;

const say: Log = (line) => {
  process.stderr.write(`${line}\n`);
};

async function main(argv: readonly string[], interrupted: AbortSignal): Promise<number> {
  const [command, ...words] = argv;
  switch (command) {
    case 'list':
      return list();
    case 'up':
      return await up(fileURLToPath(import.meta.url), say, interrupted);
    case 'serve':
      return await serve(say, interrupted);
    case 'down':
      return await down(say);
    case 'power':
      return await powerCommand(words);
    case 'scenario':
      return await scenarios(words, interrupted);
    case 'demo':
      return await demo(interrupted);
    case 'help':
    case '--help':
    case '-h':
      process.stdout.write(`${USAGE}\n`);
      return 0;
    default:
      if (command !== undefined) say(`lab: there is no command ${command}`);
      say(USAGE);
      return 2;
  }
}

function list(): number {
  const crashes = { name: CRASHES, says: 'failoverd is killed -9 after every journal entry of a failover in turn' };
  const all = [...SCENARIOS, crashes];
  const widest = Math.max(...all.map(({ name }) => name.length));
  for (const { name, says } of all) process.stdout.write(`${name.padEnd(widest + 2)}${says}\n`);
  return 0;
}

interface Request {
  readonly scenarios: readonly Scenario[];
  readonly crashes: boolean;
  /** The one crash that is asked for; null for all of them. */
  readonly after: number | string | null;
  readonly json: boolean;
  readonly sabotage: Sabotage | null;
  readonly jobs: number;
}

/** What `scenario` was called with. Throws `bad-input`. */
export function requestOf(words: readonly string[]): Request {
  const { values, positionals } = parse(words);
  const [name = '', ...more] = positionals;
  if (more.length > 0) throw new LabError('bad-input', `one scenario at a time, or all: not ${more.join(' ')}`);
  const scenarios = SCENARIOS.filter((each) => name === 'all' || each.name === name);
  const crashes = name === 'all' || name === CRASHES;
  if (scenarios.length === 0 && !crashes) throw new LabError('bad-input', `no scenario ${name}`, 'see lab list');
  const sabotage = SABOTAGES.find((each) => each === values.sabotage) ?? null;
  if (values.sabotage !== undefined && sabotage === null) {
    throw new LabError('bad-input', `no sabotage ${values.sabotage}`, SABOTAGES.join(', '));
  }
  const jobs = Number(values.jobs ?? Math.min(2, availableParallelism()));
  if (!Number.isInteger(jobs) || jobs < 1 || jobs > MOST_JOBS) {
    throw new LabError('bad-input', `--jobs ${values.jobs}`, `a number from 1 to ${MOST_JOBS}`);
  }
  const { after } = values;
  if (after !== undefined && name !== CRASHES) throw new LabError('bad-input', `--after goes with ${CRASHES}`);
  return { scenarios, crashes, after: afterOf(after), json: values.json === true, sabotage, jobs };
}

function afterOf(text: string | undefined): number | string | null {
  if (text === undefined) return null;
  if (!/^(?:[1-9]\d{0,2}|[a-z]+\.[a-z]+(?: \S+)?)$/.test(text)) {
    throw new LabError('bad-input', `--after ${text}`, 'a number from 1, or an entry such as "step.done fence"');
  }
  return /^\d+$/.test(text) ? Number(text) : text;
}

function parse(words: readonly string[]) {
  try {
    return parseArgs({
      args: [...words],
      allowPositionals: true,
      options: {
        json: { type: 'boolean' },
        sabotage: { type: 'string' },
        jobs: { type: 'string' },
        after: { type: 'string' },
      },
    });
  } catch (error) {
    throw new LabError('bad-input', textOf(error));
  }
}

async function scenarios(words: readonly string[], interrupted: AbortSignal): Promise<number> {
  const { scenarios: chosen, crashes, after, json, sabotage, jobs } = requestOf(words);
  let failed = 0;
  const tell = (report: Report | SeriesReport): void => {
    if (!report.passed) failed += 1;
    if (json) process.stdout.write(`${JSON.stringify(report)}\n`);
    else process.stdout.write(`${report.passed ? 'passed' : 'FAILED'} ${report.scenario}\n`);
    if ('error' in report) say(`  ${report.error}`);
    if ('checks' in report) for (const { check, ok } of report.checks) if (!ok) say(`  not so: ${check}`);
  };
  const alone = chosen.length === 1 && !crashes;
  const run = async (scenario: Scenario): Promise<Report> => {
    interrupted.throwIfAborted();
    const log: Log = jobs === 1 || alone ? say : (line) => say(`${scenario.name}: ${line}`);
    const report = await reportOf(scenario, { sabotage, monitoring: 'fetch', keep: 'reports', interrupted, log });
    tell(report);
    return report;
  };
  const first = crashes && chosen.length === 0 ? [regionDownAuto] : chosen;
  const reports = await pLimit(jobs).map(first, run);
  if (crashes) {
    const reference = reports.find((report) => report.scenario === regionDownAuto.name);
    if (reference === undefined)
      throw new LabError('bad-input', `${regionDownAuto.name} is the reference of ${CRASHES}`);
    if (after !== null && !isBroken(reference)) await run(daemonCrash(after, endingOf(reference)));
    if (after === null) tell(await crashSeries({ reference, sabotage, run, jobs }));
  }
  return failed === 0 ? 0 : 1;
}

async function powerCommand(argv: readonly string[]): Promise<number> {
  const standing = argv.includes('--hypervisor') ? undefined : await readStanding();
  if (standing === undefined && !argv.includes('--hypervisor') && process.env['FAILOVERD_LAB_HYPERVISOR'] === undefined)
    say('no lab is up: `lab up` raises one; of another, give --hypervisor URL');
  const answer = await power(standing === undefined ? argv : [...argv, '--hypervisor', standing.hypervisor]);
  process.stdout.write(`${answer.line}\n`);
  return answer.exitCode;
}

/** Ctrl-C takes the lab down first. A second one is told to wait: whatever runs would be left running. */
function interruption(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      say(controller.signal.aborted ? 'still taking the lab down' : `${signal}: taking the lab down`);
      controller.abort(new LabError('interrupted', `interrupted by ${signal}`));
    });
  }
  return controller.signal;
}

if (import.meta.main) {
  const interrupted = interruption();
  main(process.argv.slice(2), interrupted).then(
    (code) => process.exit(interrupted.aborted && code !== 0 ? 130 : code),
    (error: unknown) => {
      say(textOf(error));
      const typed = error instanceof LabError && error.code === 'bad-input';
      if (typed) say(USAGE);
      process.exit(interrupted.aborted ? 130 : typed ? 2 : 1);
    },
  );
}
