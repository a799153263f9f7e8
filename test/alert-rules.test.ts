// The rules that are shipped: they load, they fire when they should, and what they name exists.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parse } from 'yaml';
import { describeMissing, isMissing } from '../lab/binaries/missing.ts';
import { findTool, type ToolName } from '../lab/binaries/tools.ts';
import { createMetrics } from '../src/daemon/metrics.ts';

const ROOT = join(import.meta.dirname, '..');
const RULES = 'alert-rules/failoverd.rules.yaml';

type Rule = {
  alert: string;
  expr: string;
  labels: { severity: string };
  annotations: { summary: string; runbook: string };
};
const rules = (parse(readFileSync(join(ROOT, RULES), 'utf8')) as { groups: { rules: Rule[] }[] }).groups.flatMap(
  (group) => group.rules,
);

/** Output of a tool that failed, or nothing. */
async function complaints(name: ToolName, args: readonly string[]): Promise<string> {
  const tool = await findTool(name, { fetch: true, log: () => undefined });
  if (isMissing(tool)) return describeMissing(tool);
  const { NODE_OPTIONS: _ours, ...env } = process.env;
  const ran = spawnSync(tool.path, args, { cwd: ROOT, env, encoding: 'utf8', timeout: 60_000 });
  return ran.status === 0 ? '' : `${ran.error?.message ?? ''}${ran.stdout}${ran.stderr}`;
}

t.test('Prometheus loads the rules, and each fires when it should and not otherwise', async (t) => {
  t.equal(await complaints('promtool', ['check', 'rules', RULES]), '');
  t.equal(await complaints('promtool', ['test', 'rules', 'alert-rules/failoverd.rules.test.yaml']), '');
});

t.test('Alertmanager loads the example', async (t) => {
  t.equal(await complaints('amtool', ['check-config', 'alert-rules/alertmanager.example.yaml']), '');
});

t.test('every alert says what it is and names a runbook that is there', async (t) => {
  t.ok(rules.length > 10);
  for (const { alert, labels, annotations } of rules) {
    t.ok(existsSync(join(ROOT, annotations.runbook)), `${alert}: ${annotations.runbook}`);
    t.ok(['critical', 'warning', 'none'].includes(labels.severity), alert);
    t.ok(annotations.summary.length > 0, alert);
  }
  const index = readFileSync(join(ROOT, 'docs/runbooks/README.md'), 'utf8');
  for (const { alert } of rules) t.ok(index.includes(alert), `${alert} is in the index`);
  for (const page of readdirSync(join(ROOT, 'docs/runbooks')).filter((name) => name !== 'README.md'))
    t.ok(index.includes(page), `${page} is in the index`);
});

t.test('every metric of ours that a rule or a runbook names is one that we tell', async (t) => {
  const told = new Set(
    createMetrics({ version: '0' })
      .registry.getMetricsAsArray()
      .map((metric) => metric.name),
  );
  const pages = readdirSync(join(ROOT, 'docs/runbooks')).map((name) =>
    readFileSync(join(ROOT, 'docs/runbooks', name), 'utf8'),
  );
  for (const text of [...rules.map((rule) => rule.expr), ...pages]) {
    for (const [name] of text.matchAll(/\bfailoverd_[a-z_]+/g)) t.ok(told.has(name), name);
  }
});
