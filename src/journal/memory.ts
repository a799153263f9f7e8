/**
 * The journal in memory, for tests and the simulator: the same contract, on a disk that survives a crash of the process
 * and that fails when its world says so.
 */
import type { JournalEntry } from '../model/events.ts';
import { firstBreak } from './chain.ts';
import { BEGINNING, type Row, refusal, toEntry, toRow } from './row.ts';
import { type JournalStore, StoreError } from './store.ts';

/** What outlives a process. */
export type MemoryDisk = {
  readonly rows: Row[];
  /** Whoever has the lock. */
  holder: object | null;
};

export const memoryDisk = (entries: readonly JournalEntry[] = []): MemoryDisk => ({
  rows: entries.map(toRow),
  holder: null,
});

/** The process ended without a word: its lock is free, and nothing it still has under way reaches the disk. */
export function crashMemoryDisk(disk: MemoryDisk): void {
  disk.holder = null;
}

/** What happens to one append. */
export type MemoryFault =
  /** Nothing is written. After `io` the store is done for, after `full` it may be tried again. */
  | { readonly kind: 'fail'; readonly code: 'full' | 'io' }
  /** Everything is written and `io` is told: the caller must not take it for unwritten. */
  | { readonly kind: 'apply-then-fail' }
  /** The answer, and the writing unless `applied`, wait for `until`; without it for ever. */
  | { readonly kind: 'hang'; readonly applied: boolean; readonly until?: Promise<unknown> };

export type MemoryJournalOptions = {
  readonly disk?: MemoryDisk;
  /** Asked once for every append that is in order; null lets it pass. */
  readonly fault?: (entries: readonly JournalEntry[]) => MemoryFault | null;
};

const forever = new Promise<never>(() => undefined);

/** Rejects with `locked` when the disk is in use. */
export async function openMemoryJournal(options: MemoryJournalOptions = {}): Promise<JournalStore> {
  const { disk = memoryDisk(), fault = () => null } = options;
  if (disk.holder !== null) {
    throw new StoreError('locked', 'this disk belongs to another failoverd that is running; close that one first');
  }
  const me = {};
  disk.holder = me;
  let closed = false;
  let broken: StoreError | null = null;
  /** Appends go one after the other, as on a real disk. */
  let queue: Promise<unknown> = Promise.resolve();

  const mustWork = (): void => {
    if (closed) throw new StoreError('closed', 'the journal is closed');
    if (broken !== null) throw broken;
  };
  const mustBeMine = (): void => {
    if (disk.holder !== me) throw new StoreError('io', 'the process that had this disk is gone');
  };
  const write = (rows: readonly Row[]): void => {
    mustBeMine();
    disk.rows.push(...rows);
  };
  const fail = (code: 'full' | 'io'): StoreError => {
    const error = new StoreError(code, code === 'full' ? 'the disk is full' : 'the disk failed');
    if (code === 'io') broken = error;
    return error;
  };

  const append = async (entries: readonly JournalEntry[], rows: readonly Row[]): Promise<void> => {
    if (broken !== null) throw broken;
    mustBeMine();
    const refused = refusal(disk.rows.at(-1) ?? BEGINNING, rows);
    if (refused !== null) throw refused;
    const happens = fault(entries);
    switch (happens?.kind) {
      case undefined:
        return write(rows);
      case 'fail':
        throw fail(happens.code);
      case 'apply-then-fail':
        write(rows);
        throw fail('io');
      case 'hang':
        if (happens.applied) write(rows);
        await (happens.until ?? forever);
        if (!happens.applied) write(rows);
        return mustBeMine();
      default:
        return happens satisfies never;
    }
  };

  const inTurn = <T>(act: () => T | Promise<T>): Promise<T> => {
    const mine = queue.then(act);
    queue = mine.catch(() => undefined);
    return mine;
  };

  return {
    load: async () => {
      mustWork();
      return inTurn(() => {
        mustBeMine();
        const entries = disk.rows.map(toEntry);
        const found = firstBreak(entries);
        if (found !== null) throw new StoreError('corrupt', found.why);
        return entries;
      });
    },
    append: async (entries) => {
      mustWork();
      if (entries.length === 0) return;
      const rows = entries.map(toRow);
      await inTurn(() => append(entries, rows));
    },
    close: async () => {
      if (closed) return;
      closed = true;
      await queue;
      if (disk.holder === me) disk.holder = null;
    },
  };
}
