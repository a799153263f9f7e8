// Who has to say yes, by the clock on the wall: zones, holidays, days that begin elsewhere, and the hours that come twice
// or never. The reference is Temporal, which shares nothing with what is tested but the time zone database.
import fc from 'fast-check';
import t from 'tap';
import type { BusinessHours } from '../../src/model/settings.ts';
import { authorityAt } from '../../src/policies/authority.ts';

const APPROVALS = { businessHours: ['sre', 'vp'], otherwise: ['sre'] } as const;
const WORK = ['mon', 'tue', 'wed', 'thu', 'fri'] as const;
const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;

const hours = (over: Partial<BusinessHours> = {}): BusinessHours => ({
  timeZone: 'America/New_York',
  days: WORK,
  from: '09:00',
  to: '18:00',
  holidays: [],
  ...over,
});
const businessAt = (businessHours: BusinessHours, at: string): boolean =>
  authorityAt({ businessHours, approvals: APPROVALS }, Date.parse(at)).business;

const table = (name: string, calendar: BusinessHours, rows: Readonly<Record<string, boolean>>): void => {
  t.test(name, (t) => {
    for (const [at, expected] of Object.entries(rows)) t.equal(businessAt(calendar, at), expected, at);
    t.end();
  });
};

t.test('in business hours two roles, otherwise one, and without a calendar always two', (t) => {
  const at = (iso: string) => authorityAt({ businessHours: hours(), approvals: APPROVALS }, Date.parse(iso));
  t.match(at('2026-01-12T16:00:00Z'), { business: true, needs: ['sre', 'vp'], why: /mon 2026-01-12 11:00/ });
  t.match(at('2026-01-12T07:00:00Z'), { business: false, needs: ['sre'], why: /outside 09:00-18:00/ });
  t.match(authorityAt({ businessHours: null, approvals: APPROVALS }, 0), { business: true, needs: ['sre', 'vp'] });
  t.end();
});

table('the first minute is within, the last one is the one before the end', hours(), {
  '2026-01-12T13:59:59.999Z': false,
  '2026-01-12T14:00:00Z': true,
  '2026-01-12T22:59:59.999Z': true,
  '2026-01-12T23:00:00Z': false,
});

table('the same hours are an hour earlier in UTC in summer', hours(), {
  '2026-07-13T12:59:59Z': false,
  '2026-07-13T13:00:00Z': true,
  '2026-07-13T21:59:59Z': true,
  '2026-07-13T22:00:00Z': false,
});

table(
  'the day of the week is the local one: east of Greenwich it begins before UTC’s',
  hours({ timeZone: 'Asia/Tokyo' }),
  {
    '2026-01-11T23:59:59Z': false, // Monday 08:59
    '2026-01-12T00:00:00Z': true, // Monday 09:00
    '2026-01-16T08:59:59Z': true, // Friday 17:59
    '2026-01-17T00:00:00Z': false, // Saturday 09:00
  },
);

table(
  'and at +14 a Saturday has begun while UTC has Friday',
  hours({ timeZone: 'Pacific/Kiritimati', from: '00:00', to: '24:00' }),
  {
    '2026-01-16T09:59:59Z': true,
    '2026-01-16T10:00:00Z': false,
    '2026-01-18T09:59:59Z': false,
    '2026-01-18T10:00:00Z': true,
  },
);

table('west of it the Friday goes on into UTC’s Saturday', hours({ timeZone: 'America/Los_Angeles', to: '24:00' }), {
  '2026-01-17T07:59:59Z': true,
  '2026-01-17T08:00:00Z': false,
  '2026-01-12T08:00:00Z': false,
});

table('a zone that is half an hour off', hours({ timeZone: 'Asia/Kolkata' }), {
  '2026-01-12T03:29:59Z': false,
  '2026-01-12T03:30:00Z': true,
});

table(
  'a holiday is a local date: it begins and ends at midnight there',
  hours({ holidays: ['2026-12-25'], from: '00:00', to: '24:00' }),
  {
    '2026-12-25T04:59:59Z': true, // Thursday 23:59
    '2026-12-25T05:00:00Z': false,
    '2026-12-26T04:59:59Z': false, // still Friday there
    '2026-12-28T05:00:00Z': true,
  },
);

