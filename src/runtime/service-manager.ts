/**
 * Tells systemd how this process is (sd_notify(3)): ready, reloading, stopping, alive, and a line for people. Node.js has
 * no datagrams over Unix sockets, so `systemd-notify` sends them. Without NOTIFY_SOCKET nobody listens, and nothing is done.
 */
import { spawn } from 'node:child_process';
import type { Environment } from './environment.ts';
import type { Log } from './log.ts';

export type ServiceManager = {
  /** Milliseconds within which {@link ServiceManager.alive} has to be said again and again; null = nobody waits for it. */
  readonly watchdogMs: number | null;
  /** Whether there is anybody to tell. */
  readonly isHeard: boolean;
  ready(status: string): void;
  /** To be followed by {@link ServiceManager.ready}. `mono` is the monotonic clock of the machine, in milliseconds. */
  reloading(status: string): void;
  stopping(status: string): void;
  alive(status: string): void;
  /** Resolves when what was said is sent, or can't be. Never rejects. */
  sent(): Promise<void>;
};

const PROGRAM = 'systemd-notify';
/** A message that hangs is given up; the next one says more anyway. */
const SEND_WITHIN_MS = 5_000;
const STATUS_LIMIT = 300;

export type ServiceManagerOptions = {
  readonly environment: Pick<Environment, 'variable' | 'pid'>;
  readonly log: Log;
};

export function serviceManager({ environment, log }: ServiceManagerOptions): ServiceManager {
  const socket = environment.variable('NOTIFY_SOCKET');
  if (socket === undefined || socket === '') return NOBODY;
  // It gets the socket and where programs lie, and none of the secrets in our environment.
  const env = { NOTIFY_SOCKET: socket, PATH: environment.variable('PATH') ?? '/usr/bin:/bin' };
  let last: Promise<void> = Promise.resolve();
  let isTold = false;
  const send = (...assignments: readonly string[]): void => {
    last = last.then(async () => {
      const failure = await run(assignments, env);
      if (failure === null || isTold) return;
      isTold = true;
      log.warn(
        { why: failure },
        'systemd could not be told how we are; install systemd-notify, or start with Type=exec and without WatchdogSec=',
      );
    });
  };
  const statusOf = (text: string): string => `STATUS=${text.replaceAll(/\s+/g, ' ').slice(0, STATUS_LIMIT)}`;
  return {
    watchdogMs: watchdogOf(environment),
    isHeard: true,
    ready: (status) => send('READY=1', statusOf(status)),
    reloading: (status) => send('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1_000n}`, statusOf(status)),
    stopping: (status) => send('STOPPING=1', statusOf(status)),
    alive: (status) => send('WATCHDOG=1', statusOf(status)),
    sent: () => last,
  };
}

const NOBODY: ServiceManager = {
  watchdogMs: null,
  isHeard: false,
  ready: () => undefined,
  reloading: () => undefined,
  stopping: () => undefined,
  alive: () => undefined,
  sent: async () => undefined,
};

/** WATCHDOG_PID says whom it is meant for: a child that inherited the variables is not. */
function watchdogOf({ variable, pid }: ServiceManagerOptions['environment']): number | null {
  const micros = Number(variable('WATCHDOG_USEC'));
  const meant = variable('WATCHDOG_PID');
  if (!Number.isSafeInteger(micros) || micros <= 0) return null;
  return meant === undefined || Number(meant) === pid ? micros / 1_000 : null;
}

/** What went wrong, or null. */
function run(assignments: readonly string[], env: Readonly<Record<string, string>>): Promise<string | null> {
  return new Promise((resolve) => {
    const child = spawn(PROGRAM, [...assignments], { env, stdio: 'ignore', timeout: SEND_WITHIN_MS });
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(code === 0 ? null : `${PROGRAM} ended with ${code ?? signal}`));
  });
}
