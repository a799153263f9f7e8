// The old side is back: what it alone has makes the loss of the run final (safety.md, invariants 19 and 26).
import t from 'tap';
import { foldAll } from '../../src/journal/fold.ts';
import type { FoundDivergence } from '../../src/model/divergence.ts';
import { EMPTY_LEDGER } from '../../src/model/ledger.ts';
import { finalLoss } from '../../src/policies/loss.ts';
import { GROUP, settingsWith } from '../support/group.ts';
import { History, NIGHT } from '../support/histories.ts';

const FOUND: FoundDivergence = {
  component: 'db',
  timeline: 1,
  forkLsn: '0/5000000',
  endLsn: '0/5000800',
  commits: 3,
  prepared: 0,
  firstCommitAt: NIGHT + 1000,
  lastCommitAt: NIGHT + 3500,
  complete: true,
  relations: [{ file: '1663/5/16390', name: 'app: app.writes', changes: 3 }],
  moreRelations: 0,
  archive: 'archive/one',
};

function failedOver(): History {
  const h = new History(settingsWith({}));
  h.pass(5000);
  h.loseActive();
  h.pass(40_000);
  return h;
}

let asked = 0;
function tell(h: History, found: FoundDivergence, run = h.group.ended.at(-1)?.id ?? 'run-none') {
  const request = `r${++asked}`;
  h.give({ kind: 'divergence', request, group: GROUP, run, divergence: found });
  return h.effects.find((effect) => effect.kind === 'reply' && effect.request === request);
}

t.test('the estimate becomes a count', async (t) => {
  const h = failedOver();
  const estimated = h.group.ended.at(-1)?.loss;
  t.notOk(estimated?.final);
  t.match(tell(h, FOUND), { status: 200, body: { status: 'taken' } });
  const run = h.group.ended.at(-1);
  t.match(run?.loss, {
    lowBytes: 0x800,
    highBytes: 0x800,
    final: true,
    windowFrom: NIGHT + 1000,
    windowTo: NIGHT + 3500,
  });
  t.equal(run?.loss.lowSeconds, run?.loss.highSeconds);
  t.same(run?.divergence, { db: FOUND });
  t.ok(
    h.events('page.queued').some(({ page }) => page.title.includes('3 commits of db')),
    'people are told',
  );
  t.same(foldAll(EMPTY_LEDGER, h.entries).groups, h.state.ledger.groups, 'and the journal says it all again');
});

t.test('told twice it is taken once; with more it is told again; with less it is refused', async (t) => {
  const h = failedOver();
  tell(h, FOUND);
  t.match(tell(h, FOUND), { status: 200, body: { status: 'known' } });
  t.equal(h.events('divergence.found').length, 1);
  const more = { ...FOUND, endLsn: '0/5000900', commits: 4, lastCommitAt: NIGHT + 9000 };
  t.match(tell(h, more), { status: 200, body: { status: 'taken' } });
  t.match(h.group.ended.at(-1)?.loss, { highBytes: 0x900, final: true });
  t.match(tell(h, FOUND), { status: 409 }, 'its log was longer');
  t.match(tell(h, { ...more, forkLsn: '0/4000000' }), { status: 409 }, 'another fork');
  t.equal(h.events('divergence.found').length, 2);
});

t.test('what nobody can have counted', async (t) => {
  const h = failedOver();
  t.match(tell(h, FOUND, 'run-99'), { status: 404 });
  t.match(tell(h, { ...FOUND, component: 'api' }), { status: 404 });
  h.give({ kind: 'divergence', request: 'x', group: 'nobody', run: 'run-1', divergence: FOUND });
  t.match(
    h.effects.find((effect) => effect.kind === 'reply' && effect.request === 'x'),
    { status: 404 },
  );
  t.equal(h.events('divergence.found').length, 0);
});

t.test('an old side with nothing of its own', async (t) => {
  const h = failedOver();
  const pages = h.events('page.queued').length;
  const nothing = {
    ...FOUND,
    endLsn: FOUND.forkLsn,
    commits: 0,
    firstCommitAt: null,
    lastCommitAt: null,
    relations: [],
  };
  tell(h, nothing);
  t.match(h.group.ended.at(-1)?.loss, { lowBytes: 0, highBytes: 0, highSeconds: 0, final: true });
  t.equal(h.events('page.queued').length, pages, 'wakes nobody');
});

t.test('parts that were recycled leave the times unknown, not the bytes', async (t) => {
  const loss = finalLoss({ ...FOUND, complete: false }, null);
  t.match(loss, { lowBytes: 0x800, highBytes: 0x800, lowSeconds: null, highSeconds: null, windowFrom: null });
});

t.test('seconds are counted from the last commit that both sides have', async (t) => {
  t.equal(finalLoss(FOUND, NIGHT + 500).highSeconds, 3);
  t.equal(finalLoss(FOUND, null).highSeconds, 2.5);
});
