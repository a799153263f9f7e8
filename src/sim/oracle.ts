/**
 * The oracle: checks the invariants of design §11 against the platform's truth and the disk, after every event and at
 * every effect. It never asks the daemon what it believes.
 */
import { firstBreak } from '../journal/chain.ts';
import type { EventBody, JournalEntry } from '../model/events.ts';
import type { Perform } from '../model/loop.ts';
import { Auditor } from './auditor.ts';
import type { Violation } from './contract.ts';
import { type Phase, PhaseWatch } from './faults.ts';
import { badVantages } from './grounds.ts';
import type { Truth } from './lanes.ts';
import type { Limits } from './limits.ts';
import { A, B, type Platform, W } from './platform.ts';
import { FAILOVER_ROW, WATCHDOG_WITHIN_MS } from './settings.ts';
import type { Disk } from './store.ts';

/** A vantage isolated for this long has seen its control targets fail: its evidence may no longer stand in a decision. */
const ISOLATION_SEEN_MS = 8000;
/** A watchdog that is silent for as long as the config allows is known to be so after this at the latest. */
const WATCHDOG_SEEN_MS = 3000;
/** A region that every vantage could reach all this time is healthy beyond any doubt. */
const HEALTHY_MS = 15_000;

export class Oracle {
  readonly violations: Violation[] = [];
  readonly #platform: Platform;
  readonly #disk: Disk;
  readonly #holdMs: number;
  readonly #cooldownMs: number;
  readonly #phases = new PhaseWatch();
  #judged = 0;
  #highestEpoch = 0;
  #reported = false;
  #openRun: string | null = null;
  #endedAt: number | null = null;
  readonly #epochsOf = new Map<number, string>();
  /** Fence read as off, by run: sim time of the newest read. */
  readonly #fenceRead = new Map<string, number>();
  readonly #epochTakenMs = new Map<string, number>();
  readonly #done = new Map<string, number>();
  /** Steps begun by an earlier life and not read by this one yet. */
  #unread = new Set<string>();
  failedIncarnation = false;
  /** When a place was last connected and truly could not see A. */
  readonly #blindToAMs: Record<typeof B | typeof W, number> = {
    [B]: Number.NEGATIVE_INFINITY,
    [W]: Number.NEGATIVE_INFINITY,
  };
  #doubtedMs = 0;
  /** Since when not every vantage reaches A; null = all do. */
  #doubtedSinceMs: number | null = null;
  #startedMs = 0;
  /** Since when no alert can come, the watchdog's neither; null = they can. */
  blindSinceMs: number | null = null;
  /** Newest look that was taken in, by vantage and target: what a decision stands on (invariant 18). */
  #looks = new Map<string, Truth>();
  /** The cutting off of a vantage that this life was told of, and whether its control target answered since. */
  #toldAlone = new Map<string, { readonly interval: number; readonly back: boolean }>();

  readonly auditor: Auditor;

  constructor(platform: Platform, disk: Disk, holdMs: number, cooldownMs: number, limits: Limits) {
    this.#platform = platform;
    this.#disk = disk;
    this.#holdMs = holdMs;
    this.#cooldownMs = cooldownMs;
    this.auditor = new Auditor(platform, holdMs, limits, (invariant, what) => this.#violate(invariant, what));
  }

  phase(): Phase {
    return this.#phases.now();
  }

  /** The daemon took looks in. */
  delivered(vantage: 'daemon' | 'witness', truths: readonly Truth[]): void {
    for (const truth of truths) {
      if (truth.target !== 'control') {
        if (truth.target.region === A) this.#looks.set(`${vantage}/${truth.target.kind}`, truth);
        continue;
      }
      const told = this.#toldAlone.get(vantage);
      if (truth.verdict === 'bad' && truth.alone > 0)
        this.#toldAlone.set(vantage, { interval: truth.alone, back: false });
      else if (truth.verdict === 'ok' && told !== undefined) this.#toldAlone.set(vantage, { ...told, back: true });
    }
  }

  #violate(invariant: number, what: string): void {
    this.violations.push({ invariant, what, atMs: this.#platform.scheduler.nowMs });
  }

  /** A process came up: whatever is unfinished on disk must be read before it is acted on (invariant 8). */
  started(): void {
    this.failedIncarnation = false;
    this.auditor.started();
    this.#startedMs = this.#platform.scheduler.nowMs;
    this.#looks = new Map();
    this.#toldAlone = new Map();
    this.#unread = new Set();
    const status = new Map<string, boolean>();
    for (const { body } of this.#disk.entries) {
      if (body.kind === 'step.intended') status.set(`${body.run}/${body.step}`, true);
      if (body.kind === 'step.done' || body.kind === 'step.failed') status.delete(`${body.run}/${body.step}`);
    }
    for (const key of status.keys()) this.#unread.add(key);
  }

  /** After every event of the world. */
  look(): void {
    const { a, b } = this.#platform;
    if (this.#platform.commits(a) && this.#platform.commits(b)) this.#violate(1, 'both PostgreSQL can commit');
    const now = this.#platform.scheduler.nowMs;
    const commits = this.#platform.commits(a);
    const [fromB, fromW] = [commits && this.#platform.connected(B, A), commits && this.#platform.connected(W, A)];
    if (!fromB && !this.#platform.alone(B)) this.#blindToAMs[B] = now;
    if (!fromW && !this.#platform.alone(W)) this.#blindToAMs[W] = now;
    if (fromB && fromW) this.#doubtedSinceMs = null;
    else {
      this.#doubtedMs = now;
      this.#doubtedSinceMs ??= now;
    }
    for (; this.#judged < this.#disk.entries.length; this.#judged += 1) {
      const entry = this.#disk.entries[this.#judged];
      if (entry === undefined) continue;
      this.#judge(entry);
      this.auditor.judge(entry);
    }
    this.auditor.look();
  }

  #judge({ body }: JournalEntry): void {
    this.#phases.follow(body, FAILOVER_ROW);
    switch (body.kind) {
      case 'epoch.taken':
        if (body.epoch <= this.#highestEpoch) this.#violate(2, `epoch ${body.epoch} after ${this.#highestEpoch}`);
        if ((this.#epochsOf.get(body.epoch) ?? body.run) !== body.run)
          this.#violate(2, `epoch ${body.epoch} has two holders`);
        this.#epochsOf.set(body.epoch, body.run);
        this.#highestEpoch = body.epoch;
        this.#epochTakenMs.set(body.run, this.#platform.scheduler.nowMs);
        return;
      case 'report.made':
        this.#reported = true;
        return;
      case 'report.cleared':
        this.#reported = false;
        return;
      case 'step.intended':
        // Nothing that can't be taken back is begun while corruption is reported (dr-strategy §3.2).
        if (this.#reported && (body.step === 'fence' || body.step.startsWith('promote')) && body.attempt === 1)
          this.#violate(17, `${body.run} begins ${body.step} while corruption is reported`);
        return;
      case 'run.opened':
        return this.#opened(body);
      case 'run.ended':
        this.#openRun = null;
        this.#endedAt = body.at;
        this.#ended(body);
        return;
      default:
        return;
    }
  }

  #opened(body: Extract<EventBody, { kind: 'run.opened' }>): void {
    if (this.#openRun !== null) this.#violate(12, `${body.run} opened while ${this.#openRun} is open`);
    if (this.#endedAt !== null && body.at - this.#endedAt < this.#cooldownMs)
      this.#violate(12, `${body.run} opened within the cooldown`);
    this.#openRun = body.run;
    const vantages = badVantages(body.decision.signs);
    for (const [place, name] of [
      [B, 'daemon'],
      [W, 'witness'],
    ] as const) {
      if (!vantages.has(name)) continue;
      if (this.#platform.scheduler.nowMs - this.#blindToAMs[place] > this.#holdMs + ISOLATION_SEEN_MS)
        this.#violate(18, `${body.run} stands on ${name}, which never missed the region while it was connected itself`);
      if (this.#platform.aloneForMs(place) > ISOLATION_SEEN_MS)
        this.#violate(18, `${body.run} stands on the isolated vantage ${name}`);
      if (this.#standsOnCutOff(name))
        this.#violate(18, `${body.run} stands on what ${name} began to look at while it was cut off, and it is back`);
    }
    if (body.trigger === 'auto' && this.#wasBlind())
      this.#violate(
        17,
        `${body.run} was opened by nobody, and no alert could have come long before the region was lost`,
      );
    if (this.#platform.scheduler.nowMs - this.#doubtedMs > HEALTHY_MS)
      this.#violate(28, `${body.run} fails a healthy region over`);
  }

  /** The newest look of any of A's components met a cutting off that was told of, and the vantage is known to be back. */
  #standsOnCutOff(name: string): boolean {
    const told = this.#toldAlone.get(name);
    if (told?.back !== true) return false;
    return (['postgres', 'http'] as const).some((kind) => {
      const look = this.#looks.get(`${name}/${kind}`);
      return look?.verdict === 'bad' && look.alone === told.interval;
    });
  }

  /** The watchdog had been silent for long while all was well, so autonomy is gated (design §4). */
  #wasBlind(): boolean {
    const { blindSinceMs } = this;
    if (blindSinceMs === null || this.#doubtedSinceMs === null || this.#startedMs > blindSinceMs) return false;
    return this.#doubtedSinceMs - blindSinceMs > WATCHDOG_WITHIN_MS + WATCHDOG_SEEN_MS;
  }

  #ended(body: Extract<EventBody, { kind: 'run.ended' }>): void {
    const intended = this.#disk.entries.some(
      (e) => e.body.kind === 'step.intended' && e.body.run === body.run && e.body.step.startsWith('promote'),
    );
    const proven = this.#disk.entries.some(
      (e) => e.body.kind === 'step.done' && e.body.run === body.run && e.body.step.startsWith('promote'),
    );
    if (intended && !proven) this.#violate(11, `${body.run} ended with an unresolved promotion`);
    if (proven && this.#platform.b.inRecovery) this.#violate(11, `${body.run} took a promotion for proven that is not`);
    if (body.outcome === 'undone' && this.#done.has(`${body.run}/fence`))
      this.#violate(10, `${body.run} is called undone and the fence was acted on`);
  }

  /** The process asks for an operation. */
  asked(operation: Perform): void {
    if (this.failedIncarnation) this.#violate(14, `${operation.key} after the journal failed`);
    const key = `${operation.run}/${operation.step}`;
    if (!this.#unread.has(key)) return;
    if (operation.operation === 'do') this.#violate(8, `${key} was done again without a read after the crash`);
    if (operation.operation === 'verify' || operation.operation === 'check') this.#unread.delete(key);
    if (operation.operation === 'check')
      this.#violate(8, `${key} was begun anew without being verified after the crash`);
  }

  /** An effect happens to the world, now. */
  effect(operation: Perform): void {
    const { run, step, epoch, attempt } = operation;
    const bodies = this.#disk.entries.map((entry) => entry.body);
    const intent = bodies.find(
      (b) =>
        b.kind === 'step.intended' && b.run === run && b.step === step && b.attempt === attempt && b.epoch === epoch,
    );
    if (intent === undefined) this.#violate(7, `${step} of ${run} has no durable intent`);
    const taken = bodies.findLast((b) => b.kind === 'epoch.taken');
    if (taken?.kind !== 'epoch.taken' || taken.epoch !== epoch || taken.run !== run)
      this.#violate(
        3,
        `${step} acts at epoch ${epoch}, the durable one is ${taken?.kind === 'epoch.taken' ? taken.epoch : 'none'}`,
      );
    const key = `${run}/${step}/${attempt}`;
    if (this.#done.has(key)) this.#violate(9, `${key} happened twice`);
    this.#done.set(key, this.#platform.scheduler.nowMs);
    this.#done.set(`${run}/${step}`, this.#platform.scheduler.nowMs);
    const { a, b } = this.#platform;
    if (operation.stepKind === 'promote') {
      const readMs = this.#fenceRead.get(run);
      if (readMs === undefined || readMs < (this.#epochTakenMs.get(run) ?? Number.POSITIVE_INFINITY))
        this.#violate(4, `${run} promotes without a fence read back after its epoch was taken`);
      if (this.#platform.commits(a)) this.#violate(1, `${run} promotes while the old primary can commit`);
    }
    if (operation.stepKind === 'cutover-dns') {
      const standing = this.#platform.dns.epoch?.epoch ?? 0;
      if (standing > epoch) this.#violate(2, `${run} overwrites epoch ${standing} in DNS with ${epoch}`);
      const row = b.epochs.at(-1);
      if (!this.#platform.commits(b) || row?.epoch !== epoch)
        this.#violate(13, `${run} moves traffic before the database is writable at epoch ${epoch}`);
    }
  }

  fenceRead(operation: Perform): void {
    this.#fenceRead.set(operation.run, this.#platform.scheduler.nowMs);
  }

  /** At the end of a history: the chain adds up. */
  close(): void {
    const broken = firstBreak(this.#disk.entries);
    if (broken !== null) this.#violate(23, broken.why);
  }
}
