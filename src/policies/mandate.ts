/**
 * Raising and lowering (design §6). PURE. Whatever widens what failoverd may do by itself, or lessens whose yes it needs,
 * waits for two people; all else is at once. What isn't known to be narrower counts as wider.
 */
import canonicalize from 'canonicalize';
import type { Mandate, MandateRow } from '../model/mandate.ts';
import type { Autonomy } from '../model/primitives.ts';
import { durationText, leastAutonomy } from '../model/primitives.ts';
import type { MetricSettings } from '../model/prometheus.ts';
import { type AlertMeaning, declaredAutonomy, type GroupSettings, type Row } from '../model/settings.ts';

/** Alerts of these kinds stand in the way of a failover, or tell that others can't be trusted. */
const AGAINST: readonly string[] = ['corruption-reported', 'deletion-reported', 'maintenance', 'watchdog'];
const RANK: Readonly<Record<Autonomy, number>> = { observe: 0, gated: 1, auto: 2 };

const alertText = ({ match, fact, region, component }: AlertMeaning): string =>
  `${fact} of ${component ?? 'the group'} in ${region} by ${match
    .map(({ label, equal, value }) => `${label}${equal ? '=' : '!='}"${value}"`)
    .join(',')}`;

const metricText = ({ id, promql, type, bad, server, about, freshMs }: MetricSettings): string =>
  `metrics.${id}: ${type} ${promql}${bad === null ? '' : `, bad ${bad.comparator} ${bad.limit}`}, of ${server} about ${about ?? 'the active region'}, fresh for ${durationText(freshMs)}`;

const rowOf = ({ id, kind, scope, when, forMs, action, against, unknown, auto }: Row): MandateRow => ({
  id,
  kind,
  scope,
  when,
  forMs,
  action,
  against: [...against],
  unknown,
  auto,
});

/** What the proof by the end of a lease rests on; what `onCrash` gives up at once is in it too. */
const leaseText = (lease: GroupSettings['lease']): string =>
  lease === null
    ? 'none'
    : `${lease.timingsHash}, isolation ${lease.isolation}, dead-man ${lease.deadMan}, store in ${lease.storeRegion ?? 'no region'}, guards in ${[...lease.guards].sort().join(', ')}`;

/** What a group's settings would let failoverd do. */
export function mandateOf(settings: GroupSettings): Mandate {
  const { approvals, businessHours, vantages, alertMeanings, alertRegion, alertExpiryMs, watchdogWithinMs } = settings;
  const { quorum, rpoMs, replicationLossBytes, cooldownMs, attemptsMost, attemptsWithinMs } = settings;
  const { holdGapMs, standbyStreamedWithinMs, approvalExpiryMs } = settings;
  const alerts = (against: boolean): string[] =>
    alertMeanings
      .filter(({ fact }) => AGAINST.includes(fact) === against)
      .map(alertText)
      .sort();
  return {
    autonomy: declaredAutonomy(settings),
    approvals: { businessHours: [...approvals.businessHours], otherwise: [...approvals.otherwise] },
    calendar:
      businessHours === null
        ? null
        : { ...businessHours, days: [...businessHours.days], holidays: [...businessHours.holidays] },
    approvalExpiryMs,
    rows: settings.rows.map(rowOf),
    quorum,
    vantages: vantages.map(({ id, region, proofHash }) => `${id} in ${region}, by ${proofHash.slice(0, 16)}`).sort(),
    fence: settings.fence === 'none' ? 'none' : `${settings.fence} ${settings.fenceHash}`,
    lease: leaseText(settings.lease),
    partitionExposureMs: settings.lease?.partitionExposureMs ?? null,
    alertsFor: alerts(false),
    alertsAgainst: alerts(true),
    alertmanager:
      alertRegion === null
        ? 'none'
        : `in ${alertRegion}, an alert counts for ${durationText(alertExpiryMs)}, a watchdog for ${durationText(watchdogWithinMs)}`,
    probed: settings.probedHash,
    metrics: settings.metrics.map(metricText).sort(),
    rpoMs,
    replicationLossBytes,
    cooldownMs,
    attemptsMost,
    attemptsWithinMs,
    holdGapMs,
    standbyStreamedWithinMs,
  };
}

/**
 * A group that was not there did nothing. It is asked for by those whom any other group asks, `others`: a group is not
 * raised by fewer people under a new name.
 */
export function nothingOf(wanted: Mandate, others: readonly Mandate[]): Mandate {
  const asked = [wanted, ...others].map(({ approvals }) => approvals.businessHours);
  const most = (role: 'sre' | 'vp'): number => Math.max(...asked.map((roles) => countOf(roles, role)));
  const businessHours = (['sre', 'vp'] as const).flatMap((role) => Array<typeof role>(most(role)).fill(role));
  return { ...wanted, autonomy: 'observe', approvals: { ...wanted.approvals, businessHours } };
}

const countOf = (roles: readonly string[], role: string): number => roles.filter((one) => one === role).length;

