// Conditions that people are told of once when they begin and once when they are over.
import t from 'tap';
import { initialState } from '../../src/engine/core.ts';
import type { MatrixRow } from '../../src/model/matrix.ts';
import { settingsOf } from '../../src/model/settings.ts';
import { DIAGNOSES } from '../../src/policies/diagnoses.ts';
import { judgeRow } from '../../src/policies/rows.ts';
import { viewOf } from '../../src/policies/view.ts';
import { A, B, CLUSTER, CONFIG, GROUP, GROUP_CONFIG, settingsWith, W } from '../support/group.ts';
import { History, STANDBY_FACTS } from '../support/histories.ts';

const FAILOVER: MatrixRow = {
  id: 40,
  kind: 'decide',
  when: 'bad(active.reachable)',
  for: '5s',
  action: 'failover',
  auto: true,
};
/** A watchdog in each region, and one where Alertmanager stands. */
const WATCHED = {
  ...CONFIG,
  alertmanager: {
    region: W,
    bearer: '${env:TOKEN}',
    watchdogWithin: '1m',
    facts: [A, B, W].map((region) => ({
      match: ['alertname="Watchdog"', `region="${region}"`],
      fact: 'watchdog' as const,
      group: GROUP,
      region,
    })),
  },
};
const settings = (autonomy: 'auto' | 'gated' | 'observe' = 'auto') =>
  settingsWith({ matrix: [FAILOVER], autonomy }, WATCHED);

let sent = 0;
function bark(h: History, ...regions: readonly string[]): void {
  sent += 1;
  h.give({
    kind: 'webhook',
    request: `w${sent}`,
    alerts: regions.map((region, index) => ({
      fingerprint: `000000000000000${[A, B, W].indexOf(region)}`,
      startsAt: 1,
      status: 'firing',
      labels: { alertname: 'Watchdog', region },
      summary: String(index),
    })),
  });
}
/** Every half minute, those of these regions are heard. */
function barking(h: History, ms: number, ...regions: readonly string[]): void {
  for (let left = ms; left > 0; left -= 30_000) {
    bark(h, ...regions);
    h.pass(Math.min(30_000, left));
  }
}
const titles = (h: History): string[] => h.events('page.queued').map(({ page }) => page.title);
const gateOf = (h: History) =>
  h
    .events('decision.made')
    .at(-1)
    ?.decision.gates.find(({ gate }) => gate === 'monitoring');

t.test('a watchdog that falls silent while probes are fine is paged once, and again when it is heard', async (t) => {
  const h = new History(settings());
  barking(h, 60_000, A, B, W);
  barking(h, 300_000, A, W);
  t.match(titles(h), [/monitoring of eu-central-1 has fallen silent/]);
  t.equal(DIAGNOSES.MonitoringBlind.judge(viewOf(h.state, GROUP)).verdict, 'bad');
  t.equal(judgeRow(viewOf(h.state, GROUP), { when: 'bad(monitoring.watching)' }).verdict, 'bad');
  barking(h, 60_000, A, B, W);
  t.match(titles(h).slice(1), [/monitoring of eu-central-1 is heard again/]);
  t.strictSame(h.group.notices, {});
  barking(h, 120_000, A, W);
  t.equal(titles(h).length, 3, 'the next silence is another one');
});

t.test('a restart in the middle of a silence tells nobody again', async (t) => {
  const h = new History(settings());
  barking(h, 30_000, A, B, W);
  barking(h, 120_000, A, W);
  t.equal(titles(h).length, 1);
  h.state = initialState(settings(), h.state.ledger);
  h.mono = 1000;
  h.at += 1000;
  h.give({ kind: 'started', incarnation: 'two', version: 'test', configHash: 'none' });
  barking(h, 180_000, A, W);
  t.equal(titles(h).length, 1);
  barking(h, 30_000, A, B, W);
  t.match(titles(h).slice(1), [/is heard again/]);
});

t.test('where it only observes nobody is paged, and it is written down', async (t) => {
  const h = new History(settings('observe'));
  barking(h, 30_000, A, B, W);
  barking(h, 120_000, A, W);
  t.strictSame(titles(h), []);
  t.match(h.events('notice.opened'), [{ notice: 'watchdog-silent', subject: B }]);
});

t.test('a watchdog that fell silent along with its region tells nothing new', async (t) => {
  const h = new History(settings());
  h.answer = () => null;
  barking(h, 60_000, A, B, W);
  h.loseActive();
  // The fence is waited for all this time.
  barking(h, 120_000, B, W);
  t.equal(h.events('run.opened').length, 1, 'it stands in nobody’s way');
  t.notOk(titles(h).some((title) => title.includes('fallen silent')));
  const { verdict } = DIAGNOSES.MonitoringBlind.judge(viewOf(h.state, GROUP));
  t.equal(verdict, 'unknown', 'which is not that all is watched');
});

