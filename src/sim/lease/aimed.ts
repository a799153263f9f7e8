/**
 * Adversaries that know where the lease is thinnest, and take all of it: slow clock at the holder, fast one at the candidate, no
 * latency where latency would help, and a freeze exactly where it costs most (safety.md, "What the simulator must hold").
 */
import { endedWithinMs } from '../../model/timings.ts';
import { type Context, RHO } from './context.ts';
import type { Controller } from './controller.ts';
import { freeze } from './faults.ts';
import { CLIENT, STORE } from './network.ts';
import type { Aim, Plan, Profile } from './plan.ts';
import type { WorldRules } from './rules.ts';
import type { Site } from './site.ts';
import type { StoreProcess } from './store.ts';

/** The worst rates, no latency, the stop takes all of K, and a promotion takes no time at all. */
export function sharpened(plan: Plan, rules: WorldRules): Plan {
  const error = RHO * rules.clockError;
  const manners = plan.manners.map((each) => ({
    ...each,
    stopShare: 1,
    promotionDelayMs: 0,
    cleanStops: false,
    startMs: 20,
  }));
  return {
    ...plan,
    sites: 2,
    rates: [1 - error, 1 + error, 1 + error],
    kernelRates: [1 - error, 1 - error, 1 - error],
    storeRate: 1 + error,
    network: { lost: 0, twice: 0, straggles: 0, latencyMs: 0 },
    manners,
    strikes: [],
    whims: [],
    genesis: false,
    disaster: 'none',
    orderAfterMs: null,
    withdrawAtMs: null,
    writeMs: 500,
    settled: true,
    back: false,
    isolation: 'stop',
    claim: plan.aim === 'fallback' ? 'confirmed' : 'expired',
    fenceLies: true,
    endMs:
      2 * plan.profile.timings.deadManAfterMs +
      plan.profile.timings.waitMs * 1.2 +
      20_000 +
      (plan.aim === 'restart' ? plan.profile.timings.waitMs * 1.2 : 0),
  };
}

/** Between the last instant the old primary can commit and the first the new one can, at the least, by arithmetic. */
export function analyticMarginMs({ deadMan, timings }: Profile): number {
  return timings.waitMs / (1 + RHO) - endedWithinMs(timings, deadMan) / (1 - RHO);
}

export function aim(
  what: Aim,
  {
    world,
    holder,
    candidate,
    store,
    controller,
  }: {
    readonly world: Context;
    readonly holder: Site;
    readonly candidate: Site;
    readonly store: StoreProcess;
    readonly controller: Controller;
  },
): void {
  const { time, net, timings, random } = world;
  const chosen = random.int(2, 4);
  let sets = 0;
  /** The candidate's look at the record waits in the network for the set that counts. */
  const held: (() => void)[] = [];
  let holding = false;
  let over = false;
  let slowReply = false;
  const cutOff = what === 'promise';

  net.capture = (from, to, deliver) => {
    if (from === CLIENT || over) return false;
    if (from === candidate.region && to === STORE && holding) {
      held.push(deliver);
      return true;
    }
    if (from === STORE && to === holder.region && slowReply) {
      // The last instant at which the answer still counts: the pet it brings is as late as can be.
      slowReply = false;
      time.after(timings.attemptMs / holder.clock.rate - 2, deliver);
      return true;
    }
    return false;
  };

  const strikeNow = (): void => {
    over = true;
    holding = false;
    for (const deliver of held) deliver();
    alignCandidate(world, candidate);
    if (what === 'fallback') {
      // It takes the lease at once by a fence that was none, and holds it for W when that comes out.
    }
    controller.failOver(holder.region, candidate.region, what === 'fallback' ? 'confirmed' : 'expired');
  };
  const freezeHolder = (): void => {
    const { deadMan } = holder;
    const dueMs = deadMan.dueMs;
    const thaw = holder.freezeGuard();
    if (deadMan.kind === 'absolute' || dueMs === null) return;
    // It wakes for long enough to do what it was about to: to pet the timer that was about to run out.
    time.at(dueMs - 1, () => {
      thaw();
      holder.freezeGuard();
    });
  };

  store.onSet = (region) => {
    if (region !== holder.region || over) return;
    sets += 1;
    if (sets === chosen - 1) {
      holding = true;
      slowReply = true;
    }
    if (sets !== chosen) return;
    switch (what) {
      case 'pet':
      case 'fallback':
        holder.trap = { kind: 'pet', act: freezeHolder };
        return strikeNow();
      case 'stop':
        net.cut(STORE, holder.region, 1e9);
        net.cut(holder.region, STORE, 1e9);
        net.cut(holder.region, candidate.region, 1e9);
        return strikeNow();
      case 'freeze': {
        // Guard and PostgreSQL in one container, or all of a host that has a timer outside, thawed at an instant that nobody chose.
        const hosts = holder.deadMan.kind === 'relative' && random.chance(0.5);
        time.after(
          random.int(0, Math.round(timings.waitMs * 1.2)),
          freeze(world, holder, hosts ? 'host' : 'container'),
        );
        return strikeNow();
      }
      case 'restart':
        holder.trap = { kind: 'pet', act: freezeHolder };
        store.stop();
        time.after(1, () => store.start(false));
        return strikeNow();
      case 'promise':
        return;
      default:
        return what satisfies never;
    }
  };

  if (cutOff) {
    // The store is lost to the holder alone: it lives on promises, until the candidate has given its last.
    const cutAtMs = random.int(100, timings.renewMs * 2);
    time.after(cutAtMs, () => {
      net.cut(STORE, holder.region, 1e9);
      net.cut(holder.region, STORE, 1e9);
    });
    world.oracle.onPromise = (count) => {
      if (count !== chosen || over) return;
      holder.trap = { kind: 'pet', act: freezeHolder };
      // Once the promise is on its way, and not before.
      time.after(0, strikeNow);
    };
  }
}

/** Lets the candidate ask at the very instant its wait is over, and not at the next beat of its renew interval. */
function alignCandidate({ time, timings }: Context, candidate: Site): void {
  const shiftMs = timings.waitMs % timings.renewMs;
  if (shiftMs === 0) return;
  const { rate } = candidate.clock;
  time.after((timings.renewMs * 0.9) / rate, () => {
    const thaw = candidate.freezeGuard();
    time.after((timings.renewMs * 0.1 + shiftMs) / rate, thaw);
  });
}
