// Alerts that are repeated, reordered, lost, resolved in error, or never resolved (invariant 16).
import t from 'tap';
import { initialState } from '../../src/engine/core.ts';
import { seal } from '../../src/journal/chain.ts';
import { foldAll } from '../../src/journal/fold.ts';
import { IllegalEvent } from '../../src/journal/illegal.ts';
import type { Alert } from '../../src/model/evidence.ts';
import { EMPTY_LEDGER } from '../../src/model/ledger.ts';
import { viewOf } from '../../src/policies/view.ts';
import { A, CONFIG, GROUP, settingsWith } from '../support/group.ts';
import { History } from '../support/histories.ts';

const settings = settingsWith(
  {},
  {
    ...CONFIG,
    alertmanager: {
      region: 'eu-west-1',
      bearer: '${env:TOKEN}',
      expiry: '1m',
      facts: [
        { match: ['alertname="RegionDown"'], fact: 'region-unreachable', group: GROUP, region: A },
        { match: ['alertname="Broken"'], fact: 'corruption-reported', group: GROUP, region: A },
      ],
    },
  },
);
const alert = (alertname: string, status: Alert['status'] = 'firing'): Alert => ({
  fingerprint: Buffer.from(alertname).toString('hex').slice(0, 16).padEnd(16, '0'),
  startsAt: 1,
  status,
  labels: { alertname },
  summary: null,
});
const give = (h: History, alerts: Alert[], askedMono?: number): void =>
  h.give({
    kind: 'webhook',
    request: `w${h.inputs.length}`,
    alerts,
    ...(askedMono === undefined ? {} : { askedMono }),
  });
const firing = (h: History): string[] =>
  viewOf(h.state, GROUP).alerts.map((one) => one.alert.labels['alertname'] ?? '');
const kept = (h: History) => Object.values(h.state.ledger.alerts);

t.test('a firing alert that is heard of no more leaves after its expiry', async (t) => {
  const h = new History(settings);
  give(h, [alert('RegionDown')]);
  h.pass(50_000);
  t.strictSame(firing(h), ['RegionDown']);
  give(h, [alert('RegionDown')]);
  h.pass(50_000);
  t.equal(h.events('alerts.expired').length, 0, 'heard again, it counts anew');
  h.pass(60_000);
  t.equal(h.events('alerts.expired').length, 1, 'said once');
  t.ok(kept(h)[0]?.expiredAt);
  h.pass(300_000);
  t.equal(h.events('alerts.expired').length, 1);
});

t.test('one that left and is heard of again counts again, and reports nothing anew', async (t) => {
  const h = new History(settings);
  give(h, [alert('Broken')]);
  t.equal(h.events('report.made').length, 1);
  h.pass(120_000);
  t.equal(h.events('alerts.expired').length, 1);
  h.give({
    kind: 'clear-report',
    request: 'c',
    person: { id: 'ada', roles: ['sre'] },
    group: GROUP,
    report: 'corruption',
    why: 'looked',
  });
  give(h, [alert('Broken')]);
  t.strictSame(firing(h), ['Broken'], 'Alertmanager repeats it less often than it expires');
  t.equal(h.events('report.made').length, 1, 'and it is the same that a person has looked at');
  give(h, [alert('Broken', 'resolved')]);
  t.strictSame(firing(h), []);
});

t.test('a journal that kept such alerts for ever is read, and let go of at the start', async (t) => {
  const h = new History(settings);
  const old = seal(0, EMPTY_LEDGER.hash, [{ kind: 'alerts.received', at: 1, alerts: [alert('RegionDown')] }]);
  h.state = initialState(settings, foldAll(EMPTY_LEDGER, old));
  h.give({ kind: 'started', incarnation: 'two', version: 'test', configHash: 'none' });
  t.strictSame(firing(h), []);
  h.pass(20_000);
  t.ok(kept(h)[0]?.expiredAt);
});

