/**
 * The world of the lease: the real guard machine and the real rules of the store, in virtual time, against everything that
 * safety.md lists. One seed and commit give one history.
 */

import { initialGuard, step } from '../../guard/machine.ts';
import { FRESH_DURABLE, type GuardDurable, type GuardSettings } from '../../model/guard.ts';
import type { LeaseRecord, LeaseTimings } from '../../model/lease.ts';
import { answerLease } from '../../policies/lease-store.ts';
import type { HistoryReport } from '../contract.ts';
import { randomOf } from '../random.ts';
import { Scheduler } from '../scheduler.ts';
import { aim, analyticMarginMs, sharpened } from './aimed.ts';
import { HostClock } from './clock.ts';
import { type Context, nameOf, type Region } from './context.ts';
import { Controller } from './controller.ts';
import { CELLS, cellNumber, hitsOf } from './coverage.ts';
import { strike, type Things } from './faults.ts';
import { CLIENT, CONTROLLER, Network, STORE } from './network.ts';
import { type Basis, type Expectations, Oracle } from './oracle.ts';
import { kindOf, type Own, withOwn } from './own.ts';
import { type Aim, type Kind, type Plan, type Profile, planOf } from './plan.ts';
import { Timelines } from './postgres.ts';
import { ASSUMED, type WorldRules } from './rules.ts';
import { type Machine, Site, type Surroundings } from './site.ts';
import { COMPONENT, GROUP, StoreProcess, type StoreRules, TIMINGS_HASH } from './store.ts';

export type LeaseOptions = {
  readonly seed: number;
  /** Told each line of the transcript. */
  readonly trace?: (line: string) => void;
  readonly kind?: Kind;
  readonly aim?: Aim;
  readonly profile?: Profile;
  /** Instead of the profile's: the guards and the store keep these, the oracle judges by them. */
  readonly timings?: Partial<LeaseTimings>;
  readonly rules?: Partial<WorldRules>;
  readonly machine?: Machine;
  readonly storeRules?: StoreRules;
  /** A user's own group, instead of what the plan draws of terms and claims. */
  readonly own?: Own;
  readonly faultFree?: boolean;
};

export type LeaseReport = HistoryReport & {
  readonly plan: Plan;
  /** How often the writer moved, and by which right the lease was taken. */
  readonly takeovers: number;
  readonly bases: Readonly<Record<Basis, number>>;
  readonly acknowledged: number;
  /** Least time between the last instant one could commit and the first at which the next could, by `expired`; less than 0 = both. */
  readonly leastMarginMs: number;
  readonly analyticMarginMs: number;
  /** Two could commit for so long, whoever took the responsibility for it. */
  readonly overlapMs: number;
  /** The store has found that it is older than what a guard has seen. */
  readonly halted: boolean;
};

/** Far above what any history needs: something asks without a pause. */
const MOST_EVENTS = 50_000;
const MACHINE: Machine = { initial: initialGuard, step };

