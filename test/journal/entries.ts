// Entries for tests of the journal: real event kinds, in batches that can be told apart when they are read back.
import fc from 'fast-check';
import { seal } from '../../src/journal/chain.ts';
import type { EventBody, JournalEntry } from '../../src/model/events.ts';
import { GENESIS_HASH } from '../../src/model/genesis.ts';

/** One event of a batch; `why` says which of how many. */
export const batchEvent = (batch: number, index: number, size: number): EventBody => ({
  kind: 'decision.cleared',
  at: batch,
  group: 'shop',
  row: index,
  why: `batch ${batch}: ${index + 1} of ${size}`,
});

export const batchOf = (batch: number, size: number): EventBody[] =>
  Array.from({ length: size }, (_, index) => batchEvent(batch, index, size));

/** Entries behind those given. */
export function behind(entries: readonly JournalEntry[], bodies: readonly EventBody[]): JournalEntry[] {
  const last = entries.at(-1);
  return seal(last?.seq ?? 0, last?.hash ?? GENESIS_HASH, bodies);
}

/** True when no batch was torn: the last entry is the last of its batch. */
export function endsWhole(entries: readonly JournalEntry[]): boolean {
  const body = entries.at(-1)?.body;
  if (body === undefined) return true;
  const [, index, size] = /: (\d+) of (\d+)$/.exec('why' in body ? String(body.why) : '') ?? [];
  return index !== undefined && index === size;
}

/** An event with whatever JSON an actor may have found; its texts hold every kind of character. */
export const anyEvent: fc.Arbitrary<EventBody> = fc
  .record({
    proof: fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue({ stringUnit: 'grapheme', maxDepth: 3 }), {
      maxKeys: 4,
    }),
    at: fc.integer({ min: 0 }),
  })
  .map(({ proof, at }) => ({ kind: 'step.done', at, group: 'shop', run: 'run-1', step: 'promote:db', proof }));
