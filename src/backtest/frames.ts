/**
 * What the core sees of a history: alerts as they begin and end, and the observations that probes would have made. PURE.
 *
 * Prometheus keeps whether a probe succeeded, not what PostgreSQL said. What the core needs of a server is made up from
 * what is known: positions in the log from the receive gap and the replay lag, around a position of our own. The rest is
 * assumed (`assumed.ts`): who is primary, one timeline, one cluster, servers made alike. What is not known, or refused to be
 * assumed, stays unknown, so a loss that can't be told reads as not known.
 */
import { createHash } from 'node:crypto';
import type { Frame, Frames } from '../engine/replay.ts';
import type { Report } from '../model/events.ts';
import type { Alert, Observation, PostgresFacts } from '../model/evidence.ts';
import type { GroupId, RegionId, Verdict, WallMs } from '../model/primitives.ts';
import { metricVerdict } from '../model/prometheus.ts';
import type { AlertMeaning, GroupSettings, Settings } from '../model/settings.ts';
import { METRICS_VANTAGE } from '../policies/evidence.ts';
import { ALIKE } from './assumed.ts';
import type { Column, History, MetricColumn, ProbeColumn, ReplicationColumns } from './history.ts';

/** Where the primary's log stands, for ever: only distances from it are known. */
const PRIMARY_LSN = 1n << 40n;
const CLUSTER = '1';
/** The core looks once a second, so a step is last looked at so long before the next. */
const LOOK_MS = 1000;
/** As often as the daemon asks how a server is made. */
const MADE_EVERY_MS = 60_000;

export function framesOf(history: History, settings: Settings): Frames {
  const groups = Object.values(settings.groups);
  const alerts = history.alerts.map((column) => alertTrack(history, column, groups));
  const every = heardEvery(history, groups);
  const verdicts = verdictColumns(history);
  const made: Made = { lsn: lsnText(PRIMARY_LSN), heardUntil: heardUntil(history) };
  return {
    count: history.count,
    frame(index): Frame {
      const at = history.from + index * history.stepMs;
      const alive = history.alive[index] === 1;
      return {
        at,
        alike: index > 0 && alikeAt(history, verdicts, index),
        alerts: alive ? alerts.flatMap((track) => track.at(index, every)) : [],
        cleared: alive ? alerts.flatMap((track) => (track.endsAt(index) ? track.reports : [])) : [],
        observe: alive ? (instant) => observationsAt(history, settings, index, instant, made) : () => [],
      };
    },
  };
}

/** Often enough for no alert to expire and no watchdog to fall silent, and seldom enough to cost little. */
function heardEvery({ stepMs }: History, groups: readonly GroupSettings[]): number {
  const shortestMs = Math.min(...groups.flatMap((group) => [group.alertExpiryMs, group.watchdogWithinMs]));
  return Math.max(1, Math.floor(shortestMs / 3 / stepMs));
}

type AlertTrack = {
  at(index: number, every: number): readonly Alert[];
  endsAt(index: number): boolean;
  readonly reports: readonly { readonly group: GroupId; readonly report: Report }[];
};

const matches = (meaning: AlertMeaning, labels: Readonly<Record<string, string>>): boolean =>
  meaning.match.every((m) => ((labels[m.label] ?? '') === m.value) === m.equal);

/** Facts that make a report, which is sticky; in a backtest it ends with its alert, since nobody clears it. */
const REPORTS: Readonly<Record<string, Report>> = {
  'corruption-reported': 'corruption',
  'deletion-reported': 'deletion',
};

