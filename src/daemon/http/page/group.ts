/** One failover group on the page: the answers first, the evidence below. */
import { html } from 'htm/preact';
import type { VNode } from 'preact';
import type { FactStatus, FindingStatus, GroupStatus, RaiseStatus } from '../../status-document.ts';
import { bytesText, counted, instantText, spanText } from '../../text.ts';
import { spanBar } from './bars.ts';
import { glance, reportNotices } from './glance.ts';
import { leasePart } from './leases.ts';
import { decisionsPart, gatePart, rowPart } from './matrix.ts';
import { failureList, metricTable } from './metrics.ts';
import {
  age,
  command,
  folded,
  foldedAs,
  idOf,
  list,
  type Part,
  pairs,
  table,
  tag,
  tagOf,
  titled,
  verdictTag,
} from './parts.ts';
import { endedRuns, proposalPanel, runPanel } from './run.ts';

export function groupSection(group: GroupStatus, at: number): VNode {
  const { group: id } = group;
  const parts = partsOf(group).filter(({ content }) => content.some((one) => one !== null));
  return html`<section class="group" id=${`group-${id}`} aria-labelledby=${`title-${id}`}>
    <div class="top">
      <h2 id=${`title-${id}`}>${group.title}</h2>
      ${group.title === id ? null : html`<span class="soft">${id}</span>`}
      <span class="soft">${group.active} is active, ${group.standby} stands by</span>
    </div>
    ${glance(group, at)}
    <nav aria-label=${`Parts of ${group.title}`}>
      ${parts.map(({ name, title }) => html`<a href=${`#${name}-${id}`}>${title}</a> `)}
    </nav>
    ${parts.map(({ name, title, content }) => titled(`${name}-${id}`, title, ...content))}
  </section>` as VNode;
}

type GroupPart = { readonly name: string; readonly title: string; readonly content: readonly Part[] };

/** Everything below the answers, what is acted upon first; what is empty is not shown. */
function partsOf(group: GroupStatus): readonly GroupPart[] {
  const { autonomy, timeZone, proposal, raise, run } = group;
  const part = (name: string, title: string, ...content: readonly Part[]): GroupPart => ({ name, title, content });
  return [
    part('reports', 'Reported, and in the way', reportNotices(group)),
    part('proposal', 'Waits for people', proposal === null ? null : proposalPanel(proposal, timeZone)),
    part('raise', 'More autonomy waits for people', raise === null ? null : raisePanel(raise, timeZone)),
    part('run', 'Run under way', run === null ? null : runPanel(run, timeZone)),
    part('maintenance', 'Planned work', maintenanceTable(group)),
    part('holds', 'Holds', holdTable(group)),
    part('ended', 'Last runs', endedRuns(group)),
    part('commit-window', 'The old side', commitWindowPart(group)),
    part('leases', 'Who may write', leasePart(group)),
    part('standing', 'How it stands', standing(group), folded('Why this autonomy', list(autonomy.why))),
    part('decisions', 'Decisions that stand', decisionsPart(group)),
    part('gates', 'Gates, as they answer now', gatePart(group)),
    part('rows', 'Matrix', rowPart(group)),
    part('findings', 'Diagnoses', findingPart(group)),
    part('alerts', 'Alerts', alertTable(group), silencedTable(group)),
    part('vantages', 'Vantages', vantageTable(group)),
    part('metrics', 'Metrics', metricTable(group)),
    part('facts', 'Facts', factPart(group)),
  ];
}

