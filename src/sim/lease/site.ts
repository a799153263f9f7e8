/**
 * One host: a guard's process with its durable file, the dead-man, PostgreSQL; each can be frozen, alone or with others, and each
 * ends by itself. The guard's judgement is the real machine; everything here is what its process and the kernel would do.
 */
import type {
  GuardDurable,
  GuardEffect,
  GuardInput,
  GuardOrder,
  GuardSettings,
  GuardState,
  PostgresResult,
  PostgresTask,
} from '../../model/guard.ts';
import { FRESH_DURABLE } from '../../model/guard.ts';
import type { LeaseRequest } from '../../model/lease.ts';
import type { HostClock } from './clock.ts';
import type { Context, Region } from './context.ts';
import { nameOf, regionOf } from './context.ts';
import { DeadMan } from './dead-man.ts';
import { lsnText, Postgres, type Timelines } from './postgres.ts';
import type { Reply } from './store.ts';

export type Machine = {
  initial(settings: GuardSettings): GuardState;
  step(state: GuardState, input: GuardInput): { readonly state: GuardState; readonly effects: readonly GuardEffect[] };
};

/** What a site asks of the rest of the world. */
export type Surroundings = {
  askStore(from: Region, request: LeaseRequest, reply: Reply): void;
  siteAt(region: Region): Site;
  /** The newest timeline that a primary is on, and how far it is; what a rejoin copies from. */
  primary(): Postgres | null;
};

/** How the host behaves in this history. */
export type Manners = {
  /** The durable file's fsync says yes and keeps it in memory: the loss of power takes it back so far. */
  readonly durableLies: boolean;
  /** A stop takes this part of K. */
  readonly stopShare: number;
  readonly promotionDelayMs: number;
  /** An answer to a promotion that says nothing true. */
  readonly promotionAnswerLies: boolean;
  readonly looksFail: number;
  /** A look is answered so much later, and says what was so when it was begun. */
  readonly lookTakesMs: number;
  readonly cleanStops: boolean;
  readonly startMs: number;
  /** Standing right after its own server has started or ended, an order to it may still take effect when the guard has died. */
  readonly lateEffects: number;
  /** Queued timers are run before what came in over the network, after a thaw. */
  readonly timersFirst: boolean;
  readonly lookMs: number;
  readonly bootMs: number;
  readonly restartGuardMs: number;
};

type Task = { readonly cancel: (() => void)[] };
export type Trap = { readonly kind: GuardEffect['kind'] | 'any'; readonly act: () => void };
type Deliver = (at: number, mono: number) => GuardInput;

export class Site {
  readonly region: Region;
  readonly name: string;
  readonly clock: HostClock;
  readonly postgres: Postgres;
  readonly deadMan: DeadMan;
  readonly manners: Manners;
  readonly settings: GuardSettings;
  readonly #world: Context;
  readonly #around: Surroundings;
  readonly #machine: Machine;

  /** null = no guard's process runs. */
  state: GuardState | null = null;
  /** Reading of the host's clock at which this process's monotonic clock was zero. */
  zeroReading = 0;
  life = 0;
  on = true;
  disk: { written: GuardDurable | null; synced: GuardDurable | null };
  diskFull = false;
  #frozen = 0;
  #inbox: { readonly timer: boolean; readonly deliver: Deliver }[] = [];
  /** What a frozen process has yet to do of the step it was frozen in. */
  #rest: (() => void)[] = [];
  trap: Trap | null = null;
  #wake: { mono: number; cancel: () => void } | null = null;
  #task: Task | null = null;
  /** What a guard that died has begun, and nobody waits for. */
  #orphans: Task[] = [];
  #asked = new Set<number>();
  #armedTold = false;
  scheduledSinceMs = 0;

