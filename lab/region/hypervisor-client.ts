import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Log } from '../binaries/missing.ts';
import { type RunningDaemon, startDaemon } from '../servers/daemon.ts';
import { LabError } from '../servers/errors.ts';
import type { HypervisorConfig, MachineName } from './config.ts';
import type { RegionStatus } from './machines.ts';

const PROGRAM = fileURLToPath(new URL('hypervisor.ts', import.meta.url));
const START_TIMEOUT_MS = 30_000;
/** Longer than the longest start it may be asked for. */
const ACT_TIMEOUT_MS = 90_000;
/** Its own end takes both regions with it. */
const STOP_TIMEOUT_MS = 30_000;

export type Act = 'crash' | 'off' | 'on' | 'pause' | 'resume' | 'start' | 'stop';

/** The hypervisor as the lab sees it. The fence driver goes through `power.ts` instead. */
export interface Hypervisor {
  readonly url: string;
  readonly pid: number;
  readonly status: (region: string) => Promise<RegionStatus>;
  readonly act: (region: string, act: Act, machine?: MachineName) => Promise<RegionStatus>;
  /** Ends it and every machine of every region. */
  readonly stop: () => Promise<void>;
  /** The process itself, for tests that kill it. */
  readonly process: RunningDaemon;
}

/** Start a hypervisor; its configuration and log lie in its state folder. */
export async function startHypervisor(config: HypervisorConfig, log: Log): Promise<Hypervisor> {
  const url = `http://${config.host}:${config.port}`;
  const file = path.join(config.stateDir, 'hypervisor.json');
  // Passwords of the services stand in it.
  await writeFile(file, JSON.stringify(config, null, 2), { mode: 0o600 });
  const running = await startDaemon({
    name: `hypervisor on ${config.host}:${config.port}`,
    argv: [process.execPath, PROGRAM, '--config', file],
    cwd: config.stateDir,
    logFile: path.join(config.stateDir, 'hypervisor.log'),
    ready: async () => (await fetch(`${url}/regions`, { signal: AbortSignal.timeout(2_000) })).ok,
    startTimeoutMs: START_TIMEOUT_MS,
    log,
  });
  return {
    url,
    pid: running.pid,
    status: async (region) => await call(`${url}/regions/${region}`, { method: 'GET' }),
    act: async (region, act, machine) =>
      await call(`${url}/regions/${region}/${act}`, { method: 'POST', body: JSON.stringify({ machine }) }),
    stop: async () => await running.stop(STOP_TIMEOUT_MS),
    process: running,
  };
}

async function call(url: string, init: RequestInit): Promise<RegionStatus> {
  const answer = await fetch(url, { ...init, signal: AbortSignal.timeout(ACT_TIMEOUT_MS) });
  const body: unknown = await answer.json();
  if (!answer.ok) throw new LabError('command-failed', `${url}: ${answer.status} ${JSON.stringify(body)}`);
  return body as RegionStatus;
}
