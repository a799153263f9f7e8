// Runs the tests and says how it went in the last line: `N passed, N failed`. tap's own output ends in a time, and its
// counts are of assertions; here a test is the innermost named test. Right on failure, on a crash and on a hang: the
// run is a process group of its own that is ended when the whole takes too long.
//
//   npm test                     everything
//   npm test -- test/engine      these files or folders
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { delimiter, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { Parser } from 'tap-parser';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const MODULES = join(ROOT, 'node_modules');
const LIMIT_MS = Number(process.env.FAILOVERD_TEST_LIMIT_MS ?? 30 * 60_000);
const IN_CI = !['', '0', 'false', undefined].includes(process.env.CI);
const KILL_AFTER_MS = 10_000;
/** Output of a run that ended may still be in the pipe; an orphan that holds the pipe must not hold us. */
const DRAIN_MS = 5_000;
const HEARTBEAT_MS = 30_000;
const DETAIL_LINES = 60;
/** Failures of one file that are explained; a file that fails everywhere has one cause, and it is among the first. */
const EXPLAINED = 10;
/** tap's word for a file without tests: a test that tests nothing is a mistake, not a skip. */
const NO_TESTS = 'no tests found';

/**
 * One named test: a file, or a test inside.
 * @typedef {{ name: string, tests: Test[], failures: object[], assertions: number, skipped: number, extra: string[] }} Test
 */

const newTest = (name) => ({ name, tests: [], failures: [], assertions: 0, skipped: 0, extra: [] });

/** Follows one level of TAP into `test`. `onTest`, when given, marks the level of files: each result there is a test. */
function follow(parser, test, onTest) {
  let child;
  parser.on('child', (inner) => {
    child = newTest(inner.name);
    follow(inner, child);
  });
  parser.on('assert', (result) => {
    const ended = child ?? (onTest === undefined ? undefined : newTest(result.name));
    child = undefined;
    if (ended === undefined) return assertion(test, result);
    conclude(ended, result);
    test.tests.push(ended);
    onTest?.(ended, result);
  });
  parser.on('extra', (text) => test.extra.push(text));
  parser.on('bailout', (reason) => test.failures.push({ name: `bailed out: ${reason}` }));
}

const isSkip = (result) => Boolean(result.skip || result.todo);

function assertion(test, result) {
  test.assertions += 1;
  if (isSkip(result)) test.skipped += 1;
  else if (!result.ok) test.failures.push(result);
}

/** The result of a test as its parent reports it: the only place that knows of a crash, a time-out, or a skip. */
function conclude(test, result) {
  // A file that ran out of time is reported under another name, and says which it was.
  test.name = result.diag?.expired ?? (result.name || test.name);
  if (result.skip === NO_TESTS) test.failures.push({ name: 'holds no test' });
  else if (isSkip(result)) test.skippedWhole = true;
  else if (!result.ok && count(test).failed === 0) test.failures.push(result);
  else if (test.tests.length === 0 && test.assertions === 0 && count(test).failed === 0) {
    test.failures.push({ name: 'asserts nothing' });
  }
}

/** A test with tests inside is counted by them; it fails by itself only where none of them says why. */
function count(test) {
  if (test.tests.length === 0) {
    const skipped = test.skippedWhole || (test.assertions > 0 && test.assertions === test.skipped);
    if (test.failures.length > 0) return { passed: 0, failed: 1, skipped: 0 };
    return skipped ? { passed: 0, failed: 0, skipped: 1 } : { passed: 1, failed: 0, skipped: 0 };
  }
  const total = { passed: 0, failed: test.failures.length > 0 ? 1 : 0, skipped: test.skipped };
  for (const inner of test.tests) {
    const part = count(inner);
    total.passed += part.passed;
    total.failed += part.failed;
    total.skipped += part.skipped;
  }
  return total;
}

function say(text) {
  process.stdout.write(`${text}\n`);
}

function indent(text, by) {
  const lines = text.trimEnd().split('\n');
  const shown = lines.slice(0, DETAIL_LINES);
  if (lines.length > shown.length) shown.push(`... ${lines.length - shown.length} more lines`);
  return shown.map((line) => `${by}${line}`).join('\n');
}

function explain(failure, by) {
  say(`${by}not ok: ${failure.name}`);
  const { diff, at, source, stack, stdio, cwd, externalID, command, args, jobId, ...rest } = failure.diag ?? {};
  if (at?.fileName !== undefined) say(`${by}  at ${at.fileName}:${at.lineNumber}:${at.columnNumber}`);
  if (typeof diff === 'string') say(indent(diff, `${by}  `));
  else if (Object.keys(rest).length > 0) say(indent(inspect(rest, { depth: 6, breakLength: 110 }), `${by}  `));
  if (typeof stack === 'string' && stack !== '') say(indent(stack, `${by}    `));
}

/** Every failure below `test`, each with the names that lead to it. */
function failuresOf(test, path) {
  return [
    ...test.failures.map((failure) => ({ path: path.join(' > '), failure })),
    ...test.tests.flatMap((inner) => failuresOf(inner, [...path, inner.name])),
  ];
}

function explainAll(file) {
  const failures = failuresOf(file, [file.name]);
  for (const { path, failure } of failures.slice(0, EXPLAINED)) {
    say(`  ${path}`);
    explain(failure, '    ');
  }
  for (const { path, failure } of failures.slice(EXPLAINED)) say(`  ${path}: not ok: ${failure.name}`);
}

function testFiles(folder) {
  return readdirSync(folder, { recursive: true }).filter((name) => name.endsWith('.test.ts')).length;
}

function reportFile(file, result, progress) {
  const { passed, failed, skipped } = count(file);
  progress.done += 1;
  const of = progress.files === undefined ? '' : `/${progress.files}`;
  const counts = [`${passed} passed`, failed > 0 && `${failed} failed`, skipped > 0 && `${skipped} skipped`];
  const seconds = result.time === null || result.time === undefined ? '' : ` in ${(result.time / 1000).toFixed(1)} s`;
  const verdict = failed > 0 ? 'FAILED' : 'ok    ';
  say(`${verdict} ${progress.done}${of} ${file.name}: ${counts.filter(Boolean).join(', ')}${seconds}`);
  if (typeof result.skip === 'string' && failed === 0) say(`       skipped: ${result.skip}`);
  if (failed === 0) return;
  explainAll(file);
  const extra = file.extra.join('').trim();
  if (extra !== '') say(`  its output:\n${indent(extra, '    ')}`);
}

/** Signals what is left of the run. Nobody left (ESRCH), or only what has ended or isn't ours (EPERM), is fine. */
function endGroup(pid, signal) {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if (error.code !== 'ESRCH' && error.code !== 'EPERM') throw error;
  }
}

