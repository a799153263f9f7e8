/**
 * What a valid configuration will do, as data: `failoverd check` prints it for people, or as JSON.
 */
import { expressionOf } from '../model/expression.ts';
import { SUPPORTED_ACTIONS } from '../model/matrix.ts';
import type { MetricSettings } from '../model/prometheus.ts';
import { exampleOf } from '../model/row-examples.ts';
import { metricFactName } from '../model/row-facts.ts';
import { declaredAutonomy, type GroupSettings } from '../model/settings.ts';
import type { LoadedGuard } from '../runtime/config/guard.ts';
import type { Loaded, LoadResult } from '../runtime/config/load.ts';
import { criticalPathOf, type Phase, phasesOf } from '../runtime/config/phases.ts';
import type { Problem } from '../runtime/config/problem.ts';
import type { NotSupported } from '../runtime/config/support.ts';

import { type LeaseReport, leaseReport, type TermsReport, termsReport } from './lease-report.ts';

export type GroupReport = {
  readonly id: string;
  readonly title: string;
  readonly primary: string;
  readonly secondary: string;
  readonly autonomy: {
    readonly declared: GroupSettings['autonomy'];
    readonly inForce: GroupSettings['autonomy'];
    readonly caps: GroupSettings['caps'];
  };
  readonly vantages: GroupSettings['vantages'];
  readonly quorum: number;
  readonly fence: GroupSettings['fence'];
  readonly fenceTimeoutMs: number;
  readonly components: readonly {
    readonly id: string;
    readonly kind: string;
    readonly tier: number;
    readonly rtoMs: number;
    readonly rpoMs: number;
    readonly lagTargetMs: number | null;
    readonly probeIntervalMs: number;
    readonly supported: boolean;
  }[];
  /** What Prometheus is asked for. */
  readonly facts: readonly (Pick<
    MetricSettings,
    'promql' | 'type' | 'unit' | 'server' | 'everyMs' | 'freshMs' | 'says'
  > & {
    /** As rows read it. */
    readonly fact: string;
    /** Which values are bad, such as `> 0`; null for a number. */
    readonly bad: string | null;
    readonly servers: number;
  })[];
  readonly matrix: readonly (GroupSettings['rows'][number] & {
    /** Whether failoverd carries the action out by itself. */
    readonly supported: boolean;
    /** Values that make the row match. */
    readonly example: Readonly<Record<string, string | number>>;
  })[];
  readonly phases: readonly Phase[];
  readonly criticalPathMs: number;
  readonly rtoMs: number;
  readonly rpoMs: number;
  readonly approvals: GroupSettings['approvals'];
  readonly businessHours: GroupSettings['businessHours'];
  readonly notifyExecutivesWithinMs: number;
  /** What its lease comes to; null where it has none. */
  readonly lease: LeaseReport | null;
};

/** What the file of a guard says. */
export type GuardReport = {
  readonly group: string;
  readonly component: string;
  readonly region: string;
  readonly role: string;
  readonly peers: readonly string[];
  readonly driver: string;
  readonly deadManDriver: string;
  readonly lease: TermsReport;
};

export type CheckReport = {
  readonly ok: boolean;
  readonly file: string;
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
  readonly notSupported: readonly NotSupported[];
  readonly regions: readonly { readonly id: string; readonly role: string; readonly title: string | null }[];
  readonly vantages: readonly { readonly id: string; readonly region: string }[];
  readonly groups: readonly GroupReport[];
  /** How many secrets were fetched; null where that was not asked. */
  readonly secrets: number | null;
  /** Where the file is the one of a guard: then nothing else is in it. */
  readonly guard: GuardReport | null;
};

export function refusedReport(file: string, problems: readonly Problem[], warnings: readonly Problem[]): CheckReport {
  const none = { notSupported: [], regions: [], vantages: [], groups: [], secrets: null, guard: null };
  return { ok: false, file, problems, warnings, ...none };
}

export function guardReportOf({ file, config, terms, warnings }: LoadedGuard): CheckReport {
  const { group, component, region, role, peers, postgres, deadMan } = config;
  return {
    ...refusedReport(file, [], warnings),
    ok: true,
    guard: {
      ...{ group, component, region, role },
      peers: Object.keys(peers),
      driver: postgres.driver,
      deadManDriver: deadMan.driver,
      lease: termsReport(terms, null),
    },
  };
}

export function reportOf(result: LoadResult): CheckReport {
  if (result.kind === 'refused') return refusedReport(result.file, result.problems, result.warnings);
  const { config, settings } = result;
  return {
    ok: true,
    file: result.file,
    problems: [],
    warnings: result.warnings,
    notSupported: result.notSupported,
    regions: Object.entries(config.regions).map(([id, { role, title }]) => ({ id, role, title: title ?? null })),
    vantages: Object.entries(config.vantages).map(([id, { region }]) => ({ id, region })),
    groups: Object.values(settings.groups).map((group) => groupReport(result, group)),
    secrets: null,
    guard: null,
  };
}

function groupReport({ config }: Loaded, group: GroupSettings): GroupReport {
  const written = config.groups[group.id];
  const phases = written === undefined ? [] : phasesOf(written);
  const { id, title, primary, secondary, vantages, quorum, fence, fenceTimeoutMs, rtoMs, rpoMs } = group;
  const { approvals, businessHours, notifyExecutivesWithinMs } = group;
  return {
    ...{ id, title, primary, secondary },
    autonomy: { declared: group.autonomy, inForce: declaredAutonomy(group), caps: group.caps },
    ...{ vantages, quorum, fence, fenceTimeoutMs },
    components: group.components.map(({ id, kind, tier, rtoMs, rpoMs, lagTargetMs, probeIntervalMs, supported }) => ({
      ...{ id, kind, tier, rtoMs, rpoMs, lagTargetMs, probeIntervalMs, supported },
    })),
    facts: group.metrics.map(({ id, bad, replicas, promql, type, unit, server, everyMs, freshMs, says }) => ({
      fact: metricFactName(id),
      bad: bad === null ? null : `${bad.comparator} ${bad.limit}`,
      servers: replicas,
      ...{ promql, type, unit, server, everyMs, freshMs, says },
    })),
    matrix: group.rows.map((row) => ({
      ...row,
      supported: (SUPPORTED_ACTIONS as readonly string[]).includes(row.action),
      example: exampleText(row.when, group.metrics),
    })),
    ...{ phases, criticalPathMs: criticalPathOf(phases), rtoMs, rpoMs },
    ...{ approvals, businessHours, notifyExecutivesWithinMs },
    lease: leaseReport(group),
  };
}

const exampleText = (when: string, metrics: GroupSettings['metrics']): Record<string, string | number> =>
  Object.fromEntries(
    Object.entries(exampleOf(expressionOf(when, metrics)) ?? {}).map(([fact, value]) => [fact, value ?? 'unknown']),
  );
