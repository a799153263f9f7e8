/** What ends a process from outside, or from inside by a mistake of ours. */
import type { EventEmitter } from 'node:events';
import { constants } from 'node:os';
import type { Log } from './log.ts';

export type StopSignal = 'SIGTERM' | 'SIGINT';

/** What is heard and ended here; `process` outside of tests. */
type Process = Pick<EventEmitter, 'on' | 'off'>;

export type SignalOptions = {
  readonly log: Log;
  /** The first signal: end in good order. */
  stop(signal: StopSignal): void;
  /** A second one: whoever sends it has waited long enough. */
  exit(code: number): void;
  readonly process?: Process;
};

const exitCodeOf = (signal: StopSignal): number => 128 + constants.signals[signal];

/** Listens for SIGTERM and SIGINT until the function returned is called. */
export function onStopSignals({ log, stop, exit, process: from = process }: SignalOptions): () => void {
  let stopping = false;
  const hear = (signal: StopSignal) => (): void => {
    if (stopping) {
      log.fatal({ signal }, 'a second signal: ending at once');
      exit(exitCodeOf(signal));
      return;
    }
    stopping = true;
    log.info({ signal }, 'a signal asks to stop');
    stop(signal);
  };
  const listeners = (['SIGTERM', 'SIGINT'] as const).map((signal) => ({ signal, call: hear(signal) }));
  for (const { signal, call } of listeners) from.on(signal, call);
  return () => {
    for (const { signal, call } of listeners) from.off(signal, call);
  };
}

export type ReloadSignalOptions = {
  readonly log: Log;
  reload(signal: 'SIGHUP'): void;
  readonly process?: Process;
};

/** Listens for SIGHUP, which ends a process that doesn't, until the function returned is called. */
export function onReloadSignal({ log, reload, process: from = process }: ReloadSignalOptions): () => void {
  const hear = (): void => {
    log.info({ signal: 'SIGHUP' }, 'a signal asks to read the config anew');
    reload('SIGHUP');
  };
  from.on('SIGHUP', hear);
  return () => void from.off('SIGHUP', hear);
}

export type FaultOptions = {
  readonly log: Log & { flushNow(): void };
  exit(code: number): void;
  readonly process?: Process;
};

/**
 * An error that nobody caught leaves us not knowing our own state, and nothing may be done in the world from there: the
 * process ends before its loop turns again, and what it intended is in the journal. Node would end it too, but print
 * the error past the log's gate, with whatever secret stands in it.
 */
export function onFault({ log, exit, process: from = process }: FaultOptions): () => void {
  const fault = (thrown: unknown): void => {
    const err = thrown instanceof Error ? thrown : new Error(String(thrown));
    log.fatal({ err }, 'an error that nobody expected: ending at once');
    log.flushNow();
    exit(1);
  };
  // An unhandled rejection comes as an uncaught exception; a listener for it alone would change that.
  from.on('uncaughtException', fault);
  return () => void from.off('uncaughtException', fault);
}
