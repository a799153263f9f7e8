// The rules that are shipped: they load, they fire when they should, and what they name exists.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { parse } from 'yaml';
import { describeMissing, isMissing } from '../lab/binaries/missing.ts';
import { findTool, type ToolName } from '../lab/binaries/tools.ts';
import { DASHBOARD_FILE, dashboard, dashboardText } from '../scripts/dashboard.ts';
import { METRICS_FILE, metricsText } from '../scripts/metrics.ts';
import { PageKind } from '../src/model/events.ts';
import {
  ALERTS,
  EXPRESSIONS,
  type Labels,
  ourMetricsIn,
  PROOFS,
  ROOT,
  RULE_FILES,
  RULE_TEST_FILES,
  RUNBOOKS_DIR,
  TOLD,
  textOf,
} from './support/alert-rules.ts';

const ALERTMANAGER = 'alert-rules/alertmanager.example.yaml';

type Said = { readonly ok: boolean; readonly text: string };

/** A real tool, run on the shipped files; one that can't be had is a failure. */
async function said(name: ToolName, args: readonly string[]): Promise<Said> {
  const tool = await findTool(name, { fetch: true, log: () => undefined });
  if (isMissing(tool)) return { ok: false, text: describeMissing(tool) };
  const { NODE_OPTIONS: _ours, ...env } = process.env;
  const ran = spawnSync(tool.path, args, { cwd: ROOT, env, encoding: 'utf8', timeout: 120_000 });
  return { ok: ran.status === 0, text: `${ran.error?.message ?? ''}${ran.stdout}${ran.stderr}` };
}

t.test('Prometheus loads the rules', async (t) => {
  const { ok, text } = await said('promtool', ['check', 'rules', ...RULE_FILES]);
  t.ok(ok, text);
});

t.test('each alert fires when it should and not otherwise', async (t) => {
  t.equal(RULE_TEST_FILES.length, RULE_FILES.length, 'tests stand beside every file');
  for (const path of RULE_TEST_FILES) {
    const { ok, text } = await said('promtool', ['test', 'rules', path]);
    t.ok(ok, text);
  }
  for (const { alert } of ALERTS) {
    const proofs = PROOFS.filter((proof) => proof.alert === alert);
    t.ok(
      proofs.some(({ fires }) => fires.length > 0),
      `${alert} is shown to fire`,
    );
    t.ok(
      proofs.some(({ fires }) => fires.length === 0),
      `${alert} is shown to keep quiet`,
    );
  }
});

type Mapped = { readonly match: readonly string[]; readonly fact: string };
const { alertmanager } = parse(textOf('config/failover.yaml')) as {
  alertmanager: { facts: Mapped[]; expiry: string };
};

/** Labels as `label="value"`; the config knows no others. */
const asked = ({ match }: Mapped): Labels =>
  Object.fromEntries(match.map((one) => one.split('=').map((part) => part.replaceAll('"', ''))));

t.test('what the config maps to facts is fired by the rules, with the labels it asks for', async (t) => {
  for (const mapped of alertmanager.facts) {
    const wanted = Object.entries(asked(mapped));
    const seen = PROOFS.flatMap(({ fires }) => fires);
    t.ok(
      seen.some((labels) => wanted.every(([label, value]) => labels[label] === value)),
      `${mapped.match.join(', ')} means ${mapped.fact}`,
    );
  }
});

async function receivers(labels: Labels): Promise<string> {
  const words = Object.entries(labels).map(([label, value]) => `${label}=${value}`);
  const { text } = await said('amtool', ['config', 'routes', 'test', `--config.file=${ALERTMANAGER}`, ...words]);
  return text.split('\n')[0] ?? '';
}

const TOLD_BESIDES: Labels = { watchdog: 'failoverd,dead-man', maintenance: 'failoverd' };

t.test('Alertmanager loads the example, and sends evidence to failoverd and news to people', async (t) => {
  const { ok, text } = await said('amtool', ['check-config', ALERTMANAGER]);
  t.ok(ok, text);
  for (const mapped of alertmanager.facts) {
    const wanted = TOLD_BESIDES[mapped.fact] ?? 'failoverd,people';
    t.equal(await receivers(asked(mapped)), wanted, mapped.match.join(', '));
  }
  const evidence = new Set(alertmanager.facts.map((mapped) => asked(mapped)['alertname']));
  const other = ALERTS.filter(({ alert }) => !evidence.has(alert));
  t.equal(await receivers({ alertname: other[0]?.alert ?? '', region: 'us-east-1' }), 'people');
});

const runbookOf = (url: string): string => `${RUNBOOKS_DIR}/${new URL(url).pathname.split('/').at(-1)}`;
const index = textOf(`${RUNBOOKS_DIR}/README.md`);
const linksIn = (text: string): string[] => [...text.matchAll(/\]\(([a-z-]+\.md)\)/g)].map(([, link]) => link ?? '');