export function runLeaseHistory(options: LeaseOptions): LeaseReport {
  const random = randomOf(options.seed);
  const rules: WorldRules = { ...ASSUMED, ...options.rules };
  const { own } = options;
  const forced =
    own === undefined ? {} : { ...kindOf(own, options.seed, options.faultFree ?? false), profile: own.profile };
  const planned = planOf(random, rules, {
    ...forced,
    ...(options.kind === undefined ? {} : { kind: options.kind }),
    ...(options.aim === undefined ? {} : { aim: options.aim }),
    ...(options.profile === undefined ? {} : { profile: options.profile }),
  });
  const drawn = own === undefined ? planned : withOwn(planned, own, options.seed);
  const timings: LeaseTimings = { ...drawn.profile.timings, ...options.timings };
  const profile: Profile = { ...drawn.profile, timings };
  const plan = drawn.kind === 'aimed' ? sharpened({ ...drawn, profile }, rules) : { ...drawn, profile };

  const time = new Scheduler();
  const net = new Network(time, random, plan.network);
  const timelines = new Timelines();
  const oracle = new Oracle(timelines, expectationsOf(plan));
  const coverage = new Uint8Array(CELLS);
  const trace = options.trace;
  const sites: Site[] = [];
  const world: Context = {
    time,
    random,
    rules,
    timings,
    net,
    oracle,
    tracing: trace !== undefined,
    say: (who, what) => trace?.(`${(time.nowMs / 1000).toFixed(3).padStart(9)}  ${who.padEnd(12)} ${what}`),
    cover: (fault, region) => {
      const part = sites[region]?.state?.part ?? null;
      coverage[cellNumber(fault, part)] = 1;
      if (trace !== undefined) world.say('FAULT', `${fault} at ${nameOf(region)}, which is ${part ?? 'down'}`);
    },
  };

  const record = plan.genesis ? null : firstRecord(plan);
  const store = new StoreProcess(
    world,
    options.storeRules ?? answerLease,
    new HostClock(plan.storeRate, 0),
    plan.store,
    record,
  );
  const stores = [store, store, store];
  const controller = new Controller(world, plan, sites, () => store);
  const things: Things = {
    world,
    sites,
    store: (region) => stores[region] ?? store,
    order: (what, region) => controller.whim(what, region),
  };

  const around: Surroundings = {
    askStore: (from, request, reply) => {
      const sentMs = time.nowMs;
      net.send(from, STORE, () =>
        (stores[from] ?? store).ask(from, request, sentMs, (answer, standsMs) =>
          net.send(STORE, from, () => reply(answer, standsMs)),
        ),
      );
    },
    siteAt: (region) => {
      const site = sites[region];
      if (site === undefined) throw new RangeError(`there is no site ${region}`);
      return site;
    },
    primary: () => sites.find((site) => site.postgres.writable)?.postgres ?? null,
  };
  const machine = options.machine ?? MACHINE;
  for (let region = 0; region < plan.sites; region += 1) {
    const manners = plan.manners[region];
    if (manners === undefined) throw new RangeError(`no manners for site ${region}`);
    const clock = new HostClock(plan.rates[region] ?? 1, 0);
    const settings = settingsOf(plan, region);
    const durable = plan.genesis ? null : durableOf(region, store);
    sites.push(
      new Site(
        world,
        around,
        machine,
        region,
        clock,
        plan.kernelRates[region] ?? 1,
        settings,
        manners,
        timelines,
        durable,
      ),
    );
  }
  oracle.watch(world, sites);
  oracle.begins(record, 0);
  begin(sites, plan);

  clientOf(world, sites, plan);
  if (plan.aim !== null) {
    const [holder, candidate] = sites;
    if (holder !== undefined && candidate !== undefined) aim(plan.aim, { world, holder, candidate, store, controller });
  } else befall(plan, things, controller);
  if (rules.storeCopied || rules.storeRestored) misuse(rules, things, stores, store, plan);

  let events = 0;
  for (let run = time.next(); run !== null && time.nowMs <= plan.endMs; run = time.next()) {
    run();
    events += 1;
    if (events === MOST_EVENTS) {
      oracle.violate(0, `${MOST_EVENTS} events, and it does not come to rest`);
      break;
    }
  }
  oracle.ends();
  return {
    seed: options.seed,
    plan,
    violations: oracle.violations,
    simulatedMs: Math.round(plan.endMs),
    events,
    entries: stores.reduce((sum, each) => sum + each.entries, 0),
    outcome: outcomeOf(plan, oracle),
    completed: oracle.takeovers > 0,
    hits: hitsOf(coverage),
    least: leastOf(plan, oracle),
    measured: measuredOf(plan, oracle),
    takeovers: oracle.takeovers,
    bases: oracle.bases,
    acknowledged: oracle.acknowledged.length,
    leastMarginMs: oracle.leastMarginMs,
    analyticMarginMs: analyticMarginMs(profile),
    overlapMs: oracle.overlapMs,
    halted: stores.some((each) => each.journal.kept.halt !== null),
  };
}

const outcomeOf = ({ kind, aim, loss }: Plan, { takeovers, violations }: Oracle): string => {
  const what =
    violations.length > 0 ? 'broken' : takeovers > 1 ? 'there and back' : takeovers === 1 ? 'taken over' : 'as it was';
  return `${kind}${aim === null ? '' : ` ${aim}`}${loss === null ? '' : ` ${loss}`}: ${what}`;
};
/** Named by profile: each has an analytic margin of its own. */
const leastOf = ({ profile }: Plan, { leastMarginMs }: Oracle): Readonly<Record<string, number>> =>
  leastMarginMs === Number.POSITIVE_INFINITY ? {} : { [profile.name]: leastMarginMs };

