/** The journal's file, with bits turned and ends cut off: refused, or what it says is what was written (invariant 23). */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import canonicalize from 'canonicalize';
import fc from 'fast-check';
import { openSqliteJournal } from '../../src/journal/sqlite.ts';
import { StoreError } from '../../src/journal/store.ts';
import { batchOf, behind } from '../journal/entries.ts';
import { type FuzzTarget, must } from './target.ts';

const ENTRIES = 60;

const damage = fc.oneof(
  fc.record({ how: fc.constant('flip'), at: fc.nat({ max: 10_000_000 }), bit: fc.nat({ max: 7 }) }),
  fc.record({ how: fc.constant('cut'), at: fc.nat({ max: 10_000_000 }), bit: fc.constant(0) }),
  fc.record({ how: fc.constant('zero'), at: fc.nat({ max: 10_000_000 }), bit: fc.constant(0) }),
);

export const files: FuzzTarget = {
  name: 'journal files',
  weight: 0.1,
  async prepare() {
    const folder = mkdtempSync(join(tmpdir(), 'failoverd-fuzz-'));
    const whole = join(folder, 'whole');
    mkdirSync(whole);
    const entries = behind([], batchOf(1, ENTRIES));
    const first = await openSqliteJournal({ dir: whole });
    await first.append(entries);
    await first.close();
    const bytes = readFileSync(join(whole, 'journal.db'));
    let count = 0;
    return {
      property: fc.asyncProperty(fc.array(damage, { minLength: 1, maxLength: 3 }), async (damages) => {
        count += 1;
        const dir = join(folder, `${count}`);
        mkdirSync(dir);
        copyFileSync(join(whole, 'journal.db'), join(dir, 'journal.db'));
        let damaged = Buffer.from(bytes);
        for (const { how, at, bit } of damages) {
          const place = damaged.length === 0 ? 0 : at % damaged.length;
          if (how === 'cut') damaged = damaged.subarray(0, place);
          else if (how === 'zero') damaged.fill(0, place, Math.min(damaged.length, place + 512));
          else if (damaged.length > 0) damaged[place] = (damaged[place] ?? 0) ^ (1 << bit);
        }
        writeFileSync(join(dir, 'journal.db'), damaged);
        try {
          const store = await openSqliteJournal({ dir });
          try {
            const loaded = await store.load();
            const same = canonicalize(loaded) === canonicalize(entries.slice(0, loaded.length));
            must(same, () => 'a damaged file was taken for a whole one');
            // A file without a byte is what a first start leaves that was killed at once: a new journal.
            const whole = loaded.length === ENTRIES || (loaded.length === 0 && damaged.length === 0);
            must(whole, () => `${loaded.length} of ${ENTRIES} entries were left`);
          } finally {
            await store.close();
          }
        } catch (error) {
          if (!(error instanceof StoreError)) throw error;
        } finally {
          rmSync(dir, { recursive: true, force: true });
        }
      }),
      close: async () => rmSync(folder, { recursive: true, force: true }),
    };
  },
};
