/**
 * The configuration as the core reads it: defaults filled in, spans in milliseconds, no secrets, no addresses.
 * A pure function of {@link Config}, so a plan's hash and a replay depend on nothing else.
 */
import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { AlertFact, ComponentConfig, Config, GroupConfig, MatrixRow } from './config.ts';
import { NOT_SUPPORTED_YET } from './config.ts';
import { boundLease, type LeaseSettings, leaseSettings, noProofByGuard } from './lease-settings.ts';
import type { MaintenanceWindow, Suppression, WindowSettings } from './maintenance.ts';
import type { Against, Scope } from './matrix.ts';
import type { Autonomy, ComponentId, GroupId, RegionId, Tier, VantageId } from './primitives.ts';
import { durationMs, leastAutonomy } from './primitives.ts';
import { type MetricSettings, metricSettings } from './prometheus.ts';

export type Vantage = {
  readonly id: VantageId;
  readonly region: RegionId;
  /** SHA-256 of the key it signs with and of the control targets by which it knows that it is not the isolated one. */
  readonly proofHash: string;
};

export type ComponentSettings = {
  readonly id: ComponentId;
  readonly kind: ComponentConfig['kind'];
  readonly tier: Tier;
  readonly rtoMs: number;
  readonly rpoMs: number;
  readonly lagTargetMs: number | null;
  readonly regions: readonly RegionId[];
  readonly probeIntervalMs: number;
  /** An observation older than this says nothing any more: three intervals and one deadline. */
  readonly freshMs: number;
  readonly systemIdentifier: string | null;
  /** Who promotes it; null for what is no PostgreSQL. */
  readonly control: PostgresControl | null;
  readonly hasPublicUrl: boolean;
  readonly hasPublicCanary: boolean;
  readonly supported: boolean;
  /** Resolvers that are asked for a DNS name; empty for other kinds. */
  readonly resolvers: readonly string[];
  /** Regions in which its data may stand; null = anywhere. */
  readonly residency: readonly RegionId[] | null;
};

export type PostgresControl = 'direct' | 'guard' | 'patroni' | 'command';

export type FenceDriver = 'command' | 'guard' | 'none';

export type Action = NonNullable<MatrixRow['action']>;
export type Row = {
  readonly id: number;
  readonly kind: MatrixRow['kind'];
  /** The group, or the kind of components for each of which the row is judged on its own. */
  readonly scope: Scope;
  /** An expression, checked when the config was loaded (`expression.ts`). */
  readonly when: string;
  readonly forMs: number;
  readonly action: Action;
  /** Actions that a veto or gate row stands in the way of; empty for a decide row. */
  readonly against: readonly Against[];
  readonly unknown: 'block' | 'pass';
  readonly auto: boolean;
  readonly note: string | null;
};

export type AlertMeaning = {
  readonly match: readonly { readonly label: string; readonly equal: boolean; readonly value: string }[];
  readonly fact: AlertFact;
  readonly region: RegionId;
  readonly component: ComponentId | null;
};

export type SilenceMeaning = Suppression & { readonly match: AlertMeaning['match'] };

export type BusinessHours = {
  readonly timeZone: string;
  readonly days: readonly string[];
  readonly from: string;
  readonly to: string;
  readonly holidays: readonly string[];
};
export type ApprovalRole = 'sre' | 'vp';