t.test('every alert says what it is, how bad it is, and where to read on', async (t) => {
  t.equal(new Set(ALERTS.map(({ alert }) => alert)).size, ALERTS.length, 'no two have one name');
  for (const { alert, labels, annotations } of ALERTS) {
    t.ok(['critical', 'warning', 'none'].includes(labels['severity'] ?? ''), `${alert} has a severity`);
    t.ok(
      (annotations['summary'] ?? '') !== '' && (annotations['description'] ?? '') !== '',
      `${alert} says what it is`,
    );
    t.ok(
      existsSync(join(ROOT, runbookOf(annotations['runbook_url'] ?? ''))),
      `${alert}: ${annotations['runbook_url']}`,
    );
    t.ok(index.includes(alert), `${alert} is in the index of the runbooks`);
  }
});

t.test('every kind of page has a runbook, and every runbook is there for an alert or a page', async (t) => {
  const byKind = new Map(
    PageKind.enum.map((kind) => [
      kind,
      linksIn(index.split('\n').find((line) => line.startsWith(`| ${kind} |`)) ?? ''),
    ]),
  );
  for (const [kind, links] of byKind) {
    t.ok(links.length > 0, `pages of kind ${kind} have a runbook`);
    for (const link of links) t.ok(existsSync(join(ROOT, RUNBOOKS_DIR, link)), `${kind}: ${link}`);
  }
  const reached = new Set([
    ...ALERTS.map(({ annotations }) =>
      runbookOf(annotations['runbook_url'] ?? '')
        .split('/')
        .at(-1),
    ),
    ...[...byKind.values()].flat(),
  ]);
  for (const name of readdirSync(join(ROOT, RUNBOOKS_DIR)).filter((name) => name !== 'README.md')) {
    t.ok(reached.has(name), `${name} is reached from an alert or a page`);
  }
});

t.test('every runbook has the same parts, and its links lead somewhere', async (t) => {
  const parts = ['What it means', 'What failoverd does by itself', 'Look first', 'Do', 'Do not', 'Over when'];
  for (const name of readdirSync(join(ROOT, RUNBOOKS_DIR)).filter((name) => name !== 'README.md')) {
    const text = textOf(`${RUNBOOKS_DIR}/${name}`);
    t.same(
      [...text.matchAll(/^## (.+)$/gm)].map(([, part]) => part),
      parts,
      name,
    );
    for (const link of linksIn(text)) t.ok(existsSync(join(ROOT, RUNBOOKS_DIR, link)), `${name}: ${link}`);
  }
});

t.test('every metric of ours that a rule, a runbook or the dashboard names is one that we tell', async (t) => {
  const texts = [
    ...EXPRESSIONS,
    ...readdirSync(join(ROOT, RUNBOOKS_DIR)).map((name) => textOf(`${RUNBOOKS_DIR}/${name}`)),
    textOf('alert-rules/grafana/failoverd.json'),
  ];
  for (const name of new Set(texts.flatMap(ourMetricsIn))) t.ok(TOLD.has(name), name);
});

t.test('the list of metrics and the dashboard are what the code says', async (t) => {
  t.equal(readFileSync(METRICS_FILE, 'utf8'), metricsText(), 'run node scripts/metrics.ts');
  t.equal(readFileSync(DASHBOARD_FILE, 'utf8'), dashboardText(), 'run node scripts/dashboard.ts');
});

const panels = (dashboard().panels ?? []).filter((panel) => panel.type !== 'row');
const queriesOf = ({ targets }: { targets?: readonly object[] }): string[] =>
  (targets ?? []).flatMap((target) => ('expr' in target ? [String(target.expr)] : []));

t.test('every panel asks Prometheus something that it understands, of the group chosen', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'failoverd-dashboard-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  const asked = panels.flatMap((panel) => queriesOf(panel as { targets?: readonly object[] }));
  t.ok(panels.length > 12 && asked.length >= panels.length);
  for (const expr of asked)
    if (/failoverd_(?:group|gate|run|last|postgres|proposal|hold|lease|sla_downtime)/.test(expr))
      t.match(expr, 'group=~"$group"', 'a metric of groups is shown of the group chosen');
  const rules = asked.map((expr, at) => ({ record: `panel:${at}`, expr: expr.replaceAll('$group', '.*') }));
  const file = join(dir, 'dashboard.json');
  writeFileSync(file, JSON.stringify({ groups: [{ name: 'dashboard', rules }] }));
  const { ok, text } = await said('promtool', ['check', 'rules', file]);
  t.ok(ok, text);
});

t.test('no panel lies on another', async (t) => {
  const taken = new Set<string>();
  for (const panel of panels) {
    const { x, y, w, h } = (panel as { gridPos: Record<'x' | 'y' | 'w' | 'h', number> }).gridPos;
    t.ok(x + w <= 24, 'within the 24 columns');
    for (let column = x; column < x + w; column += 1)
      for (let row = y; row < y + h; row += 1) {
        if (taken.has(`${column} ${row}`)) t.fail(`two panels at column ${column}, row ${row}`);
        taken.add(`${column} ${row}`);
      }
  }
});
