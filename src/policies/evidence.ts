/**
 * Taking evidence in: observations and alerts become state, and nothing is decided here. PURE.
 */
import type { EventOf } from '../model/events.ts';
import { type Alert, alertKey, type Observation } from '../model/evidence.ts';
import type { InputOf, KeptObservation, Sample, State, Volatile } from '../model/loop.ts';

/** Samples of the primary's log that are kept: a minute at one a second, enough for a 99th percentile of the write rate. */
const SAMPLES_KEPT = 60;

export const sightKey = (vantage: string, group: string, component: string, place: string): string =>
  `${vantage}/${group}/${component}/${place}`;
export const controlKey = (vantage: string, target: string): string => `${vantage}//control/${target}`;

const keyOf = (o: Observation): string => {
  switch (o.kind) {
    case 'control':
      return controlKey(o.vantage, o.target);
    case 'dns':
      return sightKey(o.vantage, o.group, o.component, `resolver/${o.facts.resolver}`);
    default:
      return sightKey(o.vantage, o.group, o.component, o.region);
  }
};

/** Observations of groups or vantages that the settings don't know are left out: they can't count for anything. */
const known = (state: State, o: Observation): boolean => {
  const groups = Object.values(state.settings.groups);
  if (!groups.some((group) => group.vantages.some((vantage) => vantage.id === o.vantage))) return false;
  if (o.kind === 'control') return true;
  return state.settings.groups[o.group]?.components.some((component) => component.id === o.component) ?? false;
};

export function takeObservations(state: State, input: InputOf<'observed'>): Volatile {
  const observations = { ...state.volatile.observations };
  let samples = state.volatile.samples;
  for (const observation of input.observations) {
    if (!known(state, observation)) continue;
    const key = keyOf(observation);
    const before = observations[key];
    const bad = observation.verdict === 'bad';
    const kept: KeptObservation = {
      observation,
      receivedAt: input.at,
      receivedMono: input.mono,
      badSince: bad ? (before?.badSince ?? input.at) : null,
      badSinceMono: bad ? (before?.badSinceMono ?? input.mono) : null,
    };
    observations[key] = kept;
    samples = withSample(state, samples, observation, input);
  }
  return { ...state.volatile, observations, samples };
}

function withSample(
  state: State,
  samples: Volatile['samples'],
  o: Observation,
  input: InputOf<'observed'>,
): Volatile['samples'] {
  if (o.kind !== 'postgres' || o.facts === null || o.facts.inRecovery !== false) return samples;
  const { insertLsn, flushLsn, clockAt, timeline, systemIdentifier } = o.facts;
  if (insertLsn === null || flushLsn === null || clockAt === null) return samples;
  const group = state.settings.groups[o.group];
  const component = group?.components.find((c) => c.id === o.component);
  const ledger = state.ledger.groups[o.group];
  const expected = component?.systemIdentifier ?? ledger?.identities[o.component] ?? null;
  // The log of another cluster says nothing about ours.
  if (expected !== null && systemIdentifier !== expected) return samples;
  if (o.region !== (ledger?.active ?? group?.primary)) return samples;
  const key = `${o.group}/${o.component}`;
  const sample: Sample = {
    region: o.region,
    receivedMono: input.mono,
    at: input.at,
    timeline,
    insertLsn,
    flushLsn,
    clockAt,
  };
  const kept = (samples[key] ?? []).filter((s) => s.region === o.region);
  return { ...samples, [key]: [...kept, sample].slice(-SAMPLES_KEPT) };
}

/** What a webhook adds: alerts that are new or newly resolved are written down, those heard of again are only heard. */
export function takeAlerts(
  state: State,
  input: InputOf<'webhook'>,
  meansSomething: (alert: Alert) => boolean,
): {
  readonly volatile: Volatile;
  readonly events: readonly EventOf<'alerts.received'>[];
  readonly counts: { readonly kept: number; readonly repeated: number; readonly ignored: number };
} {
  const alertHeardMono = { ...state.volatile.alertHeardMono };
  const fresh = new Map<string, Alert>();
  let repeated = 0;
  let ignored = 0;
  for (const alert of input.alerts) {
    const key = alertKey(alert);
    if (!meansSomething(alert)) {
      ignored += 1;
      continue;
    }
    const before = fresh.get(key) ?? state.ledger.alerts[key]?.alert;
    // Resolved is the last word on one firing of an alert; a firing that comes after it was sent before it.
    if (before !== undefined && (before.status === 'resolved' || before.status === alert.status)) {
      repeated += 1;
      if (before.status === 'firing') alertHeardMono[key] = input.mono;
      continue;
    }
    fresh.set(key, alert);
    if (alert.status === 'firing') alertHeardMono[key] = input.mono;
    else delete alertHeardMono[key];
  }
  const alerts = [...fresh.values()];
  const events: EventOf<'alerts.received'>[] =
    alerts.length === 0 ? [] : [{ kind: 'alerts.received', at: input.at, alerts }];
  return {
    volatile: { ...state.volatile, alertHeardMono },
    events,
    counts: { kept: alerts.length, repeated, ignored },
  };
}