/** One alert over the history. A gap neither begins nor ends it: it goes on where it stood before. */
function alertTrack(
  history: History,
  { labels, firing }: History['alerts'][number],
  groups: readonly GroupSettings[],
): AlertTrack {
  const starts = new Float64Array(history.count).fill(Number.NaN);
  const ends = new Uint8Array(history.count);
  let started = Number.NaN;
  for (let index = 0; index < history.count; index += 1) {
    if (history.alive[index] !== 1) continue;
    const fires = !Number.isNaN(firing[index] ?? Number.NaN);
    if (fires && Number.isNaN(started)) started = history.from + index * history.stepMs;
    if (!fires && !Number.isNaN(started)) ends[index] = 1;
    starts[index] = started;
    if (!fires) started = Number.NaN;
  }
  const fingerprint = createHash('sha256')
    .update(JSON.stringify(Object.entries(labels).sort()))
    .digest('hex')
    .slice(0, 16);
  const summary = labels['summary'] ?? null;
  const of = (startsAt: number, status: Alert['status']): Alert => ({ fingerprint, startsAt, status, labels, summary });
  return {
    endsAt: (index) => ends[index] === 1,
    reports: groups.flatMap((group) =>
      group.alertMeanings.flatMap((meaning) => {
        const report = REPORTS[meaning.fact];
        return report !== undefined && matches(meaning, labels) ? [{ group: group.id, report }] : [];
      }),
    ),
    at(index, every) {
      const startsAt = starts[index] ?? Number.NaN;
      if (Number.isNaN(startsAt)) return [];
      if (ends[index] === 1) return [of(startsAt, 'resolved')];
      const begins = startsAt === history.from + index * history.stepMs;
      return begins || index % every === 0 || history.alive[index - 1] !== 1 ? [of(startsAt, 'firing')] : [];
    },
  };
}

const verdictAt = (column: Column, index: number): Verdict | null => {
  const value = column[index];
  if (value === undefined || Number.isNaN(value)) return null;
  return value === 1 ? 'ok' : value === 0 ? 'bad' : 'unknown';
};

type VerdictColumn = (index: number) => number;
const CODES = { ok: 1, bad: 2, unknown: 3 } as const;

/** Everything whose change is more than another number. */
function verdictColumns(history: History): readonly VerdictColumn[] {
  const verdict =
    (column: Column): VerdictColumn =>
    (index) => {
      const found = verdictAt(column, index);
      return found === null ? 0 : CODES[found];
    };
  const isKnown =
    (column: Column): VerdictColumn =>
    (index) =>
      Number.isNaN(column[index] ?? Number.NaN) ? 0 : 1;
  return [
    ...[...history.controls.values()].map(verdict),
    ...history.probes.map((probe) => verdict(probe.verdict)),
    ...[...history.replication.values()].flatMap(({ streaming, receiveGapBytes, replayLagBytes, replayLagSeconds }) => [
      ...(streaming === null ? [] : [verdict(streaming)]),
      ...[receiveGapBytes, replayLagBytes, replayLagSeconds].flatMap((column) =>
        column === null ? [] : [isKnown(column)],
      ),
    ]),
    ...history.metrics.map(({ metric, value }): VerdictColumn => {
      if (metric.type === 'number') return isKnown(value);
      return (index) =>
        Number.isNaN(value[index] ?? Number.NaN) ? 0 : CODES[metricVerdict(metric.bad, value[index] ?? 0)];
    }),
  ];
}

function alikeAt(history: History, columns: readonly VerdictColumn[], index: number): boolean {
  if (history.alive[index] !== history.alive[index - 1]) return false;
  for (const column of columns) if (column(index) !== column(index - 1)) return false;
  return true;
}

const seen = (vantage: string, at: WallMs, verdict: Verdict) => ({
  vantage,
  at,
  durationMs: 0,
  verdict,
  reached: 'history',
  code: verdict === 'ok' ? null : ('failed' as const),
  message: verdict === 'ok' ? null : 'it failed in the history',
});

