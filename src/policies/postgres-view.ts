/** What the vantages that count saw lately of both sides of one PostgreSQL (design §4). PURE. */
import type { PostgresObservation } from '../model/evidence.ts';
import type { GroupLedger } from '../model/ledger.ts';
import type { Sample, State } from '../model/loop.ts';
import type { ComponentId, RegionId, VantageId, Verdict } from '../model/primitives.ts';
import { laterLsn, lsnGapBytes } from '../model/primitives.ts';
import type { ComponentSettings, GroupSettings } from '../model/settings.ts';
import { sightKey } from './evidence.ts';
import type { SeenReadiness } from './readiness.ts';
import { seenReadiness } from './readiness-kept.ts';
import { freshFor, type VantageView } from './vantage.ts';

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

export function postgresView(
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
  const inActive = sightsIn(active);
  const inStandby = sightsIn(standby);
  const expected = component.systemIdentifier ?? ledger.identities[component.id] ?? null;
  const standbySight = newest(inStandby);
  const identity = identityOf(expected, standbySight);
  const streaming = streamingOf(settings, identity, standbySight);
  const identitiesSeen = [...identitiesIn(active, inActive), ...identitiesIn(standby, inStandby)];
  const sample = state.volatile.samples[`${settings.id}/${component.id}`]?.at(-1) ?? null;
  return new SeenPostgres(
    {
      component: component.id,
      systemIdentifier: expected,
      active: newest(inActive),
      standby: standbySight,
      identity,
      identitiesSeen,
      contradictions: identitiesSeen.filter(
        ({ systemIdentifier }) => expected !== null && systemIdentifier !== expected,
      ),
      streaming: streaming.verdict,
      streamingWhy: streaming.why,
      sample,
    },
    (region) => seenReadiness(state, ledger, settings.id, component.id, region),
    [active, standby],
  );
}

/** As it was seen; log positions are dear to read, and few ask for what is made of them. */
class SeenPostgres implements PostgresView {
  readonly component: PostgresView['component'];
  readonly systemIdentifier: PostgresView['systemIdentifier'];
  readonly active: PostgresView['active'];
  readonly standby: PostgresView['standby'];
  readonly identity: PostgresView['identity'];
  readonly identitiesSeen: PostgresView['identitiesSeen'];
  readonly contradictions: PostgresView['contradictions'];
  readonly streaming: PostgresView['streaming'];
  readonly streamingWhy: PostgresView['streamingWhy'];
  readonly sample: PostgresView['sample'];
  readonly #madeIn: (region: RegionId) => SeenReadiness | null;
  readonly #sides: readonly [active: RegionId, standby: RegionId];

  constructor(
    seen: Omit<PostgresView, 'made' | 'receiveGapBytes' | 'replayLagBytes'>,
    madeIn: (region: RegionId) => SeenReadiness | null,
    sides: readonly [active: RegionId, standby: RegionId],
  ) {
    this.component = seen.component;
    this.systemIdentifier = seen.systemIdentifier;
    this.active = seen.active;
    this.standby = seen.standby;
    this.identity = seen.identity;
    this.identitiesSeen = seen.identitiesSeen;
    this.contradictions = seen.contradictions;
    this.streaming = seen.streaming;
    this.streamingWhy = seen.streamingWhy;
    this.sample = seen.sample;
    this.#madeIn = madeIn;
    this.#sides = sides;
  }

  get made(): PostgresView['made'] {
    const [active, standby] = this.#sides;
    return { active: this.#madeIn(active), standby: this.#madeIn(standby) };
  }
  get receiveGapBytes(): number | null {
    const facts = this.standby?.observation.facts ?? null;
    const received = facts === null ? null : laterLsn(facts.receiveLsn, facts.replayLsn);
    if (this.sample === null || received === null || this.sample.timeline !== facts?.timeline) return null;
    return Math.max(0, lsnGapBytes(this.sample.flushLsn, received));
  }
  get replayLagBytes(): number | null {
    const facts = this.standby?.observation.facts ?? null;
    if (facts?.receiveLsn == null || facts.replayLsn === null) return null;
    return Math.max(0, lsnGapBytes(facts.receiveLsn, facts.replayLsn));
  }
}

const identitiesIn = (region: RegionId, sights: readonly PostgresSight[]): IdentitySeen[] =>
  sights.flatMap(({ vantage, observation }) => {
    const systemIdentifier = observation.facts?.systemIdentifier ?? null;
    return systemIdentifier === null ? [] : [{ vantage, region, systemIdentifier }];
  });

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
