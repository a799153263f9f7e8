/** A journal on a disk of the simulated world: it outlives the process, and fails on request. */
import { type JournalStore, StoreError } from '../journal/store.ts';
import type { JournalEntry } from '../model/events.ts';

export type AppendFate =
  | 'well'
  | 'killed-before-append'
  | 'killed-after-append'
  | 'append-failed'
  | 'append-failed-late';

export class Disk {
  readonly entries: JournalEntry[] = [];

  /** What one process sees of the disk. `fate` is asked before each append; `crash` ends the process that called. */
  mount(fate: (entries: readonly JournalEntry[]) => AppendFate, crash: () => void): JournalStore {
    const { entries } = this;
    return {
      load: async () => [...entries],
      append: (added) => {
        const what = fate(added);
        const last = entries.at(-1);
        if (added[0] !== undefined && added[0].seq !== (last?.seq ?? 0) + 1)
          return Promise.reject(new StoreError('out-of-order', 'another process appended'));
        if (what === 'well' || what === 'killed-after-append' || what === 'append-failed-late') entries.push(...added);
        if (what === 'killed-before-append' || what === 'killed-after-append') {
          crash();
          return new Promise(() => undefined);
        }
        if (what === 'well') return Promise.resolve();
        return Promise.reject(new StoreError('io', 'the disk failed'));
      },
      close: () => Promise.resolve(),
    };
  }
}
