/**
 * The controller and people: they order, again and again, over a network that keeps an order for as long as it likes. The order
 * of a failover is that of decision 0016: release where the old side can be reached, candidacy, promote once the target holds.
 */
import type { Claim } from '../../model/guard.ts';
import type { RunId } from '../../model/primitives.ts';
import { type Context, nameOf, type Region } from './context.ts';
import { CONTROLLER } from './network.ts';
import type { Plan, Whim } from './plan.ts';
import type { Site } from './site.ts';
import type { StoreProcess } from './store.ts';

type Run = {
  readonly id: RunId;
  readonly epoch: number;
  readonly target: Site;
  readonly old: Site;
  claim: Claim;
  done: boolean;
  withdrawn: boolean;
};

const AGAIN_MS = 2500;

export class Controller {
  readonly #world: Context;
  readonly #plan: Plan;
  readonly #sites: readonly Site[];
  readonly #store: () => StoreProcess;
  #runs = 0;
  #run: Run | null = null;
  #requests = 0;
  #toldPart: string | null = null;
  #toldMs = Number.NEGATIVE_INFINITY;
  /** How often it looks and says the same again. */
  everyMs: number;

  constructor(world: Context, plan: Plan, sites: readonly Site[], store: () => StoreProcess) {
    this.#world = world;
    this.#plan = plan;
    this.#sites = sites;
    this.#store = store;
    this.everyMs = plan.kind === 'aimed' ? 50 : world.random.int(500, 3000);
  }

