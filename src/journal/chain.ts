/**
 * The hash chain that ties each journal entry to all before it (invariant 23). PURE.
 */
import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { EventBody, JournalEntry } from '../model/events.ts';
import { GENESIS_HASH } from '../model/genesis.ts';

/** SHA-256 over the canonical JSON (RFC 8785) of the place, the previous hash and the body. */
export function entryHash(seq: number, previous: string, body: EventBody): string {
  const text = canonicalize({ seq, previous, body });
  if (text === undefined) throw new TypeError('an event body must be JSON');
  return createHash('sha256').update(text).digest('hex');
}

/** Entries for these bodies, following `seq` and `hash` (0 and {@link GENESIS_HASH} for an empty journal). */
export function seal(seq: number, hash: string, bodies: readonly EventBody[]): JournalEntry[] {
  let previous = hash;
  return bodies.map((said, index) => {
    const body = wellFormed(said) as EventBody;
    const place = seq + index + 1;
    const entry: JournalEntry = { seq: place, previous, hash: entryHash(place, previous, body), body };
    previous = entry.hash;
    return entry;
  });
}

/**
 * Text from outside may hold half a surrogate pair, which is no Unicode text: it can be neither hashed canonically nor
 * stored and read back alike, and one such label must not stop the journal. It becomes U+FFFD. A number that JSON can't
 * tell becomes null, as JSON itself writes it: a journal that stops in the middle of a run leaves a service down.
 */
function wellFormed(value: unknown): unknown {
  if (typeof value === 'string') return value.toWellFormed();
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (Array.isArray(value)) return value.map(wellFormed);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key.toWellFormed(), wellFormed(part)]));
}

/** The first place where the chain does not add up, or null. */
export function firstBreak(entries: readonly JournalEntry[]): { readonly seq: number; readonly why: string } | null {
  let previous = GENESIS_HASH;
  for (const [index, entry] of entries.entries()) {
    if (entry.seq !== index + 1)
      return { seq: index + 1, why: `entry ${index + 1} is missing; ${entry.seq} stands in its place` };
    if (entry.previous !== previous)
      return { seq: entry.seq, why: `entry ${entry.seq} does not follow the one before it` };
    if (entryHash(entry.seq, entry.previous, entry.body) !== entry.hash)
      return { seq: entry.seq, why: `entry ${entry.seq} was changed after it was written` };
    previous = entry.hash;
  }
  return null;
}
