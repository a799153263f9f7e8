/** What an adapter is given, and how it says what came of an operation. */
import type { Config, GroupConfig } from '../model/config.ts';
import type { OperationResult, Perform } from '../model/loop.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Log } from '../runtime/log.ts';
import type { Timers } from '../runtime/timers.ts';
import type { FindCertificates } from '../runtime/tls.ts';
import type { ActionCode } from './codes.ts';
import type { PostgresPool } from './postgres-connection.ts';
import type { Route53Zones } from './route53.ts';
import type { CanaryWrites } from './verify-write.ts';

export type ActionLog = Pick<Log, 'debug' | 'warn'>;
/** Looks up a variable of this process's environment; fence programs are given PATH, HOME and LANG of it. */
export type Variable = (name: string) => string | undefined;

export type OperationContext = {
  readonly config: Config;
  readonly group: GroupConfig;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: ActionLog;
  readonly variable: Variable;
  /** Resolves a `${env:X}` or `${file:...}` reference, or gives plain text back. */
  readonly secret: (reference: string) => string;
  readonly postgres: PostgresPool;
  readonly certificates: FindCertificates;
  readonly route53: Route53Zones;
  readonly canaries: CanaryWrites;
  /** Aborted when the time is up, when the executor stops waiting, and when the actor is closed. */
  readonly signal: AbortSignal;
  /** When the time is up, on the monotonic clock. */
  readonly deadlineMono: number;
};

export type Act = (operation: Perform, context: OperationContext) => Promise<OperationResult>;
/** What one kind of step does on real systems. `undo` is left out where there is no way back (design §7). */
export type StepActions = { readonly check: Act; readonly do: Act; readonly verify: Act; readonly undo?: Act };

export type ResultFacts = OperationResult['facts'];
const result =
  (kind: OperationResult['kind']) =>
  (code: ActionCode, message: string, facts: ResultFacts = {}): OperationResult => ({ kind, code, message, facts });

export const ok = (message: string, facts: ResultFacts = {}): OperationResult => ({
  kind: 'ok',
  code: null,
  message,
  facts,
});
/** A check that says no; a `do` that certainly had no effect; a read that proves the effect's absence. */
export const no = result('no');
/** Nothing can be said; a `do` may have had an effect, or may have one later. */
export const unknown = result('unknown');
/** Going on would be wrong whatever happens next. */
export const halt = result('halt');

/** For the operations of a step that only reads: the check did all there is to do. */
export const nothingToDo: Act = async () => ok('nothing to do: this step only reads');

export const remainingMs = (context: Pick<OperationContext, 'clock' | 'deadlineMono'>): number =>
  Math.max(0, context.deadlineMono - context.clock.mono());

/** Waits, or less when the signal is aborted. Never rejects. */
export function pause(delayMs: number, timers: Timers, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = (): void => {
      cancel();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const cancel = timers.after(delayMs, done);
    signal.addEventListener('abort', done, { once: true });
  });
}

/** The text of whatever was thrown, for a person. Nothing decides by it. */
export function textOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(textOf).join('; ');
  return error instanceof Error ? error.message : String(error);
}
