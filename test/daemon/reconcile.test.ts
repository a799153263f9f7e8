// What Alertmanagers list against what we know.
import t from 'tap';
import { type Listing, reconcile, SETTLED_MS } from '../../src/daemon/reconcile.ts';
import type { Alert, ApiAlert, ApiSilence } from '../../src/model/evidence.ts';

const NOW = Date.parse('2026-03-01T12:00:00Z');
const STARTED = '2026-03-01T11:40:00.123Z';
const OLD = '2026-02-01T00:00:00.000Z';

const known = (fingerprint: string, over: Partial<Alert> = {}): Alert => ({
  fingerprint,
  startsAt: Date.parse(STARTED),
  status: 'firing',
  labels: { alertname: 'RegionDown' },
  summary: null,
  ...over,
});
const listed = (fingerprint: string, over: Partial<ApiAlert> = {}): ApiAlert => ({
  fingerprint,
  startsAt: STARTED,
  labels: { alertname: 'RegionDown' },
  annotations: { summary: 'down' },
  status: { state: 'active', silencedBy: [], inhibitedBy: [], mutedBy: [] },
  ...over,
});
const from = (alerts: readonly ApiAlert[], startedAt = OLD): Listing => ({ alerts, silences: [], startedAt });
const A = 'aaaaaaaaaaaaaaaa';
const B = 'bbbbbbbbbbbbbbbb';

/** `fingerprint status` of what is put in. */
const put = (known: readonly Alert[], listings: readonly Listing[]): string[] =>
  reconcile({ known, listings, now: NOW }).alerts.map(({ fingerprint, status }) => `${fingerprint} ${status}`);

t.test('an alert whose webhook never came is put in as the webhook would have', async (t) => {
  t.strictSame(reconcile({ known: [], listings: [from([listed(A)])], now: NOW }), {
    alerts: [
      {
        fingerprint: A,
        startsAt: Date.parse(STARTED),
        status: 'firing',
        labels: { alertname: 'RegionDown' },
        summary: 'down',
      },
    ],
    lostResolved: 0,
    refused: [],
    silences: [],
    silenced: [],
  });
});

t.test('an alert seen again is put in again, so that it counts as heard', async (t) => {
  t.strictSame(put([known(A)], [from([listed(A)])]), [`${A} firing`]);
});

t.test('an alert that both of a pair list is one', async (t) => {
  t.strictSame(put([], [from([listed(A)]), from([listed(A)])]), [`${A} firing`]);
});

t.test('an alert that nobody lists any more has ended', async (t) => {
  const { alerts, lostResolved } = reconcile({ known: [known(A)], listings: [from([listed(B)])], now: NOW });
  t.match(alerts, [
    { fingerprint: B, status: 'firing' },
    { fingerprint: A, status: 'resolved', startsAt: Date.parse(STARTED), labels: { alertname: 'RegionDown' } },
  ]);
  t.equal(lostResolved, 1);
});

t.test('an alert that one of a pair still lists has not ended', async (t) => {
  t.strictSame(put([known(A)], [from([]), from([listed(A)])]), [`${A} firing`]);
});

t.test('nobody who answered well says nothing', async (t) => {
  t.strictSame(put([known(A)], []), []);
});

t.test('the same alert that started anew is another: the one of before has ended', async (t) => {
  t.strictSame(put([known(A)], [from([listed(A, { startsAt: '2026-03-01T11:59:00Z' })])]), [
    `${A} firing`,
    `${A} resolved`,
  ]);
});

t.test('an alert that was resolved already is not resolved again', async (t) => {
  t.strictSame(put([known(A, { status: 'resolved' })], [from([])]), []);
});

t.test('an alert held back has not ended, and is not put in either', async (t) => {
  for (const status of [
    { state: 'suppressed', silencedBy: ['a-silence'] },
    { state: 'suppressed', inhibitedBy: [B] },
    { state: 'active', mutedBy: ['nights'] },
    { state: 'unprocessed', silencedBy: null },
  ] as const satisfies readonly { state: string; [by: string]: unknown }[]) {
    const one = listed(A, { status: JSON.parse(JSON.stringify(status)) });
    t.strictSame(put([known(A)], [from([one])]), [], JSON.stringify(status));
    t.strictSame(put([], [from([one])]), [], 'nor where it was not known');
    t.strictSame(put([], [from([one]), from([listed(A)])]), [`${A} firing`], 'unless the other of a pair tells it');
  }
});

