/** One failover group on the page: the answers first, the evidence below. */
import { html } from 'htm/preact';
import type { VNode } from 'preact';
import type { FactStatus, FindingStatus, GroupStatus, RaiseStatus } from '../../status-document.ts';
import { bytesText, counted, instantText, spanText } from '../../text.ts';
import { spanBar } from './bars.ts';
import { glance, reportNotices } from './glance.ts';
import { decisionsPart, gatePart, rowPart } from './matrix.ts';
import { failureList, metricTable } from './metrics.ts';
import { age, folded, list, type Part, pairs, table, tag, tagOf, titled, verdictTag } from './parts.ts';
import { endedRuns, proposalPanel, runPanel } from './run.ts';

export function groupSection(group: GroupStatus, at: number): VNode {
  const { autonomy, timeZone, group: id } = group;
  const part = (name: string, title: string, ...content: readonly Part[]): Part =>
    titled(`${name}-${id}`, title, ...content);
  return html`<section class="group" id=${`group-${id}`} aria-labelledby=${`title-${id}`}>
    <div class="top">
      <h2 id=${`title-${id}`}>${group.title}</h2>
      ${group.title === id ? null : html`<span class="soft">${id}</span>`}
      <span class="soft">${group.active} is active, ${group.standby} stands by</span>
    </div>
    ${glance(group, at)}
    ${part('reports', 'Reported, and in the way', reportNotices(group))}
    ${group.proposal === null ? null : part('proposal', 'Waits for people', proposalPanel(group.proposal, timeZone))}
    ${group.raise === null ? null : part('raise', 'More autonomy waits for people', raisePanel(group.raise, timeZone))}
    ${group.run === null ? null : part('run', 'Run under way', runPanel(group.run, timeZone))}
    ${part('maintenance', 'Planned work', maintenanceTable(group))}
    ${part('holds', 'Holds', holdTable(group))}
    ${part('ended', 'Last runs', endedRuns(group))}
    ${part('standing', 'How it stands', standing(group), folded('Why this autonomy', list(autonomy.why)))}
    ${part('decisions', 'Decisions that stand', decisionsPart(group))}
    ${part('gates', 'Gates, as they answer now', gatePart(group))}
    ${part('rows', 'Matrix', rowPart(group))}
    ${part('findings', 'Diagnoses', findingTable(group))}
    ${part('alerts', 'Alerts', alertTable(group), silencedTable(group))}
    ${part('vantages', 'Vantages', vantageTable(group))}
    ${part('metrics', 'Metrics', metricTable(group.metrics, timeZone))}
    ${part('facts', 'Facts', factTable(group.facts, timeZone))}
  </section>` as VNode;
}

function raisePanel(raise: RaiseStatus, timeZone: string | null): VNode {
  const given = raise.approvals.map(({ person, role }) => `${person} as ${role}`).join(', ');
  return html`<div>
    <p>The config asks for more than is agreed. Until people have approved it, what is agreed is in force.</p>
    ${list(raise.widens)}
    ${pairs([
      ['Approve', html`<code>failoverd approve ${raise.id}</code>`],
      ['Approved by', given === '' ? 'nobody yet' : given],
      ['Still needed', raise.missing.join(' and ')],
      ['Expires', `${instantText(raise.expiresAt, timeZone)}, in ${spanText(raise.expiresInMs)}`],
      ['Config', html`<code>${raise.configHash}</code>`],
    ])}
  </div>` as VNode;
}

const STREAMING = {
  ok: ['ok', '✓ streaming'],
  bad: ['bad', '✕ not streaming'],
  unknown: ['', '? unknown'],
} as const;

function standing({ active, standby, epoch, autonomy, replication, rtoMs, rpoMs }: GroupStatus): VNode {
  const lowered = autonomy.declared === autonomy.inForce ? '' : ` (config: ${autonomy.declared})`;
  return pairs([
    ['Active region', active],
    ['Standby region', standby],
    ['Autonomy in force', html`${autonomy.inForce}<span class="soft">${lowered}</span>`],
    ...(replication === null
      ? []
      : [
          ['Replication', tagOf(STREAMING[replication.streaming])] as const,
          ['Not received yet', bytesText(replication.receiveGapBytes)] as const,
          ['Not replayed yet', bytesText(replication.replayLagBytes)] as const,
        ]),
    ['Targets', `RTO ${spanText(rtoMs)}, RPO ${spanText(rpoMs)}`],
    ['Epoch', String(epoch)],
  ]);
}

/** What came of a hold that is over stands where it came to: with the proposal, the run or the decision. */
const holdTable = ({ holds, timeZone }: GroupStatus): Part =>
  table(
    'Rows that match, and have to go on matching',
    [{ label: 'Row' }, { label: 'Held', kind: 'wide' }, { label: 'Left', kind: 'num' }, { label: 'First sign' }],
    holds
      .filter((hold) => hold.remainingMs > 0)
      .map((hold) => ({
        cells: [
          html`${hold.row}${hold.component === null ? null : ` ${hold.component}`} <code>${hold.when}</code> → ${hold.action}`,
          html`${spanBar(hold.heldMs, hold.forMs, 'warn')} ${spanText(hold.heldMs)} of ${spanText(hold.forMs)}`,
          spanText(hold.remainingMs),
          instantText(hold.impactAt, timeZone),
        ],
      })),
  );

