/**
 * Taking evidence in: observations and alerts become state, and nothing is decided here. PURE.
 */
import type { MetricObservation, Observation } from '../model/evidence.ts';
import type { InputOf, KeptObservation, Sample, State, Volatile } from '../model/loop.ts';
import type { GroupSettings } from '../model/settings.ts';

/** Samples of the primary's log that are kept: a minute at one a second, enough for a 99th percentile of the write rate. */
const SAMPLES_KEPT = 60;

export const sightKey = (vantage: string, component: string, place: string): string =>
  `${vantage}/${component}/${place}`;

/** Who asks Prometheus: the daemon alone. */
export const METRICS_VANTAGE = 'daemon';

/** Behind a dot, which no component's name has. */
export const metricKey = (vantage: string, fact: string, server: string, replica: number): string =>
  sightKey(vantage, `metrics.${fact}`, `${server}/${replica}`);

type Sight = Exclude<Observation, { kind: 'control' }>;
function keyOf(o: Sight): string {
  if (o.kind === 'metric') return metricKey(o.vantage, o.fact, o.server, o.replica);
  return sightKey(o.vantage, o.component, o.kind === 'dns' ? `resolver/${o.facts.resolver}` : o.region);
}

/** Observations of groups or vantages that the settings don't know are left out: they can't count for anything. */
const known = (state: State, o: Observation): boolean => {
  if (o.kind === 'control') return isVantage(Object.values(state.settings.groups), o.vantage);
  // A group may be called like something that every object answers to; only own names are groups.
  const group = Object.hasOwn(state.settings.groups, o.group) ? state.settings.groups[o.group] : undefined;
  if (group === undefined || !isVantage([group], o.vantage)) return false;
  if (o.kind === 'metric') return isNamedMetric(group, o);
  const component = group.components.find(({ id }) => id === o.component);
  if (component === undefined || component.kind !== o.kind) return false;
  // A vantage tells of the places that are configured: what it makes up would be kept for ever, and looked through at each turn.
  return o.kind === 'dns' ? component.resolvers.includes(o.facts.resolver) : component.regions.includes(o.region);
};
/** Of a fact that the config names, from a server that it names for it. */
const isNamedMetric = ({ metrics }: GroupSettings, o: MetricObservation): boolean => {
  const metric = metrics.find(({ id }) => id === o.fact);
  return (
    metric !== undefined &&
    o.vantage === METRICS_VANTAGE &&
    o.server === metric.server &&
    o.region === metric.from &&
    o.replica < metric.replicas
  );
};
const isVantage = (groups: readonly GroupSettings[], id: string): boolean =>
  groups.some(({ vantages }) => vantages.some((vantage) => vantage.id === id));

export function takeObservations(state: State, input: InputOf<'observed'>): Volatile {
  const { sights, controls } = state.volatile;
  const next = { sights: { ...sights }, controls: { ...controls } };
  /** Copied once each, however many observations there are. */
  const own = new Set<Record<string, KeptObservation>>();
  const shelfOf = (shelves: Volatile['sights'], name: string): Record<string, KeptObservation> => {
    const before = shelves[name];
    if (before !== undefined && own.has(before)) return before;
    const copy = { ...before };
    own.add(copy);
    shelves[name] = copy;
    return copy;
  };
  const samples = { ...state.volatile.samples };
  for (const observation of input.observations) {
    if (!known(state, observation)) continue;
    const [shelf, key] =
      observation.kind === 'control'
        ? [shelfOf(next.controls, observation.vantage), observation.target]
        : [shelfOf(next.sights, observation.group), keyOf(observation)];
    const before = shelf[key];
    const bad = observation.verdict === 'bad';
    const kept: KeptObservation = {
      observation,
      receivedAt: input.at,
      receivedMono: input.mono,
      badSince: bad ? (before?.badSince ?? input.at) : null,
      badSinceMono: bad ? (before?.badSinceMono ?? input.mono) : null,
    };
    shelf[key] = kept;
    addSample(state, samples, observation, input);
  }
  return { ...state.volatile, ...next, samples };
}

/** Into the samples, which are this call's own. */
function addSample(state: State, samples: Record<string, Sample[]>, o: Observation, input: InputOf<'observed'>): void {
  if (o.kind !== 'postgres' || o.facts === null || o.facts.inRecovery !== false) return;
  const { insertLsn, flushLsn, clockAt, timeline, systemIdentifier } = o.facts;
  if (insertLsn === null || flushLsn === null || clockAt === null) return;
  const group = state.settings.groups[o.group];
  const component = group?.components.find((c) => c.id === o.component);
  const ledger = state.ledger.groups[o.group];
  const expected = component?.systemIdentifier ?? ledger?.identities[o.component] ?? null;
  // The log of another cluster says nothing about ours.
  if (expected !== null && systemIdentifier !== expected) return;
  const { region } = o;
  if (region !== (ledger?.active ?? group?.primary)) return;
  const key = `${o.group}/${o.component}`;
  const sample: Sample = {
    region,
    receivedMono: input.mono,
    at: input.at,
    timeline,
    insertLsn,
    flushLsn,
    clockAt,
  };
  const kept = (samples[key] ?? []).filter((s) => s.region === region);
  samples[key] = [...kept, sample].slice(-SAMPLES_KEPT);
}