export type GroupSettings = {
  readonly id: GroupId;
  readonly title: string;
  /** What the config asks for, before anything lowers it. */
  readonly autonomy: Autonomy;
  /** The most the declared topology allows, with the reason for each cap (design §6). */
  readonly caps: readonly { readonly autonomy: Autonomy; readonly why: string }[];
  readonly primary: RegionId;
  readonly secondary: RegionId;
  readonly vantages: readonly Vantage[];
  readonly quorum: number;
  readonly components: readonly ComponentSettings[];
  readonly fence: FenceDriver;
  readonly fenceTimeoutMs: number;
  readonly lease: LeaseSettings | null;
  /** SHA-256 of the fence's driver and programs: another one proves something else. */
  readonly fenceHash: string;
  /** SHA-256 of what a plan acts on: regions, components with their addresses, the fence. Holds no secret. */
  readonly boundHash: string;
  /** SHA-256 of the regions, the components with their addresses and how they are probed: what sights are of. */
  readonly probedHash: string;
  /** Metrics that the config names as facts; rows read them as `metrics.NAME`. */
  readonly metrics: readonly MetricSettings[];
  readonly rows: readonly Row[];
  readonly rtoMs: number;
  readonly rpoMs: number;
  readonly replicationLossBytes: number | null;
  readonly phaseBudgetMs: {
    readonly assessment: number;
    readonly database: number;
    readonly dns: number;
    readonly verification: number;
  };
  /** For so long after a run the old side has to stay off, and is looked at. */
  readonly commitWindowMs: number;
  readonly cooldownMs: number;
  readonly attemptsMost: number;
  readonly attemptsWithinMs: number;
  readonly holdGapMs: number;
  readonly standbyStreamedWithinMs: number;
  readonly businessHours: BusinessHours | null;
  readonly approvals: { readonly businessHours: readonly ApprovalRole[]; readonly otherwise: readonly ApprovalRole[] };
  readonly approvalExpiryMs: number;
  readonly notifyExecutivesWithinMs: number;
  readonly alertRegion: RegionId | null;
  readonly alertExpiryMs: number;
  readonly watchdogWithinMs: number;
  readonly alertMeanings: readonly AlertMeaning[];
  /** Silences that stand for planned work. */
  readonly silenceMeanings: readonly SilenceMeaning[];
  readonly maintenance: readonly WindowSettings[];
};

/** A server that watches for us, and is watched itself. */
export type MonitorSettings = {
  readonly kind: 'prometheus' | 'alertmanager';
  readonly server: string;
  readonly replica: number;
  /** Where it stands. */
  readonly region: RegionId;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly freshMs: number;
};

export type Settings = {
  readonly groups: { readonly [group: GroupId]: GroupSettings };
  readonly monitors: readonly MonitorSettings[];
};

/** Targets of dr-strategy §2.1. */
const TIER_TARGETS: Record<Tier, { rto: string; rpo: string }> = {
  1: { rto: '5m', rpo: '10s' },
  2: { rto: '15m', rpo: '1m' },
  3: { rto: '1h', rpo: '1h' },
};

const GRAY_FAILURE = 42;

/** Rows in force where a config names none: those of dr-strategy §3 and §4.1 that every group has. */
export const DEFAULT_ROWS: readonly MatrixRow[] = [
  {
    id: 10,
    kind: 'veto',
    when: 'bad(reports.corruption)',
    against: ['failover', 'partial', 'switchover', 'restart'],
    note: 'dr-strategy §3.2: do not fail over, the corruption may have replicated; restore from backup',
  },
  {
    id: 20,
    kind: 'veto',
    when: 'bad(reports.deletion)',
    against: ['failover', 'partial', 'switchover'],
    action: 'freeze',
    note: 'dr-strategy §3.3: pause the standby at once, so that what was deleted can be read back from it',
  },
  { id: 40, kind: 'decide', when: 'bad(active.reachable)', for: '5m', action: 'failover', auto: false },
  {
    id: GRAY_FAILURE,
    kind: 'decide',
    when: 'bad(postgres.reachable) && bad(services.reachable) && ok(replication.streaming)',
    for: '5m',
    action: 'speak-up',
    note: 'A gray failure. Clients can’t use the region, and its replication flows; nothing is promoted for it.',
  },
  {
    id: 50,
    kind: 'gate',
    when: 'replication.replay_lag_seconds > 300',
    against: ['failover', 'switchover'],
    action: 'wait',
  },
  { id: 80, kind: 'decide', when: 'bad(workloads.healthy)', for: '10m', action: 'speak-up', auto: false },
];

