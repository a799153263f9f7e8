import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Summary } from '../src/sim/summary.ts';
import {
  type BenchOptions,
  type BenchResult,
  interleaved,
  least,
  quantity,
  quartiles,
  type Sample,
} from './measure.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** Enough for a second or so of one core at the least, and no seed twice. */
const SEEDS = { whole: 150, lease: 1_500 } as const;
type WorldName = keyof typeof SEEDS;
const WORLDS: readonly WorldName[] = ['whole', 'lease'];
/** Full failovers a second of one core. */
const LEAST = 200;
const AIM = 2_000;
const TIMEOUT_MS = 300_000;

const run = promisify(execFile);

/**
 * How many failovers the simulator plays out from their beginning to their end, by processor time of its threads: what else
 * the machine does slows it down by the clock and hardly by this.
 */
export async function simulatedFailovers(options: BenchOptions): Promise<BenchResult> {
  let round = 0;
  const samples = await interleaved(
    WORLDS.map((name) => ({
      name,
      measure: async () => {
        // Both worlds of a round from the same place: the next round plays other histories.
        if (name === WORLDS[0]) round += 1;
        return await play(name, 1 + round * SEEDS[name], options.signal);
      },
    })),
    options,
  );
  const of = (world: WorldName, name: string): number[] => quantity(samples, world, name);
  return {
    bench: 'simulator',
    says: 'full failovers a second of one core, by processor time, in each world of the simulator',
    findings: WORLDS.map((world) => least(`simulated failovers, ${world}`, '/s', of(world, 'failovers'), LEAST)),
    notes: WORLDS.flatMap((world) => [
      { note: `${world}: schedules of one core`, unit: '/s', measured: quartiles(of(world, 'schedules')) },
      {
        note: `${world}: full failovers of one core, of the ${AIM} aimed at`,
        unit: '%',
        measured: quartiles(of(world, 'failovers').map((each) => (100 * each) / AIM)),
      },
    ]),
  };
}

async function play(world: WorldName, from: number, signal: AbortSignal): Promise<Sample> {
  const words = ['--world', world, '--from', `${from}`, '--seeds', `${SEEDS[world]}`, '--jobs', '1', '--json'];
  const { stdout } = await run(process.execPath, ['src/sim/main.ts', ...words], {
    cwd: ROOT,
    signal,
    timeout: TIMEOUT_MS,
    maxBuffer: 16 * 1024 * 1024,
  });
  const { histories, completed, cpuMs, violated } = JSON.parse(stdout) as Summary;
  if (violated > 0) throw new Error(`${violated} violations in ${world} from seed ${from}: no number means anything`);
  if (cpuMs <= 0) throw new Error(`${world} took no processor time`);
  const perSecond = (count: number): number => count / (cpuMs / 1_000);
  return { failovers: perSecond(completed), schedules: perSecond(histories) };
}
