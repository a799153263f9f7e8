/**
 * The oracle: checks the invariants of design §11 against the platform's truth and the disk, after every event and at
 * every effect. It never asks the daemon what it believes.
 */
import { firstBreak } from '../journal/chain.ts';
import type { EventOf, JournalEntry } from '../model/events.ts';
import type { Observation } from '../model/evidence.ts';
import type { Perform } from '../model/loop.ts';
import type { LossBracket } from '../model/plan.ts';
import { Delivered } from './delivered.ts';
import { badVantages, FRESH_MS, groundless } from './grounds.ts';
import { A, B, type Place, type Platform, W } from './platform.ts';
import { COOLDOWN_MS } from './settings.ts';
import type { Disk } from './store.ts';

export type Violation = { readonly invariant: number; readonly what: string; readonly atMs: number };

/** A vantage isolated for this long has seen its control targets fail: its evidence may no longer stand in a decision. */
const ISOLATION_SEEN_MS = 8000;
/** A region that every vantage could reach all this time is healthy beyond any doubt. */
const HEALTHY_MS = 15_000;
/** Budget of a step, and how much later than that a page may be queued by a process that listens. */
const STEP_MS = 15_000;
const PAGE_SLACK_MS = 3000;

/** Writes come when they come: more than so much over the 99th percentile of their rate is no chance. */
const RATE_SLACK = 1;
/** No business hours are configured: two roles say yes (design §6). */
const NEEDED = 2;

/** What a person said yes to. */
export type Yes = {
  readonly person: string;
  readonly proposal: string;
  readonly planHash: string;
  readonly nonce: string;
};

export class Oracle {
  readonly violations: Violation[] = [];
  readonly #platform: Platform;
  readonly #disk: Disk;
  readonly #holdMs: number;
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
  readonly isolatedSinceMs = new Map<Place, number>();
  /** When a place was last connected and truly could not see A. */
  readonly #blindToAMs = new Map<Place, number>();
  #doubtedMs = 0;
  readonly delivered = new Delivered();
  readonly #yeses: Yes[] = [];
  readonly #usedNonces = new Set<string>();
  #approved: string | null = null;
  /** A run that goes on by itself and nobody is paged of: for how long it has come no further. */
  #unpaged: { run: string; listenedMs: number } | null = null;
  #lookedMs = 0;
  /** Whether the process is up and not frozen. */
  listens = (): boolean => false;

  constructor(platform: Platform, disk: Disk, holdMs: number) {
    this.#platform = platform;
    this.#disk = disk;
    this.#holdMs = holdMs;
  }

