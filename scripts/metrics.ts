/** Writes docs/metrics.md, the list of metrics, from the registry that `/metrics` is told from. */
import { join } from 'node:path';
import { createMetrics } from '../src/daemon/metrics.ts';
import { generate, ROOT } from './generated.ts';

export const METRICS_FILE = join(ROOT, 'docs/metrics.md');
const OURS = 'failoverd_';

type Told = { readonly name: string; readonly type: string; readonly labels: readonly string[]; readonly help: string };

/** The library's types don't tell of labels, which its metrics have. */
function told(metric: { readonly name: string; readonly help: string }): Told {
  const labels = 'labelNames' in metric && Array.isArray(metric.labelNames) ? metric.labelNames.map(String) : [];
  return { name: metric.name, help: metric.help, labels, type: 'type' in metric ? String(metric.type) : '' };
}

const cell = (text: string): string => text.replaceAll('|', '\\|');
const code = (text: string): string => `\`${text}\``;

export function metricsText(): string {
  const all = createMetrics({ version: '0' }).registry.getMetricsAsArray().map(told);
  const ours = all.filter(({ name }) => name.startsWith(OURS)).sort((a, b) => (a.name < b.name ? -1 : 1));
  const rows = ours.map(
    ({ name, type, labels, help }) => `| ${code(name)} | ${type} | ${labels.map(code).join(', ')} | ${cell(help)} |`,
  );
  return `${[
    '# Metrics',
    '',
    'Made from the code by `node scripts/metrics.ts`; do not edit it. `GET /metrics` tells them in Prometheus’ text format.',
    '',
    'Base units: seconds, bytes, ratios. Labels take their values from the config or from a closed set, never from what a sender',
    'wrote. Gauges are read off the status at the scrape; one that is not known is left out, or is -1 where its meaning says so.',
    'Counters begin at 0 with the process. A histogram has the series `_bucket`, `_sum` and `_count`.',
    '',
    'The rules in `alert-rules/` and the dashboard `alert-rules/grafana/failoverd.json` read them.',
    '',
    '| metric | type | labels | meaning |',
    '| --- | --- | --- | --- |',
    ...rows,
    '',
    `Besides, ${all.length - ours.length} metrics of the Node.js process (${code('process_*')}, ${code('nodejs_*')}), as its client library names them.`,
  ].join('\n')}\n`;
}

if (import.meta.main) generate(METRICS_FILE, metricsText(), 'scripts/metrics.ts');
