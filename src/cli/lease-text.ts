/** What a lease comes to, for people. */
import { durationText } from '../model/primitives.ts';
import type { LeaseReport, TermsReport, WritableReport } from './lease-report.ts';
import { titled } from './table.ts';
import { type Paint, wrap } from './terminal.ts';

const WIDTH = 11;
const entry = (label: string, text: string): string[] => wrap(text, `  ${label.padEnd(WIDTH)}`);
const also = (text: string): string[] => wrap(text, `${' '.repeat(WIDTH + 2)}- `);
const bound = (ms: number | null): string => (ms === null ? 'without bound' : durationText(ms));

export function leaseLines(lease: LeaseReport, paint: Paint): string[] {
  const guards = lease.guards.length === 0 ? 'nowhere' : lease.guards.join(' and ');
  const consent =
    lease.partitionExposureMs === null ? 'no consent to any' : `consent to ${durationText(lease.partitionExposureMs)}`;
  const proves = lease.expiredIsNoProof.length === 0;
  return [
    ...entry(
      'lease',
      `${lease.profile}; kept by the controller in ${lease.storeRegion ?? 'no region'}; guards in ${guards}`,
    ),
    ...entry('its end', proves ? 'proves that the old side has stopped' : 'proves nothing:'),
    ...lease.expiredIsNoProof.flatMap(also),
    ...termsLines(lease, consent, paint),
    ...lease.writable.flatMap(writableLines),
  ];
}

/** The part that a guard's own file tells as well. */
export function termsLines(terms: TermsReport, consent: string | null, paint: Paint): string[] {
  const { deadMan, isolation, onCrash, crashRestarts, timings: t, timingsHash } = terms;
  const crash = onCrash === 'release' ? 'releases at once' : `restarts in place, ${crashRestarts} times at most`;
  const span = durationText;
  return [
    ...entry(
      'terms',
      `dead-man ${deadMan}; isolated it ${isolation === 'stop' ? 'stops' : 'serves on'}; crashed it ${crash} (${timingsHash.slice(0, 12)})`,
    ),
    ...entry(
      'timings',
      [
        `r ${span(t.renewMs)}, q ${span(t.attemptMs)}, E ${span(t.electionGapMs)}, G ${span(t.demoteAfterMs)},`,
        `K ${span(t.stopWithinMs)}, H ${span(t.deadManAfterMs)}, L ${span(t.leaseMs)}, W ${span(t.waitMs)}`,
      ].join(' '),
    ),
    '',
    ...titled(
      ['rule', 'with its numbers', ''],
      terms.rules.map(({ formula, strictly, leftMs, rightMs, holds }) => [
        formula,
        `${span(leftMs)} ${strictly ? '<' : '<='} ${span(rightMs)}`,
        holds ? 'holds' : paint('red', 'BROKEN'),
      ]),
      paint,
    ),
    '',
    ...titled(['isolated for', 'no writes for', ''], terms.isolated.map(isolatedCells), paint),
    ...entry('', 'Isolated: from the lease store and every peer. What PostgreSQL takes to start comes on top.'),
    ...entry(
      'at risk',
      `${bound(terms.exposureMs)} of writes by a primary that nobody fenced${
        terms.guardedExposureMs === terms.exposureMs ? '' : `, ${bound(terms.guardedExposureMs)} while its guard runs`
      }${consent === null ? '' : `; ${consent}`}`,
    ),
  ];
}

function isolatedCells({ forMs, leastMs, mostMs, mayMove }: TermsReport['isolated'][number]): string[] {
  const lost = mostMs === leastMs ? durationText(mostMs) : `${durationText(leastMs)} to ${durationText(mostMs)}`;
  return [durationText(forMs), lost, mayMove ? 'unless the group was moved meanwhile' : ''];
}

function writableLines({ row, forMs, auto, expiredMs, confirmedMs, waitedOverMs, longest }: WritableReport): string[] {
  const people = auto ? '' : ', and what people take to approve';
  const by = [
    ...(confirmedMs === null ? [] : [`${durationText(confirmedMs)} by a fence that is read back`]),
    ...(expiredMs === null
      ? []
      : [
          `${durationText(expiredMs)} by the end of the lease${waitedOverMs === 0 ? '' : `, ${durationText(waitedOverMs)} of it waiting for that alone`}`,
        ]),
  ];
  return [
    ...entry(
      'writable',
      by.length === 0
        ? `row ${row}: no bound where the old side is gone, since nothing proves that it has stopped`
        : `row ${row}: on the other side within ${by.join('; ')}${people}`,
    ),
    ...(longest === null
      ? []
      : entry(
          '',
          `Longest that cost its hold of ${durationText(forMs)} no time: G ${durationText(longest.demoteAfterMs)}, H ${durationText(longest.deadManAfterMs)}, L ${durationText(longest.leaseMs)}, W ${durationText(longest.waitMs)}; then H is at risk`,
        )),
  ];
}
