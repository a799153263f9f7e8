/**
 * The view: all evidence of one group, folded at one instant (design §2, §4). PURE.
 *
 * Whatever expired, is missing, or comes from a vantage that can't reach its own control targets is *unknown*: it never
 * counts as failed and is never good enough to act on (invariants 15, 18).
 */
import type { Alert, Silence } from '../model/evidence.ts';
import { alertKey } from '../model/evidence.ts';
import { EMPTY_GROUP, type GroupLedger } from '../model/ledger.ts';
import type { KeptObservation, State } from '../model/loop.ts';
import type { ComponentId, GroupId, Path, RegionId, VantageId, Verdict } from '../model/primitives.ts';
import { pathOf } from '../model/primitives.ts';
import type { AlertMeaning, ComponentSettings, GroupSettings } from '../model/settings.ts';
import { indexOf, type MeaningOf } from '../model/settings-index.ts';
import { sightKey } from './evidence.ts';
import { type AlertView, type FiringAlerts, firingAlerts, freshSilences, isSilenced } from './firing.ts';
import { type MetricView, metricsOf } from './metrics.ts';
import { type PostgresView, postgresView } from './postgres-view.ts';
import { doubtOf, freshFor, type VantageView, vantageView, wallOf } from './vantage.ts';

/** What one vantage says of one region, by client-like probes of all its components. */
export type Reach = {
  readonly vantage: VantageId;
  readonly path: Path;
  readonly verdict: Verdict;
  readonly why: string;
  readonly ageMs: number | null;
  /** When the present run of bad answers began, by the wall clock as it is now. */
  readonly badSince: number | null;
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
  /** What rows have read of it so far: each fact is read once, however many rows ask (`rows.ts`). */
  readonly readings: Map<string, object>;
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
  const { probed, databases } = partsOf(settings);
  const reachIn = (region: RegionId): Reach[] =>
    vantages.map((vantage) => reachOf(state, settings, vantage, region, probed));
  const reach = { [active]: reachIn(active), [standby]: reachIn(standby) };
  const postgres = databases.map((component) =>
    postgresView(state, settings, ledger, component, vantages, active, standby),
  );
  return new GroupView({
    state,
    group,
    at: state.at,
    upMs: state.mono,
    settings,
    ledger,
    active,
    standby,
    vantages,
    reach,
    postgres,
    firing: firingAlerts(state, settings),
    silenced: silencedOf(state, settings),
    silences: silencesOf(state, settings),
  });
}

type Seen = Pick<
  View,
  | 'group'
  | 'at'
  | 'upMs'
  | 'settings'
  | 'ledger'
  | 'active'
  | 'standby'
  | 'vantages'
  | 'reach'
  | 'postgres'
  | 'firing'
  | 'silenced'
  | 'silences'
> & { readonly state: State };

/** A class, since an object with getters of its own is dear to make: what few rows ask for is made when they do. */
class GroupView implements View {
  readonly group: View['group'];
  readonly at: View['at'];
  readonly upMs: View['upMs'];
  readonly settings: View['settings'];
  readonly ledger: View['ledger'];
  readonly active: View['active'];
  readonly standby: View['standby'];
  readonly vantages: View['vantages'];
  readonly reach: View['reach'];
  readonly postgres: View['postgres'];
  readonly firing: View['firing'];
  readonly silenced: View['silenced'];
  readonly silences: View['silences'];
  readonly readings: View['readings'] = new Map();
  readonly #state: State;
  #alerts: View['alerts'] | null = null;
  #metrics: View['metrics'] | null = null;
  #byKind: View['activeReachByKind'] | null = null;

  constructor(seen: Seen) {
    this.group = seen.group;
    this.at = seen.at;
    this.upMs = seen.upMs;
    this.settings = seen.settings;
    this.ledger = seen.ledger;
    this.active = seen.active;
    this.standby = seen.standby;
    this.vantages = seen.vantages;
    this.reach = seen.reach;
    this.postgres = seen.postgres;
    this.firing = seen.firing;
    this.silenced = seen.silenced;
    this.silences = seen.silences;
    this.#state = seen.state;
  }

  get alerts(): View['alerts'] {
    this.#alerts ??= this.firing.all(() => true);
    return this.#alerts;
  }
  get metrics(): View['metrics'] {
    this.#metrics ??= metricsOf(this.#state, this.settings, this.active);
    return this.#metrics;
  }
  get activeReachByKind(): View['activeReachByKind'] {
    this.#byKind ??= { postgres: this.#ofKind('postgres'), http: this.#ofKind('http') };
    return this.#byKind;
  }
  #ofKind(kind: ProbedKind): readonly Reach[] {
    return this.#reachOfSome(
      this.active,
      partsOf(this.settings).probed.filter((component) => component.kind === kind),
    );
  }
  reachOfComponent(component: ComponentId, region: RegionId): readonly Reach[] {
    const some = partsOf(this.settings).probed.filter(
      ({ id, regions }) => id === component && regions.includes(region),
    );
    return some.length === 0 ? [] : this.#reachOfSome(region, some);
  }
  #reachOfSome(region: RegionId, some: readonly ComponentSettings[]): readonly Reach[] {
    return this.vantages.map((vantage) => reachOf(this.#state, this.settings, vantage, region, some));
  }
}

type ProbedKind = 'postgres' | 'http';
const PROBED: readonly string[] = ['postgres', 'http'] satisfies ProbedKind[];

type Parts = {
  /** Components that tell whether clients reach a region. */
  readonly probed: readonly ComponentSettings[];
  readonly databases: readonly ComponentSettings[];
};
const parts = new WeakMap<GroupSettings, Parts>();
/** Found once for each configuration of a group, not at every look. */
function partsOf(settings: GroupSettings): Parts {
  const known = parts.get(settings);
  if (known !== undefined) return known;
  const supported = settings.components.filter((component) => component.supported);
  const made = {
    probed: supported.filter(({ kind }) => PROBED.includes(kind)),
    databases: supported.filter(({ kind }) => kind === 'postgres'),
  };
  parts.set(settings, made);
  return made;
}

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
  const badSince = Math.min(...bad.map((kept) => wallOf(state, kept.badSinceMono ?? kept.receivedMono)));
  const why = bad
    .map((kept) => `${subjectOf(kept)} ${kept.observation.code ?? 'failed'} at ${kept.observation.reached}`)
    .join(', ');
  const doubt = doubtOf(vantage, bad);
  if (doubt !== null) return { ...base, verdict: 'unknown', why: `${why}, ${doubt}`, ageMs, badSince };
  return { ...base, verdict: 'bad', why, ageMs, badSince };
}

const subjectOf = ({ observation: o }: KeptObservation): string => ('component' in o ? o.component : o.kind);

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
