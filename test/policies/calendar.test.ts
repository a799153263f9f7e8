// Windows of a calendar, also where clocks are changed.
import t from 'tap';
import type { Weekly } from '../../src/model/maintenance.ts';
import { windowEnd } from '../../src/policies/calendar.ts';

const weekly = (days: string[], from: string, to: string, timeZone = 'Europe/Berlin'): Weekly => ({
  kind: 'weekly',
  days,
  from,
  to,
  timeZone,
});
const at = (text: string): number => Date.parse(text);
const end = (span: Parameters<typeof windowEnd>[0], text: string): string | null => {
  const ends = windowEnd(span, at(text));
  return ends === null ? null : new Date(ends).toISOString();
};

t.test('a window that comes once counts from its first instant to before its last', async (t) => {
  const once = { kind: 'once', from: at('2026-12-05T22:00:00+01:00'), to: at('2026-12-06T02:00:00+01:00') } as const;
  t.equal(end(once, '2026-12-05T20:59:59Z'), null);
  t.equal(end(once, '2026-12-05T21:00:00Z'), '2026-12-06T01:00:00.000Z');
  t.equal(end(once, '2026-12-06T00:59:59Z'), '2026-12-06T01:00:00.000Z');
  t.equal(end(once, '2026-12-06T01:00:00Z'), null);
});

t.test('a weekly window is told by the clock of its place, in summer and in winter', async (t) => {
  const window = weekly(['sun'], '02:00', '04:00', 'America/New_York');
  t.equal(end(window, '2026-01-11T07:30:00Z'), '2026-01-11T09:00:00.000Z', 'winter: five hours behind');
  t.equal(end(window, '2026-07-12T06:30:00Z'), '2026-07-12T08:00:00.000Z', 'summer: four');
  t.equal(end(window, '2026-07-12T08:30:00Z'), null);
  t.equal(end(window, '2026-07-13T06:30:00Z'), null, 'a Monday');
});

t.test('one that ends earlier than it begins goes over midnight, and is of the day it began on', async (t) => {
  const window = weekly(['sat'], '23:00', '01:00');
  t.equal(end(window, '2026-01-10T22:30:00Z'), '2026-01-11T00:00:00.000Z');
  t.equal(end(window, '2026-01-10T23:59:00Z'), '2026-01-11T00:00:00.000Z', 'on Sunday there');
  t.equal(end(window, '2026-01-11T22:30:00Z'), null);
});

t.test('one to 24:00 ends at midnight, and one of the whole day holds all of it', async (t) => {
  t.equal(end(weekly(['sat'], '22:00', '24:00'), '2026-01-10T22:59:00Z'), '2026-01-10T23:00:00.000Z');
  const whole = weekly(['sun'], '00:00', '24:00');
  t.equal(end(whole, '2026-03-28T23:00:00Z'), '2026-03-29T22:00:00.000Z', 'a day of 23 hours');
  t.equal(end(whole, '2026-10-24T22:00:00Z'), '2026-10-25T23:00:00.000Z', 'a day of 25');
});

t.test('an hour that comes twice is in the window twice, without a break', async (t) => {
  const window = weekly(['sun'], '02:30', '03:00');
  // Clocks go back from 03:00 to 02:00 on 25 October 2026: 00:30 to 02:00 in UTC.
  t.equal(end(window, '2026-10-25T00:29:00Z'), null);
  for (const inside of ['00:30', '00:59', '01:00', '01:15', '01:59'])
    t.equal(end(window, `2026-10-25T${inside}:00Z`), '2026-10-25T02:00:00.000Z', inside);
  t.equal(end(window, '2026-10-25T02:00:00Z'), null);
});

t.test('an hour that is left out begins right behind the gap', async (t) => {
  // Clocks go forward from 02:00 to 03:00 on 29 March 2026, at 01:00 in UTC.
  const into = weekly(['sun'], '02:30', '04:00');
  t.equal(end(into, '2026-03-29T01:00:00Z'), null);
  t.equal(end(into, '2026-03-29T01:30:00Z'), '2026-03-29T02:00:00.000Z', 'as late as it would have been');
  const across = weekly(['sun'], '01:00', '04:00');
  t.equal(end(across, '2026-03-29T00:30:00Z'), '2026-03-29T02:00:00.000Z', 'an hour shorter than on other days');
});

const skip = 'Temporal' in globalThis ? false : 'this Node.js has no Temporal';
t.test('against a calendar of another make, at every quarter of an hour of a year', { skip }, async (t) => {
  const { Temporal } = globalThis as unknown as { readonly Temporal: TemporalLike };
  for (const [window, zone] of [
    [weekly(['sun', 'wed'], '01:30', '03:15'), 'Europe/Berlin'],
    [weekly(['sat'], '22:00', '02:30', 'America/New_York'), 'America/New_York'],
    [weekly(['sun'], '01:45', '02:15', 'Australia/Lord_Howe'), 'Australia/Lord_Howe'],
  ] as const) {
    let inside = 0;
    for (let ms = at('2026-01-01T00:00:00Z'); ms < at('2027-01-01T00:00:00Z'); ms += 900_000) {
      const expected = expectedEnd(Temporal, window, zone, ms);
      const seen = windowEnd(window, ms);
      if (seen !== null) inside += 1;
      if (seen !== expected) t.equal(seen, expected, `${zone} ${new Date(ms).toISOString()}`);
    }
    t.ok(inside > 100, `${inside} quarters of an hour are within`);
  }
});

type Plain = { add(span: object): Plain; toPlainDateTime(time: string): PlainTime; dayOfWeek: number };
type PlainTime = { toZonedDateTime(zone: string, how: object): { epochMilliseconds: number } };
type TemporalLike = {
  Instant: { fromEpochMilliseconds(ms: number): { toZonedDateTimeISO(zone: string): { toPlainDate(): Plain } } };
};
const DAYS = ['', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];

function expectedEnd(Temporal: TemporalLike, { days, from, to }: Weekly, zone: string, ms: number): number | null {
  const today = Temporal.Instant.fromEpochMilliseconds(ms).toZonedDateTimeISO(zone).toPlainDate();
  for (const day of [today.add({ days: -1 }), today]) {
    if (!days.includes(DAYS[day.dayOfWeek] ?? '')) continue;
    const ends = to <= from ? day.add({ days: 1 }) : day;
    const begin = day.toPlainDateTime(from).toZonedDateTime(zone, { disambiguation: 'compatible' });
    // "compatible" takes the first of two and the one behind a gap; of an end, the last of two is meant.
    const first = ends.toPlainDateTime(to).toZonedDateTime(zone, { disambiguation: 'compatible' });
    const last = ends.toPlainDateTime(to).toZonedDateTime(zone, { disambiguation: 'later' });
    const end = Math.max(first.epochMilliseconds, last.epochMilliseconds);
    if (begin.epochMilliseconds <= ms && ms < end) return end;
  }
  return null;
}
