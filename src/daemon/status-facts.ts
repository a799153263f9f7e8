/**
 * The fact sheet: what every vantage saw of every component, and what follows from it, each with its age. PURE.
 * What is expected and was never seen has a row too: a silent vantage must not look like a shorter table.
 */

import type { Observation } from '../model/evidence.ts';
import type { FailureEpisode } from '../model/failures.ts';
import type { KeptObservation, State } from '../model/loop.ts';
import type { Verdict } from '../model/primitives.ts';
import { METRICS_VANTAGE, monitorKey, sightKey } from '../policies/evidence.ts';
import { serverText } from '../policies/metrics.ts';
import type { PostgresView } from '../policies/postgres-view.ts';
import { READY_FRESH_MS } from '../policies/readiness.ts';
import { CONTROL_FRESH_MS } from '../policies/vantage.ts';
import type { View } from '../policies/view.ts';
import type { FactStatus, FailureStatus, GroupStatus } from './status-document.ts';
import { counted } from './text.ts';

export function factsOf(state: State, view: View): FactStatus[] {
  const facts = [
    ...probed(state, view),
    ...view.postgres.flatMap((postgres) => derived(view, postgres)),
    ...notProbed(view),
  ];
  // What is wrong is read first; among equals the order stays, so that the eye finds a row again.
  return facts.sort((a, b) => URGENCY[a.verdict] - URGENCY[b.verdict]);
}

const URGENCY = { bad: 0, unknown: 1, ok: 2 } as const satisfies Record<Verdict, number>;

/** What a probe saw. Metrics have a sheet of their own (`status-metrics.ts`). */
type Probed = KeptObservation & { readonly observation: Exclude<Observation, { kind: 'metric' }> };
const isProbed = (kept: KeptObservation): kept is Probed => kept.observation.kind !== 'metric';

function probed(state: State, view: View): FactStatus[] {
  const sights = Object.values(state.volatile.sights[view.group] ?? {}).filter(isProbed);
  const facts: FactStatus[] = [];
  for (const component of view.settings.components.filter((c) => c.supported)) {
    for (const vantage of view.settings.vantages) {
      const own = sights.filter(({ observation: o }) => isOf(o, vantage.id, component.id));
      for (const one of own) facts.push(sight(state, one, isReadiness(one) ? READY_FRESH_MS : component.freshMs));
      if (component.kind !== 'dns') {
        for (const region of component.regions.filter(
          (r) => !own.some((one) => !isReadiness(one) && placeOf(one) === r),
        ))
          facts.push(neverSeen(`${component.kind}.reachable`, `${component.id} in ${region}`, vantage.id));
      } else if (own.length === 0) facts.push(neverSeen('dns.answers', component.id, vantage.id));
    }
  }
  for (const vantage of view.settings.vantages) {
    const own = Object.values(state.volatile.controls[vantage.id] ?? {}).filter(isProbed);
    for (const one of own) facts.push(sight(state, one, CONTROL_FRESH_MS));
    if (own.length === 0) facts.push(neverSeen('vantage.connected', vantage.id, vantage.id));
  }
  return facts;
}

const isReadiness = ({ observation }: KeptObservation): boolean => observation.kind === 'readiness';

/** Every pair of vantage and target that is probed, whether or not it was seen: what is not known is told as unknown. */
export function targetsOf(state: State, { group, settings }: View): GroupStatus['targets'] {
  const probed = settings.components.filter(({ kind, supported }) => supported && kind !== 'dns');
  return probed.flatMap((component) =>
    component.regions.flatMap((region) =>
      settings.vantages.map(({ id: vantage }) => {
        const kept = state.volatile.sights[group]?.[sightKey(vantage, component.id, region)];
        const fresh = kept !== undefined && state.mono - kept.receivedMono <= component.freshMs;
        return { vantage, component: component.id, region, verdict: fresh ? kept.observation.verdict : 'unknown' };
      }),
    ),
  );
}

const isOf = (o: Probed['observation'], vantage: string, component: string): boolean =>
  'component' in o && o.vantage === vantage && o.component === component;

const placeOf = ({ observation: o }: Probed): string => ('region' in o ? o.region : o.target);

const neverSeen = (fact: string, subject: string, vantage: string): FactStatus => ({
  fact,
  subject,
  vantage,
  verdict: 'unknown',
  value: 'never seen',
  ageMs: null,
  expired: false,
  log: [],
  failures: [],
});

function sight(state: State, kept: Probed, freshMs: number): FactStatus {
  const { observation: o } = kept;
  const ageMs = Math.max(0, state.mono - kept.receivedMono);
  const expired = ageMs > freshMs;
  const said = answerText(kept);
  return {
    fact: factName(o.kind),
    subject: subjectOf(kept),
    vantage: o.vantage,
    verdict: expired ? 'unknown' : o.verdict,
    value: expired ? `expired; it was ${o.verdict}: ${said}` : said,
    ageMs,
    expired,
    log: o.verdict === 'ok' ? [] : [...(o.log ?? [])],
    failures: failuresOf(state, kept.failures),
  };
}