  /** Moves the writer; the old side is told to release first where that is the way. */
  failOver(from: Region, to: Region, claim: Claim): void {
    const target = this.#sites[to];
    const old = this.#sites[from];
    const store = this.#store();
    if (target === undefined || old === undefined) return;
    // Its journal is the store's: without it no epoch is taken, and nothing begins.
    if (!store.up) return void this.#world.time.after(1000, () => this.failOver(from, to, claim));
    this.#runs += 1;
    const run: Run = {
      id: `run-${this.#runs}`,
      epoch: store.takeEpoch(to),
      target,
      old,
      claim,
      done: false,
      withdrawn: false,
    };
    this.#run = run;
    this.#toldMs = Number.NEGATIVE_INFINITY;
    if (this.#world.tracing)
      this.#world.say('controller', `${run.id} at epoch ${run.epoch}: ${nameOf(from)} to ${nameOf(to)}, ${claim}`);
    if (claim === 'confirmed') this.#fence(run);
    this.#go(run);
  }
  /** Switches the old host off and reads it back; a lie is a fence that fails later, when it is read back again. */
  #fence(run: Run): void {
    if (this.#plan.fenceLies) return;
    run.old.powerOff('fenced');
    // Somebody switches it on again, some time.
    if (this.#world.random.chance(0.5))
      this.#world.time.after(this.#world.random.int(100, 2 * this.#world.timings.waitMs), () => {
        if (!run.old.on) this.#world.cover('fence-undone', run.old.region);
        run.old.powerOn();
      });
  }
  #go(run: Run): void {
    if (run.done || this.#run !== run) return;
    this.#tell(run);
    this.#world.time.after(this.everyMs, () => this.#go(run));
  }
  #tell(run: Run): void {
    const { target, old, id, epoch } = run;
    if (!this.#store().up) return;
    const part = this.#partOf(target);
    if (run.withdrawn) return;
    if (part === 'primary' && target.postgres.postmaster?.mode === 'primary') {
      run.done = true;
      return this.#after(run);
    }
    if ((this.#plan.kind === 'switchover' || this.#plan.kind === 'round') && old.state?.durable.rests === null) {
      this.#order(old, { kind: 'release', run: id, epoch });
    }
    const { nowMs } = this.#world.time;
    // What was said a moment ago is not said again, unless the guard has come to something else.
    if (part === this.#toldPart && nowMs < this.#toldMs + AGAIN_MS) return;
    this.#toldPart = part;
    this.#toldMs = nowMs;
    if (part !== 'holding') return this.#order(target, { kind: 'candidacy', run: id, epoch, claim: run.claim });
    let claim = run.claim;
    if (claim === 'confirmed') {
      // Read back once more, after the epoch was taken and right before the order.
      if (old.on) {
        if (!this.#plan.endProves) return;
        claim = 'expired';
      } else this.#world.oracle.readBack.add(`${target.name} ${target.state?.durable.holds ?? epoch}`);
    }
    this.#order(target, { kind: 'promote', run: id, epoch, claim });
  }
  /** What it hears of a guard: nothing, where the network or the guard is not there. */
  #partOf(site: Site): string | null {
    const { net } = this.#world;
    const heard = net.up(CONTROLLER, site.region) && net.up(site.region, CONTROLLER) && !site.frozen;
    return heard ? (site.state?.part ?? null) : null;
  }
  withdraw(): void {
    const run = this.#run;
    if (run === null || run.done) return;
    run.withdrawn = true;
    const again = (left: number): void => {
      this.#order(run.target, { kind: 'withdraw', run: run.id, epoch: run.epoch });
      this.#order(run.old, { kind: 'resume', run: run.id, epoch: run.epoch, why: 'given up' });
      if (left > 0) this.#world.time.after(this.everyMs, () => again(left - 1));
    };
    again(3);
  }
  /** Somebody orders something out of the blue, by the newest epoch or by one that is gone. */
  whim(what: Whim['what'], region: Region): void {
    const site = this.#sites[region];
    const store = this.#store();
    if (site === undefined) return;
    const { random } = this.#world;
    const why = 'somebody said so';
    const run = this.#run?.id ?? 'run-0';
    const epoch = Math.max(1, store.journal.floor + random.int(-1, 1));
    switch (what) {
      case 'run':
        return this.failOver(this.#sites.find((each) => each.postgres.writable)?.region ?? 0, region, 'expired');
      case 'promote':
        return this.#order(site, {
          kind: 'promote',
          run,
          epoch,
          claim: random.pick(['expired', 'confirmed'] as const),
        });
      case 'release':
      case 'withdraw':
        return this.#order(site, { kind: what, run, epoch });
      case 'resume':
        return this.#order(site, { kind: 'resume', run: null, epoch: null, why });
      case 'rejoin':
      case 'freeze':
      case 'thaw':
        return this.#order(site, { kind: what, why });
      default:
        return what satisfies never;
    }
  }
  /** Once it is over: the old side joins again, and some histories go back. */
  #after(run: Run): void {
    const { old, target } = run;
    const rejoin = (left: number): void => {
      this.#order(old, { kind: 'rejoin', why: `${run.id} is done` });
      if (left > 0) this.#world.time.after(2000, () => rejoin(left - 1));
    };
    if (this.#plan.kind !== 'dies') rejoin(8);
    if (this.#plan.back && this.#runs === 1)
      this.#world.time.after(8000, () => this.failOver(target.region, old.region, 'expired'));
  }
  #order(site: Site, order: Parameters<Site['order']>[1]): void {
    this.#requests += 1;
    const request = `order-${this.#requests}`;
    const { net, time, random } = this.#world;
    const sentMs = time.nowMs;
    let times = 0;
    const deliver = (): void => {
      times += 1;
      if (time.nowMs - sentMs > 5000) this.#world.cover('order-late', site.region);
      if (order.kind === 'withdraw') this.#world.cover('withdrawn', site.region);
      if (order.kind === 'release') this.#world.cover('release-ordered', site.region);
      if (times > 1) this.#world.cover('order-repeated', site.region);
      site.order(request, order);
    };
    net.send(CONTROLLER, site.region, deliver);
    // A stale one comes up again much later, as from a queue that somebody starts again.
    if (this.#plan.network.twice > 0 && random.chance(0.05)) time.after(random.int(1000, 60_000), deliver);
  }
}
