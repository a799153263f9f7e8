/** One failover group on the page: the answers first, the evidence below. */
import { html } from 'htm/preact';
import type { VNode } from 'preact';
import type { FactStatus, GroupStatus, Mood } from '../../status-document.ts';
import { bytesText, counted, instantText, spanText } from '../../text.ts';
import { age, type Part, pairs, table, tagOf, titled, verdictTag } from './parts.ts';
import { endedRuns, proposalPanel, runPanel } from './run.ts';

export const MOOD = {
  quiet: ['ok', '✓ quiet'],
  blind: ['warn', '? can’t tell'],
  watching: ['warn', '! watching'],
  waiting: ['act', '! waits for people'],
  acting: ['act', '» acting'],
  stuck: ['bad', '✕ needs a person'],
} as const satisfies Record<Mood, readonly [string, string]>;
const GATE = { pass: ['ok', '✓ pass'], block: ['bad', '✕ block'], 'cannot-tell': ['warn', '? can’t tell'] } as const;

export function groupSection(group: GroupStatus): VNode {
  const { summary, autonomy, timeZone } = group;
  return html`<section class="group" aria-labelledby=${`group-${group.group}`}>
    <div class="top">
      <h2 id=${`group-${group.group}`}>${group.title}</h2>
      ${group.title === group.group ? null : html`<span class="soft">${group.group}</span>`}
      ${tagOf(MOOD[summary.mood])}
    </div>
    <dl class="answers">
      <dt>What is wrong</dt><dd>${summary.wrong}</dd>
      <dt>What failoverd will do</dt><dd>${summary.next}</dd>
      ${
        summary.because.length === 0
          ? null
          : html`<dt>${becauseOf(summary.mood)}</dt><dd><ul>${summary.because.map((why) => html`<li>${why}</li>`)}</ul></dd>`
      }
    </dl>
    ${group.proposal === null ? null : titled('Waits for people', proposalPanel(group.proposal, timeZone))}
    ${group.run === null ? null : titled('Run under way', runPanel(group.run, timeZone))}
    ${titled('Holds', holdTable(group))}
    ${titled('How it stands', standing(group))}
    ${titled('Gates, as they answer now', gateTable(group), whyAutonomy(autonomy.why))}
    ${titled('Diagnoses', findingTable(group))}
    ${titled('Alerts', alertTable(group))}
    ${titled('Vantages', vantageTable(group))}
    ${titled('Facts', factTable(group.facts))}
    ${titled('Last runs', endedRuns(group))}
  </section>` as VNode;
}

const STREAMING = {
  ok: ['ok', '✓ streaming'],
  bad: ['bad', '✕ not streaming'],
  unknown: ['', '? unknown'],
} as const;

/** Something is on its way and has not come yet, or it is there and has a reason. */
const becauseOf = (mood: Mood): string => (mood === 'waiting' || mood === 'watching' ? 'Why not sooner' : 'Because');

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

const whyAutonomy = (why: readonly string[]): Part =>
  why.length === 0
    ? null
    : (html`<details><summary>Why this autonomy</summary><ul>${why.map((one) => html`<li>${one}</li>`)}</ul></details>` as VNode);

const holdTable = ({ holds, timeZone }: GroupStatus): Part =>
  table(
    [{ label: 'Row' }, { label: 'Held' }, { label: 'Left', kind: 'num' }, { label: 'First sign' }],
    holds.map((hold) => ({
      cells: [
        html`${hold.row} <code>${hold.when}</code> → ${hold.action}`,
        html`<progress max=${hold.forMs} value=${Math.min(hold.heldMs, hold.forMs)}></progress> ${spanText(hold.heldMs)} of ${spanText(hold.forMs)}`,
        spanText(hold.remainingMs),
        instantText(hold.impactAt, timeZone),
      ],
    })),
  );

/** Gates answer at any time; colour is for when something hangs on them. */
const gateTable = ({ gates, holds, proposal }: GroupStatus): Part => {
  const live = proposal !== null || holds.some((hold) => hold.action === 'failover');
  return table(
    [{ label: 'Gate' }, { label: 'Answer', kind: 'tight' }, { label: 'Why' }],
    gates.map((gate) => ({
      cells: [gate.gate, tagOf([live ? GATE[gate.answer][0] : '', GATE[gate.answer][1]]), gate.why],
    })),
  );
};

/** A diagnosis that is bad is a finding; one that is not is good news. */
const FINDING = { bad: ['bad', '✕ yes'], ok: ['ok', '✓ no'], unknown: ['', '? can’t tell'] } as const;

const findingTable = ({ findings }: GroupStatus): Part =>
  table(
    [{ label: 'Diagnosis' }, { label: 'Found', kind: 'tight' }, { label: 'Why' }],
    findings.map((finding) => ({
      cells: [
        html`<span title=${finding.says}>${finding.code}</span>`,
        tagOf(FINDING[finding.verdict]),
        html`${finding.why}${
          finding.signs.length === 0
            ? null
            : html`<details><summary>${counted(finding.signs.length, 'sign')}</summary><ul class="log">
                ${finding.signs.map((sign) => html`<li>${sign.verdict}, ${sign.class}, ${sign.vantage || 'nobody'}, ${sign.path}${sign.ageMs < 0 ? '' : `, ${age(sign.ageMs)}`}: ${sign.says}</li>`)}
              </ul></details>`
        }`,
      ],
    })),
  );

const alertTable = ({ alerts, timeZone }: GroupStatus): Part =>
  table(
    [{ label: 'Alert' }, { label: 'Means' }, { label: 'Since' }, { label: 'Heard', kind: 'num' }],
    alerts.map((alert) => ({
      cells: [
        html`${alert.name}${alert.summary === null ? null : html` <span class="soft">${alert.summary}</span>`}`,
        `${alert.means} in ${alert.region}`,
        instantText(alert.startsAt, timeZone),
        age(alert.ageMs),
      ],
    })),
  );

const vantageTable = ({ vantages }: GroupStatus): Part =>
  table(
    [{ label: 'Vantage' }, { label: 'Region' }, { label: 'Connected', kind: 'tight' }, { label: 'Why' }],
    vantages.map((vantage) => ({
      cells: [vantage.id, vantage.region, verdictTag(vantage.connected), vantage.why],
    })),
  );

const factTable = (facts: readonly FactStatus[]): Part =>
  table(
    [
      { label: 'Subject' },
      { label: 'Fact' },
      { label: 'From' },
      { label: 'Verdict', kind: 'tight' },
      { label: 'Value' },
      { label: 'Age', kind: 'num' },
    ],
    facts.map((fact) => ({
      cells: [
        fact.subject,
        fact.fact,
        fact.vantage ?? '',
        verdictTag(fact.verdict),
        html`${fact.value}${
          fact.log.length === 0
            ? null
            : html`<details><summary>log</summary><ul class="log mono">${fact.log.map((line) => html`<li>${line}</li>`)}</ul></details>`
        }`,
        age(fact.ageMs),
      ],
    })),
  );
