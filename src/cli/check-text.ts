/** The report of `failoverd check` for people. */
import { durationText } from '../model/primitives.ts';
import { problemText } from '../runtime/config/problem.ts';
import type { CheckReport, GroupReport } from './check-report.ts';
import { leaseLines, termsLines } from './lease-text.ts';
import { table, titled } from './table.ts';
import { type Paint, printable, wrap } from './terminal.ts';

/** More would scroll the first ones away, and those are to be mended first. */
const MOST_PROBLEMS = 50;

export function problemLines(report: CheckReport, paint: Paint): string[] {
  const lines = report.problems
    .slice(0, MOST_PROBLEMS)
    .map((problem) => `${paint('red', 'error')}  ${problemText(problem)}`);
  const more = report.problems.length - MOST_PROBLEMS;
  if (more > 0) lines.push(`       and ${more} more`);
  const errors = report.problems.length === 1 ? '1 error' : `${report.problems.length} errors`;
  return [...lines, ...warningLines(report, paint), paint('red', `${report.file}: ${errors}`)];
}

export const warningLines = (report: CheckReport, paint: Paint): string[] =>
  report.warnings.map((warning) => `${paint('yellow', 'warning')}  ${problemText(warning)}`);

export function reportLines(report: CheckReport, paint: Paint): string[] {
  if (report.guard !== null) return guardLines(report, report.guard, paint);
  const regions = report.regions.map(
    ({ id, role, title }) => `${id} ${role}${title === null ? '' : ` (${printable(title)})`}`,
  );
  const vantages = report.vantages.map(({ id, region }) => `${id} in ${region}`);
  const lines = [
    paint('bold', report.file),
    ...entry('regions', regions.join(', ')),
    ...entry('vantages', vantages.join(', ')),
    ...(report.secrets === null ? [] : entry('secrets', `${report.secrets} fetched`)),
    ...report.groups.flatMap((group) => ['', ...groupLines(group, paint)]),
  ];
  if (report.notSupported.length > 0)
    lines.push(
      '',
      paint('bold', 'Declared; not supported yet'),
      ...table(report.notSupported.map(({ line, column, path, what }) => [`${line}:${column}`, path, what])),
    );
  if (report.warnings.length > 0) lines.push('', ...warningLines(report, paint));
  const groups = report.groups.length === 1 ? '1 group' : `${report.groups.length} groups`;
  return [...lines, '', `${paint('green', 'ok')}  ${report.file}: ${groups}, ${report.warnings.length} warnings`];
}

/** A guard's file says little of itself that its lease doesn't. */
function guardLines(report: CheckReport, guard: NonNullable<CheckReport['guard']>, paint: Paint): string[] {
  return [
    paint('bold', report.file),
    ...entry('guard', `of ${guard.group}/${guard.component} in ${guard.region}, ${guard.role} when first set up`),
    ...entry('peers', guard.peers.join(', ')),
    ...entry('postgres', `${guard.driver}, dead-man ${guard.deadManDriver}`),
    ...(report.secrets === null ? [] : entry('secrets', `${report.secrets} fetched`)),
    ...termsLines(guard.lease, null, paint),
    ...(report.warnings.length > 0 ? ['', ...warningLines(report, paint)] : []),
    '',
    `${paint('green', 'ok')}  ${report.file}: a guard, ${report.warnings.length} warnings`,
  ];
}

const entry = (label: string, text: string): string[] => wrap(text, `  ${label.padEnd(11)}`);

function groupLines(group: GroupReport, paint: Paint): string[] {
  const title = group.title === group.id ? '' : `  ${printable(group.title)}`;
  const fence = group.fence === 'none' ? 'none' : `${group.fence}, ${durationText(group.fenceTimeoutMs)} for each call`;
  return [
    `${paint('bold', `Group ${group.id}`)}${title}`,
    ...entry('moves', `${group.primary} -> ${group.secondary}`),
    ...autonomyLines(group, paint),
    ...entry('quorum', `${group.quorum} of ${group.vantages.length} vantages`),
    ...entry('fence', fence),
    ...approvalLines(group),
    ...(group.lease === null ? [] : leaseLines(group.lease, paint)),
    '',
    ...componentLines(group, paint),
    '',
    ...metricLines(group, paint),
    ...matrixLines(group, paint),
    '',
    ...phaseLines(group, paint),
  ];
}

