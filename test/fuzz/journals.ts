/** A journal that was cut, edited or reordered is refused, or says exactly what it said (invariant 23). */
import canonicalize from 'canonicalize';
import fc from 'fast-check';
import { foldAll } from '../../src/journal/fold.ts';
import { memoryDisk, openMemoryJournal } from '../../src/journal/memory.ts';
import { type Row, toEntry } from '../../src/journal/row.ts';
import { StoreError } from '../../src/journal/store.ts';
import { EMPTY_LEDGER } from '../../src/model/ledger.ts';
import { alert, BEARER, bearer, payload, TOKENS } from '../daemon/http/harness.ts';
import { begin } from './answering.ts';
import { type FuzzTarget, must } from './target.ts';

/** A journal as the daemon writes it. */
async function written(): Promise<readonly Row[]> {
  const { h, close } = await begin();
  for (let i = 0; i < 6; i += 1)
    await h.post('/webhooks/alertmanager', payload([alert({ fingerprint: `${i}`.padStart(16, '0') })]), bearer(BEARER));
  await h.post('/api/v1/groups/orders/reports', { report: 'corruption', what: 'sums' }, bearer(TOKENS.ann));
  const rows = structuredClone(h.disk.rows);
  await close();
  return rows;
}

const damage = fc.record({
  how: fc.constantFrom('flip', 'cut', 'drop', 'swap', 'double', 'renumber'),
  row: fc.nat({ max: 1_000 }),
  other: fc.nat({ max: 1_000 }),
  field: fc.nat({ max: 100 }),
  at: fc.nat({ max: 100_000 }),
  bit: fc.nat({ max: 6 }),
});

export const journals: FuzzTarget = {
  name: 'journals',
  weight: 3,
  async prepare() {
    const rows = await written();
    return {
      property: fc.asyncProperty(fc.array(damage, { minLength: 1, maxLength: 2 }), async (damages) => {
        const damaged: Row[] = structuredClone([...rows]);
        for (const one of damages) harm(damaged, one);
        const disk = memoryDisk();
        disk.rows.push(...damaged);
        const store = await openMemoryJournal({ disk });
        try {
          const entries = await store.load();
          foldAll(EMPTY_LEDGER, entries);
          // A journal whose end is gone holds a beginning of what it said; that it ended there, no chain can know.
          const same = canonicalize(entries) === canonicalize(rows.slice(0, entries.length).map(toEntry));
          must(same, () => 'a damaged journal was taken for a whole one');
        } catch (error) {
          if (!(error instanceof StoreError)) throw error;
        } finally {
          await store.close();
        }
      }),
      close: async () => undefined,
    };
  },
};

type Damage = typeof damage extends fc.Arbitrary<infer D> ? D : never;

function harm(rows: Row[], { how, row, other, field, at, bit }: Damage): void {
  const index = row % rows.length;
  const one = rows[index];
  const another = rows[other % rows.length];
  if (one === undefined || another === undefined) return;
  if (how === 'drop') rows.splice(index, 1);
  else if (how === 'double') rows.splice(index, 0, structuredClone(one));
  else if (how === 'cut') rows.length = Math.max(1, index);
  else if (how === 'swap') [rows[index], rows[other % rows.length]] = [another, one];
  else if (how === 'renumber') rows[index] = { ...one, seq: one.seq + 1 + (other % 3) };
  else {
    const names = Object.keys(one).filter((name) => typeof one[name as keyof Row] === 'string');
    const name = names[field % names.length];
    if (name === undefined) return;
    const text = String(one[name as keyof Row]);
    const place = at % Math.max(1, text.length);
    const flipped = String.fromCharCode(text.charCodeAt(place) ^ (1 << bit));
    rows[index] = { ...one, [name]: text.slice(0, place) + flipped + text.slice(place + 1) } as Row;
  }
}
