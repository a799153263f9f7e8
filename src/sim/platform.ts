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
  readonly id: string;
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

export class Platform {
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly a: Postgres = server(A, false);
  readonly b: Postgres = server(B, true);
  /** Power of region A; the only region that is ever fenced or killed here. */
  powered = true;
  locked = false;
  readonly #cut = new Set<string>();
  readonly isolated = new Set<Place>();
  /** Places whose control targets are out of reach, though some of their other links may be well. */
  readonly withoutControl = new Set<Place>();
  dns: { region: typeof A | typeof B; epoch: { epoch: number; run: string } | null } = { region: A, epoch: null };
  /** What clients still believe, until their resolver asks again. */
  #cached: typeof A | typeof B = A;
  readonly acknowledged: Write[] = [];
  fencedAtMs: number | null = null;
  promotedAtMs: number | null = null;
  /** What B had of the log when it was promoted: whatever A wrote behind it is lost. */
  promotedFlush: number | null = null;

  constructor(scheduler: Scheduler, random: Random, untilMs: number) {
    this.scheduler = scheduler;
    this.random = random;
    scheduler.every(STREAM_EVERY_MS, untilMs, () => this.#stream());
    scheduler.every(WRITE_EVERY_MS, untilMs, () => this.#clients());
    scheduler.every(2000, untilMs, () => {
      this.#cached = this.dns.region;
    });
  }

  cut(from: Place, to: Place): void {
    this.#cut.add(`${from}->${to}`);
  }
  heal(from: Place, to: Place): void {
    this.#cut.delete(`${from}->${to}`);
  }
  healAll(): void {
    this.#cut.clear();
    this.isolated.clear();
    this.withoutControl.clear();
  }
  /** Whether a vantage there is the one that is cut off, as its control targets would tell. */
  alone(place: Place): boolean {
    return this.isolated.has(place) || this.withoutControl.has(place);
  }
  /** Whether packets pass both ways between two places: a request needs its answer. */
  connected(x: Place, y: Place): boolean {
    if (x === y) return true;
    if (this.isolated.has(x) || this.isolated.has(y)) return false;
    return !this.#cut.has(`${x}->${y}`) && !this.#cut.has(`${y}->${x}`);
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

  #stream(): void {
    const { a, b } = this;
    const flows = this.commits(a) && b.alive && b.inRecovery && this.connected(A, B);
    b.streaming = flows && b.inRecovery;
    if (!flows) return;
    const last = this.acknowledged.findLast((write) => write.side === A);
    b.flush = a.flush;
    b.replay = a.flush;
    b.heardFromPrimaryAt = this.scheduler.nowMs;
    if (last !== undefined) b.lastReplayedCommitAt = last.atMs;
  }

  /** One client follows the public name, one lives in region A and never leaves it. */
  #clients(): void {
    const side = this.#cached === A ? this.a : this.b;
    if (this.connected('internet', side.region)) this.#write(side);
    if (this.random.chance(0.5)) this.#write(this.a);
  }
  #write(pg: Postgres): boolean {
    if (!this.commits(pg)) return false;
    pg.flush += WRITE_BYTES;
    if (pg === this.b) pg.replay = pg.flush;
    this.acknowledged.push({
      id: `w${this.acknowledged.length}`,
      side: pg.region,
      lsn: pg.flush,
      atMs: this.scheduler.nowMs,
    });
    return true;
  }
  canaryWrite(pg: Postgres): boolean {
    return this.#write(pg);
  }
}
