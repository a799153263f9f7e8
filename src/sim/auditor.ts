/**
 * Reads the journal as it is written and holds it against what was truly delivered to the daemon, what people said, and
 * what the platform is. It shares no code with what it judges, and asks the daemon nothing (invariants 11, 15, 17, 19, 20,
 * 22, 27, 29).
 */
import type { EventOf, JournalEntry } from '../model/events.ts';
import type { Observation } from '../model/evidence.ts';
import type { LossBracket } from '../model/plan.ts';
import { Delivered } from './delivered.ts';
import { FRESH_MS, groundless } from './grounds.ts';
import type { Limits } from './limits.ts';
import type { Platform } from './platform.ts';

/** How much later than the budget of a step is over a page may be queued by a process that listens. */
const PAGE_SLACK_MS = 3000;
/** Writes come when they come: only more than so much over the 99th percentile of their rate is no chance. */
const RATE_SLACK = 1.25;

/** What a person said yes to. */
export type Yes = {
  readonly person: string;
  readonly proposal: string;
  readonly planHash: string;
  readonly nonce: string;
};

export class Auditor {
  readonly #platform: Platform;
  readonly #holdMs: number;
  readonly #limits: Limits;
  readonly #violate: (invariant: number, what: string) => void;
  readonly #delivered = new Delivered();
  readonly #yeses: Yes[] = [];
  readonly #usedNonces = new Set<string>();
  /** The proposal that was closed as approved just now. */
  #approved: string | null = null;
  #reported = false;
  #openRun: string | null = null;
  /** Of the open run. */
  readonly #promotionsBegun = new Set<string>();
  readonly #failed = new Set<string>();
  /** A run that goes on by itself and nobody is paged of: for how long it has come no further. */
  #unpaged: { readonly run: string; listenedMs: number } | null = null;
  #lookedMs = 0;
  /** Whether the process is up and not frozen. */
  listens = (): boolean => false;

  constructor(platform: Platform, holdMs: number, limits: Limits, violate: (invariant: number, what: string) => void) {
    this.#platform = platform;
    this.#holdMs = holdMs;
    this.#limits = limits;
    this.#violate = violate;
  }

  started(): void {
    this.#delivered.forget();
  }

  /** The process takes these in now. */
  heard(observations: readonly Observation[]): void {
    this.#delivered.take(observations, this.#platform.scheduler.nowMs);
  }

  /** A person says yes; whether the process hears of it is another matter. */
  said(yes: Yes): void {
    this.#yeses.push(yes);
  }

  /** After every event of the world, once its entries are judged. Invariant 29, however the wall clock is set. */
  look(): void {
    const now = this.#platform.scheduler.nowMs;
    const passedMs = now - this.#lookedMs;
    this.#lookedMs = now;
    const open = this.#unpaged;
    if (open === null) return;
    if (this.listens()) open.listenedMs += passedMs;
    if (open.listenedMs <= this.#limits.stepMs + PAGE_SLACK_MS) return;
    this.#unpaged = null;
    this.#violate(
      29,
      `${open.run} has come no further for ${Math.round(open.listenedMs / 1000)} s and nobody was paged`,
    );
  }

  judge({ body }: JournalEntry): void {
    switch (body.kind) {
      case 'report.made':
        this.#reported = true;
        return;
      case 'report.cleared':
        this.#reported = false;
        return;
      case 'proposal.closed':
        this.#approved = body.reason === 'approved' ? body.proposal : null;
        return;
      case 'run.opened':
        this.#openRun = body.run;
        this.#goesOn(body.run);
        return this.#opened(body);
      case 'step.intended':
        if (body.step.startsWith('promote')) this.#promotionsBegun.add(body.run);
        return;
      case 'step.failed':
        this.#failed.add(body.run);
        return;
      case 'step.done':
        this.#goesOn(body.run);
        if (body.step.startsWith('promote') && this.#platform.b.inRecovery)
          this.#violate(11, `${body.run} takes a promotion for proven that is not`);
        return;
      case 'page.queued':
        if (body.page.kind === 'overdue' || body.page.kind === 'stuck') this.#unpaged = null;
        return;
      case 'run.paused':
      case 'run.aborting':
        this.#unpaged = null;
        if (this.#promotionsBegun.has(body.run))
          this.#violate(11, `${body.run} is stopped after its promotion was begun`);
        if (body.kind === 'run.aborting' && body.person === null) this.#calledOff(body.run);
        return;
      case 'run.halted':
        this.#unpaged = null;
        return;
      case 'run.ended':
        this.#openRun = null;
        this.#unpaged = null;
        return;
      case 'loss.estimated':
        return this.#account(body.run, body.loss);
      default:
        return;
    }
  }

  #goesOn(run: string): void {
    this.#unpaged = this.#openRun === null ? null : { run, listenedMs: 0 };
  }

  #opened(body: EventOf<'run.opened'>): void {
    const truth = {
      delivered: this.#delivered,
      nowMs: this.#platform.scheduler.nowMs,
      holdMs: this.#holdMs,
      limits: this.#limits,
    };
    for (const [invariant, what] of groundless(body, truth)) this.#violate(invariant, `${body.run} ${what}`);
    this.#approve(body);
  }

  /** Invariant 22: what people said yes to, and to nothing else; each yes counts for one run. */
  #approve({ run, trigger, approvals, planHash }: EventOf<'run.opened'>): void {
    const proposal = this.#approved;
    this.#approved = null;
    if (trigger === 'auto') return;
    if (new Set(approvals.map(({ role }) => role)).size < this.#limits.roles)
      this.#violate(22, `${run} has too few approvals`);
    if (new Set(approvals.map(({ person }) => person)).size < approvals.length)
      this.#violate(22, `${run} counts one person twice`);
    for (const { person, nonce } of approvals) {
      const said = this.#yeses.some(
        (yes) => yes.nonce === nonce && yes.person === person && yes.proposal === proposal && yes.planHash === planHash,
      );
      if (!said) this.#violate(22, `${run} stands on a yes of ${person} that was not said to ${proposal}`);
      if (this.#usedNonces.has(nonce)) this.#violate(22, `${run} stands on a yes of ${person} that was used before`);
      this.#usedNonces.add(nonce);
    }
  }

  /** Before the fence only a failed step, a report, or proof that the old side serves undoes a run (design §7). */
  #calledOff(run: string): void {
    if (this.#reported || this.#failed.has(run)) return;
    if (this.#delivered.toldWellAgoMs(this.#platform.scheduler.nowMs) > FRESH_MS)
      this.#violate(27, `${run} is called off and nobody told that the region serves`);
  }

  /** Invariant 19: the true loss lies within the bracket, of which the upper end is a rate that was measured. */
  #account(run: string, { lowBytes, highBytes }: LossBracket): void {
    const { promotedFlush, a } = this.#platform;
    if (promotedFlush === null) return;
    const lostBytes = Math.max(0, a.flush - promotedFlush);
    if (lowBytes !== null && lowBytes > lostBytes)
      this.#violate(19, `${run} says that at least ${lowBytes} bytes are lost; it were ${lostBytes}`);
    if (highBytes !== null && lostBytes > highBytes * RATE_SLACK)
      this.#violate(19, `${run} says that at most ${highBytes} bytes are lost; it were ${lostBytes}`);
  }
}
