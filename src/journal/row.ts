/**
 * An entry as a store keeps it: the body as text. Every store takes and gives entries through here, so that all of them
 * refuse the same ones and none hands out what its caller can still change. PURE.
 */
import type { JournalEntry } from '../model/events.ts';
import { GENESIS_HASH } from '../model/genesis.ts';
import { entryHash, textHash, textOf } from './chain.ts';
import { StoreError } from './store.ts';

export type Row = {
  readonly seq: number;
  readonly previous: string;
  readonly hash: string;
  /** JSON. */
  readonly body: string;
};

/** Where the next entry goes: right behind this one. */
export type Place = { readonly seq: number; readonly hash: string };
export const BEGINNING: Place = { seq: 0, hash: GENESIS_HASH };

export const toRow = ({ seq, previous, hash, body }: JournalEntry): Row => ({
  seq,
  previous,
  hash,
  body: textOf(body),
});

/** Throws `corrupt` when the body is not JSON: somebody else wrote it. */
export function toEntry({ seq, previous, hash, body }: Row): JournalEntry {
  try {
    return { seq, previous, hash, body: JSON.parse(body) };
  } catch (cause) {
    throw new StoreError('corrupt', `entry ${seq} is not JSON`, { cause });
  }
}

/**
 * Why these rows may not be written behind `last`, or null. Besides their order it asks for the right hash: a journal
 * that would not load again must never come to be.
 */
export function refusal(last: Place, rows: readonly Row[]): StoreError | null {
  let { seq, hash } = last;
  for (const row of rows) {
    if (row.seq !== seq + 1 || row.previous !== hash) {
      const why = `entry ${row.seq} does not follow entry ${seq}, the last one: somebody else wrote, or this one is behind`;
      return new StoreError('out-of-order', why);
    }
    if (!isSealed(row)) return new StoreError('corrupt', `entry ${row.seq} was not written: its hash is not its own`);
    ({ seq, hash } = row);
  }
  return null;
}

function isSealed(row: Row): boolean {
  // What was sealed here is canonical as it stands; anything else is brought into that form first.
  if (textHash(row.seq, row.previous, row.body) === row.hash) return true;
  try {
    return entryHash(row.seq, row.previous, toEntry(row).body) === row.hash;
  } catch {
    // What has no canonical form has no hash either.
    return false;
  }
}
