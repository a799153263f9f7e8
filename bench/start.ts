import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort } from '../lab/servers/ports.ts';
import { until } from '../lab/servers/wait.ts';
import { writeFirstHourConfig } from './first-hour.ts';
import {
  against,
  type BenchOptions,
  type BenchResult,
  compare,
  interleaved,
  quantity,
  quartiles,
  type Sample,
} from './measure.ts';
import type { BenchPackage } from './package.ts';

const LIMIT = 2;
const LIMIT_RSS_MB = 150;
const IDLE_MS = 10_000;
/** Daemons whose idle memory is read at the same time, which costs the wait once. */
const IDLE_DAEMONS = 5;
const HOST = '127.0.0.1';
const START_TIMEOUT_MS = 30_000;
const END_TIMEOUT_MS = 5_000;
const BARE = fileURLToPath(new URL('bare-fastify.mjs', import.meta.url));
const WHY_OVER = [
  'What starts with nothing kept, as on a read-only disk without a cache folder, compiles some 30 ms more. With $CACHE_DIRECTORY it does so once.',
];
/** What Node.js is told by whoever runs this bench is not for those that are measured. */
const UNSET = ['NODE_OPTIONS', 'NODE_COMPILE_CACHE', 'NODE_DISABLE_COMPILE_CACHE', 'CACHE_DIRECTORY'];

/**
 * From starting the process to its first 200, and what it holds when nothing happens. The package twice: as it starts
 * every time but the first, with what it compiled before, and as on a read-only disk, where it can't keep that.
 */
export async function startAndMemory(pack: BenchPackage, options: BenchOptions): Promise<BenchResult> {
  const { rounds, tell, signal } = options;
  const scratch = await mkdtemp(path.join(tmpdir(), 'failoverd-bench-start-'));
  try {
    const cache = path.join(scratch, 'cache');
    const kept = await interleaved(
      [
        { name: 'failoverd', measure: async () => await startFailoverd(pack, { XDG_CACHE_HOME: cache }) },
        { name: 'bare', measure: async () => await startBare({}) },
        {
          name: 'failoverd-cold',
          measure: async () => await startFailoverd(pack, { NODE_DISABLE_COMPILE_CACHE: '1' }),
        },
        { name: 'bare-cached', measure: async () => await startBare({ NODE_COMPILE_CACHE: path.join(cache, 'bare') }) },
      ],
      options,
    );
    const times = (side: string): number[] => quantity(kept, side, 'start');
    const memory: number[] = [];
    while (memory.length < rounds) {
      signal.throwIfAborted();
      tell(`  idle memory: ${memory.length} of ${rounds}, ${IDLE_MS / 1_000} s each`);
      const count = Math.min(IDLE_DAEMONS, rounds - memory.length);
      memory.push(...(await Promise.all(Array.from({ length: count }, async () => await idleMemory(pack, cache)))));
    }
    return {
      bench: 'start',
      says: 'start of the package to /-/ready, against a bare Fastify to its first 200; idle memory',
      findings: [
        compare('start', 'ms', times('failoverd'), times('bare'), LIMIT),
        compare('start, nothing kept from an earlier one', 'ms', times('failoverd-cold'), times('bare'), LIMIT),
        compare('start, both with kept code', 'ms', times('failoverd'), times('bare-cached'), LIMIT),
        against(`resident memory after ${IDLE_MS / 1_000} s of idling`, 'MB', memory, LIMIT_RSS_MB),
      ],
      whyOver: WHY_OVER,
      notes: [
        {
          note: 'bare Fastify: resident memory at its first 200',
          unit: 'MB',
          measured: quartiles(quantity(kept, 'bare', 'rss')),
        },
      ],
    };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

interface Started {
  readonly child: ChildProcess;
  readonly tookMs: number;
}

async function startFailoverd(pack: BenchPackage, env: Readonly<Record<string, string>>): Promise<Sample> {
  return await withDaemon(pack, env, async ({ child, tookMs }) => ({ start: tookMs, rss: await rssMb(child) }));
}

async function startBare(env: Readonly<Record<string, string>>): Promise<Sample> {
  const port = await freePort(HOST);
  const started = await start([BARE, String(port)], port, env);
  try {
    return { start: started.tookMs, rss: await rssMb(started.child) };
  } finally {
    await end(started.child);
  }
}

async function idleMemory(pack: BenchPackage, cache: string): Promise<number> {
  return await withDaemon(pack, { XDG_CACHE_HOME: cache }, async ({ child }) => {
    await sleep(IDLE_MS);
    return await rssMb(child);
  });
}

/** A daemon of the example for the first hour: observing, and nothing answers where it looks. */
async function withDaemon<T>(
  pack: BenchPackage,
  env: Readonly<Record<string, string>>,
  act: (started: Started) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(path.join(tmpdir(), 'failoverd-bench-run-'));
  try {
    const port = await freePort(HOST);
    const config = await writeFirstHourConfig(pack.home, folder, `${HOST}:${port}`);
    const argv = [pack.launcher, 'run', '--config', config];
    const started = await start(argv, port, { ...env, FAILOVERD_PG_PASSWORD: 'none' });
    try {
      return await act(started);
    } finally {
      await end(started.child);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export async function start(
  argv: readonly string[],
  port: number,
  more: Readonly<Record<string, string>>,
): Promise<Started> {
  const env = { ...process.env };
  for (const name of UNSET) delete env[name];
  const beganMs = performance.now();
  const child = spawn(process.execPath, argv, { stdio: 'ignore', env: { ...env, ...more } });
  const ended = (): string | undefined =>
    child.exitCode === null && child.signalCode === null
      ? undefined
      : `${path.basename(argv[0] ?? '')} ended with ${child.exitCode ?? child.signalCode}`;
  try {
    await until({ what: 'first 200', timeoutMs: START_TIMEOUT_MS, intervalMs: 1, giveUp: ended }, async () =>
      (await statusOf(port)) === 200 ? true : undefined,
    );
  } catch (error) {
    await end(child);
    throw error;
  }
  return { child, tookMs: performance.now() - beganMs };
}

/** Null while nobody answers. */
async function statusOf(port: number): Promise<number | null> {
  return await new Promise((resolve) => {
    const request = get({ host: HOST, port, path: '/-/ready', agent: false, timeout: START_TIMEOUT_MS });
    request.once('response', (response) => {
      response.resume();
      resolve(response.statusCode ?? null);
    });
    request.once('error', () => resolve(null));
  });
}

/** As the kernel counts it, threads included. Linux only, as the lab is. */
async function rssMb({ pid }: ChildProcess): Promise<number> {
  const found = /^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'));
  if (found === null) throw new Error('the kernel tells no VmRSS');
  return Number(found[1]) / 1024;
}

export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const kill = setTimeout(() => child.kill('SIGKILL'), END_TIMEOUT_MS);
  await ended;
  clearTimeout(kill);
}