function raisePanel(raise: RaiseStatus, timeZone: string | null): VNode {
  const given = raise.approvals.map(({ person, role }) => `${person} as ${role}`).join(', ');
  return html`<div class="panel">
    <p>The config asks for more than is agreed. Until people have approved it, what is agreed is in force.</p>
    ${list(raise.widens.map((one) => one.replaceAll('->', '→')))}
    <div class="commands">
      ${command(`failoverd approve ${raise.id}`, 'Yes')}
      ${command(`failoverd abort ${raise.id} --reason "…"`, 'No')}
    </div>
    ${pairs([
      ['Still to approve', raise.missing.length === 0 ? 'nobody' : raise.missing.join(' and ')],
      ['Approved by', given === '' ? 'nobody yet' : given],
      [
        'Expires',
        html`in ${spanText(raise.expiresInMs)} <span class="soft">${instantText(raise.expiresAt, timeZone)}</span>`,
      ],
      ['Config hash', html`<span class="mono">${raise.configHash}</span>`, 'wide'],
    ])}
  </div>` as VNode;
}

const FENCE = { held: ['ok', '✓ off'], lost: ['bad', '✕ on again'], unknown: ['', '? unknown'] } as const;

/** It has to stay as it is for a while: what it holds and the new side lacks is there and nowhere else. */
function commitWindowPart({ commitWindow, timeZone }: GroupStatus): Part {
  if (commitWindow === null) return null;
  const { run, region, until, fence, readAgoMs, why } = commitWindow;
  return pairs([
    [region, tagOf(FENCE[fence])],
    ['Read', readAgoMs === null ? 'not yet' : age(readAgoMs)],
    ['Has to stay so until', instantText(until, timeZone)],
    ['Because of', run],
    ['It said', why, 'wide'],
  ]);
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

/** What is found or can't be told; what is known not to be there is folded away. */
function findingPart({ findings, group }: GroupStatus): Part {
  const absent = findings.filter(({ verdict }) => verdict === 'ok');
  if (findings.length === 0) return null;
  return html`<div>
    ${findingTable(
      'Named situations that are there, or can’t be told',
      findings.filter(({ verdict }) => verdict !== 'ok'),
    )}
    ${foldedAs(`findings-absent-${group}`, `${counted(absent.length, 'situation')} ${absent.length === 1 ? 'is' : 'are'} not there`, findingTable('Named situations that are not there', absent))}
  </div>` as VNode;
}

const findingTable = (caption: string, findings: readonly FindingStatus[]): Part =>
  table(
    caption,
    [{ label: 'Diagnosis', kind: 'name' }, { label: 'Found', kind: 'tight' }, { label: 'Why' }],
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

/** What is wrong, unknown, or failed lately stands open; the rest is folded, and the age of its oldest is told. */
function factPart({ facts, timeZone, group }: GroupStatus): Part {
  const isCalm = ({ verdict, failures }: FactStatus): boolean => verdict === 'ok' && failures.length === 0;
  const calm = facts.filter(isCalm);
  const oldestMs = Math.max(0, ...calm.flatMap(({ ageMs }) => (ageMs === null ? [] : [ageMs])));
  if (facts.length === 0) return null;
  return html`<div>
    ${factTable(
      facts.filter((fact) => !isCalm(fact)),
      timeZone,
      group,
      'What each vantage saw last, where it is wrong, unknown, or failed lately',
    )}
    ${foldedAs(
      `facts-well-${group}`,
      `${calm.length === facts.length ? 'All ' : ''}${counted(calm.length, 'fact')} ${calm.length === 1 ? 'is' : 'are'} well; the oldest was seen ${age(oldestMs)}`,
      factTable(calm, timeZone, group, 'What each vantage saw last, where all is well'),
    )}
  </div>` as VNode;
}

/** `of`: whose facts they are, which tells them from others on the page. */
export const factTable = (facts: readonly FactStatus[], timeZone: string | null, of: string, caption: string): Part =>
  table(
    caption,
    [
      { label: 'Subject' },
      { label: 'Verdict', kind: 'tight' },
      { label: 'Fact', kind: 'name' },
      { label: 'From', kind: 'tight' },
      { label: 'Value' },
      { label: 'Age', kind: 'num' },
    ],
    facts.map((fact) => ({
      id: idOf('fact', of, fact.fact, fact.subject, fact.vantage),
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
