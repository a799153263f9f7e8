/**
 * Runs the guard's machine: one input at a time, what is durable before everything after it, effects in their order. It
 * decides nothing.
 *
 * 1. A state that can't be written ends the process: nothing that rests on it was done (invariant 3). Where no dead-man
 *    watches, PostgreSQL is stopped first.
 * 2. One task at a time, but for `stop`, which cuts off whatever is under way and waits for its end.
 * 3. Times are taken when an input is taken in, on a clock that counts sleep.
 */
import type {
  GuardDurable,
  GuardEffect,
  GuardInput,
  GuardOrder,
  GuardState,
  OrderAnswer,
  PostgresSeen,
  PromiseRequest,
} from '../model/guard.ts';
import type { LeaseAnswer, LeaseStore } from '../model/lease.ts';
import type { MonoMs, RegionId } from '../model/primitives.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Log } from '../runtime/log.ts';
import type { Timers } from '../runtime/timers.ts';
import type { DeadMan } from './dead-man/dead-man.ts';
import type { Postgres } from './postgres/postgres.ts';
import type { StateFile } from './state-file.ts';

type Step = (
  state: GuardState,
  input: GuardInput,
) => { readonly state: GuardState; readonly effects: readonly GuardEffect[] };

export type AskPeer = (peer: RegionId, ask: PromiseRequest, signal: AbortSignal) => Promise<boolean>;

export type LoopOptions = {
  readonly step: Step;
  readonly initial: GuardState;
  /** Names this life; new with each start. */
  readonly process: string;
  readonly stateFile: Pick<StateFile, 'write'>;
  readonly postgres: Pick<Postgres, 'look' | 'perform' | 'postmasterLives'>;
  readonly deadMan: DeadMan;
  readonly store: LeaseStore;
  readonly askPeer: AskPeer;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  /** Sees every input before, and every effect as it is carried out; for metrics. */
  readonly watch?: (event: GuardInput | GuardEffect) => void;
  /** It can't go on: the process has to end. Called once. */
  readonly fatal: (error: Error) => void;
};

export type PromiseAnswer = { readonly promised: boolean; readonly why: string };

export type Loop = {
  start(found: {
    readonly durable: GuardDurable;
    readonly fresh: boolean;
    readonly renewedMono: MonoMs | null;
    /** Whether the dead-man is there now. */
    readonly armed: boolean;
  }): Promise<void>;
  state(): GuardState;
  order(order: GuardOrder): Promise<OrderAnswer>;
  promise(ask: PromiseRequest): Promise<PromiseAnswer>;
  deadManIs(armed: boolean): void;
  /** Whether it has taken an input in lately: a loop that stands still must not be called alive. */
  isAlive(): boolean;
  /** Takes in nothing more and lets go; PostgreSQL stays as it is. */
  stop(): Promise<void>;
};

const LOOK_EVERY_MS = 1_000;
const LOOK_WITHIN_MS = 2_000;
/** How soon the end of the postmaster is noticed; each time costs the read of one small file of the kernel. */
const WATCH_EVERY_MS = 25;
/** A task that was cut off is waited for so long before PostgreSQL is stopped in spite of it. */
const CUT_OFF_WITHIN_MS = 500;
/** Where nothing has to be stopped in time, a slow disk is waited for. */
const WRITE_WITHIN_MS = 30_000;
const LEAST_WRITE_MS = 1_000;
const ALIVE_WITHIN_MS = 10_000;

/** Codes of {@link GuardEffect} `tell` that a person wants to see even on a quiet day. */
const LOUD = new Set(['stopping', 'deposed', 'dead-man-lost', 'store-halted', 'old-store', 'not-pinned']);

/** An input less the times, which it gets when it is taken in. */
type Coming = GuardInput extends infer Each ? (Each extends GuardInput ? Omit<Each, 'at' | 'mono'> : never) : never;

