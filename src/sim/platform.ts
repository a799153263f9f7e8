/**
 * The platform under failover, as it truly is: regions with power, links with directions, a PostgreSQL pair with log
 * positions and timelines, DNS with a compare-and-set, a hypervisor, clients with a ledger. It knows nothing of
 * failoverd; the oracle reads the truth here and nowhere else.
 */
import type { Random } from './random.ts';
import type { Scheduler } from './scheduler.ts';

export const A = 'region-a';
export const B = 'region-b';
export const W = 'region-w';
export type Place = typeof A | typeof B | typeof W | 'internet';
export const CLUSTER = '7300000000000000001';

/** Bytes of log a write takes; any number will do, as long as all count alike. */
const WRITE_BYTES = 120;
const WRITE_EVERY_MS = 250;
const STREAM_EVERY_MS = 100;
/** How long resolvers keep what they were told. */
const DNS_TTL_MS = 2000;

const INDEX: Readonly<Record<Place, number>> = { [A]: 0, [B]: 1, [W]: 2, internet: 3 };
const linkOf = (from: Place, to: Place): number => INDEX[from] * 4 + INDEX[to];

/** 2026-01-12, a Monday, 07:00 UTC: night in New York. Clocks of servers and witnesses are right; the daemon's may be set. */
const WALL_START = Date.UTC(2026, 0, 12, 7, 0, 0);
export const wallAt = (ms: number): number => WALL_START + ms;

export type Postgres = {
  readonly region: typeof A | typeof B;
  alive: boolean;
  inRecovery: boolean;
  timeline: number;
  systemIdentifier: string;
  /** Primary: inserted and flushed. Standby: received. */
  flush: number;
  replay: number;
  lastReplayedCommitAt: number | null;
  heardFromPrimaryAt: number | null;
  streaming: boolean;
  /** A standby that will not finish a promotion while this is true. */
  stuck: boolean;
  promotionAsked: boolean;
  epochs: { epoch: number; run: string }[];
};

export type Write = {
  readonly side: typeof A | typeof B;
  readonly lsn: number;
  readonly atMs: number;
};

const server = (region: typeof A | typeof B, inRecovery: boolean): Postgres => ({
  region,
  alive: true,
  inRecovery,
  timeline: 1,
  systemIdentifier: CLUSTER,
  flush: 1_000_000,
  replay: 1_000_000,
  lastReplayedCommitAt: null,
  heardFromPrimaryAt: null,
  streaming: inRecovery,
  stuck: false,
  promotionAsked: false,
  epochs: [],
});

/** When a place was cut off from everything: its own control targets are out of reach. */
type Alone = {
  /** Faults that cut it off now. */
  causes: number;
  /** Counts the times it was cut off; 0 = never. */
  interval: number;
  sinceMs: number;
  endedMs: number;
};

