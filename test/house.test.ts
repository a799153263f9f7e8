// The house rules that tools check, run as tests so that a break counts among the failed.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';

const root = join(import.meta.dirname, '..');
const limitMs = 180_000;

/** Runs a tool of the checkout as a person would: without what the test runner puts into NODE_OPTIONS. */
function complaints(tool: string, args: readonly string[]): string {
  const { NODE_OPTIONS: _ours, ...env } = process.env;
  const run = spawnSync(join(root, 'node_modules/.bin', tool), args, {
    cwd: root,
    env,
    encoding: 'utf8',
    timeout: limitMs,
  });
  if (run.error !== undefined) return `${tool}: ${run.error.message}`;
  return run.status === 0
    ? ''
    : `${run.stdout}\n${run.stderr}`.trim() || `${tool} ended with ${run.status ?? run.signal}`;
}

t.test('the types hold', async (t) => {
  t.equal(complaints('tsc', ['--noEmit', '--pretty', 'false']), '');
});

t.test('every file is formatted and linted', async (t) => {
  t.equal(complaints('biome', ['check', '--colors=off', '--max-diagnostics=50']), '');
});
