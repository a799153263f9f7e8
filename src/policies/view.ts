/**
 * The view: all evidence of one group, folded at one instant (design §2, §4). PURE.
 *
 * Whatever expired, is missing, or comes from a vantage that can't reach its own control targets is *unknown*: it never
 * counts as failed and is never good enough to act on (invariants 15, 18).
 */
import type { Alert, PostgresObservation, Silence } from '../model/evidence.ts';
import { alertKey } from '../model/evidence.ts';
import { EMPTY_GROUP, type GroupLedger } from '../model/ledger.ts';
import type { KeptObservation, Sample, State } from '../model/loop.ts';
import type { ComponentId, GroupId, Path, RegionId, VantageId, Verdict } from '../model/primitives.ts';
import { laterLsn, lsnGapBytes, pathOf } from '../model/primitives.ts';
import type { AlertMeaning, ComponentSettings, GroupSettings } from '../model/settings.ts';
import { indexOf, type MeaningOf } from '../model/settings-index.ts';
import { sightKey } from './evidence.ts';
import { type AlertView, type FiringAlerts, firingAlerts, freshSilences, isSilenced } from './firing.ts';
import { type MetricView, metricsOf } from './metrics.ts';
import type { SeenReadiness } from './readiness.ts';
import { seenReadiness } from './readiness-kept.ts';
import { doubtOf, freshFor, type VantageView, vantageView } from './vantage.ts';

/** What one vantage says of one region, by client-like probes of all its components. */
export type Reach = {
  readonly vantage: VantageId;
  readonly path: Path;
  readonly verdict: Verdict;
  readonly why: string;
  readonly ageMs: number | null;
  /** Wall time of the first bad answer of the present run of bad ones. */
  readonly badSince: number | null;
};

export type PostgresSight = {
  readonly vantage: VantageId;
  readonly ageMs: number;
  readonly observation: PostgresObservation;
};

export type IdentitySeen = {
  readonly vantage: VantageId;
  readonly region: RegionId;
  readonly systemIdentifier: string;
};

export type PostgresView = {
  readonly component: ComponentId;
  readonly systemIdentifier: string | null;
  /** Newest fresh answer of each side, from vantages that count. */
  readonly active: PostgresSight | null;
  readonly standby: PostgresSight | null;
  /** Whether the standby belongs to the pinned cluster. */
  readonly identity: Verdict;
  /** Every fresh answer to who the cluster is, of either side, by vantages that count. */
  readonly identitiesSeen: readonly IdentitySeen[];
  /** Those that say it is another one than the pinned. */
  readonly contradictions: readonly IdentitySeen[];
  /** ok: the standby heard from its primary lately. bad: it did not. */
  readonly streaming: Verdict;
  readonly streamingWhy: string;
  readonly sample: Sample | null;
  /** How both sides were last seen to be made. */
  readonly made: { readonly active: SeenReadiness | null; readonly standby: SeenReadiness | null };
  /** Flushed by the primary when last sampled, and not received by the standby. */
  readonly receiveGapBytes: number | null;
  readonly replayLagBytes: number | null;
};

/** An alert that fires behind a silence: neither a sign of anything, nor of health. */
export type SilencedView = {
  readonly alert: Alert;
  readonly meaning: AlertMeaning;
  /** The silences that hold it back, as far as they are known. */
  readonly by: readonly Silence[];
};

