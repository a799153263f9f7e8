// Every kind of mistake in a configuration, one file each, with the place and the code beside it.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { loadConfig } from '../../src/runtime/config/load.ts';
import { PROBLEMS, type Problem } from '../../src/runtime/config/problem.ts';
import { callCheck, FIXTURES, reportFor } from './support.ts';

const files = readdirSync(FIXTURES);
const named = (pattern: RegExp): string[] => files.filter((file) => pattern.test(file)).sort();
const expectedOf = (file: string): string[] =>
  readFileSync(join(FIXTURES, file.replace(/\.yaml$/, '.expected')), 'utf8')
    .trimEnd()
    .split('\n');
const lineOf = (problem: Problem): string => `${problem.line}:${problem.column}:${problem.path} ${problem.code}`;

/** Stands in the files where a secret was written in plain. */
const PLAIN_SECRET = 'correct-horse-battery-staple';

const invalid = named(/^invalid-.*\.yaml$/);
const warned = named(/^warning-.*\.yaml$/);
/** Right by the schema, and wrong by a rule of the lease alone: `failoverd simulate` shows what comes of each. */
const unsafe = named(/^unsafe-.*\.yaml$/);
const shown = new Set<string>();

t.test('a mistake is told with its place, its value and a remedy, and ends with exit code 2', async (t) => {
  t.ok(invalid.length >= 30, `${invalid.length} kinds of mistake`);
  for (const file of invalid) {
    const report = await reportFor([file], FIXTURES);
    t.equal(report.code, 2, `${file} is refused`);
    t.equal(report.ok, false);
    const expected = expectedOf(file);
    t.same([...report.problems, ...report.warnings].map(lineOf), expected, file);
    for (const problem of [...report.problems, ...report.warnings]) {
      shown.add(problem.code);
      t.equal(problem.file, file);
      t.ok(problem.value !== '' && problem.remedy !== '' && problem.message !== '', `${file}: nothing is left unsaid`);
    }
  }
});

t.test('a lease that breaks a rule is refused by that rule, and a simulation alone may have it', async (t) => {
  t.ok(unsafe.length >= 6);
  for (const file of unsafe) {
    const report = await reportFor([file], FIXTURES);
    t.equal(report.code, 2, `${file} is refused`);
    t.same([...report.problems, ...report.warnings].map(lineOf), expectedOf(file), file);
    const told = await loadConfig(file, FIXTURES, { unsafe: 'told' });
    t.equal(told.kind, 'loaded', `${file} is right but for that`);
    t.same(told.warnings.map(lineOf), expectedOf(file), 'and what is wrong is told');
  }
  t.equal((await loadConfig('invalid-timing-zero.yaml', FIXTURES, { unsafe: 'told' })).kind, 'refused');
});

t.test('for people, each mistake is one line that an editor can jump to', async (t) => {
  for (const file of invalid) {
    const { code, stdout, stderr } = await callCheck([file], FIXTURES);
    t.equal(code, 2);
    t.equal(stdout, '', 'mistakes go to standard error');
    for (const expected of expectedOf(file)) {
      const [line = '', column = ''] = expected.split(':');
      t.match(stderr, new RegExp(`^(?:error|warning)  ${RegExp.escape(`${file}:${line}:${column}  `)}`, 'm'), file);
    }
  }
});

t.test('no message repeats a secret that stands in the file', async (t) => {
  const withSecret = files.filter(
    (file) => file.endsWith('.yaml') && readFileSync(join(FIXTURES, file), 'utf8').includes(PLAIN_SECRET),
  );
  t.ok(withSecret.length >= 4);
  for (const file of withSecret) {
    const human = await callCheck([file], FIXTURES);
    const json = await callCheck([file, '--json'], FIXTURES);
    t.notMatch(human.stdout + human.stderr + json.stdout + json.stderr, PLAIN_SECRET, file);
  }
});

t.test('what is dangerous and may be meant is warned of, and passes', async (t) => {
  t.ok(warned.length > 0);
  for (const file of warned) {
    const report = await reportFor([file], FIXTURES);
    t.equal(report.code, 0, `${file} passes`);
    t.same(report.warnings.map(lineOf), expectedOf(file), file);
    for (const warning of report.warnings) shown.add(warning.code);
  }
});

t.test('the files they were all made from are right', async (t) => {
  for (const file of ['valid.yaml', 'valid-guard.yaml', 'valid-guard-file.yaml']) {
    const report = await reportFor([file], FIXTURES);
    t.equal(report.code, 0, file);
    t.same(report.warnings, [], file);
  }
});

t.test('there is a file for every code', async (t) => {
  // These have no text that could stand in a file of their own: see check.test.ts and secrets.test.ts.
  const elsewhere = [
    'file-unreadable',
    'file-too-large',
    'secret-unset',
    'secret-empty',
    'secret-unreadable',
    'token-form',
    'pem-unreadable',
    'pem-bad',
    'pem-pair',
  ];
  t.same(
    Object.keys(PROBLEMS).filter((code) => !shown.has(code) && !elsewhere.includes(code)),
    [],
  );
});

t.test('every expectation has its file', async (t) => {
  t.same(
    named(/\.expected$/).map((file) => file.replace(/\.expected$/, '.yaml')),
    [...invalid, ...unsafe, ...warned].sort(),
  );
});
