/** Metrics that are read as facts, and failures with their own words: "why is it unknown", "why did it fail". */
import { html } from 'htm/preact';
import type { VNode } from 'preact';
import { numberText } from '../../../policies/metrics.ts';
import type { FailureStatus, MetricStatus } from '../../status-document.ts';
import { counted, instantText, spanText } from '../../text.ts';
import { age, folded, list, type Part, pairs, table, tag, verdictTag } from './parts.ts';

export const metricTable = (metrics: readonly MetricStatus[], timeZone: string | null): Part =>
  table(
    'What Prometheus was asked for last',
    [
      { label: 'Fact' },
      { label: 'Verdict', kind: 'tight' },
      { label: 'Value' },
      { label: 'From' },
      { label: 'Rows', kind: 'tight' },
      { label: 'Age', kind: 'num' },
    ],
    metrics.map((metric) => ({
      kind: metric.verdict === 'unknown' ? 'stale' : '',
      cells: [
        html`${metric.fact}${metric.says === null ? null : html` <span class="soft">${metric.says}</span>`}
          ${folded('PromQL', html`<code>${metric.promql}</code>` as VNode)}`,
        verdictTag(metric.verdict),
        html`${valueText(metric)}${folded('servers', ...metric.servers.map((one) => serverBlock(one, metric.unit, timeZone)))}`,
        html`${metric.server} <span class="soft">${metric.path}</span>`,
        metric.rows.length === 0 ? 'none' : metric.rows.join(', '),
        html`${age(metric.ageMs)}${
          metric.ageMs !== null && metric.ageMs > metric.freshMs ? html` ${tag('warn', 'stale')}` : null
        }`,
      ],
    })),
  );

function valueText({ value, unit, bad, verdict, why }: MetricStatus): string {
  if (value === null || verdict === 'unknown') return why;
  return `${numberText(value, unit)}${bad === null ? '' : `; bad is ${bad}`}`;
}

const serverBlock = (
  { server, value, why, ageMs, log, failures }: MetricStatus['servers'][number],
  unit: string | null,
  timeZone: string | null,
): VNode =>
  html`<div>${pairs([[server, value === null ? why : `${numberText(value, unit)}, ${age(ageMs)}`]])}
    ${list(log)}${failureList(failures, timeZone)}</div>` as VNode;

/** Kept while all is well again: the morning after somebody asks. */
export const failureList = (failures: readonly FailureStatus[], timeZone: string | null): Part =>
  folded(
    `${counted(failures.length, 'failure')} lately`,
    ...failures.map(
      (failure) => html`<div><p>${failureText(failure, timeZone)}</p>${list(failure.log)}</div>` as VNode,
    ),
  );

function failureText(
  { code, reached, message, firstAt, lastAt, lastAgeMs, count }: FailureStatus,
  timeZone: string | null,
): string {
  const what = `${code === null ? '' : `${code} at `}${reached}${message === null ? '' : `: ${message}`}`;
  const when =
    count === 1
      ? `${age(lastAgeMs)}, ${instantText(firstAt, timeZone)}`
      : `${count} times over ${spanText(lastAt - firstAt)}, first ${instantText(firstAt, timeZone)}, last ${age(lastAgeMs)}`;
  return `${what} (${when})`;
}
