// What the journal alone keeps: the cooldown of a run that ended in an earlier life, and epochs that only grow. Histories of the
// simulator hardly ever come to a second run in time.
import t from 'tap';
import { initialState } from '../../src/engine/core.ts';
import { seal } from '../../src/journal/chain.ts';
import { fold, foldAll } from '../../src/journal/fold.ts';
import { EMPTY_GROUP, EMPTY_LEDGER, type GroupLedger } from '../../src/model/ledger.ts';
import { GROUP, settingsWith } from '../support/group.ts';
import { History, NIGHT } from '../support/histories.ts';

t.test('a run that ended in an earlier life still has its cooldown (invariant 12)', async (t) => {
  const settings = settingsWith({ cooldown: '10m' });
  const opened = (agoMs: number): number => {
    const ended = [{ id: 'run-before', endedAt: NIGHT - agoMs }] as unknown as GroupLedger['ended'];
    const ledger = { ...EMPTY_LEDGER, groups: { [GROUP]: { ...EMPTY_GROUP, ended } } };
    const h = new History(settings, initialState(settings, ledger));
    h.pass(5000);
    h.loseActive();
    h.pass(60_000);
    return h.events('run.opened').length;
  };
  t.equal(opened(60_000), 0);
  t.equal(opened(660_000), 1, 'and no longer than that');
});

t.test('a run may not act at an epoch that was taken before it (invariant 2)', async (t) => {
  const h = new History(settingsWith({}));
  h.pass(5000);
  h.loseActive();
  h.pass(60_000);
  const index = h.entries.findIndex(({ body }) => body.kind === 'run.opened');
  const body = h.entries[index]?.body;
  if (body?.kind !== 'run.opened') throw new RangeError('no run was opened');
  const before = foldAll(EMPTY_LEDGER, h.entries.slice(0, index));
  const [forged] = seal(before.seq, before.hash, [{ ...body, epoch: body.epoch - 1 }]);
  if (forged === undefined) throw new RangeError('nothing was sealed');
  t.throws(() => fold(before, forged), /does not follow/);
});
