/**
 * One history: the real core, loop and executor over a seeded world (composition root of the simulator). First safety
 * under faults, then everything heals and progress is required.
 */
import { initialState, type Turned, turn } from '../engine/core.ts';
import { foldAll } from '../journal/fold.ts';
import type { Alert, Observation } from '../model/evidence.ts';
import { EMPTY_LEDGER } from '../model/ledger.ts';
import { SimActor, type Weather } from './actor.ts';
import { Oracle, type Violation } from './oracle.ts';
import { type People, peopleOf } from './people.ts';
import { A, B, Platform, W } from './platform.ts';
import { DaemonProcess } from './process.ts';
import { type Random, randomOf } from './random.ts';
import { END_MS, HEAL_MS, type Schedule, scheduleOf } from './schedule.ts';
import { Scheduler } from './scheduler.ts';
import { RTO_MS, simSettings } from './settings.ts';
import { Disk } from './store.ts';
import { askMetric, GROUP, look, lookAround, type Standpoint } from './vantages.ts';

export type HistoryReport = {
  readonly seed: number;
  readonly schedule: Schedule;
  readonly violations: readonly Violation[];
  readonly simulatedMs: number;
  readonly events: number;
  readonly entries: number;
  readonly outcome: string;
};

export type HistoryOptions = {
  readonly seed: number;
  readonly faultFree?: boolean;
  readonly trace?: (line: string) => void;
  /** Replays every input of the last life and compares states. */
  readonly replay?: boolean;
};

/** Least and most time a report takes to the daemon, milliseconds. */
type Reach = readonly [least: number, most: number];
type VantagePlace = typeof B | typeof W;
const VANTAGES = [
  ['daemon', B, [1, 30]],
  ['witness', W, [10, 120]],
] as const satisfies readonly (readonly [string, VantagePlace, Reach])[];
/** As the runner has them: a control target is waited for longer than most targets are. */
const PROBE_TIMEOUT_MS = 1000;
const CONTROL_TIMEOUT_MS = 2000;

/** Microtasks the engine needs, at most, to come to rest after one thing happened. */
const HOPS = 40;
/** How often a person's yes is sent a second time, by a client that heard no answer. */
const RETRIED = 0.2;
/** After everything healed: hold, gap, cooldown, people and the run itself, with room. */
const PROGRESS_MS = 120_000;
/** A page is sent again at least every half minute. */
const UNTOLD_MS = 60_000;

export async function runHistory(options: HistoryOptions): Promise<HistoryReport> {
  const history = new SimHistory(options);
  return history.run();
}

class SimHistory {
  readonly #options: HistoryOptions;
  readonly #random: Random;
  readonly #scheduler = new Scheduler();
  readonly #schedule: Schedule;
  readonly #platform: Platform;
  readonly #disk = new Disk();
  readonly #oracle: Oracle;
  readonly #daemon: DaemonProcess;
  readonly #weather: Weather;
  readonly #people: People;
  #requests = 0;
  #healthyAtHeal = false;
  #alertFiring: Alert | null = null;
  #downSinceMs: number | null = null;

