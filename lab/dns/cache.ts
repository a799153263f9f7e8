import type { AnswerRecord } from './answer.ts';
import type { Rcode, Response } from './message.ts';
import { normaliseName } from './names.ts';

/**
 * What a recursive resolver remembers: record sets one by one, each for its own TTL, so that a changed CNAME is not
 * seen before the CNAME's own TTL is over, however short its target's is; and absences (RFC 2308), NXDOMAIN for
 * every type of a name, NODATA for one.
 */

export interface CachedRecords {
  readonly kind: 'records';
  readonly records: readonly AnswerRecord[];
}

export interface CachedAbsence {
  readonly kind: 'absence';
  readonly rcode: Rcode;
  readonly soa: readonly AnswerRecord[];
}

type Entry = (CachedRecords | CachedAbsence) & { readonly expiresAtMs: number };

export interface CacheOptions {
  /** Milliseconds on any clock that doesn't go back. */
  readonly now: () => number;
  /** The least time an entry is kept, whatever its TTL says: a resolver that doesn't respect short TTLs. */
  readonly floorSeconds: number;
}

export interface DnsCache {
  get(name: string, type: string): CachedRecords | CachedAbsence | null;
  store(name: string, type: string, response: Response): void;
  flush(): void;
  size(): number;
}

const keyOf = (name: string, type: string) => `${name}|${type}`;
const everyType = '*';

export function createCache({ now, floorSeconds }: CacheOptions): DnsCache {
  const entries = new Map<string, Entry>();

  function put(key: string, entry: CachedRecords | CachedAbsence, ttlSeconds: number): void {
    const keptSeconds = Math.max(ttlSeconds, floorSeconds);
    // TTL 0 means: use it for this answer only.
    if (keptSeconds > 0) entries.set(key, { ...entry, expiresAtMs: now() + keptSeconds * 1000 });
  }

  function live(key: string): Entry | null {
    const entry = entries.get(key);
    if (entry === undefined) return null;
    if (entry.expiresAtMs > now()) return entry;
    entries.delete(key);
    return null;
  }

  const aged = (records: readonly AnswerRecord[], entry: Entry) =>
    records.map((record) => ({
      ...record,
      ttlSeconds: Math.max(0, Math.ceil((entry.expiresAtMs - now()) / 1000)),
    }));

  return {
    get(name, type) {
      const entry = live(keyOf(name, type)) ?? live(keyOf(name, everyType));
      if (entry === null) return null;
      return entry.kind === 'records'
        ? { kind: 'records', records: aged(entry.records, entry) }
        : { kind: 'absence', rcode: entry.rcode, soa: aged(entry.soa, entry) };
    },
    store(name, type, response) {
      const groups = Map.groupBy(response.answers, (record) => keyOf(record.name, record.type));
      for (const [key, records] of groups) {
        put(key, { kind: 'records', records }, Math.min(...records.map((record) => record.ttlSeconds)));
      }
      const end = endOfChain(name, type, response.answers);
      if (end.found || (response.rcode !== 'NOERROR' && response.rcode !== 'NXDOMAIN')) return;
      const soa = response.authority.filter((record) => record.type === 'SOA');
      // No SOA, no caching of the absence: RFC 2308 §5.
      if (soa.length === 0) return;
      const key = keyOf(end.name, response.rcode === 'NXDOMAIN' ? everyType : type);
      put(key, { kind: 'absence', rcode: response.rcode, soa }, Math.min(...soa.map((record) => record.ttlSeconds)));
    },
    flush: () => entries.clear(),
    size: () => entries.size,
  };
}

/** Follows the CNAMEs of an answer: the name they end at, and whether the type asked for stands there. */
export function endOfChain(
  question: string,
  type: string,
  answers: readonly AnswerRecord[],
): { readonly name: string; readonly found: boolean } {
  let name = question;
  for (let hop = 0; hop <= answers.length; hop += 1) {
    if (answers.some((record) => record.name === name && record.type === type)) return { name, found: true };
    const cname = answers.find((record) => record.name === name && record.type === 'CNAME');
    if (cname?.rdata.domain === undefined) break;
    name = normaliseName(cname.rdata.domain);
  }
  return { name, found: false };
}