export type View = {
  readonly group: GroupId;
  readonly at: number;
  /** How long this process has been looking, milliseconds. */
  readonly upMs: number;
  readonly settings: GroupSettings;
  readonly ledger: GroupLedger;
  readonly active: RegionId;
  readonly standby: RegionId;
  readonly vantages: readonly VantageView[];
  readonly reach: Readonly<Record<RegionId, readonly Reach[]>>;
  /** The same of the active region's components of one kind. */
  readonly activeReachByKind: Readonly<Record<ProbedKind, readonly Reach[]>>;
  /** What the vantages say of one component in one region; empty where it is not probed there. */
  readonly reachOfComponent: (component: ComponentId, region: RegionId) => readonly Reach[];
  readonly postgres: readonly PostgresView[];
  /** Every alert that fires and counts; walks through all of them when it is asked for. */
  readonly alerts: readonly AlertView[];
  /** The same by what they mean. */
  readonly firing: FiringAlerts;
  readonly silenced: readonly SilencedView[];
  /** Silences that stand now; null = they were not heard of lately. */
  readonly silences: readonly Silence[] | null;
  /** Facts that the config names, in its order. */
  readonly metrics: readonly MetricView[];
};

export const groupLedger = (state: State, group: GroupId): GroupLedger => state.ledger.groups[group] ?? EMPTY_GROUP;

/** Everything known of a group now. The group must be in the settings. */
export function viewOf(state: State, group: GroupId): View {
  const settings = state.settings.groups[group];
  if (settings === undefined) throw new RangeError(`no such group: ${group}`);
  const ledger = groupLedger(state, group);
  const active = ledger.active ?? settings.primary;
  const standby = active === settings.primary ? settings.secondary : settings.primary;
  const vantages = settings.vantages.map((vantage) => vantageView(state, vantage.id, vantage.region));
  const probed = settings.components.filter(isProbed);
  const reach = Object.fromEntries(
    [active, standby].map((region) => [
      region,
      vantages.map((vantage) => reachOf(state, settings, vantage, region, probed)),
    ]),
  );
  const ofKind = (kind: ProbedKind): Reach[] => {
    const some = probed.filter((component) => component.kind === kind);
    return vantages.map((vantage) => reachOf(state, settings, vantage, active, some));
  };
  const firing = firingAlerts(state, settings);
  let alerts: readonly AlertView[] | null = null;
  // Few rows ask for them.
  const byKind: Partial<Record<ProbedKind, Reach[]>> = {};
  const postgres = settings.components
    .filter((component) => component.kind === 'postgres' && component.supported)
    .map((component) => postgresView(state, settings, ledger, component, vantages, active, standby));
  return {
    group,
    at: state.at,
    upMs: state.mono,
    settings,
    ledger,
    active,
    standby,
    vantages,
    reach,
    activeReachByKind: {
      get postgres() {
        byKind.postgres ??= ofKind('postgres');
        return byKind.postgres;
      },
      get http() {
        byKind.http ??= ofKind('http');
        return byKind.http;
      },
    },
    reachOfComponent: (component, region) => {
      const some = probed.filter(({ id, regions }) => id === component && regions.includes(region));
      return some.length === 0 ? [] : vantages.map((vantage) => reachOf(state, settings, vantage, region, some));
    },
    postgres,
    get alerts() {
      alerts ??= firing.all(() => true);
      return alerts;
    },
    firing,
    silenced: silencedOf(state, settings),
    silences: silencesOf(state, settings),
    metrics: metricsOf(state, settings, active),
  };
}

type ProbedKind = 'postgres' | 'http';
const PROBED: readonly string[] = ['postgres', 'http'] satisfies ProbedKind[];
/** Components that tell whether clients reach a region. */
const isProbed = ({ supported, kind }: ComponentSettings): boolean => supported && PROBED.includes(kind);

