// Rows that stand in the way, rows that can't tell, and which of several rows decides.
import t from 'tap';
import type { GroupConfig } from '../../src/model/config.ts';
import type { MatrixRow } from '../../src/model/matrix.ts';
import { CONFIG, GROUP, settingsWith } from '../support/group.ts';
import { History, NIGHT, STANDBY_FACTS } from '../support/histories.ts';

const FAILOVER: MatrixRow = {
  id: 40,
  kind: 'decide',
  when: 'bad(active.reachable)',
  for: '5s',
  action: 'failover',
  auto: true,
};
const VETO: MatrixRow = { id: 10, kind: 'veto', when: 'bad(reports.corruption)', against: ['failover'] };
const ADA = { id: 'ada', roles: ['sre' as const] };

const withRows = (matrix: MatrixRow[], change: Partial<GroupConfig> = {}) => settingsWith({ matrix, ...change });

const WATCHED = {
  ...CONFIG,
  alertmanager: {
    region: 'eu-west-1',
    bearer: '${env:TOKEN}',
    watchdogWithin: '1m',
    facts: [
      { match: ['alertname="Watchdog"'], fact: 'watchdog' as const, group: GROUP, region: 'us-east-1' },
      { match: ['alertname="Broken"'], fact: 'corruption-reported' as const, group: GROUP, region: 'us-east-1' },
      { match: ['alertname="ClickHouse"'], fact: 'clickhouse-failing' as const, group: GROUP, region: 'us-east-1' },
    ],
  },
};

let sent = 0;
function fire(h: History, alertname: string, status: 'firing' | 'resolved' = 'firing', startsAt = 1): void {
  sent += 1;
  h.give({
    kind: 'webhook',
    request: `w${sent}`,
    alerts: [{ fingerprint: '00000000000000aa', startsAt, status, labels: { alertname }, summary: null }],
  });
}

t.test('a veto keeps a dead region from being failed over, until a person clears what it stands on', async (t) => {
  const h = new History(withRows([VETO, FAILOVER]));
  h.pass(3000);
  h.give({ kind: 'report', request: 'r1', person: ADA, group: GROUP, report: 'corruption', what: 'checksums' });
  h.loseActive();
  h.pass(20_000);
  t.equal(h.events('run.opened').length, 0);
  const [held] = h.events('decision.made').filter(({ decision }) => decision.row === 40);
  t.equal(held?.decision.action, 'hold');
  t.ok(held?.decision.gates.some(({ gate, answer }) => gate === 'row-10' && answer === 'block'));
  h.give({ kind: 'clear-report', request: 'r2', person: ADA, group: GROUP, report: 'corruption', why: 'restored' });
  h.pass(20_000);
  t.equal(h.group.ended.at(-1)?.outcome, 'verified');
});

t.test('a report stands in the way also where no row of the matrix reads it', async (t) => {
  const h = new History(withRows([FAILOVER]));
  h.answer = () => null;
  h.pass(3000);
  h.loseActive();
  h.pass(8000);
  t.ok(h.group.run, 'a run is open');
  h.give({ kind: 'report', request: 'r', person: ADA, group: GROUP, report: 'corruption', what: 'checksums' });
  h.pass(1000);
  t.equal(h.group.ended.at(-1)?.outcome, 'undone', 'undone before its fence');
  const fresh = new History(withRows([FAILOVER]));
  fresh.pass(3000);
  fresh.give({ kind: 'report', request: 'r', person: ADA, group: GROUP, report: 'deletion', what: 'DROP TABLE' });
  fresh.loseActive();
  fresh.pass(20_000);
  t.equal(fresh.events('run.opened').length, 0);
});

t.test('without a watchdog, no alert of a workload is no sign of its health', async (t) => {
  const h = new History(
    withRows(
      [{ id: 85, kind: 'decide', when: 'ok(workloads.healthy)', action: 'none' }, FAILOVER].reverse() as MatrixRow[],
    ),
  );
  h.pass(5000);
  t.equal(h.group.holds[85], undefined);
});