export class Platform {
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly a: Postgres = server(A, false);
  readonly b: Postgres = server(B, true);
  /** Power of region A; the only region that is ever fenced or killed here. */
  powered = true;
  locked = false;
  /** How many faults cut each link now. */
  readonly #cut = new Uint8Array(16);
  #cuts = 0;
  /** How many faults isolate each place now. */
  readonly #isolated = new Uint8Array(4);
  #isolations = 0;
  readonly #alone: Readonly<Record<typeof B | typeof W, Alone>> = {
    [B]: { causes: 0, interval: 0, sinceMs: 0, endedMs: Number.NEGATIVE_INFINITY },
    [W]: { causes: 0, interval: 0, sinceMs: 0, endedMs: Number.NEGATIVE_INFINITY },
  };
  dns: { region: typeof A | typeof B; epoch: { epoch: number; run: string } | null } = { region: A, epoch: null };
  /** What clients still believe, until their resolver asks again. */
  #cached: typeof A | typeof B = A;
  readonly acknowledged: Write[] = [];
  /** Of the newest write that A acknowledged. */
  #lastOfAAtMs: number | null = null;
  fencedAtMs: number | null = null;
  promotedAtMs: number | null = null;
  /** What B had of the log when it was promoted: whatever A wrote behind it is lost. */
  promotedFlush: number | null = null;
  #nextStreamMs = STREAM_EVERY_MS;
  #nextWriteMs = WRITE_EVERY_MS;
  #nextResolveMs = DNS_TTL_MS;

  constructor(scheduler: Scheduler, random: Random) {
    this.scheduler = scheduler;
    this.random = random;
  }

  /**
   * What streams and clients did up to now. Between two events of the world nothing changes for them, so this makes up for
   * it at the start of each event instead of being an event itself, ten times a second.
   */
  advance(): void {
    const now = this.scheduler.nowMs;
    for (;;) {
      const next = Math.min(this.#nextStreamMs, this.#nextWriteMs, this.#nextResolveMs);
      if (next > now) return;
      if (this.#nextStreamMs === next) {
        this.#nextStreamMs += STREAM_EVERY_MS;
        this.#stream(next);
      }
      if (this.#nextWriteMs === next) {
        this.#nextWriteMs += WRITE_EVERY_MS;
        this.#clients(next);
      }
      if (this.#nextResolveMs === next) {
        this.#nextResolveMs += DNS_TTL_MS;
        this.#cached = this.dns.region;
      }
    }
  }

  cut(from: Place, to: Place): void {
    const link = linkOf(from, to);
    this.#cut[link] = (this.#cut[link] ?? 0) + 1;
    this.#cuts += 1;
  }
  heal(from: Place, to: Place): void {
    const link = linkOf(from, to);
    if ((this.#cut[link] ?? 0) === 0) return;
    this.#cut[link] = (this.#cut[link] ?? 0) - 1;
    this.#cuts -= 1;
  }
  /** Cuts a place off from everything, or takes one such cut away. */
  isolate(place: typeof B | typeof W, isolated: boolean): void {
    const by = isolated ? 1 : -1;
    this.#isolated[INDEX[place]] = (this.#isolated[INDEX[place]] ?? 0) + by;
    this.#isolations += by;
    this.#leaveAlone(place, by);
  }
  /** Puts the control targets of a place out of reach, though some of its other links may be well. */
  hideControl(place: typeof B | typeof W, hidden: boolean): void {
    this.#leaveAlone(place, hidden ? 1 : -1);
  }
  #leaveAlone(place: typeof B | typeof W, by: 1 | -1): void {
    const alone = this.#alone[place];
    if (alone.causes === 0) {
      alone.interval += 1;
      alone.sinceMs = this.scheduler.nowMs;
    }
    alone.causes += by;
    if (alone.causes === 0) alone.endedMs = this.scheduler.nowMs;
  }
  healAll(): void {
    this.#cut.fill(0);
    this.#cuts = 0;
    this.#isolated.fill(0);
    this.#isolations = 0;
    for (const place of [B, W] as const) {
      const alone = this.#alone[place];
      if (alone.causes > 0) alone.endedMs = this.scheduler.nowMs;
      alone.causes = 0;
    }
  }
  /** Whether a vantage there is the one that is cut off, as its control targets would tell. */
  alone(place: typeof B | typeof W): boolean {
    return this.#alone[place].causes > 0;
  }
  /** For how long it has been cut off, milliseconds; 0 = it is not. */
  aloneForMs(place: typeof B | typeof W): number {
    const { causes, sinceMs } = this.#alone[place];
    return causes > 0 ? this.scheduler.nowMs - sinceMs : 0;
  }
  /** Which cutting off of the place a look met that began then and ends now; 0 = none. */
  aloneDuring(place: typeof B | typeof W, beganMs: number): number {
    const { causes, interval, endedMs } = this.#alone[place];
    return causes > 0 || endedMs > beganMs ? interval : 0;
  }
  /** Whether packets pass both ways between two places: a request needs its answer. */
  connected(x: Place, y: Place): boolean {
    if (x === y || (this.#cuts === 0 && this.#isolations === 0)) return true;
    if (this.#isolated[INDEX[x]] !== 0 || this.#isolated[INDEX[y]] !== 0) return false;
    return this.#cut[linkOf(x, y)] === 0 && this.#cut[linkOf(y, x)] === 0;
  }
  up(region: Place): boolean {
    return region !== A || this.powered;
  }
  /** Whether this server would commit a write sent to it now. */
  commits(pg: Postgres): boolean {
    return pg.alive && !pg.inRecovery && this.up(pg.region);
  }

  loseA(): void {
    this.powered = false;
    this.a.alive = false;
  }
  powerOff(): void {
    if (this.powered) this.fencedAtMs = this.scheduler.nowMs;
    this.fencedAtMs ??= this.scheduler.nowMs;
    this.powered = false;
    this.locked = true;
    this.a.alive = false;
  }
  /** Power returns; a locked region stays off. */
  powerOn(): void {
    if (this.locked) return;
    this.powered = true;
    this.a.alive = true;
  }

  askPromotion(): void {
    if (!this.b.alive || !this.b.inRecovery) return;
    this.b.promotionAsked = true;
    this.scheduler.after(this.random.int(20, 250), () => this.tryPromotion());
  }
  /** Whoever asked for a promotion asked a postmaster that is gone: the next one starts as a standby and knows nothing of it. */
  standbyStops(): void {
    if (!this.b.inRecovery) return;
    this.b.alive = false;
    this.b.promotionAsked = false;
    this.b.streaming = false;
  }
  standbyStarts(): void {
    this.b.alive = true;
  }
  /** A promotion that was asked for takes effect whenever the server gets to it, however long ago the asker gave up. */
  tryPromotion(): void {
    if (!this.b.promotionAsked || !this.b.inRecovery || !this.b.alive || this.b.stuck) return;
    this.b.inRecovery = false;
    this.b.timeline += 1;
    this.b.replay = this.b.flush;
    this.b.streaming = false;
    this.promotedAtMs = this.scheduler.nowMs;
    this.promotedFlush = this.b.flush;
  }

  #stream(atMs: number): void {
    const { a, b } = this;
    const flows = b.inRecovery && b.alive && this.commits(a) && this.connected(A, B);
    b.streaming = flows;
    if (!flows) return;
    b.flush = a.flush;
    b.replay = a.flush;
    b.heardFromPrimaryAt = atMs;
    b.lastReplayedCommitAt = this.#lastOfAAtMs ?? b.lastReplayedCommitAt;
  }

  /** One client follows the public name, one lives in region A and never leaves it. */
  #clients(atMs: number): void {
    const side = this.#cached === A ? this.a : this.b;
    if (this.connected('internet', side.region)) this.#write(side, atMs);
    if (this.random.chance(0.5)) this.#write(this.a, atMs);
  }
  #write(pg: Postgres, atMs: number): boolean {
    if (!this.commits(pg)) return false;
    pg.flush += WRITE_BYTES;
    if (pg === this.b) pg.replay = pg.flush;
    else this.#lastOfAAtMs = atMs;
    this.acknowledged.push({ side: pg.region, lsn: pg.flush, atMs });
    return true;
  }
  canaryWrite(pg: Postgres): boolean {
    return this.#write(pg, this.scheduler.nowMs);
  }
}