function autonomyLines({ autonomy }: GroupReport, paint: Paint): string[] {
  const { declared, inForce, caps } = autonomy;
  if (declared === inForce) return entry('autonomy', declared);
  // A cap at or above what is in force is not why it is no more.
  const reasons = caps.filter((cap) => cap.autonomy === inForce);
  return [
    ...entry('autonomy', `${declared} declared; runs at ${paint('bold', inForce)}, because`),
    ...reasons.flatMap((cap) => wrap(cap.why, `${' '.repeat(13)}- `)),
  ];
}

function approvalLines(group: GroupReport): string[] {
  const { businessHours: hours, approvals } = group;
  const executives = `executives told within ${durationText(group.notifyExecutivesWithinMs)}`;
  if (hours === null)
    return entry('approvals', `${approvals.businessHours.join(' and ')}, at all times; ${executives}`);
  const when = `${hours.days.join(' ')} ${hours.from}-${hours.to} ${hours.timeZone}`;
  return entry(
    'approvals',
    `${approvals.businessHours.join(' and ')} on ${when}; otherwise ${approvals.otherwise.join(' and ')}; ${executives}`,
  );
}

const BY_HAND = 'proposed; done by people';
const NOT_YET = 'not supported yet';
const span = (ms: number | null): string => (ms === null ? '-' : durationText(ms));

function componentLines({ components }: GroupReport, paint: Paint): string[] {
  const rows = components.map((c) => [
    ...[c.id, c.kind, String(c.tier), span(c.rtoMs), span(c.rpoMs), span(c.lagTargetMs)],
    c.supported ? `every ${span(c.probeIntervalMs)}` : NOT_YET,
  ]);
  return titled(['component', 'kind', 'tier', 'RTO', 'RPO', 'lag', 'probed'], rows, paint);
}

const scopeText = (scope: string): string => (scope === 'group' ? '-' : scope);

/** What is asked of Prometheus; nothing where nothing is. */
function metricLines({ facts }: GroupReport, paint: Paint): string[] {
  if (facts.length === 0) return [];
  const rows = facts.map(({ fact, type, bad, unit, server, servers, everyMs, freshMs }) => [
    fact,
    bad === null ? [type, ...(unit === null ? [] : [printable(unit)])].join(', ') : `${type}, bad ${bad}`,
    servers === 1 ? server : `${server} and ${servers - 1} more`,
    ...[span(everyMs), span(freshMs)],
  ]);
  return [
    ...titled(['fact', 'read as', 'asked of', 'every', 'counts for'], rows, paint),
    ...facts.flatMap(({ fact, promql }) => wrap(printable(promql.replaceAll(/\s+/g, ' ')), `    ${fact} = `)),
    '',
  ];
}

function matrixLines({ matrix }: GroupReport, paint: Paint): string[] {
  const rows = matrix.map((row) => [
    ...[String(row.id), row.kind, scopeText(row.scope), row.when, row.forMs === 0 ? '-' : span(row.forMs), row.action],
    [
      ...(row.against.length > 0 ? [`against ${row.against.join(', ')}`] : []),
      ...(row.auto ? ['may act by itself'] : []),
      ...(row.supported ? [] : [BY_HAND]),
    ].join('; '),
  ]);
  const examples = matrix.map((row) => [
    String(row.id),
    Object.entries(row.example)
      .map(([fact, value]) => `${fact} = ${value}`)
      .join(', '),
  ]);
  return [
    ...titled(['row', 'kind', 'for each', 'when', 'for', 'action', ''], rows, paint),
    '',
    ...titled(['row', 'matches, for example, when'], examples, paint),
  ];
}

function phaseLines(group: GroupReport, paint: Paint): string[] {
  const rows = group.phases.map((phase) => [
    ...[phase.name, span(phase.budgetMs)],
    phase.beside === null ? '' : `beside ${phase.beside}${phase.supported ? '' : `; ${NOT_YET}`}`,
  ]);
  rows.push(['in all', span(group.criticalPathMs), `of an RTO of ${span(group.rtoMs)}`]);
  return titled(['phase', 'budget', ''], rows, paint);
}