t.test('who may not report or clear is told so, and nothing changes', async (t) => {
  const h = new History(withRows([VETO, FAILOVER]));
  const status = () => h.effects.filter((effect) => effect.kind === 'reply').at(-1)?.status;
  const viewer = { id: 'val', roles: ['viewer' as const] };
  h.give({ kind: 'report', request: 'r1', person: viewer, group: GROUP, report: 'corruption', what: 'x' });
  t.equal(status(), 403);
  h.give({ kind: 'report', request: 'r2', person: ADA, group: 'nobody', report: 'corruption', what: 'x' });
  t.equal(status(), 404);
  h.give({ kind: 'report', request: 'r2b', person: ADA, group: 'constructor', report: 'corruption', what: 'x' });
  t.equal(status(), 404);
  h.give({ kind: 'clear-report', request: 'r3', person: ADA, group: GROUP, report: 'corruption', why: 'x' });
  t.equal(status(), 409, 'nothing is reported');
  t.equal(h.events('report.made').length + h.events('report.cleared').length, 0);
});

t.test('a report is sticky: an alert that made it may resolve, or be sent again after it was cleared', async (t) => {
  const h = new History(settingsWith({ matrix: [VETO, FAILOVER] }, WATCHED));
  h.pass(3000);
  fire(h, 'Broken');
  t.equal(h.events('report.made').length, 1);
  fire(h, 'Broken', 'resolved');
  h.pass(5000);
  t.ok(h.group.reports['corruption'], 'resolved is no sign of health');
  h.give({ kind: 'clear-report', request: 'c', person: ADA, group: GROUP, report: 'corruption', why: 'looked' });
  fire(h, 'Broken');
  t.equal(h.group.reports['corruption'], undefined, 'the same alert again is old news');
  fire(h, 'Broken', 'firing', 2);
  t.ok(h.group.reports['corruption'], 'a new one is not');
});

