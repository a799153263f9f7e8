/**
 * The loop: inbox -> turn -> journal -> act (design §3).
 *
 * 1. Nothing leaves before what it rests on is durable: a turn's entries are appended first, then its effects go out (invariants 3, 7).
 * 2. Once an append failed, no effect follows, ever again in this process (invariant 14).
 * 3. No return value flows back: what came of an effect enters as an input.
 * 4. A guard's renewal that leaves nothing to write waits for no disk. It is judged on all that was said, and answered at once where
 *    what it stands on is durable: its lease and its group's epoch are none of what is being written.
 */
import { foldAll } from '../journal/fold.ts';
import { type JournalStore, StoreError } from '../journal/store.ts';
import type { JournalEntry } from '../model/events.ts';
import { type AlertKey, alertKey } from '../model/evidence.ts';
import { EMPTY_LEDGER } from '../model/ledger.ts';
import type { Effect, EffectOf, Input, InputOf, State } from '../model/loop.ts';
import type { Settings } from '../model/settings.ts';
import { initialState, turn } from './core.ts';
import { execute } from './executor.ts';
import { countedOn, type ForwardTime, floorOf, forwardTime } from './forward-time.ts';
import type { Ports } from './ports.ts';

/**
 * Why an engine takes nothing more. `journal`: the store did not take an append, so mend the disk. `core`: the judgement
 * itself failed (it said what the ledger forbids, or did not come to rest), which is a defect of ours. `stopped`: it was
 * told to end.
 */
export type FailureKind = 'journal' | 'core' | 'stopped';

const FAILED: Readonly<Record<FailureKind, string>> = {
  journal: 'the journal failed',
  core: 'failoverd’s own judgement failed, which is a defect of it; the journal is in order',
  stopped: 'failoverd is stopping',
};

/** What was submitted is not durable, and nothing will be done any more. */
export class EngineFailed extends Error {
  readonly kind: FailureKind;
  constructor(kind: FailureKind, cause: Error | null = null) {
    super(cause === null ? FAILED[kind] : `${FAILED[kind]}: ${cause.message}`, { cause });
    this.name = 'EngineFailed';
    this.kind = kind;
  }
}

type Unclocked<I> = I extends Input ? Omit<I, 'at' | 'mono'> : never;
/** An input before the loop has stamped it with its clocks. */
export type Submission = Unclocked<Input>;

export type EngineHealth = 'running' | 'failed' | 'stopped';

export type Engine = {
  /** Resolves once the input and all that follows from it is durable; rejects with {@link EngineFailed} when it never will be. */
  submit(submission: Submission): Promise<void>;
  state(): State;
  health(): EngineHealth;
  /** Why it failed, or null. */
  failure(): Error | null;
  /** What takes nothing more, or null while it runs. */
  failureKind(): FailureKind | null;
  /** No turn begins after it; resolves when the append under way has ended. Effects under way are told to end. */
  stop(): Promise<void>;
};

export type EngineOptions = {
  readonly settings: Settings;
  readonly store: JournalStore;
  readonly ports: Ports;
  /** Random, new at each start; tells own intents from those of an earlier life. */
  readonly incarnation: string;
  readonly version: string;
  readonly configHash: string;
  /** Longest pause between two looks at the clock. Default 1000 ms. */
  readonly tickMs?: number;
  /** Sees every input in the order it was taken, for replay. */
  readonly record?: (input: Input) => void;
};

type Post = Pick<InputOf<'webhook'>, 'request' | 'alerts' | 'askedMono'>;
/** An entry of the journal stays of a size that can be read: some megabytes. */
const MOST_ALERTS_GATHERED = 5_000;

type Waiting = {
  readonly submission: Submission;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
};
type Outgoing = Exclude<Effect, { kind: 'append' }>;

/** Loads the journal, folds it, and starts the loop. Throws StoreError or IllegalEvent when the journal can't be trusted. */
export async function startEngine(options: EngineOptions): Promise<Engine> {
  const ledger = foldAll(EMPTY_LEDGER, await options.store.load());
  const loop = new Loop(options, initialState(options.settings, ledger));
  const { incarnation, version, configHash } = options;
  await loop.submit({ kind: 'started', incarnation, version, configHash });
  return loop;
}