/** A row that reads what the group does not have could never fire, and would be told as a gap by whoever looks for one. */
function rowsOf({ matrix, components }: GroupConfig): readonly MatrixRow[] {
  if (matrix !== undefined) return matrix;
  const kinds = new Set(Object.values(components).map(({ kind }) => kind));
  const gray = kinds.has('postgres') && kinds.has('http');
  return DEFAULT_ROWS.filter(({ id }) => id !== GRAY_FAILURE || gray);
}

const span = (text: string | undefined, fallback: string): number => durationMs(text ?? fallback);

function componentSettings(id: ComponentId, c: ComponentConfig): ComponentSettings {
  const intervalMs = span(c.probe?.interval, '1s');
  const timeoutMs = span(c.probe?.timeout, '2s');
  const supported =
    !(NOT_SUPPORTED_YET.components as readonly string[]).includes(c.kind) &&
    !(c.kind === 'dns' && (NOT_SUPPORTED_YET.dnsProviders as readonly string[]).includes(c.provider));
  return {
    id,
    kind: c.kind,
    tier: c.tier,
    rtoMs: span(c.targets?.rto, TIER_TARGETS[c.tier].rto),
    rpoMs: span(c.targets?.rpo, TIER_TARGETS[c.tier].rpo),
    lagTargetMs: c.lagTarget === undefined ? null : durationMs(c.lagTarget),
    regions: Object.keys(c.kind === 'dns' ? c.records : (c.instances ?? {})),
    probeIntervalMs: intervalMs,
    freshMs: 3 * intervalMs + timeoutMs,
    systemIdentifier: c.kind === 'postgres' ? (c.systemIdentifier ?? null) : null,
    control: c.kind === 'postgres' ? (c.control ?? 'direct') : null,
    hasPublicUrl: c.kind === 'http' && c.public !== undefined,
    hasPublicCanary: c.kind === 'http' && c.public?.canaryWrite !== undefined,
    supported,
    resolvers: c.kind === 'dns' ? c.resolvers : [],
    residency: c.residency ?? null,
  };
}

/** Reasons in the declared topology that keep a group below what its config asks for. */
function capsOf(
  config: Config,
  group: GroupConfig,
  components: readonly ComponentSettings[],
  lease: LeaseSettings | null,
): GroupSettings['caps'] {
  const caps: { autonomy: Autonomy; why: string }[] = [];
  for (const c of components.filter((c) => !c.supported)) {
    caps.push({
      autonomy: 'observe',
      why: `component ${c.id} (${c.kind}) is declared and not probed yet, so it is unknown`,
    });
  }
  if (!components.some((c) => c.kind === 'postgres' && c.supported)) {
    caps.push({ autonomy: 'observe', why: 'no PostgreSQL component is declared: there is nothing to promote' });
  }
  if ((group.fence ?? { driver: 'none' }).driver === 'none') {
    caps.push({ autonomy: 'gated', why: 'no fence driver: that the old primary is stopped can’t be proven' });
  }
  // Another driver proves it by itself; the end of the lease is what it falls back to.
  if (group.fence?.driver === 'guard') for (const why of noProofByGuard(lease)) caps.push({ autonomy: 'gated', why });
  const domains = new Set([group.primary, group.secondary, ...Object.values(config.vantages).map((v) => v.region)]);
  if (domains.size < 3)
    caps.push({ autonomy: 'gated', why: `only ${domains.size} failure domains; automatic failover needs three` });
  if (Object.keys(config.vantages).length < 2)
    caps.push({ autonomy: 'gated', why: 'one vantage only: nobody can contradict it' });
  if (config.vantages['daemon']?.region === group.primary) {
    caps.push({ autonomy: 'gated', why: `the daemon stands in ${group.primary}, the region it would have to survive` });
  }
  return caps;
}

const hashOf = (value: unknown): string =>
  createHash('sha256')
    .update(canonicalize(value) ?? '')
    .digest('hex');

/** How a component is probed and what is promised of it binds no plan. */
function boundHashOf({ primary, secondary, components, fence }: GroupConfig, lease: LeaseSettings | null): string {
  const targets = Object.entries(components).map(([id, component]) => {
    const { tier: _tier, targets: _targets, ...rest } = component;
    const { probe: _probe, lagTarget: _lag, ...bound } = rest as typeof rest & { probe?: unknown; lagTarget?: unknown };
    return [id, bound];
  });
  // Without a lease the hash is the one that earlier entries of a journal hold.
  const leased = lease === null ? {} : { lease: boundLease(lease) };
  return hashOf({ primary, secondary, components: Object.fromEntries(targets), fence: fence ?? null, ...leased });
}

