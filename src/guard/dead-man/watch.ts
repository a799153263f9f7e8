/** The dead-man of its own process: keeps the deadline, and ends PostgreSQL by the proof of stop when it is over. */
import { appendFileSync, chmodSync, unlinkSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Clock } from '../../runtime/clock.ts';
import type { Timers } from '../../runtime/timers.ts';
import { isThere } from '../postgres/files.ts';
import { createProver, type Prover, type Target } from '../postgres/proof.ts';
import { type Deadline, disarmed, OFF, petted, timePasses } from './deadline.ts';
import { onLines, send, ToDeadMan } from './wire.ts';

export type WatchSettings = {
  readonly target: Target;
  /** H. */
  readonly afterMs: number;
  readonly socket: string;
  /** What it did is written here, a line each. */
  readonly record: string;
};

export type WatchPorts = {
  /** Of the boot, the same as the guard's (`runtime/boot-clock.ts`). */
  readonly clock: Clock;
  readonly timers: Timers;
  readonly say: (line: string) => void;
  readonly pid: number;
  /** Called when it was told to end, and nothing is armed. */
  readonly ended: () => void;
};

export type Watch = { close(): Promise<void> };

/** A timer of the system stands still while the machine sleeps; the clock is looked at as often as this. */
const LOOK_MS = 50;
const KILL_MS = 1_000;
const DEEDS_KEPT = 10;

export class SocketTaken extends Error {}

/** Rejects with {@link SocketTaken} where another one answers there. */
export async function startWatch(settings: WatchSettings, ports: WatchPorts): Promise<Watch> {
  const { target, afterMs } = settings;
  const { clock, timers, pid } = ports;
  const prover = createProver(target, { clock, timers });
  const sockets = new Set<Socket>();
  const deeds: string[] = [];
  let deadline: Deadline = OFF;
  let isEnding = false;
  let closed = false;

  const note = (deed: string): void => {
    const line = `${new Date(clock.wall()).toISOString()} ${deed}`;
    deeds.push(line);
    deeds.splice(0, deeds.length - DEEDS_KEPT);
    ports.say(line);
    try {
      appendFileSync(settings.record, `${line}\n`, { mode: 0o600 });
    } catch (error) {
      // A full disk must not keep it from the next look.
      ports.say(`${settings.record} can't be written: ${String(error)}`);
    }
  };

  const tell = (socket: Socket): void => {
    const sentMs = deadline.kind === 'off' ? null : deadline.sentMs;
    send(socket, { pid, dataDir: target.dataDir, afterMs, state: deadline.kind, sentMs, deeds: [...deeds] });
  };
  const tellAll = (): void => {
    for (const socket of sockets) tell(socket);
  };

  const end = async (sentMs: number): Promise<void> => {
    const lateMs = Math.round(clock.mono() - sentMs - afterMs);
    note(
      `the last renewal was sent ${Math.round(clock.mono() - sentMs)} ms ago (${lateMs} ms over): ending PostgreSQL in ${target.dataDir}`,
    );
    await killFor(prover, note);
    deadline = OFF;
    isEnding = false;
    tellAll();
  };

  const look = (): void => {
    if (closed) return;
    deadline = timePasses(deadline, clock.mono(), afterMs);
    if (deadline.kind === 'over' && !isEnding) {
      isEnding = true;
      tellAll();
      void end(deadline.sentMs);
    }
    // Nobody can ever reach it again, and nothing is armed: its folder was removed, or another took its place.
    if (deadline.kind === 'off' && sockets.size === 0 && isGone(settings.socket)) return ports.ended();
    timers.after(LOOK_MS, look);
  };

  const hear = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    onLines(socket, ToDeadMan, (line) => {
      const nowMs = clock.mono();
      if (line.kind === 'pet') deadline = petted(deadline, line.sentMs, nowMs, afterMs);
      else deadline = disarmed(deadline, nowMs, afterMs);
      tell(socket);
      if (line.kind === 'end' && deadline.kind === 'off') ports.ended();
    });
    tell(socket);
  };

  const server = await listen(settings.socket, hear);
  look();
  return {
    close: () =>
      new Promise((resolve) => {
        closed = true;
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}

function isGone(path: string): boolean {
  try {
    return !isThere(path);
  } catch {
    // It can't be looked at: then it is not known to be gone.
    return false;
  }
}

/** For as long as it takes: there is nothing else to do in the world. */
async function killFor(prover: Prover, note: (deed: string) => void): Promise<void> {
  let told = '';
  for (;;) {
    const proof = await prover.kill(KILL_MS);
    if (proof.kind === 'stopped') return note('PostgreSQL is proven to be stopped');
    const now = proof.kind === 'running' ? `processes ${proof.pids.join(', ')} survive` : proof.why;
    if (now !== told) note(`PostgreSQL is not proven to be stopped, going on: ${now}`);
    told = now;
  }
}

async function listen(path: string, hear: (socket: Socket) => void): Promise<Server> {
  if (await isAnswered(path)) throw new SocketTaken(`${path} is answered by another dead-man`);
  try {
    unlinkSync(path);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  }
  const server = createServer(hear);
  // Whoever may write to it may put the deadline off.
  const before = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, resolve);
    });
  } finally {
    process.umask(before);
  }
  chmodSync(path, 0o600);
  return server;
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const done = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => done(true));
    socket.once('error', () => done(false));
  });
}
