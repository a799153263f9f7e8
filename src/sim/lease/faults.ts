/** What each fault does to one host, or to what lies between it and the others. */
import type { Context } from './context.ts';
import type { Fault } from './coverage.ts';
import { CONTROLLER, STORE } from './network.ts';
import type { Site } from './site.ts';
import type { StoreProcess } from './store.ts';

export type Things = {
  readonly world: Context;
  readonly sites: readonly Site[];
  store(region: number): StoreProcess;
  /** Somebody orders it, of that guard, for the newest run or for one that is gone. */
  order(what: 'withdraw' | 'release', region: number): void;
};

/** Freezes together what shares a container or a host; returns what thaws it. */
export function freeze(world: Context, site: Site, what: 'guard' | 'postgres' | 'container' | 'host'): () => void {
  const thaws: (() => void)[] = [];
  const { nowMs } = world.time;
  const paused = what === 'host' && world.rules.clocksStop;
  if (paused) {
    site.clock.stop(nowMs);
    site.deadMan.pause();
  }
  const withDeadMan = what === 'host' || (world.rules.deadManFrozenWithGuard && what !== 'postgres');
  if (withDeadMan && (site.deadMan.kind === 'absolute' || world.rules.deadManFrozenWithGuard))
    site.deadMan.frozen = true;
  if (what !== 'guard') {
    site.postgres.freeze(true);
    thaws.push(() => site.postgres.freeze(false));
  }
  if (what !== 'postgres') thaws.push(site.freezeGuard());
  return () => {
    if (paused) {
      site.clock.go(world.time.nowMs);
      site.deadMan.resume();
    }
    for (const thaw of thaws) thaw();
    if (withDeadMan) site.deadMan.thaw();
  };
}

export function strike({ world, sites, store, order }: Things, fault: Fault, site: Site, forMs: number): void {
  const { region, postgres } = site;
  const { time, random, net } = world;
  const met = (): void => world.cover(fault, region);
  const others = sites.filter((each) => each !== site);
  const frozen = (what: 'guard' | 'postgres' | 'container' | 'host'): void => {
    if (site.unwatched) return;
    met();
    time.after(forMs, freeze(world, site, what));
  };
  switch (fault) {
    case 'guard-frozen':
      // Between two effects of a step, as often as between two steps.
      if (!site.running || random.chance(0.5)) return frozen('guard');
      site.trap = { kind: 'any', act: () => frozen('guard') };
      return;
    case 'container-frozen':
      return frozen('container');
    case 'host-frozen':
      return frozen('host');
    case 'postgres-frozen':
      return frozen('postgres');
    case 'guard-killed': {
      const kill = (): void => {
        if (site.unwatched) return;
        met();
        site.restartGuard('killed', Math.min(forMs, 8000));
      };
      if (!site.running || random.chance(0.5)) return kill();
      site.trap = { kind: 'any', act: kill };
      return;
    }
    case 'disk-full':
      site.diskFull = true;
      time.after(forMs, () => {
        site.diskFull = false;
      });
      return;
    case 'disk-lost':
      if (site.unwatched) return;
      met();
      site.killGuard('its disk is lost');
      site.disk = { written: null, synced: null };
      site.restartGuard('its disk is lost', Math.min(forMs, 8000));
      return;
    case 'power-lost':
      met();
      return site.reset('power lost');
    case 'postmaster-killed':
    case 'backends-live-on': {
      const livesOn = fault === 'backends-live-on';
      // Where none runs, somebody has started one that dies at once.
      if (postgres.postmaster === null && !livesOn) postgres.start('primary', 'stranger');
      if (postgres.postmaster === null || (livesOn && !postgres.sessions)) return;
      met();
      postgres.killPostmaster(livesOn);
      site.postmasterEnded();
      // Idle ones notice, some time; busy ones don't.
      if (livesOn && random.chance(0.3))
        time.after(forMs, () => postgres.postmaster === null && postgres.killBackends());
      return;
    }
    case 'server-crashed':
      met();
      postgres.kill('crashed');
      return site.postmasterEnded();
    case 'dead-man-gone':
      // Gone while nobody can notice: two faults at once. What is frozen may write again once it thaws.
      if (site.frozen || postgres.frozen || (postgres.writable && !site.running)) return;
      met();
      site.deadManGone(true);
      time.after(forMs, () => site.deadManGone(false));
      return;
    case 'stranger-starts':
      // Somebody's service restarts it at once, before the guard has looked.
      if (random.chance(0.5)) postgres.kill('crashed');
      if (postgres.start('primary', 'stranger')) met();
      return;
    case 'withdrawn':
      return order('withdraw', region);
    case 'release-ordered':
      return order('release', region);
    case 'cut-from-store':
      met();
      return net.cut(STORE, region, forMs);
    case 'cut-to-store':
      met();
      return net.cut(region, STORE, forMs);
    case 'cut-peers':
      met();
      for (const other of others) {
        if (random.chance(0.7)) net.cut(region, other.region, forMs);
        if (random.chance(0.7)) net.cut(other.region, region, forMs);
      }
      return;
    case 'cut-all':
      met();
      for (const place of [STORE, CONTROLLER, ...others.map((other) => other.region)]) {
        net.cut(region, place, forMs);
        net.cut(place, region, forMs);
      }
      return;
    case 'answer-lost':
      met();
      return net.doom(STORE, region, 'lost', random.int(1, 4));
    case 'ask-straggles':
      met();
      return net.doom(region, STORE, 'straggles', random.int(1, 3));
    case 'ask-twice':
      met();
      return net.doom(region, STORE, 'twice', random.int(1, 4));
    case 'store-restarted': {
      met();
      const each = store(region);
      if (!each.up) return;
      each.stop();
      time.after(Math.min(forMs, 10_000), () => each.start(random.chance(0.5)));
      return;
    }
    case 'wall-clock-jumps':
      met();
      return site.clock.jump(random.pick([-3_600_000, -5000, 5000, 3_600_000]));
    // These befall orders, reads and dead-men: the controller, the store, the kernel bring them about.
    case 'dead-man-expired':
    case 'stale-read':
    case 'order-late':
    case 'order-repeated':
    case 'fence-undone':
      return;
    default:
      return fault satisfies never;
  }
}
