import { type ChildProcess, spawn } from 'node:child_process';
import { open, readFile } from 'node:fs/promises';
import type { Log } from '../binaries/missing.ts';
import { tail } from './command.ts';
import { LabError, textOf } from './errors.ts';
import { until } from './wait.ts';

export interface DaemonOptions {
  readonly name: string;
  readonly argv: readonly [string, ...string[]];
  readonly cwd: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly logFile: string;
  /** True once the server serves. Asked until then; what it throws counts as "not yet". */
  readonly ready: () => Promise<boolean>;
  readonly startTimeoutMs: number;
  readonly log: Log;
}

/** A server process of the lab that ends with the lab. */
export interface RunningDaemon {
  readonly pid: number;
  readonly exited: () => boolean;
  /** Its exit code, or the signal that ended it; null while it runs. */
  readonly endedBy: () => number | NodeJS.Signals | null;
  /** SIGTERM, and SIGKILL when that takes longer than the bound; back when the process is gone. */
  readonly stop: (timeoutMs?: number) => Promise<void>;
  readonly kill: (signal: NodeJS.Signals) => void;
}

const STOP_TIMEOUT_MS = 5_000;

/** Start a server and wait until it serves. One that ends or never serves is an error with its last words. */
export async function startDaemon(options: DaemonOptions): Promise<RunningDaemon> {
  if (await options.ready().catch(() => false)) {
    throw new LabError('start-failed', `${options.name}: something else answers there already`);
  }
  const child = await spawnInto(options);
  const running = handleOf(child);
  try {
    await until(
      {
        what: options.name,
        timeoutMs: options.startTimeoutMs,
        code: 'start-timeout',
        giveUp: () => (running.exited() ? `ended (${child.exitCode ?? child.signalCode ?? 'not started'})` : undefined),
      },
      async () => ((await options.ready().catch(() => false)) ? true : undefined),
    );
  } catch (error) {
    await running.stop();
    const words = tail(await readFile(options.logFile, 'utf8').catch(() => 'no log'));
    throw new LabError(error instanceof LabError ? error.code : 'start-failed', `${textOf(error)}: ${words}`);
  }
  options.log(`${options.name} is ready`);
  return running;
}

async function spawnInto(options: DaemonOptions): Promise<ChildProcess> {
  const [file, ...args] = options.argv;
  const logFile = await open(options.logFile, 'a');
  try {
    const { fd } = logFile;
    const child = spawn(file, args, { cwd: options.cwd, env: options.env ?? process.env, stdio: ['ignore', fd, fd] });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    return child;
  } catch (error) {
    throw new LabError('start-failed', `${options.name}: ${textOf(error)}`);
  } finally {
    await logFile.close();
  }
}

function handleOf(child: ChildProcess): RunningDaemon {
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const exited = (): boolean => child.exitCode !== null || child.signalCode !== null;
  const stop = async (timeoutMs = STOP_TIMEOUT_MS): Promise<void> => {
    if (exited()) return;
    child.kill('SIGTERM');
    // A stopped (SIGSTOP) process takes no SIGTERM before it is woken.
    child.kill('SIGCONT');
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
    await ended;
    clearTimeout(timer);
  };
  return {
    pid: child.pid ?? 0,
    exited,
    endedBy: () => child.signalCode ?? child.exitCode,
    stop,
    kill: (signal) => {
      child.kill(signal);
    },
  };
}
