/** Which of the alerts that a Prometheus may raise say what failoverd wants to know. A suggestion: people read it. PURE. */
import type { AlertFact } from '../../model/config.ts';
import type { AlertingRule } from '../../probes/prometheus-survey.ts';

export type MappedAlert = {
  readonly match: readonly string[];
  readonly fact: AlertFact;
  readonly region: string;
  /** Why this alert was taken for that fact. */
  readonly why: string;
};

/** The shipped rules by name, and the names that others give to the same. The first that fits counts. */
const MEANINGS: readonly (readonly [name: RegExp, fact: AlertFact])[] = [
  [/^watchdog$|^dead_?mans_?switch$/i, 'watchdog'],
  [/^region_?(?:unreachable|down)$/i, 'region-unreachable'],
  [/^kube_?(?:pod|node|deployment).*(?:crash|not_?ready|mismatch)/i, 'workload-degraded'],
  [/^clickhouse.*(?:fail|down)/i, 'clickhouse-failing'],
  [/^nats.*(?:cut|fail|down)/i, 'nats-failing'],
  [/corrupt|checksum/i, 'corruption-reported'],
  [/^planned_?maintenance$|^maintenance(?:_?window)?$/i, 'maintenance'],
];

export function mapAlerts(
  rules: readonly AlertingRule[],
  regions: { readonly primary: string; readonly secondary: string },
): readonly MappedAlert[] {
  const mapped = rules.flatMap((rule) => {
    const meaning = MEANINGS.find(([name]) => name.test(rule.name));
    return meaning === undefined ? [] : matchersOf(rule, meaning[1], regions);
  });
  // Several rules may raise alerts of one name.
  const byKey = new Map(mapped.map((one) => [`${one.fact} ${one.match.join(' ')}`, one]));
  return [...byKey.values()];
}

function matchersOf(
  rule: AlertingRule,
  fact: AlertFact,
  { primary, secondary }: { readonly primary: string; readonly secondary: string },
): readonly MappedAlert[] {
  const named = (region: string, why: string): MappedAlert => ({
    match: [`alertname="${rule.name}"`, `region="${region}"`],
    fact,
    region,
    why,
  });
  const ours = [primary, secondary];
  const fixed = rule.labels['region'];
  if (fixed !== undefined) return ours.includes(fixed) ? [named(fixed, 'the rule sets the label region')] : [];
  // An alert that fires for a region of its own, or a rule that keeps the label of its series.
  if (rule.alerts.some((labels) => labels['region'] !== undefined) || /\bregion\b/.test(rule.query))
    return ours.map((region) => named(region, 'its alerts carry the label region'));
  return [
    {
      match: [`alertname="${rule.name}"`],
      fact,
      region: primary,
      why: 'its alerts name no region: taken for the primary',
    },
  ];
}
