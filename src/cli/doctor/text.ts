/** The doctor's report for people: what was asked, the facts, the rows, and what to do, worst last where it is read. */
import { counted, utcText } from '../../daemon/text.ts';
import { leaseLines } from '../lease-text.ts';
import { type Paint, wrap } from '../terminal.ts';
import type { DoctorReport, FactLine, Level } from './report.ts';

const WORD = { ok: 'ok', bad: 'bad', unknown: 'unknown' } as const;
const STYLE = { ok: 'green', bad: 'red', unknown: 'yellow' } as const;
const STATE = { fires: 'red', quiet: 'green', "can't tell": 'yellow', never: 'red' } as const;
const LEVEL = { stop: 'red', warn: 'yellow', note: 'dim' } as const satisfies Record<Level, Parameters<Paint>[0]>;
const WIDTH = 11;

export function doctorLines(report: DoctorReport, paint: Paint): string[] {
  const stops = report.findings.filter(({ level }) => level === 'stop').length;
  const warns = report.findings.filter(({ level }) => level === 'warn').length;
  return [
    ...wrap(`${report.file}, seen by ${report.vantage} in ${report.region}, ${utcText(report.at)}`).map((line) =>
      paint('bold', line),
    ),
    '',
    paint('bold', 'Asked, once'),
    ...report.asked.flatMap(({ what, verdict, says, tookMs }) =>
      entry(WORD[verdict], `${what}: ${says}${tookMs === null ? '' : ` (${tookMs} ms)`}`, (text) =>
        paint(STYLE[verdict], text),
      ),
    ),
    ...[...new Set(report.facts.map(({ group }) => group))].flatMap((group) => groupLines(report, group, paint)),
    ...report.leases.flatMap(({ group, lease }) => [
      '',
      paint('bold', `Lease of ${group}`),
      ...leaseLines(lease, paint),
    ]),
    '',
    paint('bold', 'Findings'),
    ...(report.findings.length === 0 ? ['  none'] : []),
    ...report.findings.flatMap(({ level, about, says, remedy, sql }) => [
      ...entry(level, `${about}: ${says}`, (text) => paint(LEVEL[level], text)),
      ...(remedy === null ? [] : entry('', `help: ${remedy}`)),
      ...sql.map((statement) => `${' '.repeat(WIDTH + 2)}${statement}`),
    ]),
    '',
    report.ok
      ? paint('green', `ok  nothing is in the way; ${counted(warns, 'warning')}`)
      : paint('red', `${stops} in the way, ${counted(warns, 'warning')}`),
  ];
}

function groupLines({ facts, rows }: DoctorReport, group: string, paint: Paint): string[] {
  return [
    '',
    paint('bold', `Facts of ${group}`),
    ...facts.filter((fact) => fact.group === group).flatMap((fact) => factLine(fact, paint)),
    '',
    paint('bold', `Rows of ${group}`),
    ...rows
      .filter((row) => row.group === group)
      .flatMap(({ row, component, kind, action, when, state, why }) =>
        entry(
          state,
          `${row} ${kind} ${action}${component === null ? '' : ` of ${component}`}, ${when}: ${why}`,
          (text) => paint(STATE[state], text),
        ),
      ),
  ];
}

function factLine({ fact, subject, value, why }: FactLine, paint: Paint): string[] {
  const name = subject === '' ? fact : `${fact} of ${subject}`;
  if (value === 'ok' || value === 'bad' || value === 'unknown')
    return entry(value, `${name}: ${why}`, (text) => paint(STYLE[value], text));
  if (value === null) return entry('unknown', `${name}: ${why}`, (text) => paint(STYLE.unknown, text));
  return entry('ok', `${name} = ${value}`, (text) => paint(STYLE.ok, text));
}

/** Coloured after it was wrapped: colours have no width. */
function entry(label: string, text: string, color: (text: string) => string = (plain) => plain): string[] {
  const [first = '', ...rest] = wrap(text, `  ${label.padEnd(WIDTH)}`);
  return [label === '' ? first : first.replace(label, color(label)), ...rest];
}
