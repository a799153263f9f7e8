// Looks that come in late: what they saw is over.
import t from 'tap';
import { viewOf } from '../../src/policies/view.ts';
import { A, GROUP, settingsWith } from '../support/group.ts';
import { History, seen } from '../support/histories.ts';

const reached = (h: History) => viewOf(h.state, GROUP).reach[A]?.find(({ vantage }) => vantage === 'dublin')?.verdict;

const late = (h: History, byMs: number): void => {
  const base = { group: GROUP, region: A, ...seen('dublin', h.at - byMs, 'bad') };
  h.at += 20;
  h.mono += 20;
  h.give({
    kind: 'observed',
    observations: [
      { kind: 'postgres', component: 'db', ...base, facts: null },
      { kind: 'http', component: 'api', ...base, facts: { status: null } },
    ],
  });
  h.at += 500;
  h.mono += 500;
  h.give({
    kind: 'observed',
    observations: [{ kind: 'control', target: 'tcp://192.0.2.53:53', ...seen('dublin', h.at, 'ok') }],
  });
};

t.test('invariant 18: a look that took its deadline to fail does not undo a later one that was answered', async (t) => {
  const h = new History(settingsWith());
  h.pass(5_000);
  t.equal(reached(h), 'ok');
  late(h, 2_000);
  t.equal(reached(h), 'ok', 'it began before the one that was answered');
});

t.test(
  'one that is the newest counts, also by a clock that was set back by more than a look can be late',
  async (t) => {
    for (const byMs of [0, 60_000]) {
      const h = new History(settingsWith());
      h.pass(5_000);
      late(h, byMs);
      t.equal(reached(h), 'bad', `${byMs} ms`);
    }
  },
);

t.test('an answer is taken whatever the clock says: one that was set back hides no recovery', async (t) => {
  const h = new History(settingsWith());
  h.pass(5_000);
  h.sights.active = 'bad';
  h.pass(3_000);
  t.equal(reached(h), 'bad');
  const base = { group: GROUP, region: A, ...seen('dublin', h.at - 4_000, 'ok') };
  h.give({
    kind: 'observed',
    observations: [{ kind: 'http', component: 'api', ...base, facts: { status: 200 } }],
  });
  t.equal(reached(h), 'ok');
});
