import type { RecordSet } from '../dns/model.ts';
import { isAtOrBelow, nameProblem } from '../dns/names.ts';
import { parseRdata } from '../dns/rdata.ts';
import type { Change } from './changes.ts';

/**
 * A change batch against a zone: all of it or nothing, every complaint told. Pure: it gives the zone's next records,
 * or the messages of the InvalidChangeBatch error. Changes are taken in the order they are written, so that a DELETE
 * makes room for the CREATE after it; the real service promises no more than that either.
 */

export type RecordKey = `${string}|${string}|${string}`;
export type Records = ReadonlyMap<RecordKey, RecordSet>;

export interface BatchZone {
  readonly name: string;
  readonly records: Records;
}

export type BatchResult =
  | { readonly ok: true; readonly records: Records }
  | { readonly ok: false; readonly messages: readonly string[] };

const maxRecords = 1000;
const maxValueCharacters = 32_000;

export const keyOf = (set: RecordSet): RecordKey => `${set.name}|${set.type}|${set.setIdentifier ?? ''}`;

export function toRecords(sets: readonly RecordSet[]): Records {
  return new Map(sets.map((set) => [keyOf(set), set]));
}

function label(set: RecordSet): string {
  const identifier = set.setIdentifier === undefined ? '' : `, set-identifier='${set.setIdentifier}'`;
  return `[name='${set.name}', type='${set.type}'${identifier}]`;
}

/** An UPSERT counts twice, as a deletion and a creation. */
function overLimits(changes: readonly Change[]): string[] {
  const weighed = changes.map(({ action, set }) => ({ factor: action === 'UPSERT' ? 2 : 1, values: set.values ?? [] }));
  const records = weighed.reduce((sum, { factor, values }) => sum + factor * Math.max(1, values.length), 0);
  const characters = weighed.reduce((sum, { factor, values }) => sum + factor * values.join('').length, 0);
  return [
    ...(records > maxRecords ? [`Number of records limit of ${maxRecords} exceeded.`] : []),
    ...(characters > maxValueCharacters ? [`Number of characters limit of ${maxValueCharacters} exceeded.`] : []),
  ];
}

/** One set may be touched once, or deleted and then created again: nothing else has one meaning in a transaction. */
function touchedTwice(changes: readonly Change[]): string[] {
  const groups = Map.groupBy(changes, ({ set }) => keyOf(set));
  return [...groups.values()].flatMap((group) => {
    const actions = group.map(({ action }) => action).join(' then ');
    const set = group[0]?.set;
    if (group.length === 1 || actions === 'DELETE then CREATE' || set === undefined) return [];
    return [`The request contains an invalid set of changes for a resource record set '${set.type} ${set.name}'`];
  });
}

const sameValues = (left: readonly string[] = [], right: readonly string[] = []) =>
  left.length === right.length && [...left].sort().every((value, at) => value === [...right].sort()[at]);

/** A DELETE must say all that the set is; the order of its values doesn't count. */
function matches(current: RecordSet, named: RecordSet): boolean {
  const fields = ['ttlSeconds', 'weight', 'failover', 'region', 'multiValueAnswer', 'healthCheckId'] as const;
  const sameAlias =
    current.alias?.hostedZoneId === named.alias?.hostedZoneId &&
    current.alias?.dnsName === named.alias?.dnsName &&
    current.alias?.evaluateTargetHealth === named.alias?.evaluateTargetHealth;
  return (
    sameAlias && sameValues(current.values, named.values) && fields.every((field) => current[field] === named[field])
  );
}

type Policy = 'simple' | 'weighted' | 'failover' | 'latency' | 'multivalue answer';

function policyOf(set: RecordSet): Policy {
  if (set.weight !== undefined) return 'weighted';
  if (set.failover !== undefined) return 'failover';
  if (set.region !== undefined) return 'latency';
  return set.multiValueAnswer === undefined ? 'simple' : 'multivalue answer';
}

function valueProblems(set: RecordSet): string[] {
  const values = set.values ?? [];
  const illegal = values.flatMap((value) => {
    const parsed = parseRdata(set.type, value);
    return parsed.ok ? [] : [`Invalid Resource Record: 'FATAL problem: ${parsed.problem}'`];
  });
  const repeated = values.filter((value, at) => values.indexOf(value) !== at);
  return [
    ...illegal,
    ...repeated.map((value) => `Duplicate Resource Record: '${value}'`),
    ...(values.length > 1 && (set.type === 'CNAME' || set.type === 'SOA')
      ? [`Invalid Resource Record: 'FATAL problem: TooManyRecords (${set.type} takes one value)'`]
      : []),
  ];
}

