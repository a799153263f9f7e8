/**
 * The absolute dead-man, as the guard holds it: a process apart that outlives it, found again over its socket. Where it is
 * gone it is started anew, and told the last renewal before anything else.
 */
import { closeSync, openSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { MonoMs } from '../../model/primitives.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Log } from '../../runtime/log.ts';
import type { Timers } from '../../runtime/timers.ts';
import { throughGate } from '../gate.ts';
import { cgroupOf, type Machine, THIS_MACHINE } from '../postgres/processes.ts';
import { SERVER_ENV } from '../postgres/program.ts';
import { StateRefused } from '../state-file.ts';
import type { DeadMan } from './dead-man.ts';
import { standsApart } from './freeze-sets.ts';
import type { WatchSettings } from './watch.ts';
import { FromDeadMan, onLines, send } from './wire.ts';

export type ProcessOptions = {
  readonly settings: WatchSettings;
  /** Who starts it: this guard, or a unit or container of its own. */
  readonly startedBy: 'guard' | 'service';
  /** What the guard starts it in; null = its own. */
  readonly cgroup: string | null;
  /** File for what it says. */
  readonly log: string;
  /** Of the boot: a deadline is compared over processes. */
  readonly clock: Clock;
  readonly timers: Timers;
  readonly say: Log;
  readonly machine?: Machine;
  /** The program and its arguments but the settings. */
  readonly program?: readonly string[];
};

const CONNECT_EVERY_MS = 100;
/** A Node.js on a busy machine. */
const START_WITHIN_MS = 10_000;
const REPLACE_WITHIN_MS = 2_000;
/** What is started and ends at once is not started again more often than this. */
const RESTART_EVERY_MS = 1_000;

/** The compiled package has it beside this module under the same extension. */
function programOf(): readonly string[] {
  const url = new URL('./dead-man-program.ts', import.meta.url);
  url.pathname = url.pathname.replace(/\.ts$/, extname(new URL(import.meta.url).pathname));
  return [process.execPath, '--disable-warning=ExperimentalWarning', fileURLToPath(url)];
}

type Line = { readonly socket: Socket; readonly first: FromDeadMan };

export function processDeadMan(options: ProcessOptions): DeadMan {
  const { settings, startedBy, clock, timers, say, machine = THIS_MACHINE } = options;
  let line: Line | null = null;
  let last: FromDeadMan | null = null;
  let lastSentMs: number | null = null;
  let startedMono = Number.NEGATIVE_INFINITY;
  /** One that we started lives: it may not answer yet, and a second one would take its place when it ends. */
  let isStarting = false;
  let isLeaving = false;
  let tell: (armed: boolean) => void = () => undefined;

  const start = (): void => {
    if (startedBy !== 'guard' || isStarting || clock.mono() < startedMono + RESTART_EVERY_MS) return;
    startedMono = clock.mono();
    isStarting = true;
    const log = openSync(options.log, 'a', 0o600);
    const argv = [...(options.program ?? programOf()), JSON.stringify(settings)];
    const child = throughGate(argv, { cwd: '/', env: SERVER_ENV, log, cgroup: options.cgroup, heard: false });
    closeSync(log);
    const over = (): void => {
      isStarting = false;
    };
    child.once('exit', over);
    child.once('error', (error) => {
      over();
      say.error({ err: error }, 'the dead-man can’t be started');
    });
    // It is to outlive us, and we don't wait for it.
    child.unref();
  };

  /** One try; null = nobody is there. */
  const reach = (): Promise<Line | null> =>
    new Promise((resolve) => {
      const socket = connect(settings.socket);
      const cancel = timers.after(START_WITHIN_MS, () => socket.destroy());
      let first: FromDeadMan | null = null;
      socket.once('error', () => undefined);
      socket.once('close', () => {
        cancel();
        if (first === null) return resolve(null);
        if (line?.socket === socket) lost();
      });
      onLines(socket, FromDeadMan, (said) => {
        if (first !== null) return void heard(said);
        first = said;
        cancel();
        resolve({ socket, first: said });
      });
    });

  const heard = (said: FromDeadMan): void => {
    for (const deed of said.deeds) if (!(last?.deeds ?? []).includes(deed)) say.warn({ deed }, 'the dead-man acted');
    last = said;
  };

  const pause = (ms: number): Promise<void> => new Promise((resolve) => timers.after(ms, resolve));

  const keepReaching = async (untilMono: number): Promise<Line | null> => {
    while (!isLeaving && clock.mono() < untilMono) {
      const reached = await reach();
      if (reached !== null) return reached;
      start();
      await pause(CONNECT_EVERY_MS);
    }
    return null;
  };

  const isOurs = ({ dataDir, afterMs }: FromDeadMan): boolean =>
    dataDir === settings.target.dataDir && afterMs === settings.afterMs;

  /** One that was started with other settings watches over something else: it makes room, where nothing is armed with it. */
  const replace = async (old: Line): Promise<Line | null> => {
    const untilMono = clock.mono() + REPLACE_WITHIN_MS;
    send(old.socket, { kind: 'end' });
    while (!old.socket.destroyed && clock.mono() < untilMono) await pause(CONNECT_EVERY_MS);
    if (!old.socket.destroyed || startedBy === 'service') {
      old.socket.destroy();
      return null;
    }
    return await keepReaching(clock.mono() + START_WITHIN_MS);
  };

  const take = (taken: Line): void => {
    line = taken;
    heard(taken.first);
    if (lastSentMs !== null) send(taken.socket, { kind: 'pet', sentMs: lastSentMs });
    tell(true);
  };

  const lost = (): void => {
    line = null;
    if (isLeaving) return;
    say.error({ socket: settings.socket }, 'the dead-man is gone');
    tell(false);
    void again();
  };

  const again = async (): Promise<void> => {
    while (!isLeaving) {
      const reached = await keepReaching(clock.mono() + START_WITHIN_MS);
      if (reached === null) continue;
      if (isOurs(reached.first)) return take(reached);
      reached.socket.destroy();
      await pause(RESTART_EVERY_MS);
    }
  };

  return {
    kind: 'absolute',
    async start(call) {
      tell = call;
      let reached = await keepReaching(clock.mono() + START_WITHIN_MS);
      if (reached !== null && !isOurs(reached.first)) reached = await replace(reached);
      if (reached === null || !isOurs(reached.first))
        throw new StateRefused(
          `there is no dead-man for ${settings.target.dataDir} on ${settings.socket}`,
          startedBy === 'service'
            ? 'start its unit first; it must use this guard’s configuration'
            : `see ${options.log}`,
        );
      const { state, sentMs } = reached.first;
      take(reached);
      return { renewedMono: state === 'armed' ? sentMs : null };
    },
    pet(sentMono: MonoMs) {
      lastSentMs = Math.max(lastSentMs ?? sentMono, sentMono);
      if (line !== null) send(line.socket, { kind: 'pet', sentMs: sentMono });
    },
    disarm() {
      lastSentMs = null;
      if (line !== null) send(line.socket, { kind: 'disarm' });
    },
    counts(postmaster) {
      if (last === null || line === null) return { expired: false, why: 'the dead-man is not there' };
      const guard = { name: 'the guard', at: cgroupOf('self', machine) };
      const server = postmaster === null ? [] : [{ name: 'PostgreSQL', at: cgroupOf(postmaster, machine) }];
      return standsApart(cgroupOf(last.pid, machine), [guard, ...server]);
    },
    deeds: () => last?.deeds ?? [],
    pid: () => (line === null ? null : (last?.pid ?? null)),
    async leave() {
      isLeaving = true;
      line?.socket.destroy();
    },
  };
}