table('24:00 is midnight, and the whole day is 00:00 to 24:00', hours({ from: '00:00', to: '24:00' }), {
  '2026-01-12T05:00:00Z': true, // Monday 00:00
  '2026-01-13T04:59:59.999Z': true,
  '2026-01-17T04:59:59.999Z': true, // Friday 23:59
  '2026-01-17T05:00:00Z': false,
});

table('spring: the hour that is left out never comes', hours({ days: ['sun'], from: '02:00', to: '03:00' }), {
  '2026-03-08T06:59:59.999Z': false, // 01:59 EST
  '2026-03-08T07:00:00Z': false, // 03:00 EDT
  '2026-03-15T06:30:00Z': true, // 02:30 a week later
});

table('spring: hours that begin in it begin when it is over', hours({ days: ['sun'], from: '02:30', to: '04:00' }), {
  '2026-03-08T06:59:59.999Z': false,
  '2026-03-08T07:00:00Z': true,
  '2026-03-08T07:59:59.999Z': true,
  '2026-03-08T08:00:00Z': false,
});

table('autumn: the hour that comes twice counts twice', hours({ days: ['sun'], from: '01:00', to: '02:00' }), {
  '2026-11-01T04:59:59.999Z': false,
  '2026-11-01T05:00:00Z': true, // 01:00 EDT
  '2026-11-01T05:59:59.999Z': true,
  '2026-11-01T06:00:00Z': true, // 01:00 EST
  '2026-11-01T06:59:59.999Z': true,
  '2026-11-01T07:00:00Z': false,
});

table('south of the equator it is the other way round', hours({ timeZone: 'Australia/Sydney' }), {
  '2026-01-11T21:59:59Z': false, // Monday 08:59 AEDT
  '2026-01-11T22:00:00Z': true,
  '2026-07-12T22:30:00Z': false, // Monday 08:30 AEST
  '2026-07-12T23:00:00Z': true,
});

table(
  'over midnight: the hours belong to the day they began on',
  hours({ from: '22:00', to: '06:00', holidays: ['2026-01-14'] }),
  {
    '2026-01-12T04:59:59Z': false, // Sunday 23:59
    '2026-01-12T05:00:00Z': false, // Monday 00:00, which is Sunday's night
    '2026-01-13T02:59:59Z': false, // Monday 21:59
    '2026-01-13T03:00:00Z': true,
    '2026-01-13T10:59:59Z': true, // Tuesday 05:59
    '2026-01-13T11:00:00Z': false,
    '2026-01-14T10:59:59Z': true, // Wednesday 05:59 is Tuesday's night, though Wednesday is a holiday
    '2026-01-15T03:00:00Z': false, // Wednesday 22:00
    '2026-01-15T10:59:59Z': false, // and its night into Thursday
    '2026-01-17T10:59:59Z': true, // Saturday 05:59 is Friday's night
    '2026-01-18T03:00:00Z': false,
  },
);

table('over midnight and spring at once', hours({ days: ['sat'], from: '23:00', to: '03:00' }), {
  '2026-03-08T03:59:59Z': false, // Saturday 22:59 EST
  '2026-03-08T04:00:00Z': true,
  '2026-03-08T06:59:59Z': true, // Sunday 01:59 EST
  '2026-03-08T07:00:00Z': false, // 03:00 EDT: an hour shorter
});

table('over midnight and autumn at once', hours({ days: ['sat'], from: '23:00', to: '02:00' }), {
  '2026-11-01T02:59:59Z': false, // Saturday 22:59 EDT
  '2026-11-01T03:00:00Z': true,
  '2026-11-01T06:59:59Z': true, // 01:59 EST
  '2026-11-01T07:00:00Z': false,
});

table(
  'a zone that changes at midnight',
  hours({ timeZone: 'Africa/Cairo', days: ['fri'], from: '00:00', to: '02:00' }),
  {
    '2026-04-23T21:59:59Z': false, // Thursday 23:59
    '2026-04-23T22:00:00Z': true, // Friday 01:00: midnight was left out
    '2026-04-23T22:59:59Z': true,
    '2026-04-23T23:00:00Z': false,
  },
);