t.test('an Alertmanager that has only just started can tell what fires, and not what has ended', async (t) => {
  const just = (ms: number) => new Date(NOW - ms).toISOString();
  t.strictSame(put([known(A)], [from([listed(B)], just(SETTLED_MS - 1))]), [`${B} firing`]);
  t.strictSame(put([known(A)], [from([], just(SETTLED_MS))]), [`${A} resolved`]);
  t.strictSame(put([known(A)], [from([], just(-60_000))]), [], 'nor one whose clock is ahead of ours');
  t.strictSame(put([known(A)], [from([], 'yesterday')]), [], 'nor one whose start can’t be read');
  t.strictSame(put([known(A)], [from([], just(1)), from([])]), [`${A} resolved`], 'the other of a pair can');
});

t.test('an alert whose time is far off is left out by itself', async (t) => {
  const off = listed(B, { startsAt: '2026-03-01T13:00:00Z' });
  const { alerts, refused } = reconcile({ known: [], listings: [from([off, listed(A)])], now: NOW });
  t.match(alerts, [{ fingerprint: A }]);
  t.equal(alerts.length, 1);
  t.match(refused, [{ fingerprint: B, code: 'clock-ahead' }]);
});

const silence = (over: Partial<ApiSilence> = {}): ApiSilence => ({
  id: 'a-silence',
  status: { state: 'active' },
  startsAt: '2026-03-01T11:00:00Z',
  endsAt: '2026-03-01T13:00:00Z',
  createdBy: 'ann',
  comment: 'new disks',
  matchers: [{ name: 'alertname', value: 'RegionDown', isRegex: false, isEqual: true }],
  ...over,
});
const answering = (alerts: readonly ApiAlert[], ...silences: readonly ApiSilence[]): Listing => ({
  alerts,
  silences,
  startedAt: OLD,
});
const held = listed(A, { status: { state: 'suppressed', silencedBy: ['a-silence'] } });

t.test('a silenced alert is told of as such, with the silence that holds it back', async (t) => {
  const { alerts, silenced, silences } = reconcile({ known: [], listings: [answering([held], silence())], now: NOW });
  t.strictSame(alerts, []);
  t.match(silenced, [{ alert: { fingerprint: A, status: 'firing' }, silencedBy: ['a-silence'] }]);
  t.strictSame(silences, [
    {
      id: 'a-silence',
      by: 'ann',
      comment: 'new disks',
      startsAt: Date.parse('2026-03-01T11:00:00Z'),
      endsAt: Date.parse('2026-03-01T13:00:00Z'),
      matchers: [{ label: 'alertname', equal: true, value: 'RegionDown' }],
    },
  ]);
});

t.test('one of a pair that does not know of the silence yet says that it fires, and so it does', async (t) => {
  const { alerts, silenced } = reconcile({
    known: [],
    listings: [answering([held], silence()), answering([listed(A)])],
    now: NOW,
  });
  t.match(alerts, [{ fingerprint: A, status: 'firing' }]);
  t.strictSame(silenced, []);
});

t.test(
  'of silences, those that stand are taken, once each; what can’t be read or names nobody says nothing',
  async (t) => {
    const { silences } = reconcile({
      known: [],
      listings: [
        answering([], silence(), silence({ id: 'over', status: { state: 'expired' } })),
        answering(
          [],
          silence(),
          silence({ id: 'yet', status: { state: 'pending' } }),
          silence({ id: 'odd', endsAt: 'soon' }),
        ),
        answering([], silence({ id: 'old', matchers: [{ name: 'job', value: 'x', isRegex: false }] })),
        answering([], silence({ id: 'wide', matchers: [{ name: 'job', value: '.+', isRegex: true }] })),
      ],
      now: NOW,
    });
    t.strictSame(
      silences.map(({ id, matchers }) => [id, matchers]),
      [
        ['a-silence', [{ label: 'alertname', equal: true, value: 'RegionDown' }]],
        ['old', [{ label: 'job', equal: true, value: 'x' }]],
        ['wide', []],
      ],
    );
  },
);

t.test('an alert that only inhibition holds back is not silenced', async (t) => {
  const inhibited = listed(A, { status: { state: 'suppressed', inhibitedBy: [B] } });
  t.strictSame(reconcile({ known: [], listings: [answering([inhibited])], now: NOW }).silenced, []);
});
