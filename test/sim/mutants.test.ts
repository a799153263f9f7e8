// The proof that the simulator can fail (decision 0018), as far as a test has time for: every mutant fits the sources and
// compiles, some are killed, and the hunt itself says no where it has to. `npm run sim -- --mutants` hunts them all.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import t from 'tap';
import { allMutants } from '../../src/sim/mutants/catalogue.ts';
import { diffsOf, huntOne, isKilled } from '../../src/sim/mutants/hunt.ts';
import {
  changedLines,
  diffOf,
  edited,
  MOST_LINES,
  type Mutant,
  type NamedMutant,
} from '../../src/sim/mutants/mutant.ts';
import { complaintsOf } from '../support/mutants.ts';

t.setTimeout(500_000);
const mutants = await allMutants();
const named = (number: string): NamedMutant => {
  const mutant = mutants.find((one) => one.number === number);
  if (mutant === undefined) throw new RangeError(`no mutant ${number}`);
  return mutant;
};

t.test('each mutant is found once in the sources, and changes no more than five lines', async (t) => {
  t.ok(mutants.length >= 30, `${mutants.length} mutants`);
  for (const mutant of mutants) {
    const lines = diffsOf(mutant).reduce((sum, diff) => sum + changedLines(diff), 0);
    t.ok(lines >= 1 && lines <= MOST_LINES, `${mutant.number} ${mutant.name} changes ${lines}`);
    t.ok(mutant.caughtBy.length > 0 && mutant.caughtBy.every((number) => number >= 1 && number <= 30));
  }
});

t.test('all of them compile', async (t) => {
  t.equal(complaintsOf(mutants), '');
});

t.test('one that does not compile is told of', async (t) => {
  const wrong: NamedMutant = {
    ...edit('src/policies/quorum.ts', 'if (bad >= k) return', 'if (bad >= nothing) return'),
    number: '00',
    name: 'wrong',
  };
  t.match(complaintsOf([wrong]), /quorum\.mutant-00\.ts.*nothing/);
});

t.test('the page of mutants names each, with what it breaks and who sees it', async (t) => {
  const page = readFileSync('docs/mutants.md', 'utf8');
  for (const { number, says, caughtBy, unit } of mutants) {
    const row = page.split('\n').find((line) => line.startsWith(`| ${number} |`)) ?? '';
    t.ok(row.includes(says), `${number}: ${says}`);
    t.ok(row.includes(unit ?? `| ${caughtBy.join(', ')} |`), `${number}: ${row}`);
  }
});

for (const number of ['01', '04', '05', '12'])
  t.test(`mutant ${number} is killed: ${named(number).says}`, async (t) => {
    const fate = await huntOne({ ...named(number), within: 150 }, { plain: 2 });
    t.ok(isKilled(fate), JSON.stringify(fate));
  });

const edit = (file: string, find: string, replace: string): Mutant => ({
  says: 'made up for the test',
  file,
  find,
  replace,
  caughtBy: [15],
});
const hunted = (mutant: Mutant, within: number) =>
  huntOne({ ...mutant, within, number: '00', name: 'made-up' }, { plain: 1 });

t.test('one that changes nothing that matters survives', async (t) => {
  const fate = await hunted(
    edit('src/policies/quorum.ts', 'whatever the rest would say', 'whatever the others say'),
    5,
  );
  t.match(fate, { kind: 'survived', seeds: 5, others: [] });
  t.notOk(isKilled(fate));
});

t.test('one that is caught by another invariant than it says is not killed, and the other is told', async (t) => {
  const mutant = { ...named('12'), caughtBy: [23], obvious: true } as const;
  const fate = await huntOne({ ...mutant, within: 60 }, { plain: 1 });
  t.match(fate, { kind: 'survived', others: [{ invariant: 15 }] });
});

t.test('one that shows where nothing is wrong proves nothing', async (t) => {
  const { obvious: _shows, ...hidden } = named('08');
  t.match(await huntOne({ ...hidden, within: 5 }, { plain: 8 }), { kind: 'unclean', by: { invariant: 13 } });
});

t.test('one in a file that its world does not run is told of', async (t) => {
  const fate = await hunted(edit('src/actions/verify-dns.ts', 'export const verifyDns', 'export let verifyDns'), 5);
  t.strictSame(fate, { kind: 'unplanted', files: ['src/actions/verify-dns.ts'] });
});

t.test('text that is not there, there twice, or replaced by itself is refused', async (t) => {
  const of = (find: string, replace: string) => () => edited('a b b', { file: 'x.ts', find, replace });
  t.throws(of('c', 'd'), /is not there/);
  t.throws(of('b', 'd'), /is there twice/);
  t.throws(of('a', 'a'), /nothing is replaced/);
  t.throws(of('', 'a'), /is not there/);
  t.equal(of('a', '$&')(), '$& b b');
});

t.test('a diff tells whole lines, and counts the longer side', async (t) => {
  const source = 'one\ntwo\nthree\nfour\n';
  const diff = diffOf(source, { file: 'x.ts', find: 'wo\nthree', replace: 'wice\nand\nthree' });
  t.strictSame(diff, { removed: ['two'], added: ['twice', 'and'] });
  t.equal(changedLines(diff), 2);
  t.strictSame(diffOf('a\na\n', { file: 'x.ts', find: 'a\na', replace: 'a' }), { removed: ['a'], added: [] });
});

t.test('a number that no mutant has is a mistake of usage', async (t) => {
  const run = spawnSync(process.execPath, ['src/sim/main.ts', '--mutants', '--only', '00'], { encoding: 'utf8' });
  t.equal(run.status, 2);
  t.match(run.stderr, /--only: there is no mutant 00/);
});
