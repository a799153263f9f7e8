/**
 * The fact sheet: what every vantage saw of every component, and what follows from it, each with its age. PURE.
 * What is expected and was never seen has a row too: a silent vantage must not look like a shorter table.
 */
import type { KeptObservation, State } from '../model/loop.ts';
import type { Verdict } from '../model/primitives.ts';
import { CONTROL_FRESH_MS, type PostgresView, type View } from '../policies/view.ts';
import type { FactStatus } from './status-document.ts';

/** Observations by what they are of: looked for once, so that a thousand groups don't each go through all of them. */
export type Sights = {
  readonly byPlace: ReadonlyMap<string, readonly KeptObservation[]>;
  readonly controls: ReadonlyMap<string, readonly KeptObservation[]>;
};

const placeKey = (vantage: string, group: string, component: string): string => `${vantage}/${group}/${component}`;

export function sightsOf(state: State): Sights {
  const byPlace = new Map<string, KeptObservation[]>();
  const controls = new Map<string, KeptObservation[]>();
  const add = (map: Map<string, KeptObservation[]>, key: string, kept: KeptObservation): void => {
    const before = map.get(key);
    if (before === undefined) map.set(key, [kept]);
    else before.push(kept);
  };
  for (const kept of Object.values(state.volatile.observations)) {
    const { observation: o } = kept;
    if (o.kind === 'control') add(controls, o.vantage, kept);
    else add(byPlace, placeKey(o.vantage, o.group, o.component), kept);
  }
  return { byPlace, controls };
}

export function factsOf(state: State, view: View, seen: Sights): FactStatus[] {
  const facts = [
    ...probed(state, view, seen),
    ...view.postgres.flatMap((postgres) => derived(view, postgres)),
    ...notProbed(view),
  ];
  // What is wrong is read first; among equals the order stays, so that the eye finds a row again.
  return facts.sort((a, b) => URGENCY[a.verdict] - URGENCY[b.verdict]);
}

const URGENCY = { bad: 0, unknown: 1, ok: 2 } as const satisfies Record<Verdict, number>;

function probed(state: State, view: View, { byPlace, controls }: Sights): FactStatus[] {
  const facts: FactStatus[] = [];
  for (const component of view.settings.components.filter((c) => c.supported)) {
    for (const vantage of view.settings.vantages) {
      const own = byPlace.get(placeKey(vantage.id, view.group, component.id)) ?? [];
      for (const one of own) facts.push(sight(state, one, component.freshMs));
      if (component.kind !== 'dns') {
        for (const region of component.regions.filter((r) => !own.some((one) => placeOf(one) === r)))
          facts.push(neverSeen(`${component.kind}.reachable`, `${component.id} in ${region}`, vantage.id));
      } else if (own.length === 0) facts.push(neverSeen('dns.answers', component.id, vantage.id));
    }
  }
  for (const vantage of view.settings.vantages) {
    const own = controls.get(vantage.id) ?? [];
    for (const one of own) facts.push(sight(state, one, CONTROL_FRESH_MS));
    if (own.length === 0) facts.push(neverSeen('vantage.connected', vantage.id, vantage.id));
  }
  return facts;
}

const placeOf = ({ observation: o }: KeptObservation): string => (o.kind === 'control' ? o.target : o.region);

const neverSeen = (fact: string, subject: string, vantage: string): FactStatus => ({
  fact,
  subject,
  vantage,
  verdict: 'unknown',
  value: 'never seen',
  ageMs: null,
  log: [],
});

function sight(state: State, kept: KeptObservation, freshMs: number): FactStatus {
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
    log: o.verdict === 'ok' ? [] : [...(o.log ?? [])],
  };
}

function factName(kind: KeptObservation['observation']['kind']): string {
  switch (kind) {
    case 'postgres':
      return 'postgres.reachable';
    case 'http':
      return 'http.reachable';
    case 'dns':
      return 'dns.answers';
    case 'control':
      return 'vantage.connected';
    default:
      return exhausted(kind);
  }
}

function subjectOf({ observation: o }: KeptObservation): string {
  switch (o.kind) {
    case 'control':
      return o.target;
    case 'dns':
      return `${o.component} at ${o.facts.resolver}`;
    default:
      return `${o.component} in ${o.region}`;
  }
}

function answerText({ observation: o }: KeptObservation): string {
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
    case 'control':
      return `answers in ${took}`;
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
    log: [],
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
      log: [],
    }));

function exhausted(value: never): never {
  throw new TypeError(`unknown: ${JSON.stringify(value)}`);
}