function reachOf(
  state: State,
  settings: GroupSettings,
  vantage: VantageView,
  region: RegionId,
  components: readonly ComponentSettings[],
): Reach {
  const path = pathOf(vantage.region, region);
  const base = { vantage: vantage.id, path };
  if (vantage.connected !== 'ok') return { ...base, verdict: 'unknown', why: vantage.why, ageMs: null, badSince: null };
  let bad: KeptObservation[] = [];
  let missing = '';
  let seen = 0;
  const sights = state.volatile.sights[settings.id];
  for (const component of components) {
    if (!component.regions.includes(region)) continue;
    seen += 1;
    const kept = sights?.[sightKey(vantage.id, component.id, region)];
    if (kept === undefined || !freshFor(state, kept, component.freshMs))
      missing = `${component.id} was not seen lately`;
    else if (kept.observation.verdict === 'ok')
      return {
        ...base,
        verdict: 'ok',
        why: `${component.id} answers`,
        ageMs: state.mono - kept.receivedMono,
        badSince: null,
      };
    else if (kept.observation.verdict === 'bad') bad = [...bad, kept];
    else missing = `${component.id}: ${kept.observation.message ?? kept.observation.code ?? 'cannot tell'}`;
  }
  if (seen === 0) return { ...base, verdict: 'unknown', why: 'nothing is probed there', ageMs: null, badSince: null };
  if (missing !== '') return { ...base, verdict: 'unknown', why: missing, ageMs: null, badSince: null };
  const ageMs = Math.max(...bad.map((kept) => state.mono - kept.receivedMono));
  const badSince = Math.min(...bad.map((kept) => kept.badSince ?? kept.receivedAt));
  const why = bad
    .map((kept) => `${subjectOf(kept)} ${kept.observation.code ?? 'failed'} at ${kept.observation.reached}`)
    .join(', ');
  const doubt = doubtOf(vantage, bad);
  if (doubt !== null) return { ...base, verdict: 'unknown', why: `${why}, ${doubt}`, ageMs, badSince };
  return { ...base, verdict: 'bad', why, ageMs, badSince };
}

const subjectOf = ({ observation: o }: KeptObservation): string => ('component' in o ? o.component : o.kind);

function postgresView(
  state: State,
  settings: GroupSettings,
  ledger: GroupLedger,
  component: ComponentSettings,
  vantages: readonly VantageView[],
  active: RegionId,
  standby: RegionId,
): PostgresView {
  /** What the vantages that count saw lately of one side. */
  const sights = state.volatile.sights[settings.id];
  const sightsIn = (region: RegionId): PostgresSight[] =>
    vantages.flatMap((vantage) => {
      if (vantage.connected !== 'ok') return [];
      const kept = sights?.[sightKey(vantage.id, component.id, region)];
      if (kept === undefined || kept.observation.kind !== 'postgres' || !freshFor(state, kept, component.freshMs))
        return [];
      if (kept.observation.facts === null) return [];
      return [{ vantage: vantage.id, ageMs: state.mono - kept.receivedMono, observation: kept.observation }];
    });
  const newest = (sights: readonly PostgresSight[]): PostgresSight | null =>
    sights.reduce<PostgresSight | null>(
      (best, sight) => (best === null || sight.ageMs < best.ageMs ? sight : best),
      null,
    );
  const seen = [
    { region: active, sights: sightsIn(active) },
    { region: standby, sights: sightsIn(standby) },
  ] as const;
  const expected = component.systemIdentifier ?? ledger.identities[component.id] ?? null;
  const activeSight = newest(seen[0].sights);
  const standbySight = newest(seen[1].sights);
  const samples = state.volatile.samples[`${settings.id}/${component.id}`] ?? [];
  const sample = samples.at(-1) ?? null;
  const facts = standbySight?.observation.facts ?? null;
  const received = facts === null ? null : laterLsn(facts.receiveLsn, facts.replayLsn);
  const identity = identityOf(expected, standbySight);
  const streaming = streamingOf(settings, identity, standbySight);
  const identitiesSeen = [active, standby].flatMap((region) =>
    sightsIn(region).flatMap(({ vantage, observation }): IdentitySeen[] => {
      const systemIdentifier = observation.facts?.systemIdentifier ?? null;
      return systemIdentifier === null ? [] : [{ vantage, region, systemIdentifier }];
    }),
  );
  return {
    component: component.id,
    systemIdentifier: expected,
    active: activeSight,
    standby: standbySight,
    identity,
    identitiesSeen,
    contradictions: identitiesSeen.filter(({ systemIdentifier }) => expected !== null && systemIdentifier !== expected),
    streaming: streaming.verdict,
    streamingWhy: streaming.why,
    sample,
    made: {
      active: seenReadiness(state, ledger, settings.id, component.id, active),
      standby: seenReadiness(state, ledger, settings.id, component.id, standby),
    },
    receiveGapBytes:
      sample === null || received === null || sample.timeline !== facts?.timeline
        ? null
        : Math.max(0, lsnGapBytes(sample.flushLsn, received)),
    replayLagBytes:
      facts?.receiveLsn == null || facts.replayLsn === null
        ? null
        : Math.max(0, lsnGapBytes(facts.receiveLsn, facts.replayLsn)),
  };
}

