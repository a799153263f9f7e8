// Clocks get set in the middle of an outage; what is counted from the journal must not get longer by it.
import t from 'tap';
import { countedOn, floorOf, forwardTime } from '../../src/engine/forward-time.ts';
import { EMPTY_GROUP, EMPTY_LEDGER, type GroupLedger, type Ledger } from '../../src/model/ledger.ts';
import { GROUP, settingsWith } from '../support/group.ts';

const HOUR_MS = 3_600_000;
const NOON = Date.UTC(2026, 0, 12, 12);

t.test('a clock that is set back while something is under way does not take time back', async (t) => {
  const time = forwardTime();
  t.equal(time.read(NOON, 1000, true).at, NOON);
  const after = time.read(NOON + 10_000 - HOUR_MS, 11_000, true);
  t.equal(after.setByMs, -HOUR_MS);
  t.ok(Math.abs(after.at - NOON - 10_000) <= 100, 'ten seconds have passed, less a hundredth of them');
  const later = time.read(NOON + 1_010_000 - HOUR_MS, 1_011_000, true);
  t.equal(later.setByMs, 0, 'told once');
  t.ok(Math.abs(later.at - NOON - 1_000_000) <= 10_100);
});

t.test('nor does one that was set back before this process began', async (t) => {
  const time = forwardTime(NOON);
  t.strictSame(time.read(NOON - HOUR_MS, 5, true), { at: NOON, setByMs: -HOUR_MS });
  t.ok(Math.abs(time.read(NOON - HOUR_MS + 10_000, 10_005, true).at - NOON - 10_000) <= 100);
  t.strictSame(forwardTime(NOON).read(NOON - HOUR_MS, 5, false), { at: NOON - HOUR_MS, setByMs: -HOUR_MS });
  t.strictSame(forwardTime(NOON).read(NOON + HOUR_MS, 5, true), { at: NOON + HOUR_MS, setByMs: 0 });
  t.equal(forwardTime(null).read(NOON, 5, true).at, NOON);
});

t.test('it comes back to the wall clock when nothing is under way', async (t) => {
  const time = forwardTime();
  time.read(NOON, 0, true);
  time.read(NOON + 1000 - HOUR_MS, 1000, true);
  t.equal(time.read(NOON + 2000 - HOUR_MS, 2000, false).at, NOON + 2000 - HOUR_MS);
});

t.test('a small lead is given back slowly until both agree', async (t) => {
  const time = forwardTime();
  time.read(NOON, 0, true);
  let at = time.read(NOON + 1000 - 2000, 1000, true).at;
  for (let second = 2; second <= 400; second += 1) {
    const next = time.read(NOON + second * 1000 - 2000, second * 1000, true).at;
    t.ok(next > at, 'it never stands still');
    at = next;
  }
  t.equal(at, NOON + 400_000 - 2000);
});

t.test('a clock that is set forward is believed: the machine may have stood still', async (t) => {
  const time = forwardTime();
  time.read(NOON, 0, true);
  t.strictSame(time.read(NOON + 1000 + HOUR_MS, 1000, true), { at: NOON + 1000 + HOUR_MS, setByMs: HOUR_MS });
});

t.test('calls that are close together lose nothing to rounding', async (t) => {
  const time = forwardTime();
  time.read(NOON, 0, true);
  time.read(NOON - HOUR_MS, 0, true);
  let at = 0;
  for (let tenth = 1; tenth <= 100_000; tenth += 1) at = time.read(NOON + tenth / 10 - HOUR_MS, tenth / 10, true).at;
  t.ok(Math.abs(at - NOON - 10_000) <= 101, `${at - NOON} ms of ten seconds`);
});

t.test('time is counted on during a hold, a proposal, a run and a cooldown', async (t) => {
  const settings = settingsWith({ cooldown: '10m' });
  const ledger = (group: Partial<GroupLedger>): Ledger => ({
    ...EMPTY_LEDGER,
    groups: { [GROUP]: { ...EMPTY_GROUP, ...group } },
  });
  const ended = [{ endedAt: NOON }] as unknown as GroupLedger['ended'];
  t.equal(countedOn(ledger({}), settings, NOON), false);
  t.equal(countedOn(ledger({ holds: { 40: {} } as unknown as GroupLedger['holds'] }), settings, NOON), true);
  t.equal(countedOn(ledger({ ended }), settings, NOON + 599_000), true);
  t.equal(countedOn(ledger({ ended }), settings, NOON + 601_000), false);
});

t.test('over a restart an open run alone keeps time from being set back', async (t) => {
  const ledger = (group: Partial<GroupLedger>): Ledger => ({
    ...EMPTY_LEDGER,
    lastAt: NOON,
    groups: { [GROUP]: { ...EMPTY_GROUP, ...group } },
  });
  t.equal(floorOf(ledger({})), null);
  t.equal(floorOf(ledger({ holds: { 40: {} } as unknown as GroupLedger['holds'] })), null);
  t.equal(floorOf(ledger({ run: {} as GroupLedger['run'] })), NOON);
});
