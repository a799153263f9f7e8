/**
 * One history: the real core, loop and executor over a seeded world (composition root of the simulator). First safety
 * under faults, then everything heals and progress is required.
 */
import { type Turned, turn } from '../engine/core.ts';
import type { Alert } from '../model/evidence.ts';
import { SimActor, type Weather } from './actor.ts';
import type { HistoryReport, RunOptions, Violation, World } from './contract.ts';
import { CoverageRecorder } from './coverage.ts';
import { COVERAGE, type Fault, isRequestFault, type Phase } from './faults.ts';
import { Vantage } from './lanes.ts';
import { limitsOf } from './limits.ts';
import { Mayhem, type WorldFault } from './mayhem.ts';
import { Measured } from './measured.ts';
import { Monitoring } from './monitoring.ts';
import { Oracle } from './oracle.ts';
import { type People, peopleOf } from './people.ts';
import { Platform } from './platform.ts';
import { DaemonProcess } from './process.ts';
import { groupOf, missing, replaysAlike } from './progress.ts';
import { type Random, randomOf } from './random.ts';
import { type Schedule, scheduleOf } from './schedule.ts';
import { Scheduler } from './scheduler.ts';
import { FAILOVER_ROW, OWN_SETUP, refuses, type Setup, setupOf, simSettings } from './settings.ts';
import { Disk } from './store.ts';
import { GROUP } from './vantages.ts';

const PEOPLE_LOOK_MS = 2000;
/** How often a person's yes is sent a second time, by a client that heard no answer. */
const RETRIED = 0.2;
/** Whoever looked before the world healed has looked again by then, and a hold that was under way has ended. */
const SETTLES_MS = 6000;
/** The same once a run has brought the service over: nobody acts on the old side any more. */
const SETTLES_AFTER_RUN_MS = 1500;
/** After everything healed: hold, gap, cooldown, people and the run itself, with room. */
const PROGRESS_MS = 120_000;
/** From a promotion on, clients follow and nothing is left that could be saved by waiting. */
const AFTER_RUN_MS = [300, 3000] as const;

/** Faults that are there at the instant at which they meet something, not while they wait for it. */
const MEETING: readonly Fault[] = [
  'killed-before-append',
  'killed-after-append',
  'append-failed',
  'append-failed-late',
];

/** They are nothing to a server that is a primary by now. */
const STANDBYS: readonly Fault[] = ['standby-stuck', 'standby-restarts'];

export function runHistory(seed: number, options: RunOptions = {}): Promise<HistoryReport> {
  return new SimHistory(seed, options).run();
}

/** The whole of failoverd, as a kind of world that the simulator runs. */
export const WHOLE: World = { name: 'whole', coverage: COVERAGE, run: runHistory, refuses };

class SimHistory {
  readonly #seed: number;
  readonly #options: RunOptions;
  readonly #setup: Setup;
  readonly #scheduler = new Scheduler();
  readonly #schedule: Schedule;
  readonly #platform: Platform;
  readonly #measured: Measured;
  readonly #disk = new Disk();
  readonly #oracle: Oracle;
  readonly #daemon: DaemonProcess;
  readonly #weather: Weather;
  readonly #monitoring: Monitoring;
  readonly #people: People;
  readonly #mayhem: Mayhem;
  readonly #vantages: readonly Vantage[];
  readonly #coverage = new CoverageRecorder();
  readonly #random: Random;
  #phase: Phase = 'quiet';
  #aimed = false;
  #healedMs: number | null = null;
  #healthyAtHeal = false;

