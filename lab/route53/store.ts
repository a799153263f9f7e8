import type { RecordSet, Zone } from '../dns/model.ts';
import { normaliseName } from '../dns/names.ts';
import { applyBatch, type Records } from './batch.ts';
import type { Change, ChangeBatch } from './changes.ts';
import { ApiError, invalidChangeBatch } from './errors.ts';

/**
 * The hosted zones: what the API has accepted, and what each name server has heard of it so far. A change is seen by
 * ListResourceRecordSets at once, by the name servers one after another over `propagationMs`, and is INSYNC when the
 * last has it. Changes of one zone reach the name servers in the order in which they were accepted.
 */

export interface ZoneConfig {
  readonly id: string;
  readonly name: string;
  /** An apex NS and SOA are added where missing, as creating a zone does. */
  readonly records: readonly RecordSet[];
  readonly comment?: string;
}

export interface AcceptedChange {
  /** `C...`, as GetChange takes it. */
  readonly id: string;
  readonly zoneId: string;
  readonly acceptedAtMs: number;
  readonly comment: string | null;
  readonly changes: readonly Change[];
  readonly status: 'PENDING' | 'INSYNC';
  readonly insyncAtMs: number | null;
}

export interface StoreOptions {
  readonly zones: readonly ZoneConfig[];
  readonly propagationMs: number;
  readonly nameServers: number;
  readonly priorRequestAfterMs: number;
  readonly newId: () => string;
  readonly onPropagated: (change: AcceptedChange) => void;
}

export interface ZoneStore {
  zone(id: string): HostedZone;
  zones(): readonly HostedZone[];
  /** Applies a batch whole, or throws its InvalidChangeBatch. A `stuck` change stays PENDING until `unstick`. */
  change(zoneId: string, batch: ChangeBatch, stuck: boolean): AcceptedChange;
  changeById(id: string): AcceptedChange | null;
  changes(): readonly AcceptedChange[];
  /** What name server `index` serves now. */
  published(index: number): readonly Zone[];
  unstick(): void;
  close(): void;
}

export interface HostedZone {
  readonly id: string;
  readonly name: string;
  readonly comment: string | null;
  readonly records: Records;
}

interface Pending {
  readonly change: Mutable<AcceptedChange>;
  readonly records: readonly RecordSet[];
  stuck: boolean;
  scheduled: boolean;
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

interface ZoneState extends Mutable<HostedZone> {
  readonly pending: Pending[];
  /** By name server. */
  readonly served: (readonly RecordSet[])[];
}

const apexTtlSeconds = { NS: 172_800, SOA: 900 } as const;
const nameServersOf = (zone: ZoneConfig) => [1, 2, 3, 4].map((number) => `ns-${number}.${normaliseName(zone.name)}`);

function withApex(zone: ZoneConfig): RecordSet[] {
  const name = normaliseName(zone.name);
  const records = zone.records.map((set) => ({ ...set, name: normaliseName(set.name) }));
  const has = (type: string) => records.some((set) => set.name === name && set.type === type);
  const servers = nameServersOf(zone);
  const soa = `${servers[0]} hostmaster.${name} 1 7200 900 1209600 86400`;
  return [
    ...records,
    ...(has('NS') ? [] : [{ name, type: 'NS', ttlSeconds: apexTtlSeconds.NS, values: servers } as const]),
    ...(has('SOA') ? [] : [{ name, type: 'SOA', ttlSeconds: apexTtlSeconds.SOA, values: [soa] } as const]),
  ];
}

function initialState(config: ZoneConfig, nameServers: number): ZoneState {
  const zone = { id: config.id, name: normaliseName(config.name) };
  const creations = withApex(config).map((set) => ({ action: 'CREATE' as const, set }));
  const result = applyBatch({ ...zone, records: new Map() }, creations, () => null);
  if (!result.ok)
    throw new Error(`zone ${config.name} of the lab's config is not valid: ${result.messages.join('; ')}`);
  const served = [...result.records.values()];
  return {
    ...zone,
    comment: config.comment ?? null,
    records: result.records,
    pending: [],
    served: Array.from({ length: nameServers }, () => served),
  };
}

export function createStore(options: StoreOptions): ZoneStore {
  const states = new Map(options.zones.map((zone) => [zone.id, initialState(zone, options.nameServers)]));
  const accepted: AcceptedChange[] = [];
  const timers = new Set<NodeJS.Timeout>();

  function after(delayMs: number, act: () => void): void {
    const timer = setTimeout(() => {
      timers.delete(timer);
      act();
    }, delayMs);
    timers.add(timer);
  }

  function stateOf(id: string): ZoneState {
    const state = states.get(id);
    if (state === undefined) throw new ApiError('NoSuchHostedZone', `No hosted zone found with ID: ${id}`);
    return state;
  }

  function settle(state: ZoneState, item: Pending): void {
    state.pending.splice(state.pending.indexOf(item), 1);
    item.change.status = 'INSYNC';
    item.change.insyncAtMs = Date.now();
    options.onPropagated(item.change);
  }

  function propagate(state: ZoneState, item: Pending): void {
    item.scheduled = true;
    for (let index = 0; index < options.nameServers; index += 1) {
      const last = index === options.nameServers - 1;
      after((options.propagationMs * (index + 1)) / options.nameServers, () => {
        state.served[index] = item.records;
        if (last) settle(state, item);
      });
    }
  }

  /** A change behind a stuck one waits with it: the name servers never see a later state before an earlier one. */
  function schedule(state: ZoneState): void {
    for (const item of state.pending) {
      if (item.stuck) return;
      if (!item.scheduled) propagate(state, item);
    }
  }

  function refuseBehindBacklog(state: ZoneState): void {
    const oldest = state.pending[0];
    if (oldest === undefined || Date.now() - oldest.change.acceptedAtMs < options.priorRequestAfterMs) return;
    throw new ApiError(
      'PriorRequestNotComplete',
      'The request was rejected because Route 53 was still processing a prior request.',
    );
  }

  return {
    zone: stateOf,
    zones: () => [...states.values()],
    change(zoneId, batch, stuck) {
      const state = stateOf(zoneId);
      refuseBehindBacklog(state);
      const result = applyBatch(state, batch.changes, (id) => states.get(id)?.records ?? null);
      if (!result.ok) throw invalidChangeBatch(result.messages);
      state.records = result.records;
      const change: Mutable<AcceptedChange> = {
        id: options.newId(),
        zoneId,
        acceptedAtMs: Date.now(),
        comment: batch.comment,
        changes: batch.changes,
        status: 'PENDING',
        insyncAtMs: null,
      };
      accepted.push(change);
      state.pending.push({ change, records: [...result.records.values()], stuck, scheduled: false });
      schedule(state);
      return change;
    },
    changeById: (id) => accepted.find((change) => change.id === id) ?? null,
    changes: () => accepted,
    published: (index) =>
      [...states.values()].map(({ id, name, served }) => ({ id, name, records: served[index] ?? [] })),
    unstick() {
      for (const state of states.values()) {
        for (const item of state.pending) item.stuck = false;
        schedule(state);
      }
    },
    close() {
      for (const timer of timers) clearTimeout(timer);
      timers.clear();
    },
  };
}
