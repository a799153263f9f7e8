// After a run the old side has to stay off for a while, and its fence is read back all that time (design §7).
import t from 'tap';
import type { Perform } from '../../src/model/loop.ts';
import { settingsWith } from '../support/group.ts';
import { History, no, succeed, unknown } from '../support/histories.ts';

const MINUTE_MS = 60_000;
const reads = (h: History): number =>
  h.effects.filter(
    (effect): effect is Perform => effect.kind === 'perform' && effect.attempt === 0 && effect.step === 'fence',
  ).length;

function failedOver(): History {
  const h = new History(settingsWith({ commitWindow: '30m' }));
  h.pass(3000);
  h.loseActive();
  h.pass(12_000);
  return h;
}
const said = (h: History): readonly string[] =>
  [...h.events('fence.lost'), ...h.events('fence.held')].map(({ kind }) => kind);

t.test('the fence is read every half minute, until the window is over', async (t) => {
  const h = failedOver();
  t.equal(h.group.ended.at(-1)?.outcome, 'verified');
  h.pass(10 * MINUTE_MS, 5000);
  const within = reads(h);
  t.ok(within >= 19 && within <= 22, `${within} reads in ten minutes`);
  t.strictSame(said(h), []);
  h.pass(25 * MINUTE_MS, 5000);
  const over = reads(h);
  h.pass(10 * MINUTE_MS, 5000);
  t.equal(reads(h), over, 'nothing is read after it');
});

t.test('an old side that is on again is told of once, and once when it is off', async (t) => {
  const h = failedOver();
  const pages = () => h.events('page.queued').filter(({ page }) => page.kind === 'attention').length;
  const before = pages();
  h.answer = (op) => (op.attempt === 0 ? no('not-off') : succeed(op));
  h.pass(5 * MINUTE_MS, 5000);
  t.strictSame(said(h), ['fence.lost']);
  t.equal(pages(), before + 1);
  t.match(h.group.commitWindow, { lost: { why: /./ } });
  h.answer = succeed;
  h.pass(MINUTE_MS, 5000);
  t.strictSame(said(h), ['fence.lost', 'fence.held']);
  t.equal(h.group.commitWindow?.lost, null);
});

t.test('that nobody can tell is no news', async (t) => {
  const h = failedOver();
  h.answer = (op) => (op.attempt === 0 ? unknown('exit-75') : succeed(op));
  h.pass(5 * MINUTE_MS, 5000);
  t.strictSame(said(h), []);
});

t.test('a run that was undone has no commit window', async (t) => {
  const h = new History(settingsWith({ fence: { driver: 'command', fence: ['off'], verify: ['status'] } }));
  h.answer = (op) => (op.stepKind === 'assess' ? no('replay-paused') : succeed(op));
  h.pass(3000);
  h.loseActive();
  h.pass(120_000, 1000);
  t.equal(h.group.ended.at(-1)?.outcome, 'undone');
  t.equal(h.group.commitWindow, null);
  t.equal(reads(h), 0);
});