  constructor(seed: number, options: RunOptions) {
    this.#seed = seed;
    this.#options = options;
    this.#setup = options.chosen ? setupOf(options.chosen) : OWN_SETUP;
    const random = randomOf(seed);
    this.#random = random;
    const schedule = scheduleOf(seed, random, this.#setup, options.faultFree ?? false);
    this.#schedule = schedule;
    const [scheduler, trace] = [this.#scheduler, (line: string): void => this.#trace(line)];
    const untilMs = schedule.endMs;
    const { autonomy, holdMs, probeTimeoutMs } = schedule;
    // Streams and clients draw for themselves, so that it does not matter when they are made up for.
    const platform = new Platform(scheduler, randomOf(seed + 0x5bd1e995));
    this.#platform = platform;
    this.#measured = new Measured(platform);
    const settings = simSettings(this.#setup, autonomy, holdMs, probeTimeoutMs);
    const limits = limitsOf(settings, options.chosen ?? null);
    this.#oracle = new Oracle(platform, this.#disk, holdMs, this.#setup.cooldownMs, limits);
    const { aim, operationFaults } = schedule;
    this.#weather = {
      operationFaults,
      aimed:
        aim !== null && isRequestFault(aim.fault)
          ? { fault: aim.fault, step: aim.phase as NonNullable<Weather['aimed']>['step'] }
          : null,
      hypervisorDown: false,
      dnsDown: false,
    };
    const met = (fault: Fault, phase: Phase = this.#phase): void => this.#coverage.hit(fault, phase);
    const daemon = new DaemonProcess({
      platform,
      disk: this.#disk,
      actor: new SimActor(platform, random, this.#oracle, this.#weather, (fault, step) => {
        if (step !== 'take-epoch' && step !== 'acquire-lease') met(fault, step);
      }),
      oracle: this.#oracle,
      random,
      settings,
      // Another hold, or less autonomy; the file is put right again by the next one.
      otherSettings: (again) =>
        again
          ? simSettings(this.#setup, autonomy, holdMs, probeTimeoutMs)
          : simSettings(this.#setup, 'gated', holdMs, probeTimeoutMs),
      met,
      probeNow: () => {
        this.#vantages[0]?.probeNow();
        this.#monitoring.askMetric();
      },
      trace,
      record: options.replay ?? false,
    });
    this.#daemon = daemon;
    this.#oracle.auditor.listens = () => daemon.up && !daemon.frozen;
    const retries = options.faultFree ? 0 : RETRIED;
    this.#people = peopleOf({ daemon, oracle: this.#oracle, scheduler, random, retries, trace });
    const [given, taken] = [(alert: Alert): void => this.#given(alert), (alert: Alert): void => this.#repeat(alert)];
    this.#monitoring = new Monitoring({ platform, daemon, random, untilMs, given, taken });
    this.#vantages = (['daemon', 'witness'] as const).map(
      (vantage) =>
        new Vantage({
          vantage,
          platform,
          daemon,
          random,
          timeoutMs: probeTimeoutMs,
          untilMs,
          delivered: (from, truths) => this.#oracle.delivered(from, truths),
        }),
    );
    this.#mayhem = new Mayhem({
      platform,
      daemon,
      weather: this.#weather,
      monitoring: this.#monitoring,
      people: this.#people,
      random,
      trace,
      began: (fault) => this.#began(fault),
    });
  }

  #trace(line: string): void {
    this.#options.trace?.(`${(this.#scheduler.nowMs / 1000).toFixed(3).padStart(8)}  ${line}`);
  }

  async run(): Promise<HistoryReport> {
    this.#tellSchedule();
    this.#daemon.start();
    await this.#daemon.rest();
    this.#layOut();
    let events = 0;
    for (let happen = this.#scheduler.next(); happen !== null; happen = this.#scheduler.next()) {
      if (this.#scheduler.nowMs > this.#schedule.endMs) break;
      this.#platform.advance();
      this.#measured.before();
      happen();
      await this.#daemon.rest();
      this.#oracle.look();
      this.#measured.after();
      this.#follow();
      events += 1;
      if (this.#oracle.violations.length > 0 || this.#settled()) break;
    }
    this.#oracle.close();
    const violations = [...this.#oracle.violations, ...this.#progress(), ...this.#replayed()];
    for (const { invariant, what } of violations) this.#trace(`VIOLATION of invariant ${invariant}: ${what}`);
    const outcome = groupOf(this.#disk.entries)?.ended.at(-1)?.outcome ?? (this.#openRun() ? 'open' : 'none');
    return {
      seed: this.#seed,
      violations,
      simulatedMs: this.#scheduler.nowMs,
      events,
      entries: this.#disk.entries.length,
      outcome: `${this.#schedule.disaster}: ${outcome}`,
      completed: outcome === 'verified',
      hits: this.#coverage.hits(),
      least: {},
      measured: this.#measured.all(this.#disk.entries),
    };
  }

  #tellSchedule(): void {
    if (this.#options.trace === undefined) return;
    const { autonomy, holdMs, probeTimeoutMs, disaster, happenings, aim, operationFaults, healMs } = this.#schedule;
    this.#trace(
      `seed ${this.#seed}: ${autonomy}, hold ${holdMs} ms, probes wait ${probeTimeoutMs} ms; region A: ${disaster}; heals at ${healMs / 1000} s`,
    );
    for (const { fault, atMs, forMs } of happenings)
      this.#trace(`  to come: ${fault} at ${(atMs / 1000).toFixed(1)} s for ${(forMs / 1000).toFixed(1)} s`);
    if (aim !== null) this.#trace(`  to come: ${aim.fault} once ${aim.phase} is under way, ${aim.afterMs} ms into it`);
    if (operationFaults > 0) this.#trace(`  to come: ${operationFaults * 100} % of requests go wrong`);
  }

  #layOut(): void {
    const { happenings, healMs, endMs } = this.#schedule;
    for (const vantage of this.#vantages) vantage.start();
    this.#monitoring.start();
    this.#scheduler.every(PEOPLE_LOOK_MS, endMs, () => this.#people.look());
    for (const { fault, atMs, forMs } of happenings)
      this.#scheduler.at(atMs, () => {
        if (this.#healedMs === null && !isRequestFault(fault)) this.#mayhem.begin(fault, forMs);
      });
    this.#scheduler.at(healMs, () => this.#heal());
    this.#aim();
  }

  /** What stands on disk tells the phase; a new one meets the faults that are there, and the one that waited for it. */
  #follow(): void {
    const phase = this.#oracle.phase();
    this.#oracle.blindSinceMs = this.#monitoring.dead ? (this.#oracle.blindSinceMs ?? this.#scheduler.nowMs) : null;
    if (phase === this.#phase) return;
    this.#phase = phase;
    this.#trace(`-- ${phase}`);
    for (const fault of this.#mayhem.active()) this.#began(fault);
    this.#aim();
    if (phase === 'ended' && this.#openRunOutcome() === 'verified')
      this.#scheduler.after(this.#random.int(...AFTER_RUN_MS), () => this.#heal());
  }

  #began(fault: WorldFault): void {
    if (STANDBYS.includes(fault) && !this.#platform.b.inRecovery) return;
    if (!MEETING.includes(fault)) this.#coverage.hit(fault, this.#phase);
  }

  #aim(): void {
    const { aim } = this.#schedule;
    if (aim === null || this.#aimed || aim.phase !== this.#phase || isRequestFault(aim.fault)) return;
    this.#aimed = true;
    const { fault, afterMs, forMs } = aim;
    this.#scheduler.after(afterMs, () => {
      if (this.#healedMs === null) this.#mayhem.begin(fault, forMs);
    });
  }

  #heal(): void {
    if (this.#healedMs !== null) return;
    this.#trace('everything heals');
    this.#healedMs = this.#scheduler.nowMs;
    this.#mayhem.endAll();
    this.#platform.healAll();
    this.#weather.operationFaults = 0;
    this.#weather.aimed = null;
    // Time servers are back; a clock that is ahead is believed, and waits for the others.
    this.#daemon.wallSkewMs = Math.max(0, this.#daemon.wallSkewMs);
    this.#healthyAtHeal = this.#platform.commits(this.#platform.a);
    this.#daemon.startIfDown();
  }

  #violate(invariant: number, what: string): void {
    this.#oracle.violations.push({ invariant, what, atMs: this.#scheduler.nowMs });
  }

  /** What the core makes of an input, now; nothing comes of it. */
  #asIf(input: { readonly kind: 'tick' } | { readonly kind: 'webhook'; readonly alerts: Alert[] }): Turned | null {
    const state = this.#daemon.state();
    if (state === null) return null;
    const { at, mono } = state;
    return turn(state, input.kind === 'tick' ? { ...input, at, mono } : { ...input, request: 'as-if', at, mono });
  }

  /** Invariant 16: the same webhook again has nothing to add, whatever happened in between. */
  #repeat(alert: Alert): void {
    const again = this.#asIf({ kind: 'webhook', alerts: [alert] });
    if (again?.entries.some(({ body }) => body.kind === 'alerts.received'))
      this.#violate(16, 'a repeated webhook was written down again');
  }

  /**
   * Invariant 16, before a webhook is taken: one that says *firing* after *resolved* was sent before it, and what holds and
   * what runs is the same with a *resolved* and without.
   */
  #given(alert: Alert): void {
    const told = this.#asIf({ kind: 'webhook', alerts: [alert] });
    if (told?.entries.some(({ body }) => body.kind === 'alerts.reopened'))
      this.#violate(16, 'an alert that was resolved fires again by a webhook that was late');
    if (alert.status !== 'resolved') return;
    const [with_, without] = [standingOf(told), standingOf(this.#asIf({ kind: 'tick' }))];
    if (with_ !== without) this.#violate(16, `a resolved alert changes what is decided: ${without} becomes ${with_}`);
  }

  #openRun(): boolean {
    return groupOf(this.#disk.entries)?.run != null;
  }
  #openRunOutcome(): string | null {
    return groupOf(this.#disk.entries)?.ended.at(-1)?.outcome ?? null;
  }

  /** Healed, and nothing is left to happen: the rest of the history would be silence. */
  #settled(): boolean {
    if (this.#healedMs === null || !this.#daemon.up) return false;
    const sinceHealMs = this.#scheduler.nowMs - this.#healedMs;
    if (sinceHealMs < SETTLES_AFTER_RUN_MS) return false;
    const ledger = this.#daemon.state()?.ledger;
    const group = ledger?.groups[GROUP];
    if (sinceHealMs < SETTLES_MS && group?.ended.at(-1)?.outcome !== 'verified') return false;
    if (group?.run !== null && group?.run !== undefined) return group.run.status === 'halted';
    if (group?.proposal !== null && group?.proposal !== undefined) return false;
    const aWrites = this.#platform.commits(this.#platform.a);
    if (!aWrites && this.#platform.b.inRecovery) return false;
    // A hold that goes on over a region that is well would yet come to something.
    if (aWrites && group !== undefined && Object.values(group.holds).some(({ row }) => row === FAILOVER_ROW))
      return false;
    return Object.values(ledger?.pages ?? {}).every((kept) => kept.deliveredAt !== null);
  }

  #progress(): Violation[] {
    if (this.#oracle.violations.length > 0 || this.#healedMs === null) return [];
    const atMs = this.#scheduler.nowMs;
    return missing({
      platform: this.#platform,
      entries: this.#disk.entries,
      state: this.#daemon.state(),
      healthyAtHeal: this.#healthyAtHeal,
      sinceHealMs: atMs - this.#healedMs,
      rtoMs: this.#setup.rtoMs,
      progressMs: PROGRESS_MS,
    }).map((found) => ({ ...found, atMs }));
  }

  #replayed(): Violation[] {
    const state = this.#daemon.state();
    if (!(this.#options.replay ?? false) || state === null || !this.#daemon.up) return [];
    if (replaysAlike(this.#daemon.settingsAtStart, this.#disk.entries, this.#daemon.inputs, state)) return [];
    return [{ invariant: 17, what: 'recorded inputs replayed give another state', atMs: this.#scheduler.nowMs }];
  }
}

function standingOf(turned: Turned | null): string {
  const group = turned?.state.ledger.groups[GROUP];
  const holds = Object.keys(group?.holds ?? {}).join(' ');
  return `holds ${holds || 'none'}, run ${group?.run?.status ?? 'none'}, ended ${group?.ended.length ?? 0}`;
}
