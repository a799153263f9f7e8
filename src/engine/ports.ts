/**
 * What the engine needs of the world. The daemon fills these with real adapters, the simulator with a seeded world;
 * the engine can't tell them apart.
 */
import type { JournalEntry, Page } from '../model/events.ts';
import type { OperationResult, Perform, Reply } from '../model/loop.ts';
import type { GroupId } from '../model/primitives.ts';

export type Clock = {
  /** Milliseconds since the Unix epoch; may jump. */
  wall(): number;
  /** Milliseconds since this process started; never goes back. */
  mono(): number;
};

export type Timers = {
  /** Calls once after `delayMs`; the function returned cancels it and may be called at any time. */
  after(delayMs: number, call: () => void): () => void;
};

export type Actor = {
  /**
   * Carries one operation out. Never rejects: what went wrong is in the result. Should end by itself before
   * `operation.timeoutMs`; the executor stops waiting then and takes the outcome as unknown, whatever comes later.
   */
  perform(operation: Perform, signal: AbortSignal): Promise<OperationResult>;
};

export type Prober = {
  /** Probe every component of the group at once, on fresh connections. Answers come in as observations. */
  probeNow(group: GroupId): void;
};

export type Pager = {
  /** One try at delivering; never rejects. */
  deliver(page: Page, signal: AbortSignal): Promise<{ readonly delivered: boolean; readonly message: string }>;
};

export type Replies = {
  /** Called once everything the reply speaks of is durable. */
  reply(reply: Reply): void;
};

/** Told what happened, for logs and metrics. Must not throw; nothing it does comes back into the loop. */
export type Observer = {
  appended(entries: readonly JournalEntry[]): void;
  failed(error: Error): void;
  /** The wall clock was set, by so many milliseconds against the monotonic one (negative: back). */
  clockSet(byMs: number): void;
};

export type Ports = {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly actor: Actor;
  readonly prober: Prober;
  readonly pager: Pager;
  readonly replies: Replies;
  readonly observer: Observer;
};