class Loop implements Engine {
  readonly #options: EngineOptions;
  readonly #ending = new AbortController();
  readonly #time: ForwardTime;
  /** Of what is durable. */
  #state: State;
  /** With what is being written; null while nothing is. */
  #ahead: State | null = null;
  #inbox: Waiting[] = [];
  #health: EngineHealth = 'running';
  #failure: Error | null = null;
  #pump: Promise<void> | null = null;
  #cancelTick: () => void = () => undefined;
  #wakeMono = Number.POSITIVE_INFINITY;
  /** When the loop last looked at everything because time had passed. */
  #tickedMono: number;

  constructor(options: EngineOptions, state: State) {
    this.#options = options;
    this.#state = state;
    this.#time = forwardTime(floorOf(state.ledger));
    this.#tickedMono = options.ports.clock.mono();
  }

  state(): State {
    return this.#state;
  }
  health(): EngineHealth {
    return this.#health;
  }
  failure(): Error | null {
    return this.#failure;
  }
  failureKind(): FailureKind | null {
    if (this.#health === 'running') return null;
    if (this.#health === 'stopped') return 'stopped';
    return this.#failure instanceof StoreError ? 'journal' : 'core';
  }

  submit(submission: Submission): Promise<void> {
    if (this.#health !== 'running') return Promise.reject(this.#refusal());
    if (submission.kind === 'lease') {
      try {
        if (this.#renewed(submission)) return Promise.resolve();
      } catch (error) {
        this.#fail(error instanceof Error ? error : new Error(String(error)), []);
        return Promise.reject(this.#refusal());
      }
    }
    return new Promise((resolve, reject) => {
      this.#inbox.push({ submission, resolve, reject });
      this.#pump ??= this.#run();
    });
  }

  async stop(): Promise<void> {
    if (this.#health === 'running') this.#health = 'stopped';
    this.#cancelTick();
    this.#ending.abort();
    await this.#pump;
    this.#refuseAll();
  }

  #refusal(): EngineFailed {
    return new EngineFailed(this.failureKind() ?? 'stopped', this.#failure);
  }

  #refuseAll(): void {
    const waiting = this.#inbox;
    this.#inbox = [];
    for (const { reject } of waiting) reject(this.#refusal());
  }

  /** Takes everything waiting as one batch: one append, one sync to disk, however many inputs. */
  async #run(): Promise<void> {
    while (this.#inbox.length > 0 && this.#health === 'running') {
      const batch = this.#inbox;
      this.#inbox = [];
      try {
        await this.#turnBatch(batch);
      } catch (error) {
        this.#fail(error instanceof Error ? error : new Error(String(error)), batch);
      }
      // Time passes too while inputs never cease: holds, deadlines and what is not heard of any more wait for it.
      if (this.#health === 'running') this.#scheduleTick();
    }
    this.#pump = null;
    if (this.#health !== 'running') this.#refuseAll();
  }

  async #turnBatch(batch: readonly Waiting[]): Promise<void> {
    const { observer } = this.#options.ports;
    const entries: JournalEntry[] = [];
    const effects: Outgoing[] = [];
    let state = this.#state;
    for (const submission of gathered(batch.map(({ submission }) => submission))) {
      const input = this.#stamped(submission, state);
      this.#options.record?.(input);
      const turned = turn(state, input);
      state = turned.state;
      entries.push(...turned.entries);
      effects.push(...turned.effects);
    }
    if (entries.length > 0) {
      this.#ahead = state;
      await this.#options.store.append(entries);
      observer.appended(entries);
      state = this.#ahead;
      this.#ahead = null;
    }
    this.#state = state;
    for (const { resolve } of batch) resolve();
    for (const effect of effects) this.#let(effect);
  }

  #stamped(submission: Submission, state: State): Input {
    const { clock, observer } = this.#options.ports;
    const mono = clock.mono();
    const wallMs = clock.wall();
    const { at, setByMs } = this.#time.read(wallMs, mono, countedOn(state.ledger, state.settings, wallMs));
    if (setByMs !== 0) observer.clockSet(setByMs);
    return { ...submission, at, mono } as Input;
  }

  /**
   * Takes a request to the lease store in at once where it leaves nothing to write, and lets its answer go: a disk that stands still
   * must not demote a healthy primary. False = it goes the way of every other input, and was not taken in.
   */
  #renewed(submission: Extract<Submission, { kind: 'lease' }>): boolean {
    const { group, component } = submission.ask;
    const state = this.#ahead ?? this.#state;
    if (!sameLease(this.#state, state, group, component)) return false;
    const input = this.#stamped(submission, state);
    const turned = turn(state, input);
    if (turned.entries.length > 0 || turned.effects.some(({ kind }) => kind !== 'reply')) return false;
    this.#options.record?.(input);
    if (this.#ahead === null) this.#state = turned.state;
    else this.#ahead = turned.state;
    for (const effect of turned.effects) this.#let(effect);
    return true;
  }

  /** Invariant 14: from here on nothing is said to the world but that we failed. */
  #fail(error: Error, batch: readonly Waiting[]): void {
    this.#health = 'failed';
    this.#failure = error;
    this.#cancelTick();
    this.#ending.abort();
    for (const { reject } of batch) reject(this.#refusal());
    this.#refuseAll();
    this.#options.ports.observer.failed(error);
  }

  #let(effect: Outgoing): void {
    // A stop between the append and here leaves durable intents without acts: the next life verifies them first.
    if (this.#health !== 'running') return;
    const { ports } = this.#options;
    switch (effect.kind) {
      case 'perform':
        return execute(effect, ports, this.#ending.signal, (result) =>
          this.#back({ kind: 'performed', operation: effect.key, result }),
        );
      case 'probe':
        return ports.prober.probeNow(effect.group);
      case 'page':
        return this.#page(effect);
      case 'reply':
        return ports.replies.reply(effect);
      case 'wake':
        this.#wakeMono = Math.min(this.#wakeMono, effect.mono);
        return;
      default:
        return exhausted(effect);
    }
  }

  #page({ page }: EffectOf<'page'>): void {
    this.#options.ports.pager.deliver(page, this.#ending.signal).then(
      ({ delivered, message }) => this.#back({ kind: 'paged', page: page.id, delivered, message }),
      (error: unknown) => this.#back({ kind: 'paged', page: page.id, delivered: false, message: String(error) }),
    );
  }

  /** An answer that comes after the end has nobody to tell; the journal already knows what was intended. */
  #back(submission: Submission): void {
    this.submit(submission).catch((error: unknown) => {
      if (!(error instanceof EngineFailed)) throw error;
    });
  }

  /** The next look at everything is due a while after the last one, whatever came in between. */
  #scheduleTick(): void {
    this.#cancelTick();
    const { clock, timers } = this.#options.ports;
    const tickMs = this.#options.tickMs ?? 1000;
    // Whole milliseconds, upwards: a timer that fires a hair too early would be set again at once, for ever.
    const delayMs = Math.max(0, Math.ceil(Math.min(this.#tickedMono + tickMs, this.#wakeMono) - clock.mono()));
    this.#cancelTick = timers.after(delayMs, () => {
      this.#wakeMono = Number.POSITIVE_INFINITY;
      this.#tickedMono = clock.mono();
      this.#back({ kind: 'tick' });
    });
  }
}

/** Whether what a lease's answer stands on is the same in both: the life of the store, the lease, and the epoch of its group. */
function sameLease(durable: State, ahead: State, group: string, component: string): boolean {
  const [a, b] = [durable.ledger.groups[group], ahead.ledger.groups[group]];
  return (
    durable.ledger.starts === ahead.ledger.starts &&
    a?.epoch === b?.epoch &&
    a?.leases[component] === b?.leases[component]
  );
}

/**
 * Webhooks that stand side by side become one input: they came while the journal was being written, and are judged and
 * written down together. In an alert storm that is the difference between one judgement for each and one for all.
 */
function gathered(submissions: readonly Submission[]): readonly Submission[] {
  const inputs: Submission[] = [];
  let posts: Post[] = [];
  let alerts = 0;
  const last = new Map<AlertKey, string>();
  const close = (): void => {
    const [only] = posts;
    if (only !== undefined)
      inputs.push(posts.length === 1 ? { kind: 'webhook', ...only } : { kind: 'webhooks', posts });
    posts = [];
    alerts = 0;
    last.clear();
  };
  for (const submission of submissions) {
    if (submission.kind !== 'webhook') {
      close();
      inputs.push(submission);
      continue;
    }
    const said = submission.alerts.map((alert) => [alertKey(alert), alert.status] as const);
    // One that fires and then is resolved must be seen to fire: what it reports is not undone by its end.
    const turns = said.some(([key, status]) => (last.get(key) ?? status) !== status);
    if (turns || alerts + said.length > MOST_ALERTS_GATHERED) close();
    const { kind: _webhook, ...post } = submission;
    posts.push(post);
    alerts += said.length;
    for (const [key, status] of said) last.set(key, status);
  }
  close();
  return inputs;
}

function exhausted(effect: never): never {
  throw new TypeError(`unknown effect: ${JSON.stringify(effect)}`);
}
