/**
 * Taking evidence in: observations and alerts become state, and nothing is decided here. PURE.
 */
import type { MetricObservation, MonitorObservation, Observation } from '../model/evidence.ts';
import { type FailureEpisode, withObservation } from '../model/failures.ts';
import { withKey, withoutKey } from '../model/keyed.ts';
import type { InputOf, KeptObservation, Sample, State, Volatile } from '../model/loop.ts';
import type { GroupSettings } from '../model/settings.ts';
import { indexOf } from '../model/settings-index.ts';
import { connectionOf } from './vantage.ts';

const NO_FAILURES: readonly FailureEpisode[] = [];

/** Samples of the primary's log that are kept: a minute at one a second, enough for a 99th percentile of the write rate. */
const SAMPLES_KEPT = 60;

export const sightKey = (vantage: string, component: string, place: string): string =>
  `${vantage}/${component}/${place}`;

/** Who asks Prometheus: the daemon alone. */
export const METRICS_VANTAGE = 'daemon';

/** Behind a dot, which no component's name has. */
export const metricKey = (vantage: string, fact: string, server: string, replica: number): string =>
  sightKey(vantage, `metrics.${fact}`, `${server}/${replica}`);

export const readinessKey = (group: string, component: string, region: string): string =>
  `${group}/${component}/${region}`;

type Sight = Exclude<Observation, { kind: 'control' | MonitorObservation['kind'] }>;
function keyOf(o: Sight): string {
  if (o.kind === 'metric') return metricKey(o.vantage, o.fact, o.server, o.replica);
  if (o.kind === 'readiness') return sightKey(o.vantage, o.component, `readiness/${o.region}`);
  return sightKey(o.vantage, o.component, o.kind === 'dns' ? `resolver/${o.facts.resolver}` : o.region);
}

/** Observations of groups or vantages that the settings don't know are left out: they can't count for anything. */
const known = (state: State, o: Observation): boolean => {
  if (o.kind === 'control') return indexOf(state.settings).vantages.has(o.vantage);
  if (isMonitor(o))
    return (
      o.vantage === METRICS_VANTAGE &&
      state.settings.monitors.some((one) => monitorKey(one) === monitorKey(o) && one.region === o.region)
    );
  // A group may be called like something that every object answers to; only own names are groups.
  const group = Object.hasOwn(state.settings.groups, o.group) ? state.settings.groups[o.group] : undefined;
  if (group === undefined || !group.vantages.some(({ id }) => id === o.vantage)) return false;
  if (o.kind === 'metric') return isNamedMetric(group, o);
  const component = group.components.find(({ id }) => id === o.component);
  // Who asks Prometheus asks this: one answer for all, which no witness may make up.
  if (o.kind === 'readiness')
    return component?.kind === 'postgres' && o.vantage === METRICS_VANTAGE && component.regions.includes(o.region);
  if (component === undefined || component.kind !== o.kind) return false;
  // A vantage tells of the places that are configured: what it makes up would be kept for ever, and looked through at each turn.
  return o.kind === 'dns' ? component.resolvers.includes(o.facts.resolver) : component.regions.includes(o.region);
};

export const monitorKey = ({
  kind,
  server,
  replica,
}: Pick<MonitorObservation, 'kind' | 'server' | 'replica'>): string => `${kind}/${server}/${replica}`;

const isMonitor = (o: Observation): o is MonitorObservation => o.kind === 'prometheus' || o.kind === 'alertmanager';

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

export function takeObservations(state: State, input: InputOf<'observed'>): Volatile {
  const { controls, connectedSince } = takeControls(state, input);
  const shelves = shelvesOver(state.volatile.sights);
  let { samples, monitors, readiness } = state.volatile;
  let unvouched = answered(state.volatile.unvouched, input);
  for (const observation of input.observations) {
    if (observation.kind === 'control' || !known(state, observation)) continue;
    if (isMonitor(observation)) {
      const key = monitorKey(observation);
      monitors = withKey(monitors, key, keptOf(observation, monitors[key], input, false));
      continue;
    }
    const shelf = shelves.shelf(observation.group);
    const key = keyOf(observation);
    const before = shelf[key];
    if (before !== undefined && isLateFailure(observation, before.observation)) continue;
    const kept = keptOf(observation, before, input, isDoubtful(observation, before, connectedSince));
    shelf[key] = kept;
    // One that could not tell takes nothing away of what it told before, and its silence is no sign of failing.
    if (observation.kind === 'readiness') {
      const { group, component, region, facts } = observation;
      if (facts !== null)
        readiness = withKey(readiness, readinessKey(group, component, region), { facts, mono: input.mono });
      continue;
    }
    if (kept.badSinceMono !== null && kept.badSinceMono !== before?.badSinceMono && observation.kind !== 'metric')
      unvouched = withUnvouched(unvouched, observation);
    samples = withSample(state, samples, observation, input);
  }
  return {
    ...state.volatile,
    sights: shelves.filled(),
    controls,
    connectedSince,
    monitors,
    samples,
    readiness,
    unvouched,
  };
}