t.test('in a gray failure people are told what the row says, and nothing is promoted', async (t) => {
  const when = 'bad(postgres.reachable) && bad(services.reachable) && ok(replication.streaming)';
  const note = 'A gray failure.';
  const rows: MatrixRow[] = [FAILOVER, { id: 42, kind: 'decide', when, for: '5s', action: 'speak-up', note }];
  const gray = new History(withRows(rows));
  gray.pass(3000);
  gray.sights.active = 'bad';
  gray.pass(30_000);
  const pages = gray.events('page.queued').map(({ page }) => page);
  t.match(pages, [{ kind: 'speak-up', body: /^row 42: .*vantages can't reach.* A gray failure\.$/ }]);
  t.equal(pages.length, 1, 'once');
  t.equal(gray.events('run.opened').length, 0);

  const dead = new History(withRows(rows));
  dead.pass(3000);
  dead.loseActive();
  dead.pass(30_000);
  t.equal(dead.group.ended.at(-1)?.outcome, 'verified', 'where replication stops too, it fails over');
  t.strictSame(
    dead.events('page.queued').filter(({ page }) => page.kind === 'speak-up'),
    [],
  );
});

t.test(
  'a failover waits for replay, and not for the first part of a record that the primary took with it',
  async (t) => {
    const gate: MatrixRow = {
      id: 30,
      kind: 'gate',
      when: 'replication.replay_lag_seconds > 10',
      against: ['failover'],
      action: 'wait',
    };
    /** The last commit was replayed long ago, and more was received. */
    const dieBehind = (replayWaits: boolean | null): History => {
      const h = new History(withRows([gate, FAILOVER]));
      h.pass(3000);
      h.sights.standbyFacts = {
        ...STANDBY_FACTS,
        receiveLsn: '0/5000468',
        lastReplayedCommitAt: NIGHT - 60_000,
        replayWaits,
      };
      h.loseActive();
      h.pass(60_000);
      return h;
    };
    for (const behind of [false, null]) {
      const waits = dieBehind(behind);
      t.equal(waits.events('run.opened').length, 0, `replay waits for more: ${behind}`);
      t.match(waits.events('decision.made').at(-1)?.decision, { action: 'hold', why: /row-30/ });
    }
    t.equal(dieBehind(true).group.ended.at(-1)?.outcome, 'verified');
  },
);

t.test('people are reminded while a report stands', async (t) => {
  const h = new History(withRows([VETO, FAILOVER]));
  h.give({ kind: 'report', request: 'r', person: ADA, group: GROUP, report: 'deletion', what: 'DROP TABLE' });
  const pages = () => h.events('page.queued').filter(({ page }) => page.kind === 'attention').length;
  t.equal(pages(), 1);
  h.pass(9 * 3_600_000, 60_000);
  t.equal(pages(), 3);
});

t.test('a veto that comes up after the decision undoes the run before its fence', async (t) => {
  const h = new History(withRows([VETO, FAILOVER]));
  h.answer = () => null;
  h.pass(3000);
  h.loseActive();
  h.pass(8000);
  t.ok(h.group.run, 'a run is open');
  h.give({ kind: 'report', request: 'r', person: ADA, group: GROUP, report: 'corruption', what: 'checksums' });
  h.pass(2000);
  t.equal(h.group.run, null);
  t.equal(h.group.ended.at(-1)?.outcome, 'undone');
});

t.test('a gate that can’t tell keeps auto from acting by itself, unless its row lets it pass', async (t) => {
  const gate: MatrixRow = { id: 30, kind: 'gate', when: 'bad(clickhouse.serving)', against: ['failover'] };
  const strict = new History(withRows([gate, FAILOVER]));
  strict.pass(3000);
  strict.loseActive();
  strict.pass(12_000);
  t.equal(strict.events('run.opened').length, 0);
  t.equal(strict.events('proposal.opened').length, 1, 'people may decide it');
  const lenient = new History(withRows([{ ...gate, unknown: 'pass' }, FAILOVER]));
  lenient.pass(3000);
  lenient.loseActive();
  lenient.pass(12_000);
  t.equal(lenient.events('run.opened').length, 1);
});

t.test('the first row that matches decides, also while it still holds', async (t) => {
  const restart: MatrixRow = { id: 45, kind: 'decide', when: 'bad(postgres.reachable)', for: '1s', action: 'restart' };
  const h = new History(withRows([FAILOVER, restart]));
  h.pass(3000);
  h.loseActive();
  h.pass(12_000);
  t.equal(h.events('decision.made').filter(({ decision }) => decision.row === 45).length, 0);
  t.equal(h.events('run.opened').length, 1);
});

t.test('an action that failoverd can’t carry out yet is proposed to people, once', async (t) => {
  const h = new History(
    withRows([{ id: 45, kind: 'decide', when: 'bad(postgres.reachable)', for: '2s', action: 'restart' }], {
      autonomy: 'gated',
    }),
  );
  h.pass(3000);
  h.sights.active = 'bad';
  h.pass(20_000);
  const made = h.events('decision.made').filter(({ decision }) => decision.row === 45);
  t.equal(made.length, 1);
  t.equal(made[0]?.decision.action, 'restart');
  t.equal(h.events('page.queued').filter(({ page }) => page.kind === 'attention').length, 1);
});

t.test('a standby that has much to replay yet is waited for', async (t) => {
  const wait: MatrixRow = {
    id: 50,
    kind: 'gate',
    when: 'replication.replay_lag_seconds > 300',
    against: ['failover'],
    action: 'wait',
  };
  const h = new History(withRows([FAILOVER, wait]));
  h.pass(3000);
  h.sights.standbyFacts = {
    ...h.sights.standbyFacts,
    replayLsn: '0/4000000',
    lastReplayedCommitAt: h.at - 400_000,
  };
  h.loseActive();
  h.pass(12_000);
  t.equal(h.events('run.opened').length, 0);
  h.sights.standbyFacts = { ...h.sights.standbyFacts, replayLsn: '0/5000000' };
  h.pass(3000);
  t.equal(h.events('run.opened').length, 1, 'it has caught up');
});

t.test('quiet alerts mean health only while the watchdog is heard', async (t) => {
  const partial: MatrixRow = { id: 60, kind: 'decide', when: 'ok(clickhouse.serving)', for: '0s', action: 'none' };
  const h = new History(settingsWith({ matrix: [FAILOVER, partial] }, WATCHED));
  h.pass(3000);
  t.equal(h.group.holds[60], undefined, 'no watchdog yet: nothing is known');
  fire(h, 'Watchdog');
  h.pass(3000);
  t.ok(h.group.holds[60]);
});

t.test('monitoring that has fallen silent takes auto away, and says so', async (t) => {
  const h = new History(settingsWith({ matrix: [FAILOVER] }, WATCHED));
  fire(h, 'Watchdog');
  h.pass(90_000);
  h.loseActive();
  h.pass(12_000);
  t.equal(h.events('run.opened').length, 0);
  const [proposal] = h.events('proposal.opened');
  t.ok(proposal?.decision.gates.some(({ gate, answer }) => gate === 'monitoring' && answer === 'block'));
});

t.test('a decision names what it saw and what would change it', async (t) => {
  const h = new History(withRows([FAILOVER]));
  h.pass(3000);
  h.loseActive();
  h.pass(12_000);
  const decision = h.events('run.opened')[0]?.decision;
  t.equal(decision?.when, 'bad(active.reachable)');
  t.match(decision?.values, [{ fact: 'active.reachable', value: 'bad' }]);
  t.strictSame(decision?.turnedBy, ['active.reachable = ok']);
});
