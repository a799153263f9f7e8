import t from 'tap';
import { seal } from '../../src/journal/chain.ts';
import { fold } from '../../src/journal/fold.ts';
import { IllegalEvent } from '../../src/journal/illegal.ts';
import type { EventBody } from '../../src/model/events.ts';
import { EMPTY_LEDGER, type Ledger } from '../../src/model/ledger.ts';
import { GROUP, settingsWith } from '../support/group.ts';
import { History, no, succeed } from '../support/histories.ts';

const append = (ledger: Ledger, body: EventBody): Ledger => seal(ledger.seq, ledger.hash, [body]).reduce(fold, ledger);

/** The ledger in the middle of a failover whose promotion was asked for and has not come. */
function promoting(): History {
  const h = new History(settingsWith());
  h.answer = (op) => (op.stepKind === 'promote' && op.operation === 'verify' ? no('still-in-recovery') : succeed(op));
  h.pass(3000);
  h.loseActive();
  h.pass(10_000);
  return h;
}

t.test('what a run may not do in its middle is refused', async (t) => {
  const h = promoting();
  const { ledger } = h.state;
  const run = h.group.run;
  if (run === null) throw new Error('no run');
  const opened = h.events('run.opened')[0];
  if (opened === undefined) throw new Error('no run was opened');
  const base = { at: h.at, group: GROUP, run: run.id };
  const intent = { kind: 'step.intended', ...base, epoch: 1, incarnation: 'x', undo: 'forward', preState: {} } as const;
  const refused: readonly (readonly [string, EventBody])[] = [
    ['invariant 12: a second run of the group', { ...opened, run: 'run-second', epoch: 2 }],
    ['invariant 2: an epoch again', { kind: 'epoch.taken', ...base, epoch: 1 }],
    ['the epoch given back after it was acted under', { kind: 'epoch.released', ...base, epoch: 1 }],
    ['invariant 11: undoing', { kind: 'run.aborting', ...base, person: 'ada', why: '' }],
    ['invariant 11: pausing', { kind: 'run.paused', ...base, person: 'ada', why: '' }],
    ['invariant 11: giving up', { kind: 'run.ended', ...base, outcome: 'abandoned', why: '', clocks: run.clocks }],
    [
      'invariant 11: failing the promotion',
      { kind: 'step.failed', ...base, step: 'promote.db', code: 'x', message: '' },
    ],
    [
      'a run that ends before its steps',
      { kind: 'run.ended', ...base, outcome: 'verified', why: '', clocks: run.clocks },
    ],
    ['invariant 13: traffic before the database', { ...intent, step: 'cutover-dns.name', attempt: 1 }],
    ['invariant 3: a step at another epoch', { ...intent, step: 'promote.db', attempt: 2, epoch: 2 }],
    ['an attempt out of order', { ...intent, step: 'promote.db', attempt: 5 }],
    [
      'invariant 7: an outcome that was not intended',
      { kind: 'step.attempted', ...base, step: 'fence', attempt: 1, outcome: 'ok', code: null, message: '' },
    ],
    ['a step that is not in the plan', { ...intent, step: 'nuke', attempt: 1 }],
  ];
  for (const [what, body] of refused) t.throws(() => append(ledger, body), IllegalEvent, what);
  t.equal(h.state.ledger, ledger, 'and the ledger is as it was');
});

t.test('without a fence, a run needs people who were told so', async (t) => {
  const opened = promoting().events('run.opened')[0];
  if (opened === undefined) throw new Error('no run was opened');
  const plan = { ...opened.plan, fence: 'none' as const };
  const approval = { person: 'ada', role: 'sre' as const, at: 1, nonce: 'n', expiresAt: 2, breakGlass: null };
  t.throws(() => append(EMPTY_LEDGER, { ...opened, plan }), IllegalEvent, 'automatically');
  t.throws(
    () => append(EMPTY_LEDGER, { ...opened, plan, trigger: 'approved', approvals: [approval] }),
    IllegalEvent,
    'approved as if there were one',
  );
  const ceilings = { ...opened.ceilings, fenceProof: false };
  t.doesNotThrow(() => append(EMPTY_LEDGER, { ...opened, plan, trigger: 'approved', approvals: [approval], ceilings }));
});

t.test('resolved is the last word on one firing of an alert', async (t) => {
  const alert = { fingerprint: '00000000000000aa', startsAt: 1, labels: {}, summary: null };
  const ledger = append(EMPTY_LEDGER, { kind: 'alerts.received', at: 1, alerts: [{ ...alert, status: 'resolved' }] });
  t.throws(
    () => append(ledger, { kind: 'alerts.received', at: 2, alerts: [{ ...alert, status: 'firing' }] }),
    IllegalEvent,
  );
  t.doesNotThrow(
    () => append(ledger, { kind: 'alerts.received', at: 2, alerts: [{ ...alert, startsAt: 2, status: 'firing' }] }),
    'firing again later is another one',
  );
});
