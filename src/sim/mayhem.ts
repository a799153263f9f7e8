/** Faults as acts on the world: each begins, and most end after a while; all end when the world heals. */
import type { Weather } from './actor.ts';
import type { Fault, RequestFault } from './faults.ts';
import type { Monitoring } from './monitoring.ts';
import type { People } from './people.ts';
import { A, B, type Place, type Platform, W } from './platform.ts';
import type { DaemonProcess } from './process.ts';
import type { Random } from './random.ts';

const PLACES: readonly Place[] = [A, B, W, 'internet'];
const BACK_MS = [-3_600_000, -30_000, -2000] as const;
const FORWARD_MS = [2000, 30_000, 3_600_000] as const;

export type MayhemOptions = {
  readonly platform: Platform;
  readonly daemon: DaemonProcess;
  readonly weather: Weather;
  readonly monitoring: Monitoring;
  readonly people: People;
  readonly random: Random;
  readonly trace: (line: string) => void;
  /** Told when a fault is there, at once or from now on. */
  readonly began: (fault: WorldFault) => void;
};

/** Those of one request are the actors' own. */
export type WorldFault = Exclude<Fault, RequestFault>;

/** How to take the fault away again; null where it was over as it happened. */
type End = (() => void) | null;

export class Mayhem {
  readonly #options: MayhemOptions;
  /** How many of each are active. */
  readonly #active = new Map<WorldFault, number>();
  #ends = new Set<() => void>();

  constructor(options: MayhemOptions) {
    this.#options = options;
  }

  /** Faults that are there now. */
  active(): Iterable<WorldFault> {
    return this.#active.keys();
  }

  begin(fault: WorldFault, forMs: number): void {
    const { platform, trace, began } = this.#options;
    trace(`FAULT ${fault}${forMs > 0 ? ` for ${(forMs / 1000).toFixed(1)} s` : ''}`);
    const others = this.#active.get(fault) ?? 0;
    const end = this.#act(fault, forMs, others > 0);
    if (end === null) return began(fault);
    this.#active.set(fault, others + 1);
    began(fault);
    const over = (): void => {
      if (!this.#ends.delete(over)) return;
      const left = (this.#active.get(fault) ?? 1) - 1;
      if (left > 0) this.#active.set(fault, left);
      else this.#active.delete(fault);
      trace(`fault over: ${fault}`);
      end();
    };
    this.#ends.add(over);
    // A region that lost its power stays so until somebody switches it on.
    if (fault !== 'region-dies') platform.scheduler.after(forMs, over);
  }

  /** Everything that ends by itself ends now; what is dead stays dead. */
  endAll(): void {
    for (const over of [...this.#ends]) over();
  }

  /** Whether another fault of this kind is still there. */
  #still = (fault: WorldFault): boolean => (this.#active.get(fault) ?? 0) > 0;

  #act(fault: WorldFault, forMs: number, again: boolean): End {
    const { platform, daemon, weather, monitoring, people, random } = this.#options;
    switch (fault) {
      case 'region-dies':
        platform.loseA();
        return () => undefined;
      case 'power-returns':
        platform.powerOn();
        return null;
      case 'database-dies':
        platform.a.alive = false;
        return () => {
          if (platform.powered && !this.#still(fault)) platform.a.alive = true;
        };
      case 'region-cut-off':
        return this.#cut([
          [A, B],
          [A, W],
        ]);
      case 'one-way-cut':
        return this.#cut([[A, B]]);
      case 'gray':
        return this.#cut([[W, A]]);
      case 'link-cut':
        return this.#cut([[random.pick(PLACES), random.pick(PLACES)]]);
      case 'daemon-isolated':
      case 'witness-isolated': {
        const place = fault === 'daemon-isolated' ? B : W;
        platform.isolate(place, true);
        return () => platform.isolate(place, false);
      }
      case 'witness-blind':
        platform.hideControl(W, true);
        return () => platform.hideControl(W, false);
      case 'daemon-killed':
        daemon.crash('by the system');
        platform.scheduler.after(Math.max(200, forMs), () => daemon.startIfDown());
        return null;
      case 'killed-before-append':
      case 'killed-after-append':
      case 'append-failed':
      case 'append-failed-late':
        daemon.mishaps.push({ fate: fault, downMs: Math.max(200, forMs) });
        // It is there once an append meets it.
        return () => {
          const index = daemon.mishaps.findIndex(({ fate }) => fate === fault);
          if (index !== -1) daemon.mishaps.splice(index, 1);
        };
      case 'daemon-frozen':
        daemon.freeze(forMs);
        return () => undefined;
      case 'clock-back':
      case 'clock-forward':
        daemon.wallSkewMs += random.pick(fault === 'clock-back' ? BACK_MS : FORWARD_MS);
        return null;
      case 'pager-down':
        daemon.pagerFaults = random.pick([0.5, 1]);
        return () => {
          if (!this.#still(fault)) daemon.pagerFaults = 0;
        };
      case 'fence-api-down':
        weather.hypervisorDown = true;
        return () => {
          weather.hypervisorDown = this.#still(fault);
        };
      case 'dns-api-down':
        weather.dnsDown = true;
        return () => {
          weather.dnsDown = this.#still(fault);
        };
      case 'standby-stuck':
        platform.b.stuck = true;
        return () => {
          platform.b.stuck = this.#still(fault);
          platform.tryPromotion();
        };
      case 'standby-restarts':
        platform.standbyStops();
        return () => {
          if (!this.#still(fault)) platform.standbyStarts();
        };
      case 'stranger-in-dns':
        platform.dns.epoch = { epoch: 99, run: 'stranger' };
        return null;
      case 'aborted':
        people.abort();
        return null;
      case 'people-away':
        people.away = true;
        return () => {
          people.away = this.#still(fault);
        };
      case 'corruption-reported':
        people.believe(true);
        return () => people.believe(this.#still(fault));
      case 'alerts-unreliable':
        monitoring.unreliable = true;
        return () => {
          monitoring.unreliable = this.#still(fault);
        };
      case 'monitoring-dead':
        monitoring.dead = true;
        return () => {
          monitoring.dead = this.#still(fault);
        };
      case 'silenced':
        monitoring.silenced = true;
        return () => {
          monitoring.silenced = this.#still(fault);
        };
      case 'reloaded':
        daemon.reload(again || random.chance(0.5));
        return null;
      case 'reload-refused':
        daemon.refuseReload();
        return null;
      default:
        return exhausted(fault);
    }
  }

  #cut(links: readonly (readonly [Place, Place])[]): End {
    const { platform } = this.#options;
    for (const [from, to] of links) platform.cut(from, to);
    return () => {
      for (const [from, to] of links) platform.heal(from, to);
    };
  }
}

function exhausted(fault: never): never {
  throw new TypeError(`unknown fault: ${JSON.stringify(fault)}`);
}