t.test('its silence passes the gate also when it has lasted, and only that of its own region', async (t) => {
  const late = { ...FAILOVER, for: '3m' };
  const lost = new History(settingsWith({ matrix: [late] }, WATCHED));
  barking(lost, 60_000, A, B, W);
  lost.loseActive();
  barking(lost, 210_000, B, W);
  t.equal(lost.events('run.opened').length, 1, JSON.stringify(gateOf(lost)));
  const blind = new History(settingsWith({ matrix: [late] }, WATCHED));
  barking(blind, 60_000, A, B, W);
  blind.loseActive();
  barking(blind, 210_000, A, W);
  t.equal(blind.events('run.opened').length, 0);
  t.match(gateOf(blind), { answer: 'block', why: /eu-central-1/ });
});

t.test('one that was silent before its region was lost was blind then, and stays in the way', async (t) => {
  const h = new History(settings());
  barking(h, 30_000, A, B, W);
  barking(h, 120_000, B, W);
  t.equal(titles(h).length, 1);
  h.loseActive();
  barking(h, 60_000, B, W);
  t.equal(h.events('run.opened').length, 0);
  t.match(gateOf(h), { answer: 'block' });
});

t.test('a region that comes back has as long as a watchdog may take to be heard again', async (t) => {
  const h = new History(settings('gated'));
  barking(h, 60_000, A, B, W);
  h.loseActive();
  barking(h, 120_000, B, W);
  h.sights.active = 'ok';
  h.sights.streaming = true;
  barking(h, 30_000, B, W);
  t.notOk(titles(h).some((title) => title.includes('fallen silent')));
  barking(h, 60_000, B, W);
  t.ok(titles(h).some((title) => title.includes('fallen silent')));
});

t.test('whoever is cut off hears nobody, and does not blame monitoring for it', async (t) => {
  const h = new History(settings());
  barking(h, 60_000, A, B, W);
  h.sights.isolated = ['daemon'];
  h.pass(180_000);
  t.strictSame(titles(h), []);
});

t.test(
  'a pinned cluster that fresh answers contradict is paged once, by either side, and once it is over',
  async (t) => {
    for (const side of ['primary', 'standbyFacts'] as const) {
      const h = new History(settingsWith({ matrix: [FAILOVER], autonomy: 'gated' }));
      h.pass(5000);
      t.equal(h.events('identity.pinned').length, 1);
      const right = h.sights[side];
      h.sights[side] = { ...right, systemIdentifier: '7300000000000000999' };
      h.pass(60_000);
      t.match(titles(h), [/db answers as another cluster/], side);
      const { verdict, region, why } = DIAGNOSES.ForeignDatabase.judge(viewOf(h.state, GROUP));
      t.equal(verdict, 'bad');
      t.equal(region, side === 'primary' ? A : B);
      t.ok(why.includes(CLUSTER) && why.includes('7300000000000000999'), why);
      h.sights[side] = right;
      h.pass(60_000);
      t.match(titles(h).slice(1), [/db answers as the pinned cluster again/]);
    }
  },
);

t.test('answers that stop contradict nothing, and do not end a contradiction', async (t) => {
  const h = new History(settingsWith({ matrix: [FAILOVER], autonomy: 'gated' }));
  h.pass(5000);
  h.sights.standbyFacts = { ...STANDBY_FACTS, systemIdentifier: '7300000000000000999' };
  h.pass(5000);
  h.sights.silent = ['daemon', 'dublin'];
  h.pass(60_000);
  t.equal(titles(h).length, 1);
  t.ok(h.group.notices['foreign-database/db']);
});

t.test('a gray failure is told to people by the rows of every group, and never promoted', async (t) => {
  const { matrix: _none, ...rest } = GROUP_CONFIG;
  const h = new History(settingsOf({ ...CONFIG, groups: { [GROUP]: { ...rest, autonomy: 'gated' } } }));
  h.pass(5000);
  h.sights.active = 'bad';
  h.pass(250_000);
  t.strictSame(titles(h), [], 'every loss looks like this at first');
  h.pass(60_000);
  t.match(
    h.events('page.queued').map(({ page }) => page.kind),
    ['speak-up'],
  );
  t.equal(h.events('run.opened').length + h.events('proposal.opened').length, 0);
  const finding = DIAGNOSES.GrayFailure.judge(viewOf(h.state, GROUP));
  t.equal(finding.verdict, 'bad');
  t.ok((finding.impactAt ?? 0) > 0, 'and since when');
});

t.test('a region that is lost is no gray failure, nor is one of which nobody knows whether it streams', async (t) => {
  const h = new History(settingsWith({ matrix: [FAILOVER], autonomy: 'gated' }));
  h.pass(5000);
  h.loseActive();
  h.pass(120_000);
  t.equal(DIAGNOSES.GrayFailure.judge(viewOf(h.state, GROUP)).verdict, 'ok');
  h.sights.standbyFacts = { ...STANDBY_FACTS, lastMessageAgeMs: null };
  h.sights.streaming = true;
  h.pass(5000);
  t.equal(DIAGNOSES.GrayFailure.judge(viewOf(h.state, GROUP)).verdict, 'unknown');
});
