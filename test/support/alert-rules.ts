// The shipped alert rules, as values.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { createMetrics } from '../../src/daemon/metrics.ts';

export const ROOT = join(import.meta.dirname, '../..');
export const RULES_DIR = 'alert-rules';
export const RUNBOOKS_DIR = 'docs/runbooks';

export type Labels = Readonly<Record<string, string>>;
export type AlertRule = {
  readonly alert: string;
  readonly expr: string;
  readonly labels: Labels;
  readonly annotations: Readonly<Record<string, string>>;
};
type Rule = AlertRule | { readonly record: string; readonly expr: string };
/** What promtool proves of an alert: with which labels it fires at some instant of a history, none when it does not. */
export type Proof = { readonly alert: string; readonly fires: readonly Labels[] };

export const textOf = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const filesOf = (ending: string): string[] =>
  readdirSync(join(ROOT, RULES_DIR))
    .filter((name) => name.endsWith(ending))
    .map((name) => `${RULES_DIR}/${name}`);

export const RULE_FILES = filesOf('.rules.yaml');
export const RULE_TEST_FILES = filesOf('.rules.test.yaml');

const all = RULE_FILES.flatMap((path) =>
  (parse(textOf(path)) as { groups: { rules: Rule[] }[] }).groups.flatMap(({ rules }) => rules),
);
export const EXPRESSIONS = all.map(({ expr }) => expr);
export const ALERTS = all.filter((rule) => 'alert' in rule);

type Checked = { alertname: string; exp_alerts: { exp_labels: Labels }[] };
export const PROOFS = RULE_TEST_FILES.flatMap((path) =>
  (parse(textOf(path)) as { tests: { alert_rule_test: Checked[] }[] }).tests.flatMap(({ alert_rule_test }) =>
    alert_rule_test.map(
      ({ alertname, exp_alerts }): Proof => ({
        alert: alertname,
        fires: exp_alerts.map(({ exp_labels }) => ({ alertname, ...exp_labels })),
      }),
    ),
  ),
);

/** Names of our metrics in a text; of a histogram, whichever of its series is meant. */
export const ourMetricsIn = (text: string): string[] =>
  [...text.matchAll(/\bfailoverd_[a-z_]*[a-z]/g)].map(([name]) => name);

const registered = createMetrics({ version: '0' }).registry.getMetricsAsArray();
const histograms = registered.filter(({ type }) => String(type) === 'histogram').map(({ name }) => name);
export const TOLD: ReadonlySet<string> = new Set([
  ...registered.map(({ name }) => name),
  ...histograms.flatMap((name) => ['_bucket', '_sum', '_count'].map((series) => `${name}${series}`)),
]);