/** How the servers are that watch for us; one that was never asked has a row too. */
export const monitorsOf = (state: State): FactStatus[] =>
  state.settings.monitors
    .map((monitor) => {
      const kept = state.volatile.monitors[monitorKey(monitor)];
      const subject = `${serverText(monitor, monitor.replica)} in ${monitor.region}`;
      return kept === undefined || !isProbed(kept)
        ? neverSeen(factName(monitor.kind), subject, METRICS_VANTAGE)
        : sight(state, kept, monitor.freshMs);
    })
    .sort((a, b) => URGENCY[a.verdict] - URGENCY[b.verdict]);

/** Newest first. */
export const failuresOf = (state: State, episodes: readonly FailureEpisode[]): FailureStatus[] =>
  episodes
    .map(({ lastMono, ...episode }) => ({
      ...episode,
      log: [...episode.log],
      lastAgeMs: Math.max(0, state.mono - lastMono),
    }))
    .sort((a, b) => a.lastAgeMs - b.lastAgeMs);

function factName(kind: Probed['observation']['kind']): string {
  switch (kind) {
    case 'postgres':
      return 'postgres.reachable';
    case 'http':
      return 'http.reachable';
    case 'dns':
      return 'dns.answers';
    case 'control':
      return 'vantage.connected';
    case 'readiness':
      return 'postgres.readiness';
    case 'tcp':
      return 'tcp.reachable';
    case 'prometheus':
      return 'prometheus.scraping';
    case 'alertmanager':
      return 'alertmanager.ready';
    default:
      return exhausted(kind);
  }
}

function subjectOf({ observation: o }: Probed): string {
  switch (o.kind) {
    case 'control':
      return o.target;
    case 'prometheus':
    case 'alertmanager':
      return `${serverText(o, o.replica)} in ${o.region}`;
    case 'dns':
      return `${o.component} at ${o.facts.resolver}`;
    default:
      return `${o.component} in ${o.region}`;
  }
}

function answerText({ observation: o }: Probed): string {
  if (o.verdict !== 'ok') {
    const why = o.message ?? o.code ?? 'no answer';
    return `${o.code === null ? '' : `${o.code} at `}${o.reached}${why === o.code ? '' : `: ${why}`}`;
  }
  const took = `${Math.round(o.durationMs)} ms`;
  switch (o.kind) {
    case 'postgres': {
      const role = o.facts?.inRecovery === null ? '' : o.facts?.inRecovery ? 'standby' : 'primary';
      const timeline = o.facts?.timeline == null ? '' : `timeline ${o.facts.timeline}`;
      const lsn = o.facts?.flushLsn ?? o.facts?.receiveLsn ?? o.facts?.replayLsn ?? '';
      return [role, timeline, lsn, `${o.reached} in ${took}`].filter((part) => part !== '').join(', ');
    }
    case 'http':
      return `${o.facts.status ?? 'no status'} in ${took}`;
    case 'dns':
      return `${o.facts.answers.join(' ')}${o.facts.ttlSeconds === null ? '' : `, ttl ${o.facts.ttlSeconds} s`}`;
    case 'readiness':
      return `${o.facts?.databases.length ?? 0} databases${o.message === null ? '' : `; ${o.message}`}, in ${took}`;
    case 'control':
      return `answers in ${took}`;
    case 'tcp':
      return `${o.reached === 'handshake' ? 'connected, handshake done' : 'connected'} in ${took}`;
    case 'prometheus':
      return `scrapes ${counted(o.facts?.targets ?? 0, 'target')}, answered in ${took}`;
    case 'alertmanager':
      return `ready, ${o.facts?.cluster === 'disabled' ? 'alone' : `one of ${counted(o.facts?.peers ?? 0, 'peer')}`}, answered in ${took}`;
    default:
      return exhausted(o);
  }
}

function derived(view: View, postgres: PostgresView): FactStatus[] {
  const subject = `${postgres.component} in ${view.standby}`;
  const ageMs = postgres.standby?.ageMs ?? null;
  const of = (fact: string, verdict: Verdict, value: string): FactStatus => ({
    fact,
    subject,
    vantage: postgres.standby?.vantage ?? null,
    verdict,
    value,
    ageMs,
    // What it is made from is fresh, or the verdict is unknown.
    expired: false,
    log: [],
    failures: [],
  });
  const known = (bytes: number | null): Verdict => (bytes === null ? 'unknown' : 'ok');
  return [
    of('postgres.identity', postgres.identity, postgres.systemIdentifier ?? 'not pinned yet'),
    of('postgres.streaming', postgres.streaming, postgres.streamingWhy),
    of('postgres.receive_gap_bytes', known(postgres.receiveGapBytes), bytesText(postgres.receiveGapBytes)),
    of('postgres.replay_lag_bytes', known(postgres.replayLagBytes), bytesText(postgres.replayLagBytes)),
  ];
}

const bytesText = (bytes: number | null): string => (bytes === null ? 'not known' : `${bytes} bytes`);

const notProbed = (view: View): FactStatus[] =>
  view.settings.components
    .filter((component) => !component.supported)
    .map((component) => ({
      fact: `${component.kind}.reachable`,
      subject: component.id,
      vantage: null,
      verdict: 'unknown',
      value: 'declared and not probed yet',
      ageMs: null,
      expired: false,
      log: [],
      failures: [],
    }));

function exhausted(value: never): never {
  throw new TypeError(`unknown: ${JSON.stringify(value)}`);
}