  constructor(options: HistoryOptions) {
    this.#options = options;
    this.#random = randomOf(options.seed);
    this.#schedule = scheduleOf(this.#random, options.faultFree ?? false);
    this.#platform = new Platform(this.#scheduler, this.#random, END_MS);
    this.#oracle = new Oracle(this.#platform, this.#disk, this.#schedule.holdMs);
    this.#weather = {
      operationFaults: this.#schedule.operationFaults,
      hypervisorDown: this.#schedule.hypervisorDownUntilMs > 0,
      dnsDown: this.#schedule.dnsDownUntilMs > 0,
    };
    this.#daemon = new DaemonProcess({
      platform: this.#platform,
      disk: this.#disk,
      actor: new SimActor(this.#platform, this.#random, this.#oracle, this.#weather),
      oracle: this.#oracle,
      random: this.#random,
      settings: simSettings(this.#schedule.autonomy, this.#schedule.holdMs),
      mishaps: this.#schedule.mishaps,
      pagerFaults: () => (this.#scheduler.nowMs < HEAL_MS ? this.#schedule.pagerFaults : 0),
      probeNow: () => {
        this.#probeAll('daemon', B, [5, 30]);
        this.#askPrometheus();
      },
      trace: (line) => this.#trace(line),
      record: options.replay ?? false,
    });
    this.#oracle.auditor.listens = () => this.#daemon.up && !this.#daemon.frozen;
    this.#people = peopleOf({
      daemon: this.#daemon,
      oracle: this.#oracle,
      scheduler: this.#scheduler,
      random: this.#random,
      retries: options.faultFree ? 0 : RETRIED,
      trace: (line) => this.#trace(line),
    });
  }

  #trace(line: string): void {
    this.#options.trace?.(`${(this.#scheduler.nowMs / 1000).toFixed(3).padStart(8)}  ${line}`);
  }

  async run(): Promise<HistoryReport> {
    this.#trace(JSON.stringify(this.#schedule));
    this.#daemon.start();
    await rest();
    this.#layOut();
    let events = 0;
    for (let happen = this.#scheduler.next(); happen !== null; happen = this.#scheduler.next()) {
      if (this.#scheduler.nowMs > END_MS) break;
      happen();
      await rest();
      this.#oracle.look();
      events += 1;
      if (this.#oracle.violations.length > 0 || this.#settled()) break;
    }
    this.#oracle.close();
    const violations = [...this.#oracle.violations, ...this.#progress(), ...this.#replayed()];
    for (const violation of violations) this.#trace(`VIOLATION of invariant ${violation.invariant}: ${violation.what}`);
    return {
      seed: this.#options.seed,
      schedule: this.#schedule,
      violations,
      simulatedMs: this.#scheduler.nowMs,
      events,
      entries: this.#disk.entries.length,
      outcome: this.#group()?.ended.at(-1)?.outcome ?? (this.#group()?.run ? 'open' : 'none'),
    };
  }

  #layOut(): void {
    const { schedule, scheduler } = { schedule: this.#schedule, scheduler: this.#scheduler };
    for (const [vantage, place, reach] of VANTAGES) {
      scheduler.every(1000, END_MS, () => this.#probe(vantage, place, reach));
      // Targets and control targets each have a turn of their own, as the runner gives it to them.
      scheduler.after(this.#random.int(1, 999), () => {
        scheduler.every(1000, END_MS, () => this.#probeControl(vantage, place, reach));
      });
    }
    scheduler.every(2000, END_MS, () => this.#askPrometheus());
    scheduler.every(1000, END_MS, () => this.#alertmanager());
    scheduler.every(2000, END_MS, () => this.#people.look());
    scheduler.at(schedule.disasterAtMs, () => this.#disaster());
    for (const cut of schedule.cuts) {
      scheduler.at(cut.atMs, () => this.#platform.cut(cut.from, cut.to));
      scheduler.at(cut.atMs + cut.forMs, () => this.#platform.heal(cut.from, cut.to));
    }
    for (const { place, atMs, forMs } of schedule.isolations) {
      scheduler.at(atMs, () => this.#isolate(place as typeof B, true));
      scheduler.at(atMs + forMs, () => this.#isolate(place as typeof B, false));
    }
    for (const { atMs, forMs } of schedule.freezes) scheduler.at(atMs, () => this.#daemon.freeze(forMs));
    for (const { atMs, byMs } of schedule.clockJumps) {
      scheduler.at(atMs, () => {
        this.#trace(`the daemon's wall clock jumps by ${byMs / 1000} s`);
        this.#daemon.wallSkewMs += byMs;
      });
    }
    scheduler.at(schedule.hypervisorDownUntilMs, () => {
      this.#weather.hypervisorDown = false;
    });
    scheduler.at(schedule.dnsDownUntilMs, () => {
      this.#weather.dnsDown = false;
    });
    this.#platform.b.stuck = schedule.standbyStuckUntilMs > 0;
    scheduler.at(schedule.standbyStuckUntilMs, () => {
      this.#platform.b.stuck = false;
      this.#platform.tryPromotion();
    });
    if (schedule.strangerEpochAtMs !== null) {
      scheduler.at(schedule.strangerEpochAtMs, () => {
        this.#trace('a stranger writes epoch 99 to DNS');
        this.#platform.dns.epoch = { epoch: 99, run: 'stranger' };
      });
    }
    if (schedule.abortAtMs !== null) scheduler.at(schedule.abortAtMs, () => this.#people.abort());
    if (schedule.report !== null) {
      const { atMs, forMs } = schedule.report;
      scheduler.at(atMs, () => this.#people.believe(true));
      scheduler.at(Math.min(atMs + forMs, HEAL_MS), () => this.#people.believe(false));
    }
    scheduler.at(HEAL_MS, () => this.#heal());
  }

  #isolate(place: typeof B | typeof W, isolated: boolean): void {
    this.#trace(`${place} is ${isolated ? 'isolated' : 'connected again'}`);
    if (isolated) {
      this.#platform.isolated.add(place);
      this.#oracle.isolatedSinceMs.set(place, this.#scheduler.nowMs);
    } else {
      this.#platform.isolated.delete(place);
      this.#oracle.isolatedSinceMs.delete(place);
    }
  }

  #disaster(): void {
    const { disaster, disasterForMs } = this.#schedule;
    const platform = this.#platform;
    this.#trace(`disaster: ${disaster}`);
    const later = (run: () => void): void => {
      this.#scheduler.after(disasterForMs, run);
    };
    const cutAll = (): void => {
      for (const place of [B, W] as const) platform.cut(A, place);
    };
    switch (disaster) {
      case 'none':
        return;
      case 'dies':
        platform.loseA();
        return;
      case 'dies-and-returns':
        platform.loseA();
        later(() => platform.powerOn());
        return;
      case 'blips':
        cutAll();
        this.#scheduler.after(Math.min(disasterForMs, 4000), () => platform.healAll());
        return;
      case 'cut-off':
        cutAll();
        later(() => platform.healAll());
        return;
      case 'one-way':
        platform.cut(A, B);
        later(() => platform.heal(A, B));
        return;
      case 'database-dies':
        platform.a.alive = false;
        later(() => {
          if (platform.powered) platform.a.alive = true;
        });
        return;
      case 'gray':
        platform.cut(W, A);
        later(() => platform.heal(W, A));
        return;
      case 'vantage-alone':
        // The witness loses all but the daemon in the instant in which the daemon loses A: no quorum of two.
        cutAll();
        platform.withoutControl.add(W);
        later(() => platform.healAll());
        return;
      default:
        return exhausted(disaster);
    }
  }

  #heal(): void {
    this.#trace('everything heals');
    this.#platform.healAll();
    this.#oracle.isolatedSinceMs.clear();
    this.#schedule.mishaps.length = 0;
    this.#weather.operationFaults = 0;
    this.#healthyAtHeal = this.#platform.commits(this.#platform.a);
    if (!this.#daemon.up) {
      this.#daemon.crash('for good measure');
      this.#daemon.start();
    }
  }

  #probeAll(vantage: string, place: VantagePlace, reach: Reach): void {
    this.#probe(vantage, place, reach);
    this.#probeControl(vantage, place, reach);
  }

  #probe(vantage: string, place: VantagePlace, reach: Reach): void {
    this.#report(place, look(this.#platform, this.#standpoint(vantage, place)), reach, PROBE_TIMEOUT_MS);
  }

  #probeControl(vantage: string, place: VantagePlace, reach: Reach): void {
    this.#report(place, [lookAround(this.#platform, this.#standpoint(vantage, place))], reach, CONTROL_TIMEOUT_MS);
  }

  /** The daemon alone asks. */
  #askPrometheus(): void {
    this.#report(B, [askMetric(this.#platform, this.#standpoint('daemon', B))], [1, 30], PROBE_TIMEOUT_MS);
  }

  #standpoint(vantage: string, place: VantagePlace): Standpoint {
    return { vantage, place, wallAt: this.#daemon.wall() };
  }

  /** Good answers are there at once; silence is known for silence only when its deadline is over. */
  #report(place: VantagePlace, observations: readonly Observation[], [least, most]: Reach, timeoutMs: number): void {
    const silent = observations.filter(({ verdict }) => verdict !== 'ok');
    for (const [batch, waitMs] of [
      [observations.filter(({ verdict }) => verdict === 'ok'), 0],
      [silent, this.#random.chance(0.5) ? timeoutMs : 0],
    ] as const) {
      if (batch.length === 0) continue;
      this.#scheduler.after(waitMs + this.#random.int(least, most), () => {
        // A report that waited longer than a daemon would take it for is dropped by its receiver.
        const arrives = this.#platform.connected(place, B) && !this.#daemon.frozen;
        if (arrives) this.#daemon.submit({ kind: 'observed', observations: batch });
      });
    }
  }

  /** Prometheus in region W sees A gone after three seconds; Alertmanager repeats, loses and reorders. */
  #alertmanager(): void {
    const gone = !this.#platform.connected(W, A) || !this.#platform.commits(this.#platform.a);
    const now = this.#scheduler.nowMs;
    if (!gone) this.#downSinceMs = null;
    else this.#downSinceMs ??= now;
    if (gone && now - (this.#downSinceMs ?? now) >= 3000) {
      this.#alertFiring ??= {
        fingerprint: '00000000000000aa',
        startsAt: now,
        status: 'firing',
        labels: { alertname: 'RegionDown' },
        summary: null,
      };
      if (now % 5000 < 1000) this.#post(this.#alertFiring);
    } else if (!gone && this.#alertFiring !== null) {
      const resolved: Alert = { ...this.#alertFiring, status: 'resolved' };
      const { alertFaults } = this.#schedule;
      if (!this.#random.chance(alertFaults)) this.#post(resolved);
      if (this.#random.chance(alertFaults)) this.#post(this.#alertFiring);
      this.#alertFiring = null;
    }
  }

  #post(alert: Alert, tries = 3): void {
    const delayMs = this.#random.int(5, 300);
    this.#scheduler.after(delayMs, () => {
      this.#requests += 1;
      if (alert.status === 'resolved') this.#changesNothing(alert);
      else this.#reopensNothing(alert);
      this.#daemon.submit({ kind: 'webhook', request: `r${this.#requests}`, alerts: [alert] }, (error) => {
        if (error !== null && tries > 1) this.#scheduler.after(1500, () => this.#post(alert, tries - 1));
        if (error === null) this.#repeat(alert);
      });
    });
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
    if (again?.entries.some(({ body }) => body.kind === 'alerts.received' || body.kind === 'alerts.reopened'))
      this.#violate(16, 'a repeated webhook was written down again');
  }

  /** Invariant 16: a webhook that says *firing* after *resolved* was sent before it. */
  #reopensNothing(firing: Alert): void {
    const told = this.#asIf({ kind: 'webhook', alerts: [firing] });
    if (told?.entries.some(({ body }) => body.kind === 'alerts.reopened'))
      this.#violate(16, 'an alert that was resolved fires again by a webhook that was late');
  }

  /** Invariant 16: what holds and what runs is the same with a *resolved* and without. */
  #changesNothing(resolved: Alert): void {
    const [told, untold] = [this.#asIf({ kind: 'webhook', alerts: [resolved] }), this.#asIf({ kind: 'tick' })];
    const standing = (turned: Turned | null): string => {
      const group = turned?.state.ledger.groups[GROUP];
      return `${Object.keys(group?.holds ?? {}).join()} ${group?.run?.status} ${group?.proposal?.id} ${group?.ended.length}`;
    };
    if (standing(told) !== standing(untold))
      this.#violate(16, `a resolved alert changes what is decided: ${standing(untold)} becomes ${standing(told)}`);
  }

  #group() {
    return foldAll(EMPTY_LEDGER, this.#disk.entries).groups[GROUP] ?? null;
  }

  /** Healed, and nothing is left to happen: the rest of the history would be silence. */
  #settled(): boolean {
    const now = this.#scheduler.nowMs;
    if (now < HEAL_MS + 12_000 || !this.#daemon.up) return false;
    const ledger = this.#daemon.state()?.ledger;
    const group = ledger?.groups[GROUP];
    if (group?.run !== null && group?.run !== undefined) return group.run.status === 'halted';
    if (group?.proposal !== null && group?.proposal !== undefined) return false;
    const pages = Object.values(ledger?.pages ?? {}).every((kept) => kept.deliveredAt !== null);
    return pages && (this.#platform.commits(this.#platform.a) || !this.#platform.b.inRecovery);
  }

  /** Once healed: what must have come about (invariants 10, 27 without W, 29). */
  #progress(): Violation[] {
    const violations: Violation[] = [];
    const say = (invariant: number, what: string): void => {
      violations.push({ invariant, what, atMs: this.#scheduler.nowMs });
    };
    if (this.#oracle.violations.length > 0) return violations;
    const bodies = this.#disk.entries.map((entry) => entry.body);
    const group = this.#group();
    const halted = group?.run?.status === 'halted';
    const { a, b } = this.#platform;
    if (halted && !bodies.some((body) => body.kind === 'page.queued' && body.page.kind === 'stuck'))
      say(29, 'a run is halted and nobody was paged');
    // The cluster died before it was ever seen whole: that the standby is ours is not known, and a person must say so.
    const needsPerson =
      !bodies.some((body) => body.kind === 'identity.pinned') &&
      bodies.some((body) => body.kind === 'page.queued' && body.page.kind === 'attention');
    if (!this.#platform.commits(a) && !this.#platform.commits(b) && !halted && !needsPerson)
      say(27, `nobody is writable ${Math.round((this.#scheduler.nowMs - HEAL_MS) / 1000)} s after everything healed`);
    if (group?.run && !halted) {
      const overdue = (this.#daemon.state()?.at ?? 0) - group.run.clocks.decidedAt > RTO_MS;
      const paged = bodies.some(
        (body) =>
          body.kind === 'run.overdue' ||
          (body.kind === 'page.queued' && (body.page.kind === 'overdue' || body.page.kind === 'stuck')),
      );
      if (overdue && !paged) say(29, `${group.run.id} is past its deadline and nobody was paged`);
      if (this.#scheduler.nowMs >= HEAL_MS + PROGRESS_MS)
        say(10, `${group.run.id} is still open long after everything healed`);
    }
    const nowAt = this.#daemon.state()?.at ?? 0;
    const untold = Object.values(this.#daemon.state()?.ledger.pages ?? {}).find(
      ({ deliveredAt, queuedAt }) => deliveredAt === null && nowAt - queuedAt > UNTOLD_MS,
    );
    if (untold !== undefined && this.#scheduler.nowMs >= HEAL_MS + PROGRESS_MS)
      say(29, `${untold.page.id} is not delivered though the pager takes every page`);
    if (group?.active === B && b.inRecovery) say(10, 'the ledger calls B active and it is a standby');
    if (!b.inRecovery && group?.active !== B && !halted && !group?.run)
      say(10, 'B was promoted and the ledger does not know');
    if (
      this.#healthyAtHeal &&
      !this.#platform.powered &&
      group?.run === null &&
      group.ended.at(-1)?.outcome !== 'verified'
    )
      say(28, 'a region that was healthy when everything healed was fenced for nothing');
    return violations;
  }

  /** Determinism: the inputs of the last life, replayed through the pure core, give the same state. */
  #replayed(): Violation[] {
    const state = this.#daemon.state();
    if (!(this.#options.replay ?? false) || state === null || !this.#daemon.up) return [];
    const first = this.#disk.entries.findLastIndex((entry) => entry.body.kind === 'daemon.started');
    let replayed = initialState(state.settings, foldAll(EMPTY_LEDGER, this.#disk.entries.slice(0, first)));
    for (const input of this.#daemon.inputs) replayed = turn(replayed, input).state;
    if (JSON.stringify(replayed) === JSON.stringify(state)) return [];
    return [{ invariant: 17, what: 'recorded inputs replayed give another state', atMs: this.#scheduler.nowMs }];
  }
}

async function rest(): Promise<void> {
  for (let hop = 0; hop < HOPS; hop += 1) await null;
}

function exhausted(disaster: never): never {
  throw new TypeError(`unknown disaster: ${JSON.stringify(disaster)}`);
}
