import { spawn } from 'node:child_process';
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Log } from './binaries/missing.ts';
import { raise, SABOTAGES, type Sabotage, waitFor } from './platform.ts';
import { power } from './region/power.ts';
import { collect, judge, type ScenarioFacts } from './report.ts';
import { daemonCrash } from './scenarios/daemon-crash.ts';
import { SCENARIOS } from './scenarios/index.ts';
import type { Scenario } from './scenarios/scenario.ts';
import { textOf } from './servers/errors.ts';
import { demoSummary } from './summary.ts';

const USAGE = `call: lab list | up | down | scenario NAME|all [--json] [--sabotage ${SABOTAGES.join('|')}] | demo
      lab power off|on|status REGION [--hypervisor URL]`;
const STATE_FILE = path.join(tmpdir(), `failoverd-lab-${process.getuid?.() ?? 0}.json`);
/** A failover has some thirty entries; a loop has an end. */
const MOST_CRASHES = 60;
const SELF = fileURLToPath(import.meta.url);

interface UpState {
  readonly pid: number;
  /** When that process began, as the kernel counts: a pid alone may be another's by now. */
  readonly began: string;
  readonly hypervisor: string;
  readonly addresses: Readonly<Record<string, string>>;
}

const say = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

async function main(argv: readonly string[]): Promise<number> {
  const [command, name] = argv;
  switch (command) {
    case 'list':
      for (const { name: each, says } of SCENARIOS) process.stdout.write(`${each.padEnd(26)}${says}\n`);
      process.stdout.write(
        `${'daemon-crash'.padEnd(26)}failoverd is killed -9 after every journal entry of a failover in turn\n`,
      );
      return 0;
    case 'up':
      return await up();
    case 'serve':
      return await serve();
    case 'down':
      return await down();
    case 'power':
      return await powerCommand(argv.slice(1));
    case 'scenario':
      return await scenarios(name ?? '', argv);
    case 'demo':
      return await demo();
    default:
      say(USAGE);
      return 2;
  }
}

function sabotageOf(argv: readonly string[]): Sabotage | null | undefined {
  if (!argv.includes('--sabotage')) return null;
  const word = argv[argv.indexOf('--sabotage') + 1];
  return SABOTAGES.find((each) => each === word);
}

async function scenarios(name: string, argv: readonly string[]): Promise<number> {
  const all = name === 'all' || name === 'daemon-crash';
  const chosen = SCENARIOS.filter((each) => name === 'all' || each.name === name);
  const sabotage = sabotageOf(argv);
  if ((chosen.length === 0 && !all) || sabotage === undefined) {
    say(chosen.length === 0 && !all ? `no scenario ${name}: see lab list` : USAGE);
    return 2;
  }
  let failed = 0;
  const one = async (scenario: Scenario): Promise<void> => {
    const facts = await runScenario(scenario, sabotage, say, { fetch: true });
    const verdict = judge(facts);
    if (!verdict.passed) failed += 1;
    if (argv.includes('--json')) process.stdout.write(`${JSON.stringify({ ...facts, ...verdict })}\n`);
    else process.stdout.write(`${verdict.passed ? 'passed' : 'FAILED'} ${scenario.name}: ${scenario.says}\n`);
    for (const { check, ok } of verdict.checks) if (!ok) say(`  not so: ${check}`);
  };
  for (const scenario of chosen) await one(scenario);
  if (all) await everyCrash(one);
  return failed === 0 ? 0 : 1;
}