t.test('alerts that fire no more are bounded, however many came', async (t) => {
  const h = new History(settings);
  const many = Array.from({ length: 3000 }, (_, index) => ({ ...alert('RegionDown'), startsAt: index + 1 }));
  give(h, many);
  t.equal(kept(h).length, 3000, 'those that fire are all kept');
  h.pass(120_000);
  t.equal(kept(h).length, 2000);
});

t.test('a webhook that comes after a resolved is old news, however often it comes', async (t) => {
  const h = new History(settings);
  give(h, [alert('RegionDown')]);
  give(h, [alert('RegionDown', 'resolved')]);
  h.pass(1000);
  give(h, [alert('RegionDown')]);
  t.strictSame(firing(h), []);
});

t.test('one of a pair that was cut off resolved it: an answer asked for since knows better', async (t) => {
  const h = new History(settings);
  give(h, [alert('RegionDown')]);
  h.pass(1000);
  const before = h.mono;
  h.pass(1000);
  give(h, [alert('RegionDown', 'resolved')]);
  h.pass(1000);
  give(h, [alert('RegionDown')], before);
  t.strictSame(firing(h), [], 'an answer to a question from before it came is as old');
  give(h, [alert('RegionDown')], h.mono);
  t.strictSame(firing(h), ['RegionDown']);
  t.equal(h.events('alerts.reopened').length, 1);
  give(h, [alert('RegionDown')], h.mono);
  t.equal(h.events('alerts.reopened').length, 1, 'said once');
  h.pass(1000);
  give(h, [alert('RegionDown', 'resolved')]);
  t.strictSame(firing(h), [], 'and it ends when it has ended');
});

t.test('what was resolved in an earlier life was so before any question of this one', async (t) => {
  const h = new History(settings);
  give(h, [alert('RegionDown')]);
  give(h, [alert('RegionDown', 'resolved')]);
  h.state = initialState(settings, h.state.ledger);
  h.mono = 10;
  h.give({ kind: 'started', incarnation: 'two', version: 'test', configHash: 'none' });
  give(h, [alert('RegionDown')], 5);
  t.strictSame(firing(h), ['RegionDown']);
});

t.test('the journal refuses to reopen what fires, and to let go of what is not there', async (t) => {
  const ledger = foldAll(
    EMPTY_LEDGER,
    seal(0, EMPTY_LEDGER.hash, [{ kind: 'alerts.received', at: 1, alerts: [alert('RegionDown')] }]),
  );
  for (const body of [
    { kind: 'alerts.reopened', at: 2, alerts: [alert('RegionDown')] },
    { kind: 'alerts.expired', at: 2, keys: ['nobody@1'] },
  ] as const)
    t.throws(() => foldAll(ledger, seal(ledger.seq, ledger.hash, [structuredClone(body) as never])), IllegalEvent);
});

t.test(
  'of a storm a reading tells the first alerts, how many more, and since when; each one goes on counting',
  async (t) => {
    const h = new History(settings);
    const many = Array.from(
      { length: 500 },
      (_, index): Alert => ({
        ...alert('RegionDown'),
        fingerprint: index.toString(16).padStart(16, '0'),
        startsAt: 1_000 + index,
      }),
    );
    give(h, many);
    const like = (): boolean => true;
    const sum = () => viewOf(h.state, GROUP).firing.sum(like, 20);
    t.equal(sum().count, 500);
    t.equal(sum().first.length, 20);
    t.equal(sum().startedAt, 1_000);
    // The oldest is resolved: what they add up to changes with it.
    give(h, [{ ...(many[0] as Alert), status: 'resolved' }]);
    t.match(sum(), { count: 499, startedAt: 1_001 });
    // All but one fall silent, and are not heard of for longer than they count.
    h.pass(50_000);
    give(h, many.slice(7, 8));
    h.pass(15_000);
    t.match(sum(), { count: 1, startedAt: 1_007 });
    t.equal(viewOf(h.state, GROUP).alerts.length, 1);
  },
);