function observationsAt(
  history: History,
  settings: Settings,
  index: number,
  at: WallMs,
  made: Made,
): readonly Observation[] {
  const observations: Observation[] = [];
  if (history.assumed.has('readiness') && isAskedHowMade(history, index, at))
    observations.push(...madeAlike(history, index, at));
  for (const [vantage, column] of history.controls) {
    const verdict = verdictAt(column, index);
    if (verdict !== null) observations.push({ kind: 'control', target: 'history', ...seen(vantage, at, verdict) });
  }
  for (const probe of history.probes) {
    const verdict = verdictAt(probe.verdict, index);
    if (verdict !== null) observations.push(probeSeen(history, settings, probe, verdict, index, at, made));
  }
  for (const column of history.metrics) observations.push(...metricSeen(column, index, at));
  return observations;
}

/**
 * Once a minute, and at instants that are looked at whether or not every second is: at the first step of each minute, and
 * within steps that are longer.
 */
function isAskedHowMade({ from, stepMs, alive }: History, index: number, at: WallMs): boolean {
  const passedMs = at - from;
  const intoMs = passedMs - index * stepMs;
  if (intoMs > 0) return stepMs > MADE_EVERY_MS && intoMs % MADE_EVERY_MS === 0;
  if (index === 0 || alive[index - 1] !== 1) return true;
  return Math.floor(passedMs / MADE_EVERY_MS) > Math.floor((passedMs - stepMs) / MADE_EVERY_MS);
}

/** Of servers that answer; by the daemon, which alone asks this, whoever saw them in the history. */
function* madeAlike({ probes }: History, index: number, at: WallMs): Generator<Observation> {
  const told = new Set<string>();
  for (const { group, kind, component, region, verdict } of probes) {
    const key = `${group}/${component}/${region}`;
    if (kind !== 'postgres' || told.has(key) || verdictAt(verdict, index) !== 'ok') continue;
    told.add(key);
    yield { kind: 'readiness', group, component, region, ...seen(METRICS_VANTAGE, at, 'ok'), facts: ALIKE };
  }
}

function probeSeen(
  { replication, assumed }: History,
  settings: Settings,
  { group, kind, component, region, vantage }: ProbeColumn,
  verdict: Verdict,
  index: number,
  at: WallMs,
  made: Made,
): Observation {
  const base = { group, component, region, ...seen(vantage, at, verdict) };
  if (kind === 'http') return { kind, ...base, facts: { status: null } };
  const known = settings.groups[group];
  const own = known?.components.find(({ id }) => id === component);
  const facts =
    verdict === 'ok' && known !== undefined
      ? serverFacts({
          region,
          primary: known.primary,
          columns: replication.get(group) ?? null,
          heard: made.heardUntil.get(group) ?? null,
          index,
          at,
          lsn: made.lsn,
          systemIdentifier: assumed.has('identity') ? (own?.systemIdentifier ?? CLUSTER) : null,
          roles: assumed.has('roles'),
        })
      : null;
  return { kind, ...base, facts };
}

type Server = {
  readonly region: RegionId;
  readonly primary: RegionId;
  readonly columns: ReplicationColumns | null;
  readonly heard: HeardUntil | null;
  readonly index: number;
  readonly at: WallMs;
  readonly lsn: string;
  readonly systemIdentifier: string | null;
  /** Whether it is taken for given who is primary. */
  readonly roles: boolean;
};