/** What is promised of a component changes nothing of what is seen of it. */
function probedHashOf({ primary, secondary, components }: GroupConfig): string {
  const probed = Object.entries(components).map(([id, component]) => {
    const { tier: _tier, targets: _targets, ...rest } = component;
    const { lagTarget: _lag, ...seen } = rest as typeof rest & { lagTarget?: unknown };
    return [id, seen];
  });
  return hashOf({ primary, secondary, components: Object.fromEntries(probed) });
}

/** How long one call of the fence may take; a guard answers once it has stopped PostgreSQL. */
function fenceTimeoutMs({ fence }: GroupConfig, lease: LeaseSettings | null): number {
  if (fence?.driver === 'command') return span(fence.timeout, '20s');
  if (fence?.driver !== 'guard' || lease === null) return 0;
  return lease.timings.stopWithinMs + 2 * lease.timings.attemptMs;
}

function groupSettings(id: GroupId, config: Config, group: GroupConfig): GroupSettings {
  const vantages = Object.entries(config.vantages).map(([vantage, v]) => ({
    id: vantage,
    region: v.region,
    proofHash: hashOf({ key: v.publicKey ?? null, controlTargets: v.controlTargets }),
  }));
  const components = Object.entries(group.components).map(([component, c]) => componentSettings(component, c));
  const lease = leaseSettings(config, group);
  const phases = group.budgets?.phases;
  const hours = group.authority?.businessHours;
  return {
    id,
    title: group.title ?? id,
    autonomy: group.autonomy ?? 'observe',
    caps: capsOf(config, group, components, lease),
    primary: group.primary,
    secondary: group.secondary,
    vantages,
    quorum: group.quorum ?? Math.max(Math.min(2, vantages.length), Math.floor(vantages.length / 2) + 1),
    components,
    fence: group.fence?.driver ?? 'none',
    fenceHash: hashOf(group.fence ?? null),
    boundHash: boundHashOf(group, lease),
    probedHash: probedHashOf(group),
    fenceTimeoutMs: fenceTimeoutMs(group, lease),
    lease,
    metrics: metricSettings(group.facts ?? {}, config.prometheus ?? {}),
    rows: rowsOf(group).map((row) => ({
      id: row.id,
      kind: row.kind,
      scope: row.scope ?? 'group',
      when: row.when,
      forMs: span(row.for, '0s'),
      action: row.action ?? (row.kind === 'decide' ? 'none' : 'hold'),
      against: row.against ?? [],
      unknown: row.unknown ?? 'block',
      auto: row.auto ?? false,
      note: row.note ?? null,
    })),
    rtoMs: span(group.budgets?.rto, '5m'),
    rpoMs: span(group.budgets?.rpo, '10s'),
    replicationLossBytes: group.budgets?.replicationLossBytes ?? null,
    phaseBudgetMs: {
      assessment: span(phases?.assessment, '60s'),
      database: span(phases?.database, '60s'),
      dns: span(phases?.dns, '60s'),
      verification: span(phases?.verification, '60s'),
    },
    commitWindowMs: span(group.commitWindow, '60m'),
    cooldownMs: span(group.cooldown, '1h'),
    attemptsMost: group.attempts?.most ?? 2,
    attemptsWithinMs: span(group.attempts?.within, '24h'),
    holdGapMs: span(group.holdGap, '30s'),
    standbyStreamedWithinMs: span(group.standbyStreamedWithin, '10s'),
    businessHours:
      group.authority === undefined || hours === undefined
        ? null
        : {
            timeZone: group.authority.timeZone,
            days: hours.days,
            from: hours.from,
            to: hours.to,
            holidays: hours.holidays ?? [],
          },
    approvals: group.authority?.approvals ?? { businessHours: ['sre', 'vp'], otherwise: ['sre', 'vp'] },
    approvalExpiryMs: span(group.authority?.approvalExpiry, '10m'),
    notifyExecutivesWithinMs: span(group.authority?.notifyExecutivesWithin, '30m'),
    alertRegion: config.alertmanager?.region ?? null,
    alertExpiryMs: span(config.alertmanager?.expiry, '15m'),
    watchdogWithinMs: span(config.alertmanager?.watchdogWithin, '5m'),
    alertMeanings: (config.alertmanager?.facts ?? [])
      .filter((rule) => rule.group === id)
      .map((rule) => ({
        match: rule.match.map(matcher),
        fact: rule.fact,
        region: rule.region,
        component: rule.component ?? null,
      })),
    silenceMeanings: (config.alertmanager?.silences ?? [])
      .filter((rule) => rule.group === id)
      .map((rule) => ({ match: rule.match.map(matcher), ...suppression(rule) })),
    maintenance: (group.maintenance ?? []).map((window) => ({
      title: window.title,
      span: spanOf(window),
      ...suppression(window),
    })),
  };
}