/** A diagnosis that is bad is a finding; one that is not is good news. */
const FINDING = { bad: ['bad', '✕ yes'], ok: ['ok', '✓ no'], unknown: ['', '? can’t tell'] } as const;

const findingTable = ({ findings }: GroupStatus): Part =>
  table(
    'Named situations, and whether they are there',
    [{ label: 'Diagnosis' }, { label: 'Found', kind: 'tight' }, { label: 'Why' }],
    findings.map((finding) => ({
      cells: [
        html`${finding.code} <span class="soft">${finding.says}</span>`,
        tagOf(FINDING[finding.verdict]),
        html`${finding.why}${folded(counted(finding.signs.length, 'sign'), list(finding.signs.map(signText)))}`,
      ],
    })),
  );

const signText = (sign: FindingStatus['signs'][number]): string =>
  `${sign.verdict}, ${sign.class}, ${sign.vantage || 'nobody'}, ${sign.path}${sign.ageMs < 0 ? '' : `, ${age(sign.ageMs)}`}: ${sign.says}`;

const alertTable = ({ alerts, timeZone }: GroupStatus): Part =>
  table(
    'Alerts that mean something to this group',
    [{ label: 'Alert' }, { label: 'Means' }, { label: 'Since' }, { label: 'Heard', kind: 'num' }],
    alerts.map((alert) => ({
      cells: [
        html`${alert.name}${alert.summary === null ? null : html` <span class="soft">${alert.summary}</span>`}`,
        meansText(alert),
        instantText(alert.startsAt, timeZone),
        age(alert.ageMs),
      ],
    })),
  );

const meansText = ({ means, region, component }: { means: string; region: string; component: string | null }): string =>
  `${means}${component === null ? '' : ` of ${component}`} in ${region}`;

const silencedTable = ({ silenced, timeZone }: GroupStatus): Part =>
  table(
    'Silenced: they fire, and count neither as signs nor as health',
    [{ label: 'Alert' }, { label: 'Would mean' }, { label: 'Since' }, { label: 'Silenced by' }],
    silenced.map((alert) => ({
      cells: [
        html`${alert.name}${alert.summary === null ? null : html` <span class="soft">${alert.summary}</span>`}`,
        meansText(alert),
        instantText(alert.startsAt, timeZone),
        alert.by.length === 0
          ? 'a silence that was not told of'
          : html`${alert.by.map(({ who, comment, until }) => html`<div>${who || 'somebody'} until ${instantText(until, timeZone)} <span class="soft">${comment}</span></div>`)}`,
      ],
    })),
  );

const SOURCE = { calendar: 'the calendar', silence: 'a silence', alert: 'an alert' } as const;

const maintenanceTable = ({ maintenance, timeZone }: GroupStatus): Part =>
  table(
    'Planned work that stands now, and what it suppresses; never a failover',
    [{ label: 'Work' }, { label: 'Until' }, { label: 'Suppresses' }, { label: 'Said by' }],
    maintenance.map(({ title, until, causes, source, by, region, component }) => ({
      cells: [
        html`${title} <span class="soft">${[component, region].filter((one) => one !== null).join(' in ')}</span>`,
        until === null ? 'its alert ends' : instantText(until, timeZone),
        causes === null ? 'what rows say that read maintenance.over' : causes.join(', '),
        `${SOURCE[source]}${by === null || by === '' ? '' : ` of ${by}`}`,
      ],
    })),
  );

const vantageTable = ({ vantages }: GroupStatus): Part =>
  table(
    'Places that probes run from',
    [{ label: 'Vantage' }, { label: 'Region' }, { label: 'Connected', kind: 'tight' }, { label: 'Why' }],
    vantages.map((vantage) => ({
      cells: [vantage.id, vantage.region, verdictTag(vantage.connected), vantage.why],
    })),
  );

export const factTable = (
  facts: readonly FactStatus[],
  timeZone: string | null,
  caption = 'What each vantage saw last, what is wrong first',
): Part =>
  table(
    caption,
    [
      { label: 'Subject' },
      { label: 'Verdict', kind: 'tight' },
      { label: 'Fact' },
      { label: 'From', kind: 'tight' },
      { label: 'Value' },
      { label: 'Age', kind: 'num' },
    ],
    facts.map((fact) => ({
      kind: fact.expired || fact.ageMs === null ? 'stale' : '',
      cells: [
        fact.subject,
        verdictTag(fact.verdict),
        fact.fact,
        fact.vantage ?? 'nobody',
        html`${fact.value}${folded('log', list(fact.log))}${failureList(fact.failures, timeZone)}`,
        html`${age(fact.ageMs)}${fact.expired ? html` ${tag('warn', 'stale')}` : null}`,
      ],
    })),
  );