export type Held = {
  /** The settings in force: those wanted, as far as they are agreed to. */
  readonly settings: GroupSettings;
  /** What waits for people, one thing a line; empty = everything wanted is in force. */
  readonly widens: readonly string[];
  /** What is agreed from now on. */
  readonly agreed: Mandate;
};

/** Holds settings to what was agreed. `why` is what a cap says of itself on the page. */
export function holdTo(agreed: Mandate, settings: GroupSettings, why: string): Held {
  const wanted = mandateOf(settings);
  const effective = leastAutonomy(agreed.autonomy, wanted.autonomy);
  const raised = RANK[wanted.autonomy] > RANK[agreed.autonomy];
  const fewer = peopleWidened(agreed, wanted);
  // Nobody's yes is needed to observe; but whoever had to be asked before is the one to ask when it is raised again.
  const people = wanted.autonomy === 'observe' ? [] : fewer;
  const bounds = wanted.autonomy === 'auto' && agreed.autonomy === 'auto' ? boundsWidened(agreed, wanted) : [];
  const barred = wanted.autonomy === 'auto' && agreed.autonomy === 'auto' ? barsRemoved(agreed, wanted) : [];
  const widens = [
    ...(raised ? [`autonomy ${agreed.autonomy} -> ${wanted.autonomy}`] : []),
    ...people,
    ...bounds,
    ...barred,
  ];
  if (widens.length === 0) {
    const { approvals, calendar, approvalExpiryMs } = agreed;
    return {
      settings,
      widens,
      agreed: fewer.length === 0 ? wanted : { ...wanted, approvals, calendar, approvalExpiryMs },
    };
  }
  return {
    settings: narrowed(settings, agreed, { effective, people: people.length > 0, barred: barred.length > 0, why }),
    widens,
    agreed: lowered(agreed, wanted, effective),
  };
}

/** Of an agreement that waits for more, only what was taken back is taken back. */
function lowered(agreed: Mandate, wanted: Mandate, autonomy: Autonomy): Mandate {
  const mayStill = (row: MandateRow): boolean => wanted.rows.some((other) => other.id === row.id && other.auto);
  return { ...agreed, autonomy, rows: agreed.rows.map((row) => ({ ...row, auto: row.auto && mayStill(row) })) };
}

type Narrowing = {
  readonly effective: Autonomy;
  readonly people: boolean;
  readonly barred: boolean;
  readonly why: string;
};

function narrowed(
  settings: GroupSettings,
  agreed: Mandate,
  { effective, people, barred, why }: Narrowing,
): GroupSettings {
  const most = barred ? leastAutonomy(effective, 'gated') : effective;
  const capped: GroupSettings = {
    ...settings,
    caps: most === 'auto' ? settings.caps : [...settings.caps, { autonomy: most, why }],
    ...(people
      ? {
          approvals: agreed.approvals,
          businessHours: agreed.calendar,
          approvalExpiryMs: Math.min(settings.approvalExpiryMs, agreed.approvalExpiryMs),
        }
      : {}),
  };
  if (most !== 'auto') return capped;
  const bytes = [settings.replicationLossBytes, agreed.replicationLossBytes].filter((limit) => limit !== null);
  return {
    ...capped,
    rows: settings.rows.map((row) => {
      const before = agreed.rows.find(({ id }) => id === row.id);
      const auto = row.auto && before !== undefined && sameRule(before, row) && before.auto;
      return { ...row, auto, forMs: auto ? Math.max(row.forMs, before.forMs) : row.forMs };
    }),
    quorum: Math.max(settings.quorum, agreed.quorum),
    rpoMs: Math.min(settings.rpoMs, agreed.rpoMs),
    replicationLossBytes: bytes.length === 0 ? null : Math.min(...bytes),
    cooldownMs: Math.max(settings.cooldownMs, agreed.cooldownMs),
    attemptsMost: Math.min(settings.attemptsMost, agreed.attemptsMost),
    attemptsWithinMs: Math.max(settings.attemptsWithinMs, agreed.attemptsWithinMs),
    holdGapMs: Math.min(settings.holdGapMs, agreed.holdGapMs),
    standbyStreamedWithinMs: Math.max(settings.standbyStreamedWithinMs, agreed.standbyStreamedWithinMs),
  };
}

type Rule = Pick<MandateRow, 'kind' | 'when' | 'action'> & { readonly scope?: string };
const sameRule = (a: Rule, b: Rule): boolean =>
  a.kind === b.kind && a.when === b.when && a.action === b.action && (a.scope ?? 'group') === (b.scope ?? 'group');

const lacks = (from: readonly string[], of: readonly string[]): string[] => of.filter((one) => !from.includes(one));

/** Whose yes is needed, and when. */
function peopleWidened(agreed: Mandate, wanted: Mandate): string[] {
  const widened: string[] = [];
  for (const when of ['businessHours', 'otherwise'] as const) {
    const fewer = (['sre', 'vp'] as const).filter(
      (role) => countOf(wanted.approvals[when], role) < countOf(agreed.approvals[when], role),
    );
    if (fewer.length > 0) widened.push(`approvals.${when} without ${fewer.join(' and ')}`);
  }
  // Where both lists ask for the same people the calendar decides nothing.
  const { businessHours, otherwise } = wanted.approvals;
  const differ = [...businessHours].sort().join() !== [...otherwise].sort().join();
  if (differ && wanted.calendar !== null && canonicalize(wanted.calendar) !== canonicalize(agreed.calendar))
    widened.push('other business hours');
  if (wanted.approvalExpiryMs > agreed.approvalExpiryMs)
    widened.push(`approvalExpiry ${durationText(agreed.approvalExpiryMs)} -> ${durationText(wanted.approvalExpiryMs)}`);
  return widened;
}