// Node's own types have no Temporal yet.
type Zoned = { readonly dayOfWeek: number; readonly hour: number; readonly minute: number; toPlainDate(): Plain };
type Plain = { readonly dayOfWeek: number; toString(): string; subtract(span: { days: number }): Plain };
const { Temporal } = globalThis as unknown as {
  Temporal: { Instant: { fromEpochMilliseconds(ms: number): { toZonedDateTimeISO(zone: string): Zoned } } };
};

const minutes = (text: string): number => Number(text.slice(0, 2)) * 60 + Number(text.slice(3));

/** The same question, asked of every day whose hours could reach `at`. */
function reference(calendar: BusinessHours, at: number): boolean {
  const zoned = Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(calendar.timeZone);
  const now = zoned.hour * 60 + zoned.minute;
  const [from, to] = [minutes(calendar.from), minutes(calendar.to)];
  const end = to > from ? to : to + 1440;
  return [0, 1].some((ago) => {
    const began = zoned.toPlainDate().subtract({ days: ago });
    const since = now + ago * 1440;
    return (
      since >= from &&
      since < end &&
      calendar.days.includes(DAYS[began.dayOfWeek - 1] ?? '') &&
      !calendar.holidays.includes(began.toString())
    );
  });
}

const ZONES = [
  'UTC',
  'America/New_York',
  'America/Los_Angeles',
  'America/St_Johns',
  'America/Sao_Paulo',
  'Europe/Berlin',
  'Europe/Dublin',
  'Africa/Cairo',
  'Africa/Casablanca',
  'Asia/Kolkata',
  'Asia/Kathmandu',
  'Asia/Tokyo',
  'Asia/Tehran',
  'Australia/Lord_Howe',
  'Australia/Sydney',
  'Pacific/Auckland',
  'Pacific/Chatham',
  'Pacific/Kiritimati',
  'Pacific/Pago_Pago',
] as const;
const time = fc
  .integer({ min: 0, max: 1439 })
  .map((at) => `${String(Math.floor(at / 60)).padStart(2, '0')}:${String(at % 60).padStart(2, '0')}`);
const START = Date.UTC(2024, 0, 1);
const SPAN_MS = 6 * 366 * 86_400_000;
const calendars = fc
  .record({
    timeZone: fc.constantFrom(...ZONES),
    days: fc.uniqueArray(fc.constantFrom(...DAYS), { minLength: 1 }),
    from: time,
    to: fc.oneof(time, fc.constant('24:00')),
    holidays: fc.array(
      fc.integer({ min: 0, max: 6 * 366 }).map((day) => new Date(START + day * 86_400_000).toISOString().slice(0, 10)),
      { maxLength: 40 },
    ),
  })
  .filter(({ from, to }) => from !== to);
const instants = fc.integer({ min: START, max: START + SPAN_MS });

t.test('by any calendar, in any zone, at any instant it answers as Temporal does', (t) => {
  fc.assert(
    fc.property(calendars, instants, (calendar, at) => {
      const { business, needs } = authorityAt({ businessHours: calendar, approvals: APPROVALS }, at);
      return (
        business === reference(calendar, at) && needs === (business ? APPROVALS.businessHours : APPROVALS.otherwise)
      );
    }),
    { numRuns: 3000 },
  );
  t.pass('no counterexample');
  t.end();
});

t.test('every quarter of an hour around the changes of every zone', (t) => {
  const calendar = (timeZone: string, from: string, to: string) =>
    hours({ timeZone, days: DAYS.slice(0, 6), from, to });
  let looked = 0;
  for (const zone of ZONES)
    for (const [from, to] of [
      ['01:15', '02:45'],
      ['22:30', '02:15'],
      ['00:00', '24:00'],
    ] as const)
      for (const change of [
        '2026-03-08',
        '2026-03-29',
        '2026-04-05',
        '2026-04-24',
        '2026-09-27',
        '2026-10-25',
        '2026-11-01',
      ])
        for (let quarter = -96; quarter < 144; quarter += 1) {
          const at = Date.parse(change) + quarter * 900_000;
          const asked = calendar(zone, from, to);
          looked += 1;
          if (authorityAt({ businessHours: asked, approvals: APPROVALS }, at).business !== reference(asked, at))
            t.fail(`${zone} ${from}-${to} at ${new Date(at).toISOString()}`);
        }
  t.ok(looked > 50_000);
  t.end();
});
