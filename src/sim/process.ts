/**
 * The daemon as a process of the simulated world: the real engine over ports of its own life. A crash cuts it off from
 * everything; what it had sent goes on without it.
 */
import { type Engine, EngineFailed, type Submission, startEngine } from '../engine/engine.ts';
import type { Ports } from '../engine/ports.ts';
import type { JournalEntry } from '../model/events.ts';
import type { Input, Perform, Reply, State } from '../model/loop.ts';
import type { Settings } from '../model/settings.ts';
import type { SimActor } from './actor.ts';
import type { Oracle } from './oracle.ts';
import type { Platform } from './platform.ts';
import type { Random } from './random.ts';
import type { AppendFate, Disk } from './store.ts';

/** Where in its journal, and how, the process will die or its disk fail. Each happens once. */
export type Mishap = { readonly seq: number; readonly fate: Exclude<AppendFate, 'well'>; readonly downMs: number };

export type ProcessOptions = {
  readonly platform: Platform;
  readonly disk: Disk;
  readonly actor: SimActor;
  readonly oracle: Oracle;
  readonly random: Random;
  readonly settings: Settings;
  readonly mishaps: Mishap[];
  /** Probability that a page is not taken now. */
  readonly pagerFaults: () => number;
  readonly probeNow: () => void;
  readonly trace: (line: string) => void;
  readonly record: boolean;
};

/** 2026-01-12, a Monday, 07:00 UTC: night in New York. */
const WALL_START = Date.UTC(2026, 0, 12, 7, 0, 0);

export class DaemonProcess {
  readonly #options: ProcessOptions;
  #life = 0;
  #engine: Engine | null = null;
  #startedMs = 0;
  #frozenUntilMs = 0;
  wallSkewMs = 0;
  /** Inputs of the present life and the state they began from, for replay. */
  inputs: Input[] = [];
  readonly replies = new Map<string, Reply>();

  constructor(options: ProcessOptions) {
    this.#options = options;
  }

  get up(): boolean {
    return this.#engine?.health() === 'running';
  }
  state(): State | null {
    return this.#engine?.state() ?? null;
  }
  wall(): number {
    return WALL_START + this.#options.platform.scheduler.nowMs + this.wallSkewMs;
  }
  freeze(ms: number): void {
    this.#frozenUntilMs = Math.max(this.#frozenUntilMs, this.#options.platform.scheduler.nowMs + ms);
  }
  get frozen(): boolean {
    return this.#options.platform.scheduler.nowMs < this.#frozenUntilMs;
  }

  start(): void {
    const { disk, oracle, platform, settings, record, trace } = this.#options;
    this.#life += 1;
    const life = this.#life;
    this.#startedMs = platform.scheduler.nowMs;
    oracle.started();
    this.inputs = [];
    const store = disk.mount(
      (entries) => this.#fate(entries),
      () => this.crash('at its journal'),
    );
    trace(`daemon starts (life ${life})`);
    const options = {
      settings,
      store,
      ports: this.#ports(life),
      incarnation: `life-${life}`,
      version: 'sim',
      configHash: 'sim',
    };
    const recorder = record ? { record: (input: Input) => this.inputs.push(input) } : {};
    startEngine({ ...options, ...recorder }).then(
      (engine) => {
        if (life === this.#life) this.#engine = engine;
      },
      (error: unknown) => {
        if (!(error instanceof EngineFailed)) throw error;
        this.#exit(life);
      },
    );
  }

  crash(why: string): void {
    if (this.#engine === null && this.#life === 0) return;
    this.#options.trace(`daemon is killed ${why}`);
    this.#life += 1;
    this.#engine = null;
  }

  /** Delivers when the process is able to take it; a dead one takes nothing. */
  submit(submission: Submission, done: (error: Error | null) => void = () => undefined): void {
    const { scheduler } = this.#options.platform;
    const engine = this.#engine;
    if (engine === null) return done(new Error('nobody listens'));
    if (this.frozen) {
      scheduler.at(this.#frozenUntilMs, () => this.submit(submission, done));
      return;
    }
    if (submission.kind === 'observed') this.#options.oracle.auditor.heard(submission.observations);
    engine.submit(submission).then(
      () => done(null),
      (error: Error) => done(error),
    );
  }

  #fate(entries: readonly JournalEntry[]): AppendFate {
    const { mishaps, platform } = this.#options;
    const last = entries.at(-1)?.seq ?? 0;
    const index = mishaps.findIndex((mishap) => mishap.seq <= last);
    const mishap = mishaps[index];
    if (mishap === undefined) return 'well';
    mishaps.splice(index, 1);
    // From now on nothing may follow, whether the process takes notice or not (invariant 14).
    if (mishap.fate === 'fail-before' || mishap.fate === 'fail-after') this.#options.oracle.failedIncarnation = true;
    platform.scheduler.after(mishap.downMs, () => {
      if (!this.up) this.start();
    });
    return mishap.fate;
  }

  /** The journal failed: the process says so and goes; its supervisor starts it again. */
  #exit(life: number): void {
    if (life !== this.#life) return;
    this.#options.trace('daemon exits: its journal failed');
    this.#life += 1;
    this.#engine = null;
  }

  #ports(life: number): Ports {
    const { platform, actor, oracle, random, trace, pagerFaults } = this.#options;
    const { scheduler } = platform;
    const alive = (): boolean => life === this.#life;
    const whenAble = (run: () => void): void => {
      if (!alive()) return;
      if (this.frozen) scheduler.at(this.#frozenUntilMs, () => whenAble(run));
      else run();
    };
    return {
      clock: { wall: () => this.wall(), mono: () => scheduler.nowMs - this.#startedMs },
      timers: { after: (delayMs, call) => scheduler.after(delayMs, () => whenAble(call)) },
      actor: {
        perform: (operation: Perform) => {
          if (!alive()) return new Promise(() => undefined);
          trace(
            `  asks ${operation.step} ${operation.operation} (attempt ${operation.attempt}, epoch ${operation.epoch})`,
          );
          return new Promise((resolve) => {
            actor.perform(operation).then(
              (result) => {
                if (result.kind !== 'ok')
                  trace(`  ${operation.step} ${operation.operation}: ${result.kind} ${result.code}`);
                whenAble(() => resolve(result));
              },
              (error: Error) => trace(`  the world broke: ${error.message}`),
            );
          });
        },
      },
      prober: { probeNow: () => alive() && this.#options.probeNow() },
      pager: {
        deliver: () =>
          new Promise((resolve) => {
            const delivered = !random.chance(pagerFaults());
            scheduler.after(random.int(5, 200), () => whenAble(() => resolve({ delivered, message: '' })));
          }),
      },
      replies: { reply: (reply) => alive() && this.replies.set(reply.request, reply) },
      observer: {
        appended: (entries) => {
          for (const { seq, body } of entries)
            trace(`  #${seq} ${body.kind} ${'step' in body ? body.step : ''}${'why' in body ? ` (${body.why})` : ''}`);
        },
        clockSet: () => undefined,
        failed: (error) => {
          if (!alive()) return;
          trace(`  engine failed: ${error.message}`);
          if (error.name === 'IllegalEvent')
            oracle.violations.push({ invariant: 0, what: error.message, atMs: scheduler.nowMs });
          else if (error.name !== 'StoreError')
            oracle.violations.push({ invariant: 0, what: `${error.stack}`, atMs: scheduler.nowMs });
          this.#exit(life);
        },
      },
    };
  }
}
