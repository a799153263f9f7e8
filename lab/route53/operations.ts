import type { RecordSet } from '../dns/model.ts';
import { readChangeBatch } from './changes.ts';
import { ApiError } from './errors.ts';
import { type HealthChecks, renderHealthCheck } from './health.ts';
import {
  listHealthChecks,
  listRecordSets,
  listZones,
  listZonesByName,
  renderNameServers,
  renderZone,
} from './listing.ts';
import type { AcceptedChange, ZoneStore } from './store.ts';
import type { XmlNode } from './xml.ts';

/** The operations this lab speaks, and which request is which. */

export const operations = [
  'ChangeResourceRecordSets',
  'CreateHealthCheck',
  'DeleteHealthCheck',
  'GetChange',
  'GetHealthCheck',
  'GetHealthCheckStatus',
  'GetHostedZone',
  'ListHealthChecks',
  'ListHostedZones',
  'ListHostedZonesByName',
  'ListResourceRecordSets',
  'UpdateHealthCheck',
] as const;
export type Operation = (typeof operations)[number];

export interface Call {
  readonly operation: Operation;
  /** The id in the path; empty where there is none. */
  readonly id: string;
  readonly query: URLSearchParams;
}

export interface Result {
  readonly status: number;
  readonly root: string;
  readonly node: XmlNode;
  readonly location?: string;
}

export interface World {
  readonly store: ZoneStore;
  readonly health: HealthChecks;
  /** For the resource a response names (`Location`). */
  readonly endpoint: () => string;
}

const apiVersion = '2013-04-01';
const routes: readonly (readonly [method: string, pattern: RegExp, operation: Operation])[] = [
  ['POST', /^hostedzone\/([^/]+)\/rrset$/, 'ChangeResourceRecordSets'],
  ['GET', /^hostedzone\/([^/]+)\/rrset$/, 'ListResourceRecordSets'],
  ['GET', /^hostedzone\/([^/]+)$/, 'GetHostedZone'],
  ['GET', /^hostedzone$/, 'ListHostedZones'],
  ['GET', /^hostedzonesbyname$/, 'ListHostedZonesByName'],
  ['GET', /^change\/([^/]+)$/, 'GetChange'],
  ['POST', /^healthcheck$/, 'CreateHealthCheck'],
  ['GET', /^healthcheck$/, 'ListHealthChecks'],
  ['GET', /^healthcheck\/([^/]+)\/status$/, 'GetHealthCheckStatus'],
  ['GET', /^healthcheck\/([^/]+)$/, 'GetHealthCheck'],
  ['POST', /^healthcheck\/([^/]+)$/, 'UpdateHealthCheck'],
  ['DELETE', /^healthcheck\/([^/]+)$/, 'DeleteHealthCheck'],
];

/** `null` for what the lab doesn't speak. */
export function route(method: string, url: URL): Call | null {
  const [, version, ...rest] = url.pathname.replace(/\/+$/, '').split('/');
  if (version !== apiVersion) return null;
  for (const [verb, pattern, operation] of routes) {
    const match = verb === method ? pattern.exec(rest.join('/')) : null;
    if (match !== null) return { operation, id: decodeURIComponent(match[1] ?? ''), query: url.searchParams };
  }
  return null;
}

function renderChange(change: AcceptedChange): XmlNode {
  return {
    ChangeInfo: {
      Id: `/change/${change.id}`,
      Status: change.status,
      SubmittedAt: new Date(change.acceptedAtMs).toISOString(),
      Comment: change.comment ?? undefined,
    },
  };
}

function changeRecordSets(world: World, id: string, body: string, stuck: boolean): Result {
  const zone = world.store.zone(id);
  const batch = readChangeBatch(body);
  const named = batch.changes.filter(({ action }) => action !== 'DELETE').map(({ set }: { set: RecordSet }) => set);
  for (const { healthCheckId } of named) if (healthCheckId !== undefined) world.health.get(healthCheckId);
  const change = world.store.change(zone.id, batch, stuck);
  return { status: 200, root: 'ChangeResourceRecordSetsResponse', node: renderChange(change) };
}

function getChange(world: World, id: string): Result {
  const change = world.store.changeById(id);
  if (change === null) throw new ApiError('NoSuchChange', `Could not find resource with ID: ${id}`);
  return { status: 200, root: 'GetChangeResponse', node: renderChange(change) };
}

/** Carries out one call; throws the ApiError it fails with. `stuck` keeps an accepted change PENDING. */
export function perform(world: World, call: Call, body: string, stuck: boolean): Result {
  const { store, health } = world;
  const { operation, id, query } = call;
  const answer = (node: XmlNode): Result => ({ status: 200, root: `${operation}Response`, node });
  switch (operation) {
    case 'ChangeResourceRecordSets':
      return changeRecordSets(world, id, body, stuck);
    case 'ListResourceRecordSets':
      return answer(listRecordSets(store.zone(id), query));
    case 'GetHostedZone': {
      const zone = store.zone(id);
      return answer({ HostedZone: renderZone(zone), DelegationSet: renderNameServers(zone) });
    }
    case 'ListHostedZones':
      return answer(listZones(store.zones(), query));
    case 'ListHostedZonesByName':
      return answer(listZonesByName(store.zones(), query));
    case 'GetChange':
      return getChange(world, id);
    case 'CreateHealthCheck': {
      const check = health.create(body);
      const location = `${world.endpoint()}/${apiVersion}/healthcheck/${check.id}`;
      return { ...answer({ HealthCheck: renderHealthCheck(check) }), status: 201, location };
    }
    case 'GetHealthCheck':
      return answer({ HealthCheck: renderHealthCheck(health.get(id)) });
    case 'UpdateHealthCheck':
      return answer({ HealthCheck: renderHealthCheck(health.update(id, body)) });
    case 'DeleteHealthCheck':
      health.remove(id);
      return answer({});
    case 'ListHealthChecks':
      return answer(listHealthChecks(health.list(), query));
    case 'GetHealthCheckStatus':
      return answer(health.status(id));
    default:
      return operation satisfies never;
  }
}
