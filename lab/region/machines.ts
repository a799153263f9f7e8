import { spawn } from 'node:child_process';
import { mkdir, open, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { exists } from '../binaries/cache.ts';
import type { Log } from '../binaries/missing.ts';
import { LabError } from '../servers/errors.ts';
import { clearGuard, foldersOfGuard, startGuard } from '../servers/guard.ts';
import { foldersOfNode, startNode, stopNode } from '../servers/patroni.ts';
import { removeSharedMemory, startPostgres, stopPostgres } from '../servers/postgres-process.ts';
import { killAll, scanProcesses, signalAll } from '../servers/processes.ts';
import { until } from '../servers/wait.ts';
import type { MachineName, RegionMachines } from './config.ts';

const KILL_TIMEOUT_MS = 10_000;
const START_TIMEOUT_MS = 60_000;
const SERVICE_PROGRAM = fileURLToPath(new URL('service.ts', import.meta.url));
const NAMES: readonly MachineName[] = ['postgres', 'service'];

/** What the hypervisor says of a region: read from the kernel and the lock file at that instant, not remembered. */
export interface RegionStatus {
  readonly region: string;
  /**
   * `off`: locked, and the kernel shows no process of it. `unknown`: locked, and the kernel would not say.
   * Everything else is `on`, also a region whose processes all died: nothing prevents their return.
   */
  readonly power: 'off' | 'on' | 'unknown';
  readonly processes: number;
  readonly locked: boolean;
  /** When it was read, ISO 8601. */
  readonly at: string;
  readonly machines: Readonly<Record<MachineName, readonly number[]>>;
}

/** One region's machines under the hypervisor's hand. */
export interface Region {
  readonly status: () => Promise<RegionStatus>;
  /** Lock it, and kill every process of it at once. The status afterwards is read back. */
  readonly off: () => Promise<RegionStatus>;
  /** Unlock it and start what doesn't run. */
  readonly on: () => Promise<RegionStatus>;
  /** Kill without locking: a crash of one machine, or of all. */
  readonly crash: (machine?: MachineName) => Promise<RegionStatus>;
  /** Freeze, and wake. */
  readonly signal: (signal: 'SIGSTOP' | 'SIGCONT', machine?: MachineName) => Promise<RegionStatus>;
  readonly start: (machine: MachineName) => Promise<RegionStatus>;
  readonly stop: (machine: MachineName) => Promise<RegionStatus>;
}

export function openRegion(name: string, machines: RegionMachines, stateDir: string, log: Log): Region {
  const lockFile = path.join(stateDir, `${name}.locked`);
  const isLocked = async (): Promise<boolean> => await exists(lockFile);
  // Counts power-offs, so that a start under way notices that the ground was taken from under it.
  let cuts = 0;
  let starting: Promise<unknown> = Promise.resolve();
  let locking: Promise<unknown> = Promise.resolve();

  const status = async (): Promise<RegionStatus> => await readStatus(name, machines, await isLocked());

  /** The lock file is written and removed in the order in which that was asked for. */
  const lockInTurn = async (act: () => Promise<void>): Promise<void> => {
    const turn = locking.then(act);
    locking = turn.catch(() => undefined);
    await turn;
  };
  /** One start at a time; a region that is locked off starts nothing, and a cut since the request ends it. */
  const start = async (names: readonly MachineName[], cutsAtRequest: number): Promise<RegionStatus> => {
    const giveUp = (): string | undefined => (cuts === cutsAtRequest ? undefined : 'the power was cut');
    const turn = starting.then(async () => {
      if (await isLocked()) throw new LabError('bad-input', `region ${name} is locked off`, 'power it on first');
      // All of them come to an end before this one does: a start that is still under way could spawn after a cut.
      const ends = await Promise.allSettled(names.map(async (each) => await startMachine(each, machines, giveUp, log)));
      for (const end of ends) if (end.status === 'rejected') throw end.reason;
    });
    starting = turn.catch(() => undefined);
    await turn;
    return await status();
  };

  return {
    status,
    off: async () => {
      cuts += 1;
      await lockInTurn(async () => await writeLock(lockFile));
      await kill(machines, NAMES);
      // A start that had passed the lock already sees the cut at its next look; what it spawned last is killed here.
      await starting;
      await kill(machines, NAMES);
      const after = await status();
      log(`region ${name}: power ${after.power}, ${after.processes} processes`);
      return after;
    },
    on: async () => {
      const cutsAtRequest = cuts;
      await lockInTurn(async () => {
        if (cuts === cutsAtRequest) await rm(lockFile, { force: true });
      });
      return await start(NAMES, cutsAtRequest);
    },
    crash: async (machine) => {
      await kill(machines, machine === undefined ? NAMES : [machine]);
      return await status();
    },
    signal: async (signal, machine) => {
      const { pids } = await scanProcesses(foldersOf(machines, machine === undefined ? NAMES : [machine]));
      signalAll(pids, signal);
      return await status();
    },
    start: async (machine) => await start([machine], cuts),
    stop: async (machine) => {
      if (machine === 'postgres') await stopDatabase(machines);
      else await kill(machines, [machine]);
      return await status();
    },
  };
}

/** A region that claims to be off when told to, and goes on: what a fence driver must not be. For the lab's sabotage. */
export function lyingRegion(honest: Region): Region {
  let claimed = false;
  const claim = async (): Promise<RegionStatus> => {
    const truth = await honest.status();
    const nothing = { postgres: [], service: [] };
    return claimed ? { ...truth, power: 'off', processes: 0, locked: true, machines: nothing } : truth;
  };
  return {
    ...honest,
    status: claim,
    off: async () => {
      claimed = true;
      return await claim();
    },
    on: async () => {
      claimed = false;
      return await honest.on();
    },
  };
}

function foldersOf(machines: RegionMachines, names: readonly MachineName[]): string[] {
  const { postgres, manager, service } = machines;
  const database =
    manager === undefined ? [postgres.dataDir] : 'kind' in manager ? foldersOfGuard(manager) : foldersOfNode(manager);
  return names.flatMap((name) => (name === 'postgres' ? database : [service.dir]));
}

async function kill(machines: RegionMachines, names: readonly MachineName[]): Promise<void> {
  await killAll(foldersOf(machines, names), KILL_TIMEOUT_MS);
}

async function readStatus(region: string, machines: RegionMachines, locked: boolean): Promise<RegionStatus> {
  const postgres = await scanProcesses(foldersOf(machines, ['postgres']));
  const service = await scanProcesses(foldersOf(machines, ['service']));
  const processes = postgres.pids.length + service.pids.length;
  const unreadable = postgres.unreadable.length + service.unreadable.length;
  const quiet = unreadable === 0 ? 'off' : 'unknown';
  return {
    region,
    power: locked && processes === 0 ? quiet : 'on',
    processes,
    locked,
    at: new Date().toISOString(),
    machines: { postgres: postgres.pids, service: service.pids },
  };
}

/** The lock is on disk before anything is killed: a hypervisor that dies in between doesn't start the region again. */
async function writeLock(lockFile: string): Promise<void> {
  await mkdir(path.dirname(lockFile), { recursive: true });
  const file = await open(lockFile, 'w');
  try {
    await file.writeFile(`${new Date().toISOString()}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function startMachine(
  machine: MachineName,
  machines: RegionMachines,
  giveUp: () => string | undefined,
  log: Log,
): Promise<void> {
  const { manager } = machines;
  // A manager's store may run without it: what it starts is told by the manager's own folder.
  const folders = machine === 'postgres' && manager !== undefined ? [manager.dir] : foldersOf(machines, [machine]);
  const { pids } = await scanProcesses(folders);
  if (pids.length > 0) return;
  const reason = giveUp();
  if (reason !== undefined) throw new LabError('start-failed', reason);
  if (machine === 'service') {
    await startService(machines.service, giveUp);
    return;
  }
  if (manager === undefined) await startPostgres(machines.postgres, { log, giveUp, timeoutMs: START_TIMEOUT_MS });
  else if ('kind' in manager) await startGuard(manager, { log, giveUp });
  else await startNode(manager, { log, giveUp });
}

async function startService(service: RegionMachines['service'], giveUp: () => string | undefined): Promise<void> {
  await mkdir(service.dir, { recursive: true });
  const config = path.join(service.dir, 'service.json');
  await writeFile(config, JSON.stringify(service.config), { mode: 0o600 });
  const logFile = await open(path.join(service.dir, 'service.log'), 'a');
  const child = spawn(process.execPath, [SERVICE_PROGRAM, '--config', config], {
    cwd: service.dir,
    env: { PATH: process.env['PATH'] ?? '' },
    detached: true,
    stdio: ['ignore', logFile.fd, logFile.fd],
  });
  await logFile.close();
  child.unref();
  // Without a listener a failed spawn would end the hypervisor; the wait below reports it.
  child.once('error', () => undefined);
  const { host, port, region } = service.config;
  const ended = (): string | undefined =>
    child.pid === undefined || child.exitCode !== null ? 'the service ended' : undefined;
  await until(
    {
      what: `service of region ${region} on ${host}:${port}`,
      timeoutMs: START_TIMEOUT_MS,
      code: 'start-timeout',
      giveUp: () => ended() ?? giveUp(),
    },
    async () => ((await answers(`http://${host}:${port}/metrics`)) ? true : undefined),
  );
}

async function answers(url: string): Promise<boolean> {
  return await fetch(url, { signal: AbortSignal.timeout(2_000) }).then(
    async (answer) => {
      await answer.body?.cancel();
      return answer.ok;
    },
    () => false,
  );
}

async function stopDatabase({ manager, postgres }: RegionMachines): Promise<void> {
  if (manager === undefined) await stopPostgres(postgres, 'fast');
  else if ('kind' in manager) await clearGuard(manager);
  else await stopNode(manager);
}

/** Switch everything off for good, at the end of a lab. */
export async function clearRegion(machines: RegionMachines): Promise<void> {
  // A manager would start it again.
  if (machines.manager === undefined) await stopPostgres(machines.postgres, 'immediate');
  await kill(machines, NAMES);
  await removeSharedMemory(machines.postgres);
}
