import type { RecordSet } from '../dns/model.ts';
import { normaliseName, reversedName } from '../dns/names.ts';
import { renderSet } from './changes.ts';
import { invalidInput } from './errors.ts';
import type { HealthCheck } from './health.ts';
import { renderHealthCheck } from './health.ts';
import type { HostedZone } from './store.ts';
import type { XmlNode } from './xml.ts';

/** The paged listings, each with its own way of saying where the next page starts. */

const maxRecordSets = 300;
const maxZones = 100;
const maxHealthChecks = 100;

function pageSize(query: URLSearchParams, limit: number): number {
  const text = query.get('maxitems');
  if (text === null) return limit;
  if (!/^\d{1,9}$/.test(text) || Number(text) < 1) throw invalidInput(`Invalid parameter : maxitems '${text}'`);
  return Math.min(limit, Number(text));
}

const compare = (left: string, right: string) => (left < right ? -1 : left > right ? 1 : 0);

interface Position {
  readonly reversed: string;
  readonly type: string;
  readonly identifier: string;
}

const positionOf = (set: RecordSet): Position => ({
  reversed: reversedName(set.name),
  type: set.type,
  identifier: set.setIdentifier ?? '',
});

function comparePositions(left: Position, right: Position): number {
  return (
    compare(left.reversed, right.reversed) ||
    compare(left.type, right.type) ||
    compare(left.identifier, right.identifier)
  );
}

function startOf(query: URLSearchParams): Position {
  const [name, type, identifier] = ['name', 'type', 'identifier'].map((parameter) => query.get(parameter));
  if (type != null && name == null) throw invalidInput('Invalid parameter : a type needs a name');
  if (identifier != null && type == null)
    throw invalidInput('Invalid parameter : an identifier needs a name and a type');
  const reversed = name == null ? '' : reversedName(normaliseName(name));
  return { reversed, type: type ?? '', identifier: identifier ?? '' };
}

/** In ASCII order of the reversed name, then type, then set identifier; what is still PENDING is listed too. */
export function listRecordSets(zone: HostedZone, query: URLSearchParams): XmlNode {
  const start = startOf(query);
  const size = pageSize(query, maxRecordSets);
  const rest = [...zone.records.values()]
    .sort((left, right) => comparePositions(positionOf(left), positionOf(right)))
    .filter((set) => comparePositions(positionOf(set), start) >= 0);
  const next = rest[size];
  return {
    ResourceRecordSets: { ResourceRecordSet: rest.slice(0, size).map(renderSet) },
    IsTruncated: next !== undefined,
    MaxItems: size,
    NextRecordName: next?.name,
    NextRecordType: next?.type,
    NextRecordIdentifier: next?.setIdentifier,
  };
}

export function renderZone(zone: HostedZone): XmlNode {
  return {
    Id: `/hostedzone/${zone.id}`,
    Name: zone.name,
    CallerReference: `lab-${zone.id}`,
    Config: { Comment: zone.comment ?? undefined, PrivateZone: false },
    ResourceRecordSetCount: zone.records.size,
  };
}

export function renderNameServers(zone: HostedZone): XmlNode {
  const servers = [...zone.records.values()].find((set) => set.name === zone.name && set.type === 'NS')?.values ?? [];
  return { NameServers: { NameServer: servers.map((server) => server.replace(/\.$/, '')) } };
}

function zonesByName(zones: readonly HostedZone[]): HostedZone[] {
  return [...zones].sort(
    (left, right) => compare(reversedName(left.name), reversedName(right.name)) || compare(left.id, right.id),
  );
}

export function listZones(zones: readonly HostedZone[], query: URLSearchParams): XmlNode {
  const marker = query.get('marker');
  const size = pageSize(query, maxZones);
  const rest = [...zones].sort((left, right) => compare(left.id, right.id)).filter(({ id }) => id >= (marker ?? ''));
  return {
    HostedZones: { HostedZone: rest.slice(0, size).map(renderZone) },
    Marker: marker ?? undefined,
    IsTruncated: rest.length > size,
    NextMarker: rest[size]?.id,
    MaxItems: size,
  };
}

export function listZonesByName(zones: readonly HostedZone[], query: URLSearchParams): XmlNode {
  const [dnsName, zoneId] = [query.get('dnsname'), query.get('hostedzoneid')];
  if (zoneId !== null && dnsName === null) throw invalidInput('Invalid parameter : a hostedzoneid needs a dnsname');
  const size = pageSize(query, maxZones);
  const from = dnsName === null ? '' : reversedName(normaliseName(dnsName));
  const rest = zonesByName(zones).filter(({ name, id }) => {
    const order = compare(reversedName(name), from);
    return order > 0 || (order === 0 && id >= (zoneId ?? ''));
  });
  return {
    HostedZones: { HostedZone: rest.slice(0, size).map(renderZone) },
    DNSName: dnsName ?? undefined,
    HostedZoneId: zoneId ?? undefined,
    IsTruncated: rest.length > size,
    NextDNSName: rest[size]?.name,
    NextHostedZoneId: rest[size]?.id,
    MaxItems: size,
  };
}

export function listHealthChecks(checks: readonly HealthCheck[], query: URLSearchParams): XmlNode {
  const marker = query.get('marker');
  const size = pageSize(query, maxHealthChecks);
  const rest = [...checks].sort((left, right) => compare(left.id, right.id)).filter(({ id }) => id >= (marker ?? ''));
  return {
    HealthChecks: { HealthCheck: rest.slice(0, size).map(renderHealthCheck) },
    Marker: marker ?? undefined,
    IsTruncated: rest.length > size,
    NextMarker: rest[size]?.id,
    MaxItems: size,
  };
}