/** Folders are named as people name them; tap wants files or globs. */
function asTapArgs(args) {
  return args.map((arg) => {
    const path = join(ROOT, arg);
    if (arg.startsWith('-') || !existsSync(path) || !statSync(path).isDirectory()) return arg;
    return `${relative(ROOT, path)}/**/*.test.ts`;
  });
}

function main(args) {
  const startedAt = Date.now();
  const progress = { done: 0, files: args.length === 0 ? testFiles(join(ROOT, 'test')) : undefined };
  const top = newTest('');
  const problems = [];
  let lastWordAt = Date.now();

  const parser = new Parser();
  follow(parser, top, (file, result) => {
    lastWordAt = Date.now();
    reportFile(file, result, progress);
  });

  const child = spawn('node', [join(MODULES, '.bin', 'tap'), '--reporter=tap', ...asTapArgs(args)], {
    cwd: ROOT,
    env: { ...process.env, PATH: `${join(MODULES, '.bin')}${delimiter}${process.env.PATH ?? ''}` },
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  child.stdout.on('data', (chunk) => parser.write(chunk));

  const limit = setTimeout(() => {
    problems.push(`the run took longer than ${Math.round(LIMIT_MS / 1000)} s and was ended`);
    endGroup(child.pid, 'SIGTERM');
    setTimeout(() => endGroup(child.pid, 'SIGKILL'), KILL_AFTER_MS).unref();
  }, LIMIT_MS);
  const heartbeat = setInterval(() => {
    if (Date.now() - lastWordAt < HEARTBEAT_MS) return;
    lastWordAt = Date.now();
    say(`       ${Math.round((Date.now() - startedAt) / 1000)} s, still running`);
  }, HEARTBEAT_MS);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      if (problems.length > 0) return endGroup(child.pid, 'SIGKILL');
      problems.push(`the run was stopped by ${signal}`);
      endGroup(child.pid, 'SIGTERM');
      setTimeout(() => endGroup(child.pid, 'SIGKILL'), KILL_AFTER_MS).unref();
    });
  }

  let finished = false;
  const finish = (code, signal) => {
    if (finished) return;
    finished = true;
    clearTimeout(limit);
    clearInterval(heartbeat);
    parser.end();
    // Nothing that a test left running may outlive the run.
    endGroup(child.pid, 'SIGKILL');
    const total = top.tests.length === 0 ? { passed: 0, failed: 0, skipped: 0 } : count({ ...top, failures: [] });
    problems.push(...top.failures.map((failure) => failure.name));
    if (top.tests.length === 0) problems.push('no test ran');
    else if (code !== 0 && total.failed + problems.length === 0) {
      problems.push(`tap ended with ${signal ?? `exit code ${code}`} though no test failed`);
    }
    if (IN_CI && total.skipped > 0) problems.push('tests were skipped, and CI is where everything has to run');
    for (const problem of problems) say(`FAILED ${problem}`);
    const failed = total.failed + problems.length;
    const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : '';
    say(`       ${((Date.now() - startedAt) / 1000).toFixed(1)} s`);
    say(`${total.passed} passed, ${failed} failed${skipped}`);
    process.exit(failed === 0 ? 0 : 1);
  };
  child.once('error', (error) => {
    problems.push(`tap could not be started: ${error.message}`);
    finish(1, null);
  });
  child.once('exit', (code, signal) => setTimeout(finish, DRAIN_MS, code, signal));
  child.once('close', finish);
}

main(process.argv.slice(2));