  constructor(
    world: Context,
    around: Surroundings,
    machine: Machine,
    region: Region,
    clock: HostClock,
    kernelRate: number,
    settings: GuardSettings,
    manners: Manners,
    timelines: Timelines,
    durable: GuardDurable | null,
  ) {
    this.#world = world;
    this.#around = around;
    this.#machine = machine;
    this.region = region;
    this.name = nameOf(region);
    this.clock = clock;
    this.settings = settings;
    this.manners = manners;
    this.disk = { written: durable, synced: durable };
    this.postgres = new Postgres(world, region, timelines);
    this.deadMan = new DeadMan(settings.deadMan, world, region, clock, kernelRate, () => this.#deadManFires());
  }

  get running(): boolean {
    return this.state !== null;
  }
  /**
   * It can write and no dead-man watches: that the guard fails as well, before it has noticed and stopped, is two faults at once,
   * and outside of what is assumed.
   */
  get unwatched(): boolean {
    const { timings, time } = this.#world;
    const allowedMs = (timings.demoteAfterMs + timings.stopWithinMs) / this.clock.rate + 100;
    return this.writesUnwatched && time.nowMs - this.deadMan.unarmedSinceMs < allowedMs;
  }
  get writesUnwatched(): boolean {
    return this.postgres.writable && !this.deadMan.armed && this.settings.isolation === 'stop';
  }
  get frozen(): boolean {
    return this.#frozen > 0;
  }
  mono(): number {
    return this.clock.read(this.#world.time.nowMs) - this.zeroReading;
  }

  // ---- the process ----

  /** `idleMs`: it has been up for so long, and nothing has happened to it since. */
  startGuard(idleMs = 0): void {
    if (this.running || !this.on) return;
    const world = this.#world;
    this.life += 1;
    const reading = this.clock.read(world.time.nowMs);
    this.zeroReading = reading - idleMs;
    this.#armedTold = this.deadMan.armed;
    const renewed = this.deadMan.renewedReading;
    const durable = this.disk.written ?? FRESH_DURABLE;
    this.state = this.#machine.initial(this.settings);
    this.scheduledSinceMs = world.time.nowMs;
    if (world.tracing) world.say(`guard ${this.name}`, `process ${this.#process} starts`);
    const seen = this.postgres.look(this.clock.wall(world.time.nowMs));
    this.#handle((at) => ({
      kind: 'started',
      at,
      mono: 0,
      process: this.#process,
      durable,
      fresh: this.disk.written === null,
      seen,
      renewedMono: renewed === null ? null : renewed - this.zeroReading,
    }));
    this.#lookOn(this.life);
  }
  get #process(): string {
    return `${this.name}${this.life}`;
  }
  killGuard(why: string): void {
    if (!this.running) return;
    if (this.#world.tracing) this.#world.say(`guard ${this.name}`, `process ends: ${why}`);
    this.state = null;
    this.#frozen = 0;
    this.#inbox = [];
    this.#rest = [];
    this.trap = null;
    this.#wake?.cancel();
    this.#wake = null;
    this.#asked.clear();
    // What it was doing to PostgreSQL may be done all the same: a request goes on after its sender is gone.
    if (!this.#world.random.chance(this.manners.lateEffects)) this.#cutOff();
    else if (this.#task !== null) this.#orphans.push(this.#task);
    this.#task = null;
  }
  restartGuard(why: string, afterMs: number): void {
    this.killGuard(why);
    const life = this.life;
    this.#world.time.after(afterMs, () => {
      if (this.life === life) this.startGuard();
    });
  }
  #cutOff(): void {
    for (const cancel of this.#task?.cancel ?? []) cancel();
  }

  freezeGuard(): () => void {
    this.#frozen += 1;
    const life = this.life;
    if (this.#world.tracing && this.#frozen === 1) this.#world.say(`guard ${this.name}`, 'frozen');
    return () => {
      if (this.life !== life || this.#frozen === 0) return;
      this.#frozen -= 1;
      if (this.#frozen === 0) this.#thaw();
    };
  }
  #thaw(): void {
    if (this.#world.tracing) this.#world.say(`guard ${this.name}`, 'thawed');
    this.scheduledSinceMs = this.#world.time.nowMs;
    for (let rest = this.#rest.shift(); rest !== undefined; rest = this.#rest.shift()) {
      rest();
      if (this.frozen || !this.running) return;
    }
    const queued = this.#inbox;
    this.#inbox = [];
    if (this.manners.timersFirst) queued.sort((a, b) => Number(b.timer) - Number(a.timer));
    for (const { deliver, timer } of queued) {
      // Frozen again in the middle: the rest stays queued, in its order.
      if (this.frozen) this.#inbox.push({ deliver, timer });
      else this.#handle(deliver);
    }
  }

  /** What comes in while the process is frozen waits for it. */
  input(deliver: Deliver, timer = false): void {
    if (!this.running) return;
    if (this.frozen) this.#inbox.push({ timer, deliver });
    else this.#handle(deliver);
  }
  #handle(deliver: Deliver): void {
    const before = this.state;
    if (before === null) return;
    const now = this.#world.time.nowMs;
    const input = deliver(this.clock.wall(now), this.clock.read(now) - this.zeroReading);
    const { state, effects } = this.#machine.step(before, input);
    this.state = state;
    if (state.part !== before.part) this.#world.oracle.became(this.region, state.part);
    this.#perform(effects, 0);
  }
  #perform(effects: readonly GuardEffect[], from: number): void {
    for (let i = from; i < effects.length; i += 1) {
      const effect = effects[i];
      if (effect === undefined) return;
      const { trap, life } = this;
      if (trap !== null && (trap.kind === effect.kind || (trap.kind === 'any' && effect.kind !== 'wake'))) {
        this.trap = null;
        trap.act();
        if (this.life !== life || !this.running) return;
        if (this.frozen) {
          this.#rest.push(() => this.#perform(effects, i));
          return;
        }
      }
      this.#do(effect);
      if (this.life !== life || !this.running) return;
    }
  }

  #do(effect: GuardEffect): void {
    const world = this.#world;
    switch (effect.kind) {
      case 'persist':
        if (this.diskFull && !this.unwatched) {
          world.cover('disk-full', this.region);
          // The loop stops the process where it can't be durable.
          return this.restartGuard('disk full', this.manners.restartGuardMs);
        }
        this.disk.written = effect.durable;
        if (!this.manners.durableLies) this.disk.synced = effect.durable;
        return;
      case 'ask':
        return this.#ask(effect);
      case 'ask-promise':
        return this.#askPromise(effect);
      case 'perform':
        return this.#begin(effect.number, effect.task);
      case 'pet': {
        this.deadMan.pet(effect.sentMono + this.zeroReading);
        return this.#tellArmed();
      }
      case 'disarm':
        this.deadMan.disarm();
        return this.#tellArmed();
      case 'answer-order':
        if (world.tracing)
          world.say(
            `guard ${this.name}`,
            `${effect.request}: ${effect.answer.taken ? 'taken' : 'refused'}, ${effect.answer.message}`,
          );
        return;
      case 'answer-promise':
        return this.#promises.get(effect.request)?.(effect.promised);
      case 'wake':
        return this.#wakeAt(effect.mono);
      case 'tell':
        if (world.tracing) world.say(`guard ${this.name}`, `${effect.code}: ${effect.message}`);
        return;
      default:
        return effect satisfies never;
    }
  }
  #tellArmed(): void {
    const { armed } = this.deadMan;
    if (armed === this.#armedTold) return;
    this.#armedTold = armed;
    this.#later(1, (at, mono) => ({ kind: 'dead-man', at, mono, armed }));
  }
  /** The dead-man's process or device goes, or is there again. */
  deadManGone(gone: boolean): void {
    this.deadMan.gone = gone;
    if (gone) this.deadMan.disarm();
    this.#tellArmed();
  }
  #later(afterMs: number, deliver: Deliver): void {
    const life = this.life;
    this.#world.time.after(afterMs, () => {
      if (this.life === life) this.input(deliver);
    });
  }
  #wakeAt(mono: number): void {
    if (this.#wake !== null) {
      if (this.#wake.mono === mono) return;
      this.#wake.cancel();
    }
    const life = this.life;
    const cancel = this.#world.time.at(this.clock.trueAt(mono + this.zeroReading) + 0.01, () => {
      if (this.life !== life) return;
      this.#wake = null;
      this.input((at, now) => ({ kind: 'tick', at, mono: now }), true);
    });
    this.#wake = { mono, cancel };
  }

  // ---- the store and the peers ----

  #ask({ number, request, timeoutMs }: GuardEffect & { kind: 'ask' }): void {
    const world = this.#world;
    const life = this.life;
    if (request.operation.kind === 'set') world.oracle.setSent(this.region, request, this.disk.written);
    this.#asked.add(number);
    this.#around.askStore(this.region, request, (answer, standsMs) => {
      if (this.life !== life || !this.#asked.delete(number)) return;
      this.input((at, mono) => {
        if (standsMs !== null) world.oracle.renewed(this.region, standsMs);
        return { kind: 'answered', at, mono, number, answer };
      });
    });
    world.time.after(timeoutMs / this.clock.rate, () => {
      if (this.life !== life || !this.#asked.delete(number)) return;
      this.input((at, mono) => ({ kind: 'answered', at, mono, number, answer: null }), true);
    });
  }

  readonly #promises = new Map<string, (promised: boolean) => void>();
  #requests = 0;
  #askPromise({ number, peer, ask, timeoutMs }: GuardEffect & { kind: 'ask-promise' }): void {
    const world = this.#world;
    const other = this.#around.siteAt(regionOf(peer));
    const life = this.life;
    const sentMs = world.time.nowMs;
    let open = true;
    const give = (promised: boolean | null, timer: boolean): void => {
      if (this.life !== life || !open) return;
      open = false;
      this.input((at, mono) => {
        if (promised === true) world.oracle.promiseReceived(this.region, other.region, number, sentMs, this.state);
        return { kind: 'promised', at, mono, number, peer, promised };
      }, timer);
    };
    world.net.send(this.region, other.region, () =>
      other.promiseAsked(ask, (promised) => world.net.send(other.region, this.region, () => give(promised, false))),
    );
    world.time.after(timeoutMs / this.clock.rate, () => give(null, true));
  }
  promiseAsked(ask: (GuardEffect & { kind: 'ask-promise' })['ask'], answer: (promised: boolean) => void): void {
    if (!this.running) return;
    this.#requests += 1;
    const request = `promise-${this.#requests}`;
    // A promise lasts from when it is made: who asked for it counts from an earlier instant still, that of the question.
    let decidedMs = 0;
    this.#promises.set(request, (promised) => {
      this.#promises.delete(request);
      if (promised) this.#world.oracle.promiseGiven(this.region, ask.holder, ask.epoch, decidedMs);
      answer(promised);
    });
    this.input((at, mono) => {
      decidedMs = this.#world.time.nowMs;
      return { kind: 'promise-asked', at, mono, request, ask };
    });
  }
  order(request: string, order: GuardOrder): void {
    if (this.#world.tracing && this.running) this.#world.say(`guard ${this.name}`, `is ordered: ${describe(order)}`);
    this.input((at, mono) => ({ kind: 'order', at, mono, request, order }));
  }

  // ---- PostgreSQL ----

  #look() {
    // The driver ends backends whose postmaster is dead: nobody else would.
    if (this.postgres.postmaster === null && !this.#world.rules.groupKillOnly) this.postgres.killBackends();
    const seen = this.postgres.look(this.clock.wall(this.#world.time.nowMs));
    return this.manners.looksFail > 0 && this.#world.random.chance(this.manners.looksFail)
      ? { ...seen, state: 'unknown' as const, sample: null, receiveLsn: null, replayLsn: null, timeline: null }
      : seen;
  }
  #lookOn(life: number): void {
    this.#world.time.after(this.manners.lookMs / this.clock.rate, () => {
      if (this.life !== life || !this.running) return;
      // A timer that comes due several times while its process is frozen runs once.
      if (!this.frozen) this.look();
      this.#lookOn(life);
    });
  }
  look(): void {
    const takesMs = this.manners.lookTakesMs;
    if (takesMs === 0) return this.input((at, mono) => ({ kind: 'seen', at, mono, seen: this.#look() }));
    const seen = this.#look();
    const { life } = this;
    const begun = this.#turns;
    this.#world.time.after(takesMs, () => {
      // What was seen before a task was begun says nothing of what it has done: such a look is thrown away.
      if (this.life === life && this.#turns === begun) this.input((at, mono) => ({ kind: 'seen', at, mono, seen }));
    });
  }
  /** Tasks begun and ended. */
  #turns = 0;
  /** Its postmaster has ended under the guard, which notices at once if it can. */
  postmasterEnded(): void {
    this.#later(1, (at, mono) => ({ kind: 'seen', at, mono, seen: this.#look() }));
  }

  #begin(number: number, task: PostgresTask): void {
    const world = this.#world;
    world.oracle.taskBegins(this.region, task, this.disk.written);
    if (task === 'stop') this.#cutOff();
    this.#turns += 1;
    const mine: Task = { cancel: [] };
    this.#task = mine;
    const life = this.life;
    const after = (ms: number, run: () => void): void => {
      mine.cancel.push(
        world.time.after(ms, () => {
          // What the guard's own process does stands still with it; a late effect of a dead one happens by itself.
          if (this.life === life && this.frozen) this.#rest.push(run);
          else run();
        }),
      );
    };
    const end = (ok: boolean, message: string, position: PostgresResult['end'] = null): void => {
      if (this.life !== life) return;
      if (this.#task === mine) this.#task = null;
      this.#turns += 1;
      this.input((at, mono) => ({
        kind: 'performed',
        at,
        mono,
        number,
        task,
        result: {
          ok,
          message,
          seen: task === 'stop' || task === 'scan' ? this.postgres.look(at) : this.#look(),
          end: position,
        },
      }));
    };
    this.#carryOut(task, after, end);
  }

  #carryOut(
    task: PostgresTask,
    after: (ms: number, run: () => void) => void,
    end: (ok: boolean, message: string, position?: PostgresResult['end']) => void,
  ): void {
    const { postgres, manners } = this;
    const world = this.#world;
    const position = () => ({ timeline: postgres.timeline, lsn: lsnText(postgres.flushed) });
    switch (task) {
      case 'start-standby':
        return after(manners.startMs, () => {
          postgres.standbySignal = true;
          end(postgres.start('standby', 'guard'), 'started');
        });
      case 'start-fenced':
        return after(manners.startMs / 2, () => {
          // The file is away for the guard's own start only.
          if (!postgres.alive) postgres.standbySignal = false;
          after(manners.startMs / 2, () => {
            const started = postgres.start('primary', 'guard');
            postgres.standbySignal = true;
            end(started, 'started');
          });
        });
      case 'open':
        return after(5, () => end(postgres.open(), 'opened'));
      case 'promote':
        return after(5, () => {
          if (postgres.alive) world.oracle.promotionAsked(this.region);
          postgres.askPromotion(manners.promotionDelayMs);
          const answerMs = Math.min(manners.promotionDelayMs + 5, 5000);
          after(answerMs, () => end(!manners.promotionAnswerLies && !postgres.promotionPending, 'pg_promote'));
        });
      case 'stop': {
        const takesMs =
          (this.settings.timings.stopWithinMs * manners.stopShare * world.rules.stopOverrun) / this.clock.rate;
        return after(takesMs, () => {
          if (world.rules.groupKillOnly) postgres.killPostmaster(postgres.sessions);
          else if (manners.cleanStops && !postgres.frozen && postgres.postmaster !== null) postgres.shutDown();
          else postgres.kill('stopped by the guard');
          end(true, 'stopped', postgres.cleanShutdown ? position() : null);
        });
      }
      case 'scan':
        return after(100, () => end(!postgres.alive, 'scanned', position()));
      case 'freeze':
      case 'thaw':
        return after(manners.startMs, () => {
          postgres.kill('restart');
          postgres.frozenReplay = task === 'freeze';
          postgres.standbySignal = true;
          end(postgres.start('standby', 'guard'), task);
        });
      case 'rejoin':
        return after(2000, () => {
          const source = this.#around.primary();
          if (source === null || source === postgres || postgres.alive)
            return end(false, 'there is no primary to rejoin');
          world.oracle.archived(this.region);
          postgres.timeline = source.timeline;
          postgres.flushed = source.flushed;
          postgres.inserted = source.flushed;
          postgres.standbySignal = true;
          postgres.ranAs = 'standby';
          end(true, 'rejoined');
        });
      default:
        return task satisfies never;
    }
  }

  // ---- the host ----

  #deadManFires(): void {
    // A server that the guard has started: there is none once it is proven stopped.
    if (this.postgres.sessions || this.postgres.postmaster?.by === 'guard')
      this.#world.cover('dead-man-expired', this.region);
    if (this.deadMan.kind === 'absolute') {
      this.postgres.kill('dead-man');
      this.postmasterEnded();
    } else this.reset('dead-man');
  }
  /** Power is lost, and comes back: what was in memory only is gone. */
  reset(why: string): void {
    this.powerOff(why);
    this.#world.time.after(this.manners.bootMs, () => this.powerOn());
  }
  powerOff(why: string): void {
    if (!this.on) return;
    this.on = false;
    this.#cutOff();
    this.killGuard(why);
    for (const orphan of this.#orphans) for (const cancel of orphan.cancel) cancel();
    this.#orphans = [];
    this.postgres.kill(why);
    this.deadMan.disarm();
    this.disk.written = this.disk.synced;
  }
  powerOn(): void {
    if (this.on) return;
    this.on = true;
    this.startGuard();
  }
}

function describe(order: GuardOrder): string {
  switch (order.kind) {
    case 'candidacy':
    case 'promote':
      return `${order.kind} for ${order.run} at epoch ${order.epoch}, ${order.claim}`;
    case 'withdraw':
    case 'release':
      return `${order.kind} for ${order.run} at epoch ${order.epoch}`;
    case 'resume':
    case 'rejoin':
    case 'freeze':
    case 'thaw':
      return order.kind;
    default:
      return order satisfies never;
  }
}