/** How long a lost region was without a writer, and what of it the lease alone is waited for; what the new side does not have. */
function measuredOf(plan: Plan, oracle: Oracle): NonNullable<HistoryReport['measured']> {
  const { takenOverMs } = oracle;
  if (takenOverMs === null) return {};
  const lost = oracle.lost();
  const [first] = lost;
  const loss = { lostWrites: lost.length, lostMs: first === undefined ? 0 : (lost.at(-1)?.atMs ?? 0) - first.atMs };
  if (plan.kind !== 'dies') return loss;
  const writableMs = takenOverMs - plan.disasterAtMs;
  const decisionMs = Math.min(writableMs, plan.orderAfterMs ?? 0);
  const { waitMs } = plan.profile.timings;
  const leaseMs = plan.claim === 'expired' ? Math.max(0, Math.min(writableMs, waitMs) - decisionMs) : 0;
  return { ...loss, writableMs, decisionMs, waitMs: leaseMs, promotionMs: writableMs - decisionMs - leaseMs };
}

function firstRecord(plan: Plan): LeaseRecord {
  return {
    epoch: 1,
    holder: 'a',
    process: 'a0',
    counter: 7,
    state: 'held',
    peers: plan.sites === 2 ? ['b'] : ['b', 'c'],
    writer: 'a',
    isolation: plan.isolation,
    timingsHash: TIMINGS_HASH,
    sample: null,
    release: null,
  };
}
function durableOf(region: Region, store: StoreProcess): GuardDurable {
  const pin = store.life;
  return region === 0
    ? { ...FRESH_DURABLE, obeyed: 1, pin, holds: 1, lastRole: 'primary' }
    : { ...FRESH_DURABLE, obeyed: 1, pin, lastRole: 'standby' };
}
function settingsOf(plan: Plan, region: Region): GuardSettings {
  const names = [0, 1, 2].slice(0, plan.sites).map(nameOf);
  return {
    group: GROUP,
    component: COMPONENT,
    region: nameOf(region),
    peers: names.filter((name) => name !== nameOf(region)),
    timings: plan.profile.timings,
    timingsHash: TIMINGS_HASH,
    deadMan: plan.profile.deadMan,
    isolation: plan.isolation,
    onCrash: plan.onCrash,
    crashRestarts: plan.crashRestarts,
    role: region === 0 ? 'primary' : 'standby',
  };
}
/** The pair runs, and has for long: its guards were started anew a moment ago, or long ago. */
function begin(sites: readonly Site[], plan: Plan): void {
  for (const site of sites) {
    const { postgres, region } = site;
    if (plan.genesis) {
      site.startGuard();
      continue;
    }
    postgres.start(region === 0 ? 'primary' : 'standby', 'guard');
    postgres.standbySignal = true;
    postgres.startedAtMs = Number.NEGATIVE_INFINITY;
    if (region === 0) {
      // Who serves on when it is isolated arms none.
      if (plan.isolation === 'stop') site.deadMan.pet(0);
      postgres.open();
    }
    // Of a primary without a dead-man nothing outside of its guard keeps when it was renewed: this one has just been started.
    const kept = region !== 0 || plan.profile.deadMan !== 'none';
    site.startGuard(plan.settled && kept ? plan.profile.timings.waitMs + 1000 : 0);
  }
}

function clientOf(world: Context, sites: readonly Site[], plan: Plan): void {
  const { time, net, random, oracle } = world;
  const write = (): void => {
    for (const { region, postgres } of sites) {
      const lsn = postgres.insert(100);
      if (lsn === null) continue;
      const { timeline } = postgres;
      time.after(random.int(0, 10), () => {
        if (!postgres.flush(lsn, timeline)) return;
        if (net.up(region, CLIENT)) oracle.acknowledge(region, timeline, lsn);
        for (const other of sites)
          if (other.region !== region) net.send(region, other.region, () => other.postgres.receive(lsn, timeline));
      });
    }
    time.after(plan.writeMs, write);
  };
  time.after(1, write);
}