/** The region that the config calls primary is the active one all along: nothing moves in a backtest. */
function serverFacts({
  region,
  primary,
  columns,
  heard,
  index,
  at,
  lsn,
  systemIdentifier,
  roles,
}: Server): PostgresFacts {
  const common = {
    systemIdentifier,
    timeline: roles ? 1 : null,
    insertLsn: null,
    flushLsn: null,
    receiveLsn: null,
    replayLsn: null,
    walReceiver: null,
    lastMessageAgeMs: null,
    lastReplayedCommitAt: null,
    replayPaused: null,
    clockAt: at,
    canary: 'skipped',
  } as const;
  if (region === primary) return { ...common, inRecovery: roles ? false : null, insertLsn: lsn, flushLsn: lsn };
  const number = (column: Column | null | undefined): number | null => {
    const value = column?.[index] ?? Number.NaN;
    return Number.isFinite(value) ? value : null;
  };
  const gap = number(columns?.receiveGapBytes);
  const lagSeconds = number(columns?.replayLagSeconds);
  // A lag in seconds says whether anything is to be replayed at all; how many bytes is of no account to any rule.
  const behind = number(columns?.replayLagBytes);
  const lagBytes = lagSeconds === null ? behind : lagSeconds > 0 ? Math.max(1, behind ?? 1) : 0;
  // Without the gap nothing may be said of a loss: a standby of no known timeline is compared with no sample.
  const received = gap === null && lagSeconds === null ? null : PRIMARY_LSN - BigInt(Math.max(0, Math.round(gap ?? 0)));
  const streaming = columns?.streaming == null ? null : verdictAt(columns.streaming, index);
  const commitAt = heard?.commitAt[index] ?? Number.NaN;
  return {
    ...common,
    inRecovery: roles ? true : null,
    timeline: gap === null || !roles ? null : 1,
    receiveLsn: received === null ? null : lsnText(received),
    replayLsn:
      received === null || lagBytes === null ? null : lsnText(received - BigInt(Math.max(0, Math.round(lagBytes)))),
    walReceiver: streaming === 'ok' ? 'streaming' : streaming === 'bad' ? 'none' : null,
    lastMessageAgeMs: streaming === 'ok' ? 0 : null,
    lastReplayedCommitAt:
      streaming === 'ok' && lagSeconds !== null
        ? Math.round(at - lagSeconds * 1000)
        : Number.isNaN(commitAt)
          ? null
          : commitAt,
    replayPaused: roles ? false : null,
  };
}

type Made = { readonly lsn: string; readonly heardUntil: ReadonlyMap<GroupId, HeardUntil> };
/** Commit time of what a standby had replayed when it last heard from its primary. */
type HeardUntil = { readonly commitAt: Column };

/**
 * A standby that hears nothing has replayed no later commit than the last it was sent: its lag in seconds goes on growing,
 * or reads as 0 once all is replayed, and neither says when that commit was. So the instant is kept from while it heard,
 * which a step stands for up to the next one; before it was ever heard it is not known.
 */
function heardUntil({ replication, count, from, stepMs }: History): Map<GroupId, HeardUntil> {
  const groups = new Map<GroupId, HeardUntil>();
  for (const [group, { streaming, replayLagSeconds }] of replication) {
    const commitAt = new Float64Array(count).fill(Number.NaN);
    let last = Number.NaN;
    for (let index = 0; index < count; index += 1) {
      const lagMs = (replayLagSeconds?.[index] ?? Number.NaN) * 1000;
      const hears = streaming !== null && verdictAt(streaming, index) === 'ok';
      if (hears) last = from + (index + 1) * stepMs - LOOK_MS - lagMs;
      commitAt[index] = last;
    }
    groups.set(group, { commitAt });
  }
  return groups;
}

const lsnText = (bytes: bigint): string => {
  const place = bytes < 0n ? 0n : bytes;
  return `${(place >> 32n).toString(16).toUpperCase()}/${(place & 0xffffffffn).toString(16).toUpperCase()}`;
};

/** A sample stands for its step, and is of the instant that is looked at. */
function metricSeen({ group, metric, value: column }: MetricColumn, index: number, at: WallMs): Observation[] {
  const value = column[index] ?? Number.NaN;
  const known = Number.isFinite(value);
  const verdict = known ? metricVerdict(metric.bad, value) : 'unknown';
  return Array.from({ length: metric.replicas }, (_, replica) => ({
    kind: 'metric' as const,
    group,
    fact: metric.id,
    server: metric.server,
    replica,
    region: metric.from,
    ...seen(METRICS_VANTAGE, at, verdict),
    ...(known
      ? { code: null, message: null }
      : { code: 'empty' as const, message: 'no value in the history, or one of old samples' }),
    facts: known ? { value, sampleAt: at, ageMs: 0 } : null,
  }));
}
