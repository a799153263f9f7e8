// A vantage that comes back from being cut off (invariant 18, decision 0006).
import t from 'tap';
import { viewOf } from '../../src/policies/view.ts';
import { A, CONFIG, GROUP, settingsWith, W } from '../support/group.ts';
import { History, seen } from '../support/histories.ts';

const CONTROL = 'tcp://192.0.2.53:53';
const reach = (h: History) => viewOf(h.state, GROUP).reach[A]?.find(({ vantage }) => vantage === 'dublin');
const verdict = (h: History) => reach(h)?.verdict;

const later = (h: History, ms: number): void => {
  h.at += ms;
  h.mono += ms;
};
const control = (h: History, answer: 'ok' | 'bad'): void =>
  h.give({ kind: 'observed', observations: [{ kind: 'control', target: CONTROL, ...seen('dublin', h.at, answer) }] });
const look = (h: History, answer: 'ok' | 'bad' | 'unknown'): void => {
  const base = { group: GROUP, region: A, ...seen('dublin', h.at, answer) };
  h.give({
    kind: 'observed',
    observations: [
      { kind: 'postgres', component: 'db', ...base, facts: null },
      { kind: 'http', component: 'api', ...base, facts: { status: null } },
    ],
  });
};

/** Dublin was well, lost everything, and all of it was seen; the others go on without it. */
function cutOff(): History {
  const h = new History(settingsWith());
  h.pass(5_000);
  h.sights.silent = ['dublin'];
  later(h, 500);
  look(h, 'bad');
  later(h, 500);
  control(h, 'bad');
  t.equal(verdict(h), 'unknown', 'it is the isolated one');
  return h;
}

t.test('what a vantage saw while it was cut off does not count once it is back', async (t) => {
  const h = cutOff();
  later(h, 500);
  control(h, 'ok');
  t.equal(verdict(h), 'unknown');
  later(h, 500);
  control(h, 'ok');
  t.equal(verdict(h), 'unknown', 'nor by being vouched for again and again');
  t.match(reach(h)?.why, /cut off/);
});

t.test('nor does the first look that comes in then: it may have begun before', async (t) => {
  const h = cutOff();
  later(h, 300);
  control(h, 'ok');
  later(h, 300);
  look(h, 'bad');
  later(h, 300);
  control(h, 'ok');
  t.equal(verdict(h), 'unknown');
});

t.test('the second one counts, as soon as a control target answered after the first', async (t) => {
  const h = cutOff();
  later(h, 300);
  control(h, 'ok');
  later(h, 300);
  const beganAt = h.at;
  look(h, 'bad');
  later(h, 600);
  look(h, 'bad');
  t.equal(verdict(h), 'unknown', 'nobody vouches for it yet');
  later(h, 100);
  control(h, 'ok');
  t.equal(verdict(h), 'bad');
  t.equal(reach(h)?.badSince, beganAt, 'it fails since the first look after the return, not since the cut');
});

t.test('a look in the same report as the answer that tells of the return is of before it', async (t) => {
  const h = cutOff();
  later(h, 300);
  const base = { group: GROUP, region: A, ...seen('dublin', h.at, 'bad') };
  h.give({
    kind: 'observed',
    observations: [
      { kind: 'control', target: CONTROL, ...seen('dublin', h.at, 'ok') },
      { kind: 'postgres', component: 'db', ...base, facts: null },
      { kind: 'http', component: 'api', ...base, facts: { status: null } },
    ],
  });
  later(h, 300);
  control(h, 'ok');
  t.equal(verdict(h), 'unknown');
  later(h, 300);
  look(h, 'bad');
  later(h, 300);
  control(h, 'ok');
  t.equal(verdict(h), 'unknown', 'the first look that came in by itself');
  later(h, 300);
  look(h, 'bad');
  t.equal(verdict(h), 'bad');
});

t.test('a report that tells both of the cut and of the return is a return', async (t) => {
  const h = new History(settingsWith());
  h.pass(5_000);
  h.sights.silent = ['dublin'];
  later(h, 500);
  look(h, 'bad');
  later(h, 500);
  h.give({
    kind: 'observed',
    observations: (['bad', 'ok'] as const).map((answer) => ({
      kind: 'control',
      target: CONTROL,
      ...seen('dublin', h.at, answer),
    })),
  });
  t.equal(verdict(h), 'unknown');
  later(h, 300);
  look(h, 'bad');
  later(h, 300);
  control(h, 'ok');
  t.equal(verdict(h), 'unknown', 'the first look since');
  later(h, 300);
  look(h, 'bad');
  t.equal(verdict(h), 'bad');
});

t.test('one control target of several that flaps is no return', async (t) => {
  const vantages = CONFIG.vantages;
  const dublin = { region: W, controlTargets: [CONTROL, 'tcp://192.0.2.54:53'], publicKey: 'x' };
  const h = new History(settingsWith({}, { ...CONFIG, vantages: { ...vantages, dublin } }));
  h.pass(5_000);
  h.sights.silent = ['dublin'];
  for (const answer of ['bad', 'ok', 'bad', 'ok'] as const) {
    later(h, 200);
    look(h, 'bad');
    later(h, 200);
    h.give({
      kind: 'observed',
      observations: [
        { kind: 'control', target: 'tcp://192.0.2.54:53', ...seen('dublin', h.at, answer) },
        { kind: 'control', target: CONTROL, ...seen('dublin', h.at, 'ok') },
      ],
    });
  }
  t.equal(verdict(h), 'bad');
});

t.test('one that could not tell is a look too: the next bad one counts', async (t) => {
  const h = cutOff();
  later(h, 300);
  control(h, 'ok');
  later(h, 300);
  look(h, 'unknown');
  later(h, 600);
  look(h, 'bad');
  later(h, 100);
  control(h, 'ok');
  t.equal(verdict(h), 'bad');
});

t.test('a vantage that was not heard of for too long comes back like one that was cut off', async (t) => {
  const h = new History(settingsWith());
  h.pass(5_000);
  h.sights.silent = ['dublin'];
  later(h, 6_500);
  control(h, 'ok');
  later(h, 300);
  look(h, 'bad');
  later(h, 300);
  control(h, 'ok');
  t.equal(verdict(h), 'unknown');
  later(h, 300);
  look(h, 'bad');
  t.equal(verdict(h), 'bad');
});

t.test('the first answer of a life is no return: what failed before it counts', async (t) => {
  const h = new History(settingsWith());
  h.sights.silent = ['dublin'];
  look(h, 'bad');
  later(h, 300);
  control(h, 'ok');
  t.equal(verdict(h), 'bad');
});

t.test('a group that nobody looks at in between is judged again as soon as the answer vouches for it', async (t) => {
  // Only inputs, no tick: who comes back is judged by what it says, not because time has passed (decision 0015).
  const h = new History(settingsWith());
  h.pass(5_000);
  h.loseActive();
  h.sights.isolated = ['dublin'];
  h.pass(2_000);
  h.sights.isolated = [];
  h.sights.silent = ['dublin'];
  later(h, 200);
  control(h, 'ok');
  later(h, 200);
  look(h, 'bad');
  later(h, 200);
  look(h, 'bad');
  t.equal(h.events('hold.started').length, 0);
  later(h, 200);
  control(h, 'ok');
  t.equal(verdict(h), 'bad');
  t.equal(h.events('hold.started').length, 1);
});
