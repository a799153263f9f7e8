import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { finished } from 'node:stream/promises';
import { describeMissing, isMissing } from '../lab/binaries/missing.ts';
import { findTool, type ToolName } from '../lab/binaries/tools.ts';
import { run } from '../lab/servers/command.ts';
import { against, type BenchOptions, type BenchResult } from './measure.ts';
import type { BenchPackage } from './package.ts';

const DAYS = 30;
const STEP_S = 15;
const STEPS = (DAYS * 86_400) / STEP_S;
const FROM_S = Date.UTC(2026, 0, 1) / 1000;
const LIMIT_MS = 60_000;
/** One takes the better part of a minute; more say little more of a median. */
const MOST_ROUNDS = 2;
const ENDS_WITHIN_MS = 600_000;

/** Outages of the history, in steps: one of 25 minutes, one of 2 hours, and a blip. */
const OUTAGES = [
  { from: 20_000, to: 20_100 },
  { from: 90_000, to: 90_480 },
  { from: 150_000, to: 150_010 },
] as const;
const EXPECTED = 2;

/**
 * `failoverd backtest` of the package: 30 days of history at 15 s, of config/failover.yaml with all that failoverd exports
 * for it, read by a real Prometheus from blocks. The whole command is timed: starting Prometheus, asking, judging, telling.
 */
export async function backtest(pack: BenchPackage, { rounds, tell, signal }: BenchOptions): Promise<BenchResult> {
  const [prometheus, promtool] = [await tool('prometheus'), await tool('promtool')];
  const scratch = await mkdtemp(path.join(tmpdir(), 'failoverd-bench-backtest-'));
  try {
    tell(`  writing ${DAYS} days of history`);
    const text = path.join(scratch, 'history.txt');
    await writeHistory(text);
    const blocks = path.join(scratch, 'blocks');
    await mkdir(blocks);
    const made = await run(
      [promtool, 'tsdb', 'create-blocks-from', '--max-block-duration=744h', 'openmetrics', text, blocks],
      { timeoutMs: ENDS_WITHIN_MS },
    );
    if (made.exitCode !== 0) throw new Error(`promtool made no blocks: ${made.stderr.slice(-500)}`);
    await rm(text);
    const times: number[] = [];
    while (times.length < Math.min(rounds, MOST_ROUNDS)) {
      signal.throwIfAborted();
      times.push(await once(pack, prometheus, blocks));
      tell(`  round ${times.length}: ${((times.at(-1) ?? 0) / 1000).toFixed(1)} s`);
    }
    return {
      bench: 'backtest',
      says: `${DAYS} days of history at ${STEP_S} s (${STEPS} steps) of config/failover.yaml, from blocks to the table`,
      findings: [against('backtest of 30 days at 15 s', 'ms', times, LIMIT_MS)],
      notes: [],
    };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function tool(name: ToolName): Promise<string> {
  const found = await findTool(name, { fetch: true, log: () => undefined });
  if (isMissing(found)) throw new Error(describeMissing(found));
  return found.path;
}

async function once(pack: BenchPackage, prometheus: string, blocks: string): Promise<number> {
  const iso = (step: number): string => new Date((FROM_S + step * STEP_S) * 1000).toISOString();
  const begun = performance.now();
  const ended = await run(
    [
      process.execPath,
      pack.launcher,
      'backtest',
      `--config=${path.join(pack.home, 'config', 'failover.yaml')}`,
      `--blocks=${blocks}`,
      `--from=${iso(0)}`,
      `--to=${iso(STEPS - 1)}`,
      '--json',
    ],
    { timeoutMs: ENDS_WITHIN_MS, env: { ...process.env, FAILOVERD_PROMETHEUS: prometheus } },
  );
  const tookMs = performance.now() - begun;
  if (ended.exitCode !== 0) throw new Error(`the backtest failed: ${ended.stderr.slice(-500)}`);
  const { decisions } = JSON.parse(ended.stdout) as { decisions: { row: number }[] };
  const found = decisions.filter(({ row }) => row === 40).length;
  // A number for something that finds nothing would be no number.
  if (found !== EXPECTED) throw new Error(`${found} outages were found where ${EXPECTED} are`);
  return tookMs;
}

const isDown = (step: number): boolean => OUTAGES.some(({ from, to }) => step >= from && step < to);
/** Numbers that are another one at every step, as they are in life. */
const swings = (step: number, most: number): number => (step * 7919) % most;

type Family = { readonly name: string; readonly series: readonly (readonly [string, (step: number) => number])[] };

function families(): Family[] {
  const vantages = ['daemon', 'witness'];
  const regions = ['us-east-1', 'eu-central-1'];
  const down = (step: number): number => (isDown(step) ? 0 : 1);
  const group = 'group="platform"';
  return [
    { name: 'up', series: [['{job="failoverd"}', () => 1]] },
    { name: 'ALERTS', series: [['{alertname="Watchdog",alertstate="firing"}', () => 1]] },
    {
      name: 'failoverd_probe_verdict',
      series: vantages.flatMap((vantage) =>
        ['postgres', 'api'].flatMap((component) =>
          regions.map((region): Family['series'][number] => [
            `{${group},vantage="${vantage}",component="${component}",region="${region}"}`,
            region === 'us-east-1' ? down : () => 1,
          ]),
        ),
      ),
    },
    {
      name: 'failoverd_vantage_connected',
      series: vantages.map((vantage) => [`{${group},vantage="${vantage}"}`, () => 1]),
    },
    { name: 'failoverd_postgres_streaming', series: [[`{${group}}`, down]] },
    { name: 'failoverd_postgres_receive_gap_bytes', series: [[`{${group}}`, (step) => swings(step, 100_000)]] },
    { name: 'failoverd_postgres_replay_lag_bytes', series: [[`{${group}}`, (step) => swings(step, 9_000)]] },
    {
      name: 'failoverd_postgres_replay_lag_seconds',
      series: [[`{${group}}`, (step) => (isDown(step) ? 0 : swings(step, 900) / 1000)]],
    },
  ];
}

async function writeHistory(file: string): Promise<void> {
  const out = createWriteStream(file);
  const done = finished(out);
  for (const { name, series } of families()) {
    out.write(`# TYPE ${name} gauge\n`);
    for (const [labels, value] of series) {
      let lines = '';
      for (let step = 0; step < STEPS; step += 1) {
        lines += `${name}${labels} ${value(step)} ${FROM_S + step * STEP_S}\n`;
        if (lines.length < 1_000_000 && step < STEPS - 1) continue;
        if (!out.write(lines)) await new Promise<void>((drained) => out.once('drain', () => drained()));
        lines = '';
      }
    }
  }
  out.end('# EOF\n');
  await done;
}
