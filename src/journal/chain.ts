/**
 * The hash chain that ties each journal entry to all before it (invariant 23). PURE.
 */
import { hash as digest } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { EventBody, JournalEntry } from '../model/events.ts';
import { GENESIS_HASH } from '../model/genesis.ts';

/** SHA-256 over the canonical JSON (RFC 8785) of the place, the previous hash and the body. */
export function entryHash(seq: number, previous: string, body: EventBody): string {
  const text = canonicalize(body);
  if (text === undefined) throw new TypeError('an event body must be JSON');
  return textHash(seq, previous, text);
}

/** The same over a body that is canonical JSON already; over any other text it is no entry's hash. */
export const textHash = (seq: number, previous: string, body: string): string =>
  digest('sha256', `{"body":${body},"previous":${JSON.stringify(previous)},"seq":${seq}}`);

const texts = new WeakMap<EventBody, string>();
/** The JSON of a body, which is canonical where {@link seal} made it: then it is written out once and not again. */
export const textOf = (body: EventBody): string => texts.get(body) ?? JSON.stringify(body);

/** Entries for these bodies, following `seq` and `hash` (0 and {@link GENESIS_HASH} for an empty journal). */
export function seal(seq: number, hash: string, bodies: readonly EventBody[]): JournalEntry[] {
  let previous = hash;
  return bodies.map((said, index) => {
    const { body, text } = canonical(said);
    const place = seq + index + 1;
    texts.set(body, text);
    const entry: JournalEntry = { seq: place, previous, hash: textHash(place, previous, text), body };
    previous = entry.hash;
    return entry;
  });
}

/**
 * Text from outside may hold half a surrogate pair, which is no Unicode text: it can be neither hashed canonically nor
 * stored and read back alike, and one such label must not stop the journal. It becomes U+FFFD. A number that JSON can't
 * tell becomes null, as JSON itself writes it: a journal that stops in the middle of a run leaves a service down.
 */
function wellFormed(value: unknown, found: { numbers: boolean }): unknown {
  if (typeof value === 'string') return value.isWellFormed() ? value : value.toWellFormed();
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (value === null || typeof value !== 'object') return value;
  return Array.isArray(value) ? listOf(value, found) : recordOf(value as Readonly<Record<string, unknown>>, found);
}

/** The same list where nothing in it had to change: most of what is said is in order as it came. */
function listOf(list: readonly unknown[], found: { numbers: boolean }): readonly unknown[] {
  let copy: unknown[] | null = null;
  for (let index = 0; index < list.length; index += 1) {
    const part = wellFormed(list[index], found);
    if (copy === null && !Object.is(part, list[index])) copy = list.slice(0, index);
    copy?.push(part);
  }
  return copy ?? list;
}

/** The same record where its keys are in order and nothing in it had to change. Each part is gone through once. */
function recordOf(record: Readonly<Record<string, unknown>>, found: { numbers: boolean }): unknown {
  const keys = Object.keys(record);
  const isInOrder = areInOrder(keys);
  let copy: Record<string, unknown> | null = isInOrder ? null : {};
  if (!isInOrder) keys.sort();
  for (let index = 0; index < keys.length; index += 1) {
    const own = keys[index] as string;
    const value = record[own];
    const key = isPlain(own) ? own : own.toWellFormed();
    if (key !== own || startsWithDigit(key)) found.numbers = true;
    const part = wellFormed(value, found);
    if (copy === null && !Object.is(part, value))
      copy = Object.fromEntries(keys.slice(0, index).map((earlier) => [earlier, record[earlier]]));
    if (copy !== null) put(copy, key, part);
  }
  return copy ?? record;
}

function areInOrder(keys: readonly string[]): boolean {
  let before = '';
  for (let index = 0; index < keys.length; index += 1) {
    const key = keys[index] as string;
    if (!isPlain(key) || (index > 0 && key <= before)) return false;
    before = key;
  }
  return true;
}

const isPlain = (key: string): boolean => key !== '__proto__' && key.isWellFormed();

function put(parts: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__')
    Object.defineProperty(parts, key, { value, enumerable: true, writable: true, configurable: true });
  else parts[key] = value;
}

/** Keys that are numbers come first in an object, in the order of numbers and not of text. */
function startsWithDigit(key: string): boolean {
  const first = key.charCodeAt(0);
  return first >= 0x30 && first <= 0x39;
}

/** Keys are put in order on the way, so that what JSON.stringify writes is canonical but for keys that are numbers. */
function canonical(said: EventBody): { readonly body: EventBody; readonly text: string } {
  const found = { numbers: false };
  const body = wellFormed(said, found) as EventBody;
  const text = found.numbers ? canonicalize(body) : JSON.stringify(body);
  if (text === undefined) throw new TypeError('an event body must be JSON');
  return { body, text };
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
