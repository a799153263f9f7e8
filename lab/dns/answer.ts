import type { RecordSet, RecordType, Zone, ZoneSource } from './model.ts';
import { isAtOrBelow, normaliseName, parentOf } from './names.ts';
import { parseRdata, type Rdata } from './rdata.ts';
import { chooseSets, maxAliasDepth, recordSetsAt } from './routing.ts';

/** One record of an answer; `name` is in zone form (lower case, trailing dot). */
export interface AnswerRecord {
  readonly name: string;
  readonly type: RecordType;
  readonly ttlSeconds: number;
  readonly rdata: Rdata;
}

export interface Answer {
  readonly rcode: 'NOERROR' | 'NXDOMAIN' | 'SERVFAIL' | 'REFUSED';
  readonly authoritative: boolean;
  readonly answers: readonly AnswerRecord[];
  /** The SOA for NODATA and NXDOMAIN (its TTL is how long the absence may be cached, RFC 2308), or a referral's NS. */
  readonly authority: readonly AnswerRecord[];
}

const maxCnameChain = 8;
const refused: Answer = { rcode: 'REFUSED', authoritative: false, answers: [], authority: [] };

function toRecords(set: RecordSet, owner: string): AnswerRecord[] {
  return (set.values ?? []).flatMap((value) => {
    const parsed = parseRdata(set.type, value);
    return parsed.ok ? [{ name: owner, type: set.type, ttlSeconds: set.ttlSeconds ?? 0, rdata: parsed.rdata }] : [];
  });
}

/** Answers with the records of the chosen sets; an alias answers with its target's records under its own name. */
function resolveSets(
  source: ZoneSource,
  sets: readonly RecordSet[],
  owner: string,
  draw: () => number,
  depth = 0,
): AnswerRecord[] {
  return chooseSets(source, sets, draw).flatMap((set) => {
    if (set.alias === undefined) return toRecords(set, owner);
    if (depth >= maxAliasDepth) return [];
    const targets = recordSetsAt(source, set.alias.hostedZoneId, set.alias.dnsName, set.type);
    return resolveSets(source, targets, owner, draw, depth + 1);
  });
}

function zoneOf(source: ZoneSource, name: string): Zone | null {
  const enclosing = source.zones().filter((zone) => isAtOrBelow(name, zone.name));
  return enclosing.sort((left, right) => right.name.length - left.name.length)[0] ?? null;
}

function startOfAuthority(zone: Zone): AnswerRecord[] {
  const soa = zone.records.find((set) => set.type === 'SOA' && set.name === zone.name);
  if (soa === undefined) return [];
  return toRecords(soa, zone.name).map((record) => ({
    ...record,
    ttlSeconds: Math.min(record.ttlSeconds, record.rdata.minimum ?? record.ttlSeconds),
  }));
}

/** The NS set of the nearest delegation at or above `name`, below the apex: that subtree is somebody else's. */
function delegationFor(zone: Zone, name: string): RecordSet | null {
  const cuts = zone.records.filter((set) => set.type === 'NS' && set.name !== zone.name && isAtOrBelow(name, set.name));
  return cuts.sort((left, right) => left.name.length - right.name.length)[0] ?? null;
}

interface Located {
  readonly exists: boolean;
  readonly sets: readonly RecordSet[];
}

/** The sets at a name, or those a wildcard lends it; a name with records only below it exists and is empty (RFC 4592). */
function locate(zone: Zone, name: string): Located {
  const exact = zone.records.filter((set) => set.name === name);
  if (exact.length > 0) return { exists: true, sets: exact };
  const exists = (candidate: string) => zone.records.some((set) => isAtOrBelow(set.name, candidate));
  if (exists(name)) return { exists: true, sets: [] };
  let encloser = parentOf(name);
  while (encloser !== null && encloser !== zone.name && !exists(encloser)) encloser = parentOf(encloser);
  const wildcard = encloser === null ? [] : zone.records.filter((set) => set.name === `\\052.${encloser}`);
  return { exists: wildcard.length > 0, sets: wildcard };
}

/** What an authoritative server holding `source` answers. `draw` gives a number in [0, 1) for weighted routing. */
export function answerQuestion(source: ZoneSource, question: string, type: string, draw: () => number): Answer {
  const answers: AnswerRecord[] = [];
  let name = normaliseName(question);
  for (let hop = 0; hop <= maxCnameChain; hop += 1) {
    const zone = zoneOf(source, name);
    if (zone === null) return hop === 0 ? refused : { rcode: 'NOERROR', authoritative: true, answers, authority: [] };
    const cut = delegationFor(zone, name);
    if (cut !== null) {
      return { rcode: 'NOERROR', authoritative: answers.length > 0, answers, authority: toRecords(cut, cut.name) };
    }
    const { exists, sets } = locate(zone, name);
    const found = resolveSets(
      source,
      sets.filter((set) => set.type === type),
      name,
      draw,
    );
    if (found.length > 0) {
      return { rcode: 'NOERROR', authoritative: true, answers: [...answers, ...found], authority: [] };
    }
    const cname = resolveSets(
      source,
      sets.filter((set) => set.type === 'CNAME'),
      name,
      draw,
    )[0];
    if (cname?.rdata.domain === undefined) {
      const rcode = exists ? 'NOERROR' : 'NXDOMAIN';
      return { rcode, authoritative: true, answers, authority: startOfAuthority(zone) };
    }
    answers.push(cname);
    name = normaliseName(cname.rdata.domain);
  }
  return { rcode: 'SERVFAIL', authoritative: true, answers: [], authority: [] };
}
