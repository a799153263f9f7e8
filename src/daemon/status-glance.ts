/**
 * What is read in the first second: a headline, since when, who says so, how long until something happens, and what
 * that waits for. PURE: words for what was decided elsewhere.
 */
import type { Sign } from '../model/events.ts';
import { rowName } from '../model/matrix.ts';
import { type DiagnosisCode, isKnownDiagnosis } from '../policies/diagnoses.ts';
import type { View } from '../policies/view.ts';
import type { FindingStatus, HoldStatus, Summary } from './status-document.ts';
import type { SummaryFacts } from './status-summary.ts';
import { reportText, spanText, stepText } from './text.ts';

export type Glance = Pick<Summary, 'headline' | 'since' | 'saidBy' | 'countdown' | 'waitsFor'>;

export function glanceOf(facts: SummaryFacts): Glance {
  return {
    headline: headlineOf(facts),
    since: sinceOf(facts),
    saidBy: saidBy(facts),
    countdown: countdownOf(facts),
    waitsFor: waitsFor(facts),
  };
}

const bad = (findings: readonly FindingStatus[]): FindingStatus[] =>
  findings.filter((finding) => finding.verdict === 'bad');

/** In the order in which they matter. */
const WORDS: Readonly<Record<DiagnosisCode, (region: string) => string>> = {
  RegionUnreachable: (region) => `region ${region} can’t be reached`,
  ForeignDatabase: (region) => `a database of another cluster answers in ${region}`,
  GrayFailure: (region) => `clients can’t reach ${region}, and its database is alive (gray failure)`,
  MonitoringBlind: (region) => `monitoring of ${region} is silent: its alerts would not be heard of`,
  WorkloadDegraded: (region) => `workloads fail in ${region}`,
  VantageIsolated: () => 'a vantage is cut off from everything, so what it says does not count',
};

function headlineOf(facts: SummaryFacts): string {
  const parts = [troubleOf(facts), courseOf(facts)].filter((part) => part !== null);
  return sentence(parts.length === 0 ? calmOf(facts) : parts.join('; '));
}

export const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}`;

function troubleOf({ engine, findings, reports }: SummaryFacts): string | null {
  if (engine !== 'running') return 'the engine stands still: failoverd acts on nothing';
  const [report] = reports;
  if (report !== undefined) return reportText(report.report);
  const found = bad(findings);
  const code = Object.keys(WORDS).find((one) => found.some((finding) => finding.code === one));
  const finding = found.find((one) => one.code === code) ?? found[0];
  return finding === undefined ? null : wordsOf(finding);
}

/** A diagnosis as people say it. */
export const wordsOf = ({ code, region }: Pick<FindingStatus, 'code' | 'region'>): string =>
  isKnownDiagnosis(code) ? WORDS[code](region) : code;

function courseOf({ engine, run, proposal, reports }: SummaryFacts): string | null {
  if (engine !== 'running') return null;
  if (run !== null)
    return run.status === 'paused' || run.status === 'halted'
      ? `the failover to ${run.to} is ${run.status}`
      : run.status === 'aborting'
        ? `the failover to ${run.to} is being undone`
        : `failing over to ${run.to}`;
  if (proposal !== null) return `a failover to ${proposal.to} waits for people`;
  return reports.length > 0 ? 'nothing is failed over' : null;
}

const calmOf = ({ findings, view }: SummaryFacts): string =>
  findings.find((finding) => finding.code === 'RegionUnreachable')?.verdict === 'ok'
    ? `clients reach ${view.active}`
    : `it can’t be said whether clients reach ${view.active}`;

function sinceOf({ findings, reports, run }: SummaryFacts): number | null {
  const instants = [
    ...bad(findings).flatMap(({ impactAt }) => (impactAt === null ? [] : [impactAt])),
    ...reports.map(({ at }) => at),
    ...(run === null ? [] : [run.clocks.impactAt]),
  ];
  return instants.length === 0 ? null : Math.min(...instants);
}

const agoText = (ageMs: number | null): string =>
  ageMs === null || ageMs < 0 ? '' : ageMs < 1000 ? ' (now)' : ` (${spanText(ageMs)} ago)`;

const signText = ({ vantage, says, ageMs }: Sign): string => `${vantage || 'nobody'}: ${says}${agoText(ageMs)}`;

function saidBy({ findings, reports, run, view }: SummaryFacts): string[] {
  const said = [
    ...reports.map(({ by, what, sinceMs }) => `${by}: ${what}${agoText(sinceMs)}`),
    ...bad(findings).flatMap(voicesOf),
  ];
  if (said.length > 0) return [...new Set(said)];
  return run === null
    ? voices(view)
    : run.decision.signs.map(({ vantage, says }) => `${vantage || 'nobody'}, when it was decided: ${says}`);
}

/** What no vantage saw is failoverd's own conclusion, such as from silence. */
function voicesOf({ signs, why }: FindingStatus): string[] {
  const seen = signs.filter((sign) => sign.verdict === 'bad');
  return seen.length === 0 ? [`failoverd: ${why}`] : seen.map(signText);
}

/** Where nothing is wrong, or nothing is known: what each vantage says of the active region. */
const voices = (view: View): string[] =>
  (view.reach[view.active] ?? []).map(({ vantage, why, ageMs }) => `${vantage}: ${why}${agoText(ageMs)}`);

/** The hold that ends first, if one still runs. */
export const nextHold = (holds: readonly HoldStatus[]): HoldStatus | undefined =>
  [...holds].sort((a, b) => a.remainingMs - b.remainingMs).find((one) => one.remainingMs > 0);

function countdownOf({ engine, run, proposal, holds, autonomy }: SummaryFacts): Summary['countdown'] {
  if (engine !== 'running') return null;
  if (run !== null)
    return run.status === 'running' && !run.overdue
      ? { to: 'the RTO of the run', leftMs: Math.max(0, run.rtoMs - run.sinceDecidedMs), ofMs: run.rtoMs }
      : null;
  if (proposal !== null)
    return {
      to: 'the proposal expires',
      leftMs: proposal.expiresInMs,
      ofMs: Math.max(1, proposal.expiresAt - proposal.openedAt),
    };
  const hold = nextHold(holds);
  if (hold === undefined) return null;
  const to =
    hold.action !== 'failover'
      ? `${hold.action} (${rowName(hold.row, hold.component)})`
      : { auto: 'it fails over by itself', gated: 'it asks people', observe: 'it says what it would do' }[
          autonomy.inForce
        ];
  return { to, leftMs: hold.remainingMs, ofMs: hold.forMs };
}

function waitsFor({ engine, run, proposal, holds, reports, findings }: SummaryFacts): string | null {
  if (engine !== 'running') return 'a restart of the daemon';
  if (run !== null) {
    const step = run.phases.flatMap((phase) => phase.steps).find((one) => one.status !== 'done');
    if (run.status === 'paused' || run.status === 'halted') return `a person: an sre approves ${run.id}, or aborts it`;
    if (step === undefined) return null;
    const doing = stepText(step);
    return `${step.id}${doing === '' ? '' : `: ${doing}`}`;
  }
  if (proposal !== null)
    return proposal.missing.length === 0 ? 'its gates' : `${proposal.missing.join(' and ')} to approve ${proposal.id}`;
  if (reports.length > 0) return 'an sre or a dba to clear the report';
  const hold = nextHold(holds);
  if (hold !== undefined) return `${hold.when} to last ${spanText(hold.remainingMs)} more`;
  const region = findings.find((finding) => finding.code === 'RegionUnreachable');
  return region?.verdict === 'unknown' ? 'fresh answers from the vantages' : null;
}
