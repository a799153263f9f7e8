// What a yes is bound to is compared once more by what the promotion's own check reads (invariants 20 and 22).
import t from 'tap';
import type { OperationResult, Perform } from '../../src/model/loop.ts';
import { settingsWith } from '../support/group.ts';
import { History, NIGHT, ok, succeed } from '../support/histories.ts';

/** The check before the promotion reads these. */
const reading =
  (facts: Record<string, unknown>) =>
  (operation: Perform): OperationResult =>
    operation.stepKind === 'promote' && operation.operation === 'check' ? ok(facts) : succeed(operation);

const AS_SEEN = { timeline: 1, receiveLsn: '0/5000000', replayLsn: '0/5000000', lastReplayedCommitAt: NIGHT };

const opened = (answer: History['answer'], budgets = {}): History => {
  const h = new History(settingsWith({ budgets }));
  h.answer = answer;
  h.pass(3000);
  h.loseActive();
  h.pass(9000);
  return h;
};

t.test('a standby that is where it was is promoted', (t) => {
  const h = opened(reading(AS_SEEN));
  t.equal(h.group.ended.at(-1)?.outcome, 'verified');
  t.equal(h.events('run.paused').length, 0);
  t.end();
});

const cases: readonly (readonly [string, Record<string, unknown>, object, RegExp])[] = [
  [
    'one whose last commit is older than the RPO',
    { ...AS_SEEN, receiveLsn: '0/4000000', replayLsn: '0/4000000', lastReplayedCommitAt: NIGHT - 60_000 },
    {},
    /approved up to 10 s and is up to [\d.]+ s now/,
  ],
  [
    'one that lacks more bytes than the budget',
    { ...AS_SEEN, receiveLsn: '0/4FF0000', replayLsn: '0/4FF0000' },
    { replicationLossBytes: 16_384 },
    /approved up to 16384 bytes and is up to 65536 bytes now/,
  ],
  ['one on another timeline', { ...AS_SEEN, timeline: 2 }, {}, /unknown now.*one timeline/],
  ['one that does not tell how far it is', { timeline: 1 }, {}, /unknown now.*received is not known/],
];
for (const [name, facts, budgets, why] of cases)
  t.test(`${name} is not promoted before a person has said so`, (t) => {
    const h = opened(reading(facts), budgets);
    t.match(h.group.run, { status: 'paused', why });
    t.notOk(h.performed().includes('promote.db:do'), 'nothing was promoted');
    const stuck = h.events('page.queued').filter(({ page }) => page.kind === 'stuck');
    t.equal(stuck.length, 1, 'one page');
    t.match(stuck[0]?.page.body, why, 'which says what was left');
    h.pass(30_000);
    t.notOk(h.performed().includes('promote.db:do'), 'and it goes on waiting');

    const id = h.group.run?.id ?? '';
    const approve = {
      kind: 'approve',
      request: 'r',
      target: id,
      planHash: null,
      nonce: 'n',
      breakGlass: null,
    } as const;
    h.give({ ...approve, person: { id: 'vera', roles: ['vp'] } });
    t.equal(h.group.run?.status, 'paused', 'an SRE lets a run go on');
    h.give({ ...approve, person: { id: 'ann', roles: ['sre'] } });
    h.pass(9000);
    t.equal(h.group.ended.at(-1)?.outcome, 'verified', 'with the yes it goes on, and does not ask twice');
    t.equal(h.events('run.paused').length, 1);
    t.match(
      h
        .events('page.queued')
        .filter(({ page }) => page.kind === 'executive-notice')
        .map(({ page }) => page.title),
      [/fails over/, /ann lets run-platform-1 go on with a greater loss/],
    );
    t.end();
  });

t.test('it can be given up instead', (t) => {
  const h = opened(reading({ ...AS_SEEN, timeline: 2 }));
  h.give({
    kind: 'abort',
    request: 'r',
    target: h.group.run?.id ?? '',
    person: { id: 'ann', roles: ['sre'] },
    why: 'no',
  });
  t.equal(h.group.ended.at(-1)?.outcome, 'abandoned');
  t.end();
});

t.test('what was approved as unknown may stay unknown', (t) => {
  const h = new History(settingsWith({ autonomy: 'gated' }));
  h.answer = reading({ timeline: 1 });
  // The primary's log was never sampled.
  const { primary } = h.sights;
  h.sights.primary = { ...primary, insertLsn: null, flushLsn: null };
  h.pass(3000);
  h.loseActive();
  h.pass(9000);
  const proposal = h.group.proposal;
  t.match(proposal?.ceilings, { lossSeconds: null, lossBytes: null });
  h.give({
    kind: 'approve',
    request: 'r',
    target: proposal?.id ?? '',
    planHash: proposal?.planHash ?? '',
    nonce: 'n',
    breakGlass: null,
    person: { id: 'ann', roles: ['sre'] },
  });
  h.pass(9000);
  t.equal(h.group.ended.at(-1)?.outcome, 'verified');
  t.end();
});

t.test('a promotion that was asked for is not stopped by what a later check reads', (t) => {
  let asked = 0;
  const h = opened((operation) => {
    if (operation.stepKind !== 'promote') return succeed(operation);
    if (operation.operation === 'do') asked += 1;
    if (operation.operation === 'check') return ok(asked === 0 ? AS_SEEN : { ...AS_SEEN, timeline: 2 });
    if (operation.operation === 'verify')
      return asked < 2 ? { kind: 'no', code: 'still-in-recovery', message: '', facts: {} } : ok();
    return ok();
  });
  h.pass(30_000);
  t.equal(asked, 2);
  t.equal(h.events('run.paused').length, 0);
  t.equal(h.group.ended.at(-1)?.outcome, 'verified');
  t.end();
});
