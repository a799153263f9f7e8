/**
 * `npm run bench -- [--only NAME] [--rounds N] [--json]`: measures what the project promises about speed, side by side
 * in one run, and says of each bound whether it is `within` or `over`. A number over its bound is a finding and no
 * failure: exit 0 = all was measured, 1 = something could not be, 2 = not understood.
 *
 * The whole, with the rounds it is meant to have, writes `bench/RESULTS.md`.
 */
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { textOf } from '../lab/servers/errors.ts';
import { backtest } from './backtest.ts';
import { failoverOverhead } from './failover-overhead.ts';
import type { BenchOptions, BenchResult, Tell } from './measure.ts';
import { type BenchPackage, makePackage } from './package.ts';
import { probesOfManyTargets } from './probes.ts';
import { loadNow, resultLines, resultsPage, thisMachine } from './results.ts';
import { simulatedFailovers } from './simulator.ts';
import { startAndMemory } from './start.ts';
import { stepOfManyGroups } from './step.ts';
import { durableWebhooks } from './webhooks.ts';

/** Fewer say too little about a median. */
const ROUNDS = 20;
const MOST_ROUNDS = 1_000;
const RESULTS = new URL('RESULTS.md', import.meta.url);

type Bench = (pack: BenchPackage, options: BenchOptions) => Promise<BenchResult>;
const BENCHES: Readonly<Record<string, Bench>> = {
  failover: failoverOverhead,
  start: startAndMemory,
  webhooks: durableWebhooks,
  step: async (_pack, options) => await stepOfManyGroups(options),
  probes: async (_pack, options) => await probesOfManyTargets(options),
  backtest,
  simulator: async (_pack, options) => await simulatedFailovers(options),
};

interface Wish {
  readonly only: string | undefined;
  readonly rounds: number;
  readonly json: boolean;
}

const say: Tell = (line) => void process.stderr.write(`${line}\n`);

/** What is asked for, or why it can't be understood. */
function wishOf(argv: readonly string[]): Wish | string {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: { only: { type: 'string' }, rounds: { type: 'string' }, json: { type: 'boolean', default: false } },
    });
    const { only, json, rounds = String(ROUNDS) } = values;
    if (only !== undefined && !Object.hasOwn(BENCHES, only))
      return `there is no bench ${only}: there are ${Object.keys(BENCHES).join(', ')}`;
    if (!/^\d+$/.test(rounds) || Number(rounds) < 1 || Number(rounds) > MOST_ROUNDS)
      return `--rounds ${rounds}: write a whole number from 1 to ${MOST_ROUNDS}`;
    return { only, rounds: Number(rounds), json };
  } catch (error) {
    return textOf(error);
  }
}

async function main(argv: readonly string[]): Promise<number> {
  const wish = wishOf(argv);
  if (typeof wish === 'string') {
    say(`bench: ${wish}\ncall: npm run bench -- [--only NAME] [--rounds N] [--json]`);
    return 2;
  }
  const machine = thisMachine();
  const before = loadNow();
  const results: BenchResult[] = [];
  let code = 0;
  const stopping = new AbortController();
  // The first one lets what runs be taken down, servers above all; a second one ends this process as it stands.
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.once(name, () => {
      say(`${name}: taking everything down`);
      stopping.abort(new Error(`stopped by ${name}`));
    });
  }
  const pack = await makePackage();
  try {
    for (const [name, bench] of Object.entries(BENCHES)) {
      if ((wish.only !== undefined && wish.only !== name) || stopping.signal.aborted) continue;
      say(`${name}: ${wish.rounds} rounds`);
      try {
        results.push(await bench(pack, { rounds: wish.rounds, tell: say, signal: stopping.signal }));
      } catch (error) {
        say(`bench: ${name} could not be measured: ${textOf(error)}`);
        code = 1;
      }
    }
  } finally {
    await pack.remove();
  }
  const date = new Date().toISOString().slice(0, 10);
  const load = { before, after: loadNow() };
  const lines = results.flatMap(resultLines);
  process.stdout.write(`${wish.json ? JSON.stringify({ date, machine, load, results }) : lines.join('\n')}\n`);
  const whole = wish.only === undefined && wish.rounds >= ROUNDS;
  if (whole && code === 0) await writeFile(RESULTS, resultsPage(results, machine, load, date));
  return code;
}

process.exitCode = await main(process.argv.slice(2));