/** One crash after the other, each in a new lab, until the run's last entry has had its own. */
async function everyCrash(one: (scenario: Scenario) => Promise<void>): Promise<void> {
  const dir = await mkdtemp(path.join(tmpdir(), 'fl-crash-'));
  try {
    for (let after = 1; after <= MOST_CRASHES; ) {
      const file = path.join(dir, `${after}.json`);
      await one(daemonCrash(after, file));
      // The crash writes it; without it nothing was killed, and a series of nothing proves nothing.
      const crash = JSON.parse(await readFile(file, 'utf8')) as { readonly counted: number; readonly ended: boolean };
      if (crash.ended) return;
      after = crash.counted + 1;
    }
    throw new Error(`no run had ended after ${MOST_CRASHES} journal entries: not every entry had its crash`);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

export async function runScenario(
  scenario: Scenario,
  sabotage: Sabotage | null,
  log: Log,
  monitoring: { readonly fetch?: boolean; readonly fakeMonitoring?: boolean } = {},
): Promise<ScenarioFacts> {
  log(`${scenario.name}: ${scenario.says}`);
  const platform = await raise({ ...scenario.options, ...monitoring, log, sabotage: sabotage ?? undefined });
  try {
    await scenario.act(platform, log);
    return await collect(platform, scenario, sabotage);
  } finally {
    await platform.down();
  }
}

async function demo(): Promise<number> {
  const [scenario] = SCENARIOS;
  if (scenario === undefined) return 1;
  const startMs = performance.now();
  const log: Log = (line) => process.stdout.write(`[${((performance.now() - startMs) / 1000).toFixed(1)} s] ${line}\n`);
  const facts = await runScenario(scenario, null, log);
  const verdict = judge(facts);
  process.stdout.write(demoSummary(facts, verdict));
  return verdict.passed ? 0 : 1;
}

async function serve(): Promise<number> {
  const platform = await raise({ log: say, fetch: true });
  const state: UpState = {
    pid: process.pid,
    began: (await beganAt(process.pid)) ?? '',
    hypervisor: platform.hypervisor.url,
    addresses: platform.addresses,
  };
  await writeFile(STATE_FILE, JSON.stringify(state), { mode: 0o600 });
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
  });
  await platform.down();
  await rm(STATE_FILE, { force: true });
  return 0;
}

async function up(): Promise<number> {
  if ((await readState()) !== undefined) {
    say('a lab is up already: lab down ends it');
    return 1;
  }
  const log = await open(`${STATE_FILE}.log`, 'w', 0o600);
  const child = spawn(process.execPath, [SELF, 'serve'], { detached: true, stdio: ['ignore', log.fd, log.fd] });
  child.unref();
  await log.close();
  const there = await waitFor('the lab', 120_000, async () => {
    return child.exitCode !== null || (await readState()) !== undefined;
  });
  const state = await readState();
  if (!there || state === undefined) {
    say(`the lab did not come up: see ${STATE_FILE}.log`);
    return 1;
  }
  for (const [what, where] of Object.entries(state.addresses)) process.stdout.write(`${what.padEnd(18)}${where}\n`);
  return 0;
}

/** Ends the one process that `up` wrote down; that one ends what it started. */
async function down(): Promise<number> {
  const state = await readState();
  if (state === undefined) {
    say('no lab is up');
    return 0;
  }
  process.kill(state.pid, 'SIGTERM');
  const gone = await waitFor('the end', 60_000, async () => (await beganAt(state.pid)) !== state.began);
  if (gone) await rm(STATE_FILE, { force: true });
  say(gone ? 'the lab is down' : `process ${state.pid} is still ending`);
  return gone ? 0 : 1;
}

async function powerCommand(argv: readonly string[]): Promise<number> {
  const state = argv.includes('--hypervisor') ? undefined : await readState();
  const answer = await power(state === undefined ? argv : [...argv, '--hypervisor', state.hypervisor]);
  process.stdout.write(`${answer.line}\n`);
  return answer.exitCode;
}

async function readState(): Promise<UpState | undefined> {
  const text = await readFile(STATE_FILE, 'utf8').catch((error: NodeJS.ErrnoException) => {
    // No file, no lab; a file that can't be read is something else, and is said.
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  const state = JSON.parse(text) as UpState;
  return (await beganAt(state.pid)) === state.began ? state : undefined;
}

/** The start time of a process, from the kernel; undefined when there is none. */
async function beganAt(pid: number): Promise<string | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return text.slice(text.lastIndexOf(')') + 2).split(' ')[19];
}

if (import.meta.main) {
  main(process.argv.slice(2)).then(
    (code) => process.exit(code),
    (error: unknown) => {
      say(textOf(error));
      process.exit(1);
    },
  );
}