/**
 * What the control targets said, and since when vantages are connected that were known not to be (invariant 18): one report may tell
 * of both. The first answer of a life says nothing of the time before it.
 */
function takeControls(state: State, input: InputOf<'observed'>): Pick<Volatile, 'controls' | 'connectedSince'> {
  let { controls, connectedSince } = state.volatile;
  if (!input.observations.some(({ kind }) => kind === 'control')) return { controls, connectedSince };
  const shelves = shelvesOver(controls);
  for (const observation of input.observations) {
    if (observation.kind !== 'control' || !known(state, observation)) continue;
    const { vantage, target, verdict } = observation;
    const shelf = shelves.shelf(vantage);
    const heard = Object.keys(shelf).length > 0;
    const back = verdict === 'ok' && heard && connectionOf(shelf, input).connected !== 'ok';
    if (back) connectedSince = withKey(connectedSince, vantage, input.mono);
    shelf[target] = keptOf(observation, shelf[target], input, false);
  }
  controls = shelves.filled();
  return { controls, connectedSince };
}

function keptOf(
  observation: Observation,
  before: KeptObservation | undefined,
  { at, mono }: InputOf<'observed'>,
  doubtful: boolean,
): KeptObservation {
  const bad = observation.verdict === 'bad';
  // What was seen before it says nothing of when the failing began.
  const run = doubtful ? undefined : before;
  return {
    observation,
    receivedAt: at,
    receivedMono: mono,
    badSince: bad ? (run?.badSince ?? at) : null,
    badSinceMono: bad ? (run?.badSinceMono ?? mono) : null,
    doubtful,
    failures: [...withObservation(before?.failures ?? NO_FAILURES, observation, { at, mono })],
  };
}

/** Whether a look may have begun while its vantage was cut off: it is the first of its subject since that is back (invariant 18). */
function isDoubtful(
  observation: Sight,
  before: KeptObservation | undefined,
  connectedSince: Volatile['connectedSince'],
): boolean {
  // A metric is what Prometheus saw, wherever it is asked from.
  if (observation.verdict !== 'bad' || observation.kind === 'metric') return false;
  const sinceMono = connectedSince[observation.vantage];
  return sinceMono !== undefined && (before === undefined || before.receivedMono <= sinceMono);
}

/** How much later than a newer one a look may come in and still be known for late: a probe's deadline, and what a report takes. */
const LATEST_MS = 5_000;

/**
 * A look that took its deadline to fail must not undo a later one that was answered (invariant 18). An answer is always taken: where a
 * clock was set back, the error is to see a failure late, never to miss an answer.
 */
const isLateFailure = (late: Sight, newest: Observation): boolean =>
  late.verdict === 'bad' && newest.verdict === 'ok' && late.at < newest.at && newest.at - late.at <= LATEST_MS;

type Shelves = {
  /** This call's own copy, made once however many observations there are. */
  shelf(name: string): Record<string, KeptObservation>;
  filled(): Volatile['sights'];
};

function shelvesOver(before: Volatile['sights']): Shelves {
  const own = new Map<string, Record<string, KeptObservation>>();
  return {
    shelf(name) {
      const copy = own.get(name) ?? { ...before[name] };
      own.set(name, copy);
      return copy;
    },
    filled: () => [...own].reduce((shelves, [name, shelf]) => withKey(shelves, name, shelf), before),
  };
}

/** Vantages of which a control target answers in this input. */
export const answeringIn = (input: InputOf<'observed'>): ReadonlySet<string> =>
  new Set(input.observations.flatMap((o) => (o.kind === 'control' && o.verdict === 'ok' ? [o.vantage] : [])));

/** An answer tells of what began to fail before it came, and of nothing that came in with it (invariant 18). */
function answered(before: Volatile['unvouched'], input: InputOf<'observed'>): Volatile['unvouched'] {
  return [...answeringIn(input)].reduce((rest, vantage) => withoutKey(rest, vantage), before);
}

const withUnvouched = (before: Volatile['unvouched'], { vantage, group }: Sight): Volatile['unvouched'] =>
  withKey(before, vantage, withKey(before[vantage] ?? {}, group, true));

function withSample(
  state: State,
  samples: Volatile['samples'],
  o: Sight,
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
  const { region } = o;
  if (region !== (ledger?.active ?? group?.primary)) return samples;
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
  return withKey(samples, key, [...kept, sample].slice(-SAMPLES_KEPT));
}