const suppression = ({ region, component, causes }: Pick<MaintenanceWindow, keyof Suppression>): Suppression => ({
  region: region ?? null,
  component: component ?? null,
  causes,
});

/** A window that says neither, which `failoverd check` refuses, never comes. */
function spanOf({ weekly, from, to }: MaintenanceWindow): WindowSettings['span'] {
  if (weekly !== undefined) return { kind: 'weekly', ...weekly };
  const [begins, ends] = [Date.parse(from ?? ''), Date.parse(to ?? '')];
  return Number.isNaN(begins) || Number.isNaN(ends)
    ? { kind: 'once', from: 0, to: 0 }
    : { kind: 'once', from: begins, to: ends };
}

function matcher(text: string): AlertMeaning['match'][number] {
  const parts = /^([a-zA-Z_][a-zA-Z0-9_]*)(=|!=)"(.*)"$/.exec(text);
  if (parts === null) throw new RangeError(`not a matcher: ${text}`);
  return { label: parts[1] ?? '', equal: parts[2] === '=', value: parts[3] ?? '' };
}

/** Often enough for a page; what failoverd decides by is asked for by itself. */
const MONITOR_EVERY_MS = 15_000;
const ALERTMANAGER_TIMEOUT_MS = 5_000;
/** An Alertmanager has no name in the config. */
const ALERTMANAGER = 'alertmanager';

function monitorsOf({ prometheus = {}, alertmanager }: Config): readonly MonitorSettings[] {
  const watched = (kind: MonitorSettings['kind'], server: string, region: RegionId, timeoutMs: number, count: number) =>
    Array.from({ length: count }, (_, replica): MonitorSettings => {
      const freshMs = 3 * MONITOR_EVERY_MS + timeoutMs;
      return { kind, server, replica, region, intervalMs: MONITOR_EVERY_MS, timeoutMs, freshMs };
    });
  return [
    ...Object.entries(prometheus).flatMap(([name, { region, timeout, replicas = [] }]) =>
      watched('prometheus', name, region, span(timeout, '5s'), 1 + replicas.length),
    ),
    ...(alertmanager === undefined
      ? []
      : watched(
          'alertmanager',
          ALERTMANAGER,
          alertmanager.region,
          ALERTMANAGER_TIMEOUT_MS,
          alertmanager.apis?.length ?? 0,
        )),
  ];
}

/** Settings of a valid config. Throws a RangeError where the schema was not checked before. */
export function settingsOf(config: Config): Settings {
  const groups: Record<GroupId, GroupSettings> = {};
  for (const [id, group] of Object.entries(config.groups)) groups[id] = groupSettings(id, config, group);
  return { groups, monitors: monitorsOf(config) };
}

/** The autonomy the config and its topology allow, before the state of the world lowers it further. */
export const declaredAutonomy = (group: GroupSettings): Autonomy =>
  group.caps.reduce((least, cap) => leastAutonomy(least, cap.autonomy), group.autonomy);