/** A CNAME stands alone at its name, and never at the apex. */
function cnameProblems(zone: BatchZone, records: Records, set: RecordSet): string[] {
  if (set.type === 'CNAME' && set.name === zone.name) {
    return [`RRSet of type CNAME with DNS name ${set.name} is not permitted at apex in zone ${zone.name}`];
  }
  const neighbours = [...records.values()].filter((other) => other.name === set.name && other.type !== set.type);
  if (set.type === 'CNAME' && neighbours.length > 0) {
    return [
      `RRSet of type CNAME with DNS name ${set.name} is not permitted as it conflicts with other records with the same DNS name in zone ${zone.name}`,
    ];
  }
  if (set.type !== 'CNAME' && neighbours.some((other) => other.type === 'CNAME')) {
    return [
      `RRSet of type ${set.type} with DNS name ${set.name} is not permitted because a conflicting RRSet of type CNAME with the same DNS name already exists in zone ${zone.name}`,
    ];
  }
  return [];
}

/** Sets with one name and type share one routing policy, and a failover pair has one primary and one secondary. */
function routingProblems(records: Records, set: RecordSet): string[] {
  const siblings = [...records.values()].filter(
    (other) => other.name === set.name && other.type === set.type && keyOf(other) !== keyOf(set),
  );
  const identifier = set.setIdentifier === undefined ? '' : `, SetIdentifier ${set.setIdentifier}`;
  const subject = `RRSet with DNS name ${set.name}, type ${set.type}${identifier}`;
  const policy = policyOf(set);
  if (siblings.some((other) => policyOf(other) !== policy)) {
    return [`${subject} cannot be created because a non ${policy} rrset exists with the same name and type.`];
  }
  if (policy === 'failover' && siblings.some((other) => other.failover === set.failover)) {
    return [`${subject} cannot be created because a ${set.failover} rrset exists with the same name and type.`];
  }
  return [];
}

function writeProblems(zone: BatchZone, records: Records, set: RecordSet): string[] {
  const naming = nameProblem(set.name);
  if (naming !== null) return [`FATAL problem: ${naming} encountered with '${set.name}'`];
  if (!isAtOrBelow(set.name, zone.name)) {
    return [`RRSet with DNS name ${set.name} is not permitted in zone ${zone.name}`];
  }
  return [...valueProblems(set), ...cnameProblems(zone, records, set), ...routingProblems(records, set)];
}

function deleteProblems(records: Records, set: RecordSet): string[] {
  const current = records.get(keyOf(set));
  if (current === undefined) return [`Tried to delete resource record set ${label(set)} but it was not found`];
  return matches(current, set)
    ? []
    : [`Tried to delete resource record set ${label(set)} but the values provided do not match the current values`];
}

function changeProblems(zone: BatchZone, records: Records, { action, set }: Change): string[] {
  switch (action) {
    case 'DELETE':
      return deleteProblems(records, set);
    case 'CREATE':
      return records.has(keyOf(set))
        ? [`Tried to create resource record set ${label(set)} but it already exists`]
        : writeProblems(zone, records, set);
    case 'UPSERT':
      return writeProblems(zone, records, set);
    default:
      return action satisfies never;
  }
}

/** The apex keeps its NS set and its one SOA, whatever a batch says. */
function apexProblems(zone: BatchZone, records: Records): string[] {
  const atApex = (type: string) => [...records.values()].some((set) => set.name === zone.name && set.type === type);
  return [
    ...(atApex('NS') ? [] : ['A HostedZone must contain at least one NS record for the zone itself.']),
    ...(atApex('SOA') ? [] : ['A HostedZone must contain exactly one SOA record.']),
  ];
}

/** An alias names a set of its own type that exists once the batch is done; `recordsOf` gives other zones of ours. */
function aliasProblems(
  ownZoneId: string,
  records: Records,
  changes: readonly Change[],
  recordsOf: (hostedZoneId: string) => Records | null,
): string[] {
  return changes.flatMap(({ action, set }) => {
    const { alias } = set;
    if (action === 'DELETE' || alias === undefined) return [];
    const target = alias.hostedZoneId === ownZoneId ? records : recordsOf(alias.hostedZoneId);
    const found = [...(target?.values() ?? [])].some(
      (other) => other.name === alias.dnsName && other.type === set.type && keyOf(other) !== keyOf(set),
    );
    return found
      ? []
      : [
          `Tried to create an alias that targets ${alias.dnsName}, type ${set.type} in zone ${alias.hostedZoneId}, but that target was not found`,
        ];
  });
}

export function applyBatch(
  zone: BatchZone & { readonly id: string },
  changes: readonly Change[],
  recordsOf: (hostedZoneId: string) => Records | null,
): BatchResult {
  const messages = [...overLimits(changes), ...touchedTwice(changes)];
  if (messages.length > 0) return { ok: false, messages };
  const records = new Map(zone.records);
  for (const change of changes) {
    const problems = changeProblems(zone, records, change);
    messages.push(...problems);
    if (problems.length > 0) continue;
    if (change.action === 'DELETE') records.delete(keyOf(change.set));
    else records.set(keyOf(change.set), change.set);
  }
  if (messages.length === 0) {
    messages.push(...apexProblems(zone, records), ...aliasProblems(zone.id, records, changes, recordsOf));
  }
  return messages.length === 0 ? { ok: true, records } : { ok: false, messages };
}
