// The time of an alert is part of its identity, so it is read strictly.
import t from 'tap';
import { alertsOf, EARLIEST_START, MOST_AHEAD_MS, rfc3339Ms } from '../../src/daemon/intake.ts';

t.test('times as Alertmanager and others write them', async (t) => {
  for (const [text, iso] of [
    ['2018-08-03T09:52:26.739266876+02:00', '2018-08-03T07:52:26.739Z'],
    ['2018-08-03T09:52:26Z', '2018-08-03T09:52:26.000Z'],
    ['2018-08-03t09:52:26.5z', '2018-08-03T09:52:26.500Z'],
    ['2024-02-29T00:00:00-11:30', '2024-02-29T11:30:00.000Z'],
    ['0001-01-01T00:00:00Z', '0001-01-01T00:00:00.000Z'],
  ] as const)
    t.equal(rfc3339Ms(text), Date.parse(iso), text);
});

t.test('what is no time', async (t) => {
  for (const text of [
    '',
    'now',
    '1533282746',
    '2018-08-03',
    '2018-08-03T09:52:26',
    '2018-13-01T00:00:00Z',
    '2023-02-29T00:00:00Z',
    '2018-08-03T25:00:00Z',
    '2018-08-03T09:52:26+2',
    '2018-00-10T00:00:00Z',
    '2018-01-00T00:00:00Z',
  ])
    t.equal(rfc3339Ms(text), null, text);
});

t.test('the limits themselves are taken', async (t) => {
  const now = Date.parse('2025-11-23T12:00:00Z');
  const one = (startsAt: number) =>
    alertsOf(
      {
        alerts: [
          { status: 'firing', labels: {}, startsAt: new Date(startsAt).toISOString(), fingerprint: '0'.repeat(16) },
        ],
      },
      now,
    );
  t.equal(one(now + MOST_AHEAD_MS).refused.length, 0);
  t.match(one(now + MOST_AHEAD_MS + 1).refused, [{ code: 'clock-ahead' }]);
  t.equal(one(EARLIEST_START).refused.length, 0);
  t.match(one(EARLIEST_START - 1).refused, [{ code: 'clock-behind' }]);
});
