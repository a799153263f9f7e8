/** Metrics that are read as facts, and failures with their own words: "why is it unknown", "why did it fail". */
import { html } from 'htm/preact';
import type { VNode } from 'preact';
import { numberText } from '../../../policies/metrics.ts';
import type { FailureStatus, GroupStatus, MetricStatus } from '../../status-document.ts';
import { counted, instantText, spanText } from '../../text.ts';
import { age, folded, idOf, list, type Part, table, tag, verdictTag } from './parts.ts';

export const metricTable = ({ metrics, timeZone, group }: GroupStatus): Part =>
  table(
    'What Prometheus was asked for last',
    [
      { label: 'Fact', kind: 'name' },
      { label: 'Verdict', kind: 'tight' },
      { label: 'Value' },
      { label: 'From' },
      { label: 'Read by', kind: 'name' },
      { label: 'Age', kind: 'num' },
    ],
    metrics.map((metric) => ({
      id: idOf('metric', group, metric.fact),
      kind: metric.verdict === 'unknown' ? 'stale' : '',
      cells: [
        html`${metric.fact}${metric.says === null ? null : html` <span class="soft">${metric.says}</span>`}`,
        verdictTag(metric.verdict),
        html`${valueText(metric)}${folded(
          'How it was asked',
          html`<p><code>${metric.promql}</code></p>` as VNode,
          ...metric.servers.map((one) => serverBlock(one, metric.unit, timeZone)),
        )}`,
        html`${metric.server} <span class="soft">${metric.path.replace('->', ' → ')}</span>`,
        metric.rows.length === 0 ? 'no row' : `row ${metric.rows.join(', ')}`,
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
  html`<div><p>${server}: ${value === null ? why : `${numberText(value, unit)}, ${age(ageMs)}`}</p>
    ${list(log)}${failureList(failures, timeZone)}</div>` as VNode;

/** Kept while all is well again: the morning after somebody asks. */
export const failureList = (failures: readonly FailureStatus[], timeZone: string | null): Part =>
  folded(
    `${counted(failures.length, 'failure')} lately`,
    ...failures.map(
      (failure) =>
        html`<div>
          <p>${whatText(failure)} <span class="soft">${whenText(failure, timeZone)}</span></p>
          ${list(failure.log)}
        </div>` as VNode,
    ),
  );

const whatText = ({ code, reached, message }: FailureStatus): string =>
  `${code === null ? '' : `${code} at `}${reached}${message === null ? '' : `: ${message}`}`;

const whenText = ({ firstAt, lastAt, lastAgeMs, count }: FailureStatus, timeZone: string | null): string =>
  count === 1
    ? `${age(lastAgeMs)}, ${instantText(firstAt, timeZone)}`
    : `${count} times over ${spanText(lastAt - firstAt)}, first ${instantText(firstAt, timeZone)}, last ${age(lastAgeMs)}`;
