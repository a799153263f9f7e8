// Coverage is a table that can fail: a hole, a cell declared impossible that happened, a cell nobody declared.
import t from 'tap';
import { coverageFailures, coverageTable, type Declaration, judgeCoverage } from '../../src/sim/coverage.ts';
import { COVERAGE, PhaseWatch } from '../../src/sim/faults.ts';

const TWO: Declaration = {
  faults: [
    { name: 'killed', says: 'it is killed' },
    { name: 'late', says: 'an answer comes late' },
  ],
  steps: [
    { name: 'idle', says: 'nothing is asked' },
    { name: 'asked', says: 'something is asked' },
  ],
  impossible: (fault, step) => (fault === 'late' && step === 'idle' ? 'nothing is asked then' : null),
  fullFrom: 100,
};
const ALL = { 'killed/idle': 3, 'killed/asked': 1, 'late/asked': 7 };

t.test('where every possible cell was hit there is nothing to say', async (t) => {
  t.strictSame(coverageFailures(TWO, ALL, 100), []);
  t.match(judgeCoverage(TWO, ALL), { possible: 3, hit: 3, empty: [], contradicted: [] });
});

t.test('a hole fails from enough histories on, and is told with its place', async (t) => {
  const { 'killed/asked': _hole, ...rest } = ALL;
  t.strictSame(coverageFailures(TWO, rest, 99), []);
  t.match(coverageFailures(TWO, rest, 100), [/killed during asked/]);
});

t.test('a wrong declaration fails at once', async (t) => {
  t.match(coverageFailures(TWO, { ...ALL, 'late/idle': 1 }, 1), [/late during idle.*nothing is asked then/]);
  t.match(coverageFailures(TWO, { ...ALL, 'stolen/idle': 1 }, 1), [/stolen\/idle/]);
});

t.test('the table holds every cell, and each reason once', async (t) => {
  const lines = coverageTable(TWO, ALL);
  t.match(lines[0], /3 of 3 cells hit, 1 declared impossible/);
  t.match(
    lines.find((line) => line.startsWith('late')),
    /-\s+7$/,
  );
  t.equal(lines.filter((line) => line.includes('nothing is asked then')).length, 1);
});

t.test('the whole world declares each fault and step once, with words for people', async (t) => {
  for (const list of [COVERAGE.faults, COVERAGE.steps]) {
    t.equal(new Set(list.map(({ name }) => name)).size, list.length);
    for (const { name, says } of list) t.ok(says.length > 5, name);
  }
});

t.test('the phase of a group is read from its journal', async (t) => {
  const watch = new PhaseWatch();
  const at = 0;
  const hold = { at, group: 'platform', row: 40 };
  t.equal(watch.now(), 'quiet');
  watch.follow({ kind: 'hold.started', ...hold, region: 'a', impactAt: 0, sample: null }, 40);
  t.equal(watch.now(), 'hold');
  watch.follow({ kind: 'hold.started', ...hold, row: 85, region: 'a', impactAt: 0, sample: null }, 40);
  watch.follow({ kind: 'hold.ended', ...hold, row: 85, why: '' }, 40);
  t.equal(watch.now(), 'hold', 'another row’s hold is none of it');
  watch.follow({ kind: 'hold.ended', ...hold, why: '' }, 40);
  t.equal(watch.now(), 'quiet');
});