/** What the plan says. */
function befall(plan: Plan, things: Things, controller: Controller): void {
  const { world, sites } = things;
  const { time, random, oracle } = world;
  const active = sites[0];
  const target = sites[plan.sites === 3 && plan.kind === 'storm' && plan.writeMs % 2 === 0 ? 2 : 1];
  if (active === undefined || target === undefined) return;
  const { disasterAtMs, disasterForMs } = plan;
  time.at(disasterAtMs, () => {
    switch (plan.disaster) {
      case 'power':
        world.cover('power-lost', 0);
        active.powerOff('its region is lost');
        if (disasterForMs !== Number.POSITIVE_INFINITY) time.after(disasterForMs, () => active.powerOn());
        return;
      case 'cut':
        return strike(things, 'cut-all', active, disasterForMs);
      case 'frozen':
        return strike(things, random.pick(['guard-frozen', 'container-frozen'] as const), active, disasterForMs);
      case 'none':
        return;
      default:
        return strike(things, plan.disaster, active, disasterForMs);
    }
  });
  if (plan.loss !== null) time.at(disasterAtMs, () => lose(plan, things));
  if (plan.orderAfterMs !== null)
    time.at(disasterAtMs + plan.orderAfterMs, () => controller.failOver(0, target.region, plan.claim));
  for (const { what, region, atMs } of plan.whims) time.at(atMs, () => controller.whim(what, region));
  if (plan.withdrawAtMs !== null) time.at(plan.withdrawAtMs, () => controller.withdraw());

  const waiting = plan.strikes.filter((each) => 'part' in each);
  for (const each of plan.strikes) {
    const site = sites[each.region];
    if (site !== undefined && 'atMs' in each) time.at(each.atMs, () => strike(things, each.fault, site, each.forMs));
  }
  if (waiting.length > 0)
    oracle.onPart = (region, part) => {
      for (let i = waiting.length - 1; i >= 0; i -= 1) {
        const each = waiting[i];
        const site = sites[region];
        if (each === undefined || site === undefined || !('part' in each)) continue;
        if (each.part !== part || each.region !== region) continue;
        waiting.splice(i, 1);
        time.after(each.afterMs, () => strike(things, each.fault, site, each.forMs));
      }
    };
}

/** What a healthy primary has to outlive (invariant 28). */
function lose(plan: Plan, { world, sites, store }: Things): void {
  const { net, time } = world;
  const ever = plan.endMs;
  switch (plan.loss) {
    case 'standby-dies':
      for (const site of sites.slice(1)) site.powerOff('its region is lost');
      return;
    case 'standby-cut':
      for (const { region } of sites.slice(1))
        for (const place of [STORE, CONTROLLER, 0]) {
          net.cut(region, place, ever);
          net.cut(place, region, ever);
        }
      return;
    case 'store-ends':
      return store(0).stop();
    case 'store-cut':
      net.cut(STORE, 0, ever);
      return;
    case 'store-restarts': {
      const each = store(0);
      each.stop();
      time.after(world.random.int(1, 3 * world.timings.waitMs), () => each.start(true));
      return;
    }
    case 'controller-silent':
    case null:
      return;
    default:
      return plan.loss satisfies never;
  }
}

function misuse(
  rules: WorldRules,
  { world, sites }: Things,
  stores: StoreProcess[],
  store: StoreProcess,
  plan: Plan,
): void {
  const { time, net } = world;
  const journal = store.journal;
  time.at(plan.disasterAtMs / 2, () => {
    if (rules.storeCopied) {
      stores[0] = store.copy();
      // Each side reaches its own alone, and not the other side.
      for (const { region } of sites.slice(1)) {
        net.cut(0, region, plan.endMs);
        net.cut(region, 0, plan.endMs);
      }
    }
  });
  if (rules.storeRestored)
    time.at(plan.endMs * 0.8, () => {
      store.restore(journal);
    });
}

function expectationsOf(plan: Plan): Expectations {
  const t = plan.profile.timings;
  const detectedMs = plan.disasterAtMs + (plan.orderAfterMs ?? 0);
  const waitedMs = plan.disasterAtMs + t.waitMs * 1.05;
  return {
    staysUp: plan.kind === 'quiet' || plan.kind === 'lonely' ? 0 : null,
    returns: plan.kind === 'round',
    takenOverByMs: plan.kind === 'dies' ? Math.max(detectedMs, waitedMs) + 4 * t.renewMs + 10_000 : null,
  };
}
