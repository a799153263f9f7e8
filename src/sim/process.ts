/**
 * The daemon as a process of the simulated world: the real engine over ports of its own life. A crash cuts it off from
 * everything; what it had sent goes on without it.
 */
import { type Engine, EngineFailed, type Submission, startEngine } from '../engine/engine.ts';
import type { Ports } from '../engine/ports.ts';
import type { Input, Perform, Reply, State } from '../model/loop.ts';
import type { Settings } from '../model/settings.ts';
import type { SimActor } from './actor.ts';
import type { Oracle } from './oracle.ts';
import { type Platform, wallAt } from './platform.ts';
import type { Random } from './random.ts';
import type { AppendFate, Disk } from './store.ts';

/** How the process will die, or its disk fail, at its next append. Each happens once. */
export type Mishap = { readonly fate: Exclude<AppendFate, 'well'>; readonly downMs: number };

export type ProcessOptions = {
  readonly platform: Platform;
  readonly disk: Disk;
  readonly actor: SimActor;
  readonly oracle: Oracle;
  readonly random: Random;
  /** As the config file says them; a reload makes them others. */
  readonly settings: Settings;
  /** What a config says that somebody else wrote. */
  readonly otherSettings: (again: boolean) => Settings;
  /** Told of each append that meets a mishap. */
  readonly met: (fate: Mishap['fate']) => void;
  readonly probeNow: () => void;
  readonly trace: (line: string) => void;
  readonly record: boolean;
};

/** Microtasks between two things that go in or out of the loop, with room; the longest chain is about half of it. */
const HOPS = 12;

export class DaemonProcess {
  readonly #options: ProcessOptions;
  #life = 0;
  #engine: Engine | null = null;
  #startedMs = 0;
  #frozenUntilMs = 0;
  wallSkewMs = 0;
  readonly mishaps: Mishap[] = [];
  /** Probability that a page is not taken. */
  pagerFaults = 0;
  #settings: Settings;
  /** Those that the present life began with. */
  settingsAtStart: Settings;
  #configs = 1;
  /** Counts whatever came out of the loop, so that it can be seen to rest. */
  #stirs = 0;
  #awake = false;
  /** Operations that the actors have not answered: an answer is a promise, which wakes nobody by itself. */
  #asked = 0;
  /** Inputs of the present life and the state they began from, for replay. */
  inputs: Input[] = [];
  readonly replies = new Map<string, Reply>();

  constructor(options: ProcessOptions) {
    this.#options = options;
    this.#settings = options.settings;
    this.settingsAtStart = options.settings;
  }

  get up(): boolean {
    return this.#engine?.health() === 'running';
  }
  state(): State | null {
    return this.#engine?.state() ?? null;
  }
  wall(): number {
    return wallAt(this.#options.platform.scheduler.nowMs) + this.wallSkewMs;
  }
  /** Which life this is; another one has forgotten what the last one had under way. */
  get life(): number {
    return this.#life;
  }
  freeze(ms: number): void {
    this.#frozenUntilMs = Math.max(this.#frozenUntilMs, this.#options.platform.scheduler.nowMs + ms);
  }
  get frozen(): boolean {
    return this.#options.platform.scheduler.nowMs < this.#frozenUntilMs;
  }

  start(): void {
    const { disk, oracle, platform, record, trace } = this.#options;
    this.#life += 1;
    const life = this.#life;
    this.#startedMs = platform.scheduler.nowMs;
    oracle.started();
    this.inputs = [];
    this.settingsAtStart = this.#settings;
    const store = disk.mount(
      () => this.#fate(),
      () => this.crash('at its journal'),
    );
    trace(`daemon starts (life ${life})`);
    const options = {
      settings: this.#settings,
      store,
      ports: this.#ports(life),
      incarnation: `life-${life}`,
      version: 'sim',
      configHash: `config-${this.#configs}`,
    };
    this.#awake = true;
    const recorder = (input: Input): void => {
      this.#stirs += 1;
      if (record) this.inputs.push(input);
    };
    startEngine({ ...options, record: recorder }).then(
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

  startIfDown(): void {
    if (!this.up) this.start();
  }

  /** The config file is another one, and the process is told to read it. */
  reload(again: boolean): void {
    this.#configs += 1;
    this.#settings = this.#options.otherSettings(again);
    this.submit({
      kind: 'reloaded',
      request: `reload-${this.#configs}`,
      by: 'SIGHUP',
      configHash: `config-${this.#configs}`,
      settings: this.#settings,
      restartNeeded: [],
    });
  }
  refuseReload(): void {
    this.submit({ kind: 'reload-refused', by: 'SIGHUP', configHash: null, problems: ['it is no YAML'] });
  }

  /**
   * Gives the loop the microtasks it needs to come to rest after one thing happened; none where nothing reached it. It rests
   * when nothing went in or out of it for a while.
   */
  async rest(): Promise<void> {
    if (!this.#awake && this.#asked === 0) return;
    this.#awake = false;
    for (let stirs = -1; stirs !== this.#stirs; ) {
      stirs = this.#stirs;
      for (let hop = 0; hop < HOPS; hop += 1) await null;
    }
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
    this.#awake = true;
    if (submission.kind === 'observed') this.#options.oracle.auditor.heard(submission.observations);
    engine.submit(submission).then(
      () => done(null),
      (error: Error) => done(error),
    );
  }

  #fate(): AppendFate {
    this.#stirs += 1;
    const mishap = this.mishaps.shift();
    if (mishap === undefined) return 'well';
    this.#options.met(mishap.fate);
    // From now on nothing may follow, whether the process takes notice or not (invariant 14).
    if (mishap.fate === 'append-failed' || mishap.fate === 'append-failed-late')
      this.#options.oracle.failedIncarnation = true;
    this.#options.platform.scheduler.after(mishap.downMs, () => this.startIfDown());
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
    const { platform, actor, oracle, random, trace } = this.#options;
    const { scheduler } = platform;
    const alive = (): boolean => life === this.#life;
    const whenAble = (run: () => void): void => {
      if (!alive()) return;
      if (this.frozen) {
        scheduler.at(this.#frozenUntilMs, () => whenAble(run));
        return;
      }
      this.#awake = true;
      run();
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
          this.#asked += 1;
          return new Promise((resolve) => {
            actor.perform(operation).then(
              (result) => {
                this.#asked -= 1;
                this.#stirs += 1;
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
            const delivered = !(this.pagerFaults > 0 && random.chance(this.pagerFaults));
            scheduler.after(random.int(5, 200), () => whenAble(() => resolve({ delivered, message: '' })));
          }),
      },
      replies: { reply: (reply) => alive() && this.replies.set(reply.request, reply) },
      observer: {
        appended: (entries) => {
          this.#stirs += 1;
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
