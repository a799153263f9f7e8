/** What a history of the whole world cost, by what is true of its platform and what stands on its disk. */
import { foldAll } from '../journal/fold.ts';
import type { JournalEntry } from '../model/events.ts';
import { EMPTY_LEDGER } from '../model/ledger.ts';
import type { HistoryReport } from './contract.ts';
import { A, type Platform } from './platform.ts';
import { GROUP } from './vantages.ts';

/** Who served clients this short a time before it was fenced was fenced while it served. */
const SERVED_MS = 1000;

export class Measured {
  readonly #platform: Platform;
  /** Clients were last served by A. */
  #servedMs = 0;
  #unneeded: boolean | null = null;

  constructor(platform: Platform) {
    this.#platform = platform;
  }

  /** Before something happens. */
  before(): void {
    const { scheduler, a } = this.#platform;
    if (this.#platform.commits(a) && this.#platform.connected('internet', A)) this.#servedMs = scheduler.nowMs;
  }

  /** After it has: was the old side fenced by it, and had it been of use? */
  after(): void {
    const { fencedAtMs } = this.#platform;
    if (fencedAtMs !== null && this.#unneeded === null) this.#unneeded = fencedAtMs - this.#servedMs < SERVED_MS;
  }

  all(entries: readonly JournalEntry[]): NonNullable<HistoryReport['measured']> {
    const { promotedAtMs, promotedFlush, acknowledged } = this.#platform;
    const bodies = entries.map(({ body }) => body);
    const people = bodies.some(
      ({ kind }) => kind === 'proposal.opened' || kind === 'run.paused' || kind === 'run.halted',
    );
    const run = foldAll(EMPTY_LEDGER, entries).groups[GROUP]?.ended.find(({ promoted }) => promoted);
    const acted = bodies.some(({ kind }) => kind === 'proposal.opened' || kind === 'run.opened');
    // Where nothing was decided nobody was needed, and nothing was moved.
    const needed = acted ? { people: people ? 1 : 0, unneeded: this.#unneeded === true ? 1 : 0 } : {};
    if (promotedAtMs === null || promotedFlush === null) return needed;
    const lost = acknowledged.filter(({ side, lsn }) => side === A && lsn > promotedFlush);
    const [first] = lost;
    const lostMs = first === undefined ? 0 : (lost.at(-1)?.atMs ?? first.atMs) - first.atMs;
    const loss = { ...needed, lostWrites: lost.length, lostMs };
    if (run === undefined || run.outcome !== 'verified') return loss;
    const { decidedAt, verifiedAt } = run.clocks;
    const proposed = bodies.findLast(({ kind, at }) => kind === 'proposal.opened' && at <= decidedAt);
    return {
      ...loss,
      ...(verifiedAt === null ? {} : { verifiedMs: verifiedAt - decidedAt }),
      ...(proposed === undefined ? {} : { peopleMs: decidedAt - proposed.at }),
    };
  }
}