/** Bounds of acting alone that can be kept one by one while the rest of the config moves on. */
function boundsWidened(agreed: Mandate, wanted: Mandate): string[] {
  const span = durationText;
  const rows = wanted.rows.flatMap((row): string[] => {
    if (!row.auto) return [];
    const before = agreed.rows.find(({ id }) => id === row.id);
    if (before === undefined || !before.auto) return [`row ${row.id} may act by itself`];
    if (!sameRule(before, row)) return [`row ${row.id} acts by itself on another condition: ${row.when}`];
    return row.forMs < before.forMs ? [`row ${row.id} after ${span(row.forMs)}, not ${span(before.forMs)}`] : [];
  });
  const less = (name: string, now: number, before: number, text: (value: number) => string): string[] =>
    now < before ? [`${name} ${text(before)} -> ${text(now)}`] : [];
  const more = (name: string, now: number, before: number, text: (value: number) => string): string[] =>
    now > before ? [`${name} ${text(before)} -> ${text(now)}`] : [];
  const bytes = (limit: number | null): number => limit ?? Number.POSITIVE_INFINITY;
  const bytesText = (limit: number): string => (Number.isFinite(limit) ? `${limit} bytes` : 'no limit');
  return [
    ...rows,
    ...less('quorum', wanted.quorum, agreed.quorum, String),
    ...more('budgets.rpo', wanted.rpoMs, agreed.rpoMs, span),
    ...more(
      'budgets.replicationLossBytes',
      bytes(wanted.replicationLossBytes),
      bytes(agreed.replicationLossBytes),
      bytesText,
    ),
    ...less('cooldown', wanted.cooldownMs, agreed.cooldownMs, span),
    ...more('attempts.most', wanted.attemptsMost, agreed.attemptsMost, String),
    ...less('attempts.within', wanted.attemptsWithinMs, agreed.attemptsWithinMs, span),
    ...more('holdGap', wanted.holdGapMs, agreed.holdGapMs, span),
    ...less('standbyStreamedWithin', wanted.standbyStreamedWithinMs, agreed.standbyStreamedWithinMs, span),
  ];
}

/** What stood in the way of acting alone and doesn't any more, or proves less: kept apart it can't be, so it caps at gated. */
function barsRemoved(agreed: Mandate, wanted: Mandate): string[] {
  const rows = agreed.rows.flatMap((before): string[] => {
    // A deciding row bars those behind it: while it matches it is its turn, and while it can't tell none of them acts alone.
    const ahead = agreed.rows.some(({ auto, id }) => auto && id > before.id);
    if (before.kind === 'decide' && before.auto && !ahead) return [];
    const now = wanted.rows.find(({ id }) => id === before.id);
    if (now === undefined) return [`row ${before.id} (${before.kind}) is gone`];
    const weaker =
      !sameRule(before, now) ||
      lacks(now.against, before.against).length > 0 ||
      (before.unknown === 'block' && now.unknown === 'pass');
    return weaker ? [`row ${before.id} (${before.kind}) is another one: ${now.when}`] : [];
  });
  return [
    ...rows,
    ...(wanted.fence === agreed.fence ? [] : ['another fence']),
    ...otherwise(agreed.lease ?? 'none', wanted.lease ?? 'none', (now) => `another lease: ${now}`),
    ...exposureWidened(agreed.partitionExposureMs ?? 0, wanted.partitionExposureMs ?? 0),
    ...lacks(agreed.vantages, wanted.vantages).map((vantage) => `vantage ${vantage} testifies`),
    ...lacks(agreed.alertsFor, wanted.alertsFor).map((alert) => `an alert says ${alert}`),
    ...otherwise(agreed.alertmanager, wanted.alertmanager, (now) => `alerts come otherwise: ${now}`),
    ...otherwise(agreed.probed, wanted.probed, () => 'other targets are probed, or otherwise'),
    ...lacks(wanted.metrics, agreed.metrics).map((metric) => `another metric in the place of ${metric}`),
    ...lacks(wanted.alertsAgainst, agreed.alertsAgainst).map((alert) => `no alert says ${alert} any more`),
  ];
}

/** Kept at the agreed one it would take back the proof it consents to, so it is no bound that can be kept by itself. */
const exposureWidened = (before: number, now: number): string[] =>
  now > before ? [`lease.partitionExposure ${durationText(before)} -> ${durationText(now)}`] : [];

/** What an older journal does not tell was not agreed either way. */
const otherwise = (before: string | undefined, now: string | undefined, told: (now: string) => string): string[] =>
  before === undefined || now === undefined || before === now ? [] : [told(now)];