function identityOf(expected: string | null, sight: PostgresSight | null): Verdict {
  const seen = sight?.observation.facts?.systemIdentifier ?? null;
  if (expected === null || seen === null) return 'unknown';
  return seen === expected ? 'ok' : 'bad';
}

function streamingOf(
  settings: GroupSettings,
  identity: Verdict,
  sight: PostgresSight | null,
): { verdict: Verdict; why: string } {
  const facts = sight?.observation.facts ?? null;
  if (sight === null || facts === null || identity !== 'ok')
    return { verdict: 'unknown', why: 'the standby was not seen, or is not known to be ours' };
  if (facts.inRecovery === false) return { verdict: 'unknown', why: 'the standby is not in recovery' };
  if (facts.walReceiver === null)
    return { verdict: 'unknown', why: 'the standby does not tell of its WAL receiver: grant pg_monitor' };
  if (facts.walReceiver !== 'streaming') return { verdict: 'bad', why: 'the standby has no streaming WAL receiver' };
  if (facts.lastMessageAgeMs === null)
    return { verdict: 'unknown', why: 'the standby does not tell when it last heard from its primary' };
  // What was lately then is older now by as much as the answer is.
  const ageMs = facts.lastMessageAgeMs + sight.ageMs;
  if (ageMs <= settings.standbyStreamedWithinMs)
    return { verdict: 'ok', why: `the standby heard from its primary ${Math.round(ageMs)} ms ago` };
  return { verdict: 'bad', why: `the standby last heard from its primary ${Math.round(ageMs / 1000)} s ago` };
}

/** What an alert means, to each group that makes something of it. */
export const meaningsOf = (state: State, alert: Alert): readonly MeaningOf[] =>
  indexOf(state.settings).meaningsOf(alert);

/** Whether any group makes something of this alert; one that means nothing changes nothing and is not kept. */
export const hasMeaning = (state: State, alert: Alert): boolean => meaningsOf(state, alert).length > 0;

/** Whether a silence holds the matchers that are named, each as it is named. */
export const holdsMatchers = ({ matchers }: Silence, match: AlertMeaning['match']): boolean =>
  match.every((wanted) =>
    matchers.some(
      ({ label, equal, value }) => label === wanted.label && equal === wanted.equal && value === wanted.value,
    ),
  );

const silencesOf = (state: State, settings: GroupSettings): readonly Silence[] | null =>
  freshSilences(state, settings)?.silences.filter(
    ({ startsAt, endsAt }) => startsAt <= state.at && state.at < endsAt,
  ) ?? null;

function silencedOf(state: State, settings: GroupSettings): SilencedView[] {
  const silences = freshSilences(state, settings);
  if (silences === null || settings.alertMeanings.length === 0) return [];
  return Object.values(silences.alerts).flatMap(({ alert, silencedBy }) => {
    if (!isSilenced(state, settings, alertKey(alert))) return [];
    const by = silences.silences.filter(({ id }) => silencedBy.includes(id));
    return meaningsOf(state, alert)
      .filter(({ group }) => group === settings.id)
      .map(({ meaning }): SilencedView => ({ alert, meaning, by }));
  });
}