  violate(invariant: number, what: string): void {
    this.violations.push({ invariant, what, atMs: this.#platform.scheduler.nowMs });
  }

  /** A process came up: whatever is unfinished on disk must be read before it is acted on (invariant 8). */
  started(): void {
    this.failedIncarnation = false;
    this.delivered.forget();
    this.#unread = new Set();
    const status = new Map<string, boolean>();
    for (const { body } of this.#disk.entries) {
      if (body.kind === 'step.intended') status.set(`${body.run}/${body.step}`, true);
      if (body.kind === 'step.done' || body.kind === 'step.failed') status.delete(`${body.run}/${body.step}`);
    }
    for (const key of status.keys()) this.#unread.add(key);
  }

  /** The process takes these in now. */
  heard(observations: readonly Observation[]): void {
    this.delivered.take(observations, this.#platform.scheduler.nowMs);
  }

  /** A person says yes; whether the process hears of it is another matter. */
  said(yes: Yes): void {
    this.#yeses.push(yes);
  }

  /** After every event of the world. */
  look(): void {
    const { a, b } = this.#platform;
    if (this.#platform.commits(a) && this.#platform.commits(b)) this.violate(1, 'both PostgreSQL can commit');
    const now = this.#platform.scheduler.nowMs;
    const seen = this.#platform.commits(a) && ([B, W] as const).every((place) => this.#platform.connected(place, A));
    if (!seen) this.#doubtedMs = now;
    for (const place of [B, W] as const) {
      const sees = this.#platform.commits(a) && this.#platform.connected(place, A);
      if (!sees && !this.#platform.alone(place)) this.#blindToAMs.set(place, now);
    }
    for (; this.#judged < this.#disk.entries.length; this.#judged += 1) {
      const entry = this.#disk.entries[this.#judged];
      if (entry !== undefined) this.#judge(entry);
    }
    this.#deadline(now);
  }

  /** Invariant 29: a step that is over its budget is paged by a process that listens, however its wall clock is set. */
  #deadline(now: number): void {
    const passedMs = now - this.#lookedMs;
    this.#lookedMs = now;
    const open = this.#unpaged;
    if (open === null) return;
    if (this.listens()) open.listenedMs += passedMs;
    if (open.listenedMs <= STEP_MS + PAGE_SLACK_MS) return;
    this.#unpaged = null;
    this.violate(
      29,
      `${open.run} has come no further for ${Math.round(open.listenedMs / 1000)} s and nobody was paged`,
    );
  }

  #judge({ body }: JournalEntry): void {
    switch (body.kind) {
      case 'epoch.taken':
        if (body.epoch <= this.#highestEpoch) this.violate(2, `epoch ${body.epoch} after ${this.#highestEpoch}`);
        if ((this.#epochsOf.get(body.epoch) ?? body.run) !== body.run)
          this.violate(2, `epoch ${body.epoch} has two holders`);
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
      case 'proposal.closed':
        this.#approved = body.reason === 'approved' ? body.proposal : null;
        return;
      case 'page.queued':
        if (body.page.kind === 'overdue' || body.page.kind === 'stuck') this.#unpaged = null;
        return;
      case 'step.done':
        this.#unpaged = this.#openRun === null ? null : { run: body.run, listenedMs: 0 };
        if (body.step.startsWith('promote') && this.#platform.b.inRecovery)
          this.violate(11, `${body.run} takes a promotion for proven that is not`);
        return;
      case 'run.paused':
      case 'run.halted':
        this.#unpaged = null;
        if (body.kind === 'run.paused') this.#stopped(body.run);
        return;
      case 'run.aborting':
        this.#stopped(body.run);
        if (body.person === null) this.#calledOff(body.run);
        return;
      case 'step.intended':
        // Nothing that can't be taken back is begun while corruption is reported (dr-strategy §3.2).
        if (this.#reported && (body.step === 'fence' || body.step.startsWith('promote')) && body.attempt === 1)
          this.violate(17, `${body.run} begins ${body.step} while corruption is reported`);
        return;
      case 'run.opened':
        return this.#opened(body);
      case 'run.ended':
        this.#openRun = null;
        this.#unpaged = null;
        this.#endedAt = body.at;
        this.#ended(body);
        return;
      default:
        return;
    }
  }

  #has(run: string, kind: 'step.intended' | 'step.failed', step = ''): boolean {
    return this.#disk.entries.some((e) => e.body.kind === kind && e.body.run === run && e.body.step.startsWith(step));
  }

  #stopped(run: string): void {
    if (this.#has(run, 'step.intended', 'promote')) this.violate(11, `${run} is stopped after its promotion was begun`);
  }

  /** Before the fence only a failed step, a report, or proof that the old side serves undoes a run (design §7). */
  #calledOff(run: string): void {
    if (this.#reported || this.#has(run, 'step.failed')) return;
    if (this.delivered.toldWellAgoMs(this.#platform.scheduler.nowMs) > FRESH_MS)
      this.violate(27, `${run} is called off and nobody told that the region serves`);
  }

  #opened(body: EventOf<'run.opened'>): void {
    if (this.#openRun !== null) this.violate(12, `${body.run} opened while ${this.#openRun} is open`);
    if (this.#endedAt !== null && body.at - this.#endedAt < COOLDOWN_MS)
      this.violate(12, `${body.run} opened within the cooldown`);
    this.#openRun = body.run;
    this.#unpaged = { run: body.run, listenedMs: 0 };
    this.#approve(body);
    const now = this.#platform.scheduler.nowMs;
    const truth = { delivered: this.delivered, nowMs: now, holdMs: this.#holdMs };
    for (const [invariant, what] of groundless(body, truth)) this.violate(invariant, `${body.run} ${what}`);
    const vantages = badVantages(body.decision.signs);
    for (const [place, name] of [
      [B, 'daemon'],
      [W, 'witness'],
    ] as const) {
      const blindMs = this.#blindToAMs.get(place) ?? Number.NEGATIVE_INFINITY;
      if (vantages.has(name) && now - blindMs > this.#holdMs + ISOLATION_SEEN_MS)
        this.violate(18, `${body.run} stands on ${name}, which never missed the region while it was connected itself`);
    }
    for (const [place, sinceMs] of this.isolatedSinceMs) {
      const name = place === B ? 'daemon' : 'witness';
      if (now - sinceMs > ISOLATION_SEEN_MS && vantages.has(name))
        this.violate(18, `${body.run} stands on the isolated vantage ${name}`);
    }
    if (now - this.#doubtedMs > HEALTHY_MS) this.violate(28, `${body.run} fails a healthy region over`);
  }

  /** Invariant 22: what people said yes to, and to nothing else; each yes counts for one run. */
  #approve({ run, trigger, approvals, planHash }: EventOf<'run.opened'>): void {
    const proposal = this.#approved;
    this.#approved = null;
    if (trigger === 'auto') return;
    if (new Set(approvals.map(({ role }) => role)).size < NEEDED) this.violate(22, `${run} has too few approvals`);
    if (new Set(approvals.map(({ person }) => person)).size < approvals.length)
      this.violate(22, `${run} counts one person twice`);
    for (const { person, nonce } of approvals) {
      const said = this.#yeses.some(
        (yes) => yes.nonce === nonce && yes.person === person && yes.proposal === proposal && yes.planHash === planHash,
      );
      if (!said) this.violate(22, `${run} stands on a yes of ${person} that was not said to ${proposal}`);
      if (this.#usedNonces.has(nonce)) this.violate(22, `${run} stands on a yes of ${person} that was used before`);
      this.#usedNonces.add(nonce);
    }
  }

  #ended(body: EventOf<'run.ended'>): void {
    const intended = this.#has(body.run, 'step.intended', 'promote');
    const proven = this.#disk.entries.some(
      (e) => e.body.kind === 'step.done' && e.body.run === body.run && e.body.step.startsWith('promote'),
    );
    if (intended && !proven) this.violate(11, `${body.run} ended with an unresolved promotion`);
    if (proven && this.#platform.b.inRecovery) this.violate(11, `${body.run} took a promotion for proven that is not`);
    if (body.outcome === 'undone' && this.#done.has(`${body.run}/fence`))
      this.violate(10, `${body.run} is called undone and the fence was acted on`);
  }

  /** The process asks for an operation. */
  asked(operation: Perform): void {
    if (this.failedIncarnation) this.violate(14, `${operation.key} after the journal failed`);
    const key = `${operation.run}/${operation.step}`;
    if (!this.#unread.has(key)) return;
    if (operation.operation === 'do') this.violate(8, `${key} was done again without a read after the crash`);
    if (operation.operation === 'verify' || operation.operation === 'check') this.#unread.delete(key);
    if (operation.operation === 'check')
      this.violate(8, `${key} was begun anew without being verified after the crash`);
  }

  /** An effect happens to the world, now. */
  effect(operation: Perform): void {
    const { run, step, epoch, attempt } = operation;
    const bodies = this.#disk.entries.map((entry) => entry.body);
    const intent = bodies.find(
      (b) =>
        b.kind === 'step.intended' && b.run === run && b.step === step && b.attempt === attempt && b.epoch === epoch,
    );
    if (intent === undefined) this.violate(7, `${step} of ${run} has no durable intent`);
    const taken = bodies.findLast((b) => b.kind === 'epoch.taken');
    if (taken?.kind !== 'epoch.taken' || taken.epoch !== epoch || taken.run !== run)
      this.violate(
        3,
        `${step} acts at epoch ${epoch}, the durable one is ${taken?.kind === 'epoch.taken' ? taken.epoch : 'none'}`,
      );
    const key = `${run}/${step}/${attempt}`;
    if (this.#done.has(key)) this.violate(9, `${key} happened twice`);
    this.#done.set(key, this.#platform.scheduler.nowMs);
    this.#done.set(`${run}/${step}`, this.#platform.scheduler.nowMs);
    const { a, b } = this.#platform;
    if (operation.stepKind === 'promote') {
      const readMs = this.#fenceRead.get(run);
      if (readMs === undefined || readMs < (this.#epochTakenMs.get(run) ?? Number.POSITIVE_INFINITY))
        this.violate(4, `${run} promotes without a fence read back after its epoch was taken`);
      if (this.#platform.commits(a)) this.violate(1, `${run} promotes while the old primary can commit`);
    }
    if (operation.stepKind === 'cutover-dns') {
      const standing = this.#platform.dns.epoch?.epoch ?? 0;
      if (standing > epoch) this.violate(2, `${run} overwrites epoch ${standing} in DNS with ${epoch}`);
      const row = b.epochs.at(-1);
      if (!this.#platform.commits(b) || row?.epoch !== epoch)
        this.violate(13, `${run} moves traffic before the database is writable at epoch ${epoch}`);
    }
  }

  fenceRead(operation: Perform): void {
    this.#fenceRead.set(operation.run, this.#platform.scheduler.nowMs);
  }

  /** At the end of a history: the chain adds up, and what is reported as lost is at least what was proven lost. */
  close(): void {
    const broken = firstBreak(this.#disk.entries);
    if (broken !== null) this.violate(23, broken.why);
    for (const { body } of this.#disk.entries) {
      if (body.kind === 'loss.estimated') this.#account(body.run, body.loss);
    }
  }

  /** Invariant 19: the true loss lies within the bracket, of which the upper end is a rate that was measured. */
  #account(run: string, { lowBytes, highBytes }: LossBracket): void {
    const { promotedFlush, a } = this.#platform;
    if (promotedFlush === null || lowBytes === null || highBytes === null) return;
    const lostBytes = Math.max(0, a.flush - promotedFlush);
    if (lowBytes > lostBytes)
      this.violate(19, `${run} says that at least ${lowBytes} bytes are lost; it were ${lostBytes}`);
    if (lostBytes > highBytes * RATE_SLACK)
      this.violate(19, `${run} says that at most ${highBytes} bytes are lost; it were ${lostBytes}`);
  }
}