export function createLoop(options: LoopOptions): Loop {
  const { step, postgres, deadMan, store, askPeer, clock, timers, log, watch = () => undefined } = options;
  let state = options.initial;
  let ended = false;
  let draining = false;
  let takenMono = clock.mono();
  let requests = 0;
  let cancelWake = (): void => undefined;
  const coming: Coming[] = [];
  const stopping = new AbortController();
  const orders = new Map<string, (answer: OrderAnswer) => void>();
  const promises = new Map<string, (answer: PromiseAnswer) => void>();

  const take = (input: Coming): void => {
    if (ended) return;
    coming.push(input);
    if (!draining) drain().catch(failed);
  };

  const drain = async (): Promise<void> => {
    draining = true;
    for (let next = coming.shift(); next !== undefined && !ended; next = coming.shift()) {
      takenMono = clock.mono();
      const input = { ...next, at: clock.wall(), mono: takenMono } as GuardInput;
      watch(input);
      const made = step(state, input);
      state = made.state;
      await carryOut(made.effects);
    }
    draining = false;
  };

  const failed = (thrown: unknown): void => {
    if (ended) return;
    ended = true;
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    void letGo(error).finally(() => options.fatal(error));
  };

  /** Whoever starts next finds PostgreSQL watched, or stopped. */
  const letGo = async (error: Error): Promise<void> => {
    log.fatal({ err: error }, 'the guard can’t go on');
    if (state.deadManArmed && deadMan.kind !== 'none') return;
    const timeoutMs = state.settings.timings.stopWithinMs;
    const { ok, message } = await postgres.perform('stop', { timeoutMs, signal: new AbortController().signal });
    log.fatal({ proven: ok }, `PostgreSQL was stopped, for nothing else would end it: ${message}`);
  };

  const carryOut = async (effects: readonly GuardEffect[]): Promise<void> => {
    for (const effect of effects) {
      if (ended) return;
      watch(effect);
      if (effect.kind === 'persist') await persist(effect.durable);
      else carryOutNow(effect);
    }
  };

  /** While the disk is waited for the machine can't stop anything: so not beyond the time it would have to. */
  const persist = async (durable: GuardDurable): Promise<void> => {
    const { renewedMono, settings, mono } = state;
    const restMs = renewedMono === null ? WRITE_WITHIN_MS : renewedMono + settings.timings.demoteAfterMs - mono;
    const withinMs = Math.max(LEAST_WRITE_MS, Math.min(WRITE_WITHIN_MS, restMs));
    let cancel = (): void => undefined;
    const late = new Promise<never>((_, reject) => {
      cancel = timers.after(withinMs, () => reject(new Error(`the state was not on disk within ${withinMs} ms`)));
    });
    try {
      await Promise.race([options.stateFile.write(durable), late]);
    } finally {
      cancel();
    }
  };

  const carryOutNow = (effect: Exclude<GuardEffect, { kind: 'persist' }>): void => {
    switch (effect.kind) {
      case 'ask':
        return void withDeadline(effect.timeoutMs, (signal) => store.ask(effect.request, signal)).then((answer) =>
          take({ kind: 'answered', number: effect.number, answer: answer as LeaseAnswer | null }),
        );
      case 'ask-promise':
        return void withDeadline(effect.timeoutMs, (signal) => askPeer(effect.peer, effect.ask, signal)).then(
          (promised) => take({ kind: 'promised', number: effect.number, peer: effect.peer, promised }),
        );
      case 'perform':
        return perform(effect);
      case 'pet':
        return deadMan.pet(effect.sentMono);
      case 'disarm':
        return deadMan.disarm();
      case 'answer-order':
        return settle(orders, effect.request, effect.answer);
      case 'answer-promise':
        return settle(promises, effect.request, { promised: effect.promised, why: effect.why });
      case 'wake':
        cancelWake();
        cancelWake = timers.after(Math.max(0, effect.mono - clock.mono()), () => take({ kind: 'tick' }));
        return;
      case 'tell': {
        const loud = LOUD.has(effect.code) || effect.code.endsWith('-failed');
        log[loud ? 'warn' : 'info']({ code: effect.code, part: state.part }, effect.message);
        return;
      }
      default:
        return effect satisfies never;
    }
  };

  /** Null where nothing came in time, or the asking failed: of what became of it nothing is known. */
  const withDeadline = async <T>(timeoutMs: number, ask: (signal: AbortSignal) => Promise<T>): Promise<T | null> => {
    const late = new AbortController();
    const cancel = timers.after(timeoutMs, () => late.abort());
    try {
      const aborted = new Promise<null>((resolve) =>
        late.signal.addEventListener('abort', () => resolve(null), { once: true }),
      );
      return await Promise.race([ask(AbortSignal.any([late.signal, stopping.signal])), aborted]);
    } catch (error) {
      log.debug({ err: error }, 'an asking came to nothing');
      return null;
    } finally {
      cancel();
    }
  };

  let current: { readonly number: number; readonly cut: AbortController; readonly done: Promise<void> } | null = null;

  const perform = ({ number, task, timeoutMs }: Extract<GuardEffect, { kind: 'perform' }>): void => {
    const before = current;
    const cut = new AbortController();
    turns += 1;
    const run = async (): Promise<void> => {
      if (before !== null) {
        before.cut.abort();
        await Promise.race([before.done, new Promise<void>((resolve) => timers.after(CUT_OFF_WITHIN_MS, resolve))]);
      }
      const result = await postgres.perform(task, { timeoutMs, signal: cut.signal });
      if (current?.number === number) current = null;
      turns += 1;
      log.info({ task, ok: result.ok, state: result.seen.state }, result.message);
      // What was cut off has no say any more: what came of it is in the result of the stop.
      if (!cut.signal.aborted) take({ kind: 'performed', number, task, result });
    };
    current = { number, cut, done: run().catch(failed) };
  };

  const settle = <T>(waiting: Map<string, (answer: T) => void>, request: string, answer: T): void => {
    waiting.get(request)?.(answer);
    waiting.delete(request);
  };

  /** Tasks begun and ended: what a look saw before one of them says nothing of what it has done. */
  let turns = 0;
  let looking = false;
  let cancelLook = (): void => undefined;

  const lookNow = (): void => {
    if (ended || looking) return;
    looking = true;
    cancelLook();
    const within = { timeoutMs: LOOK_WITHIN_MS, signal: stopping.signal };
    const before = turns;
    postgres
      .look(within)
      .then((seen: PostgresSeen) => (before === turns ? take({ kind: 'seen', seen }) : undefined))
      .catch(failed)
      .finally(() => {
        looking = false;
        if (!ended) cancelLook = timers.after(LOOK_EVERY_MS, lookNow);
      });
  };

  const watchPostmaster = (): void => {
    if (ended) return;
    if (!postgres.postmasterLives()) lookNow();
    timers.after(WATCH_EVERY_MS, watchPostmaster);
  };

  const asked = <T>(
    waiting: Map<string, (answer: T) => void>,
    input: (request: string) => Coming,
    over: T,
  ): Promise<T> => {
    if (ended) return Promise.resolve(over);
    requests += 1;
    const request = String(requests);
    return new Promise((resolve) => {
      waiting.set(request, resolve);
      take(input(request));
    });
  };

  return {
    async start({ durable, fresh, renewedMono, armed }) {
      const seen = await postgres.look({ timeoutMs: LOOK_WITHIN_MS, signal: stopping.signal });
      log.info({ state: seen.state, open: seen.open, fresh, obeyed: durable.obeyed }, 'found PostgreSQL');
      take({ kind: 'started', process: options.process, durable, fresh, seen, renewedMono });
      take({ kind: 'dead-man', armed });
      cancelLook = timers.after(LOOK_EVERY_MS, lookNow);
      watchPostmaster();
    },
    state: () => state,
    order: (order) =>
      asked(orders, (request) => ({ kind: 'order', request, order }), { taken: false, message: 'the guard is ending' }),
    promise: (ask) =>
      asked(promises, (request) => ({ kind: 'promise-asked', request, ask }), {
        promised: false,
        why: 'the guard is ending',
      }),
    deadManIs: (armed) => take({ kind: 'dead-man', armed }),
    isAlive: () => !ended && clock.mono() - takenMono < ALIVE_WITHIN_MS,
    async stop() {
      ended = true;
      cancelWake();
      cancelLook();
      stopping.abort();
      for (const [request] of orders) settle(orders, request, { taken: false, message: 'the guard is ending' });
      for (const [request] of promises) settle(promises, request, { promised: false, why: 'the guard is ending' });
      current?.cut.abort();
      await current?.done;
    },
  };
}
