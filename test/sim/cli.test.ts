// The command line of the simulator: what it takes, what it refuses, and what it ends with.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { optionsOf } from '../../src/sim/options.ts';
import { failuresOf, summaryLines } from '../../src/sim/print.ts';
import { addHistory, emptySummary } from '../../src/sim/summary.ts';
import { WHOLE } from '../../src/sim/world.ts';

const sim = (...args: readonly string[]) =>
  spawnSync(process.execPath, ['src/sim/main.ts', ...args], { encoding: 'utf8', timeout: 120_000 });
const of = (...args: readonly string[]) => optionsOf(args, ['whole', 'lease']);

t.test('options', async (t) => {
  t.match(of(), { seed: null, seeds: 1000, from: 1, minutes: null, worlds: ['whole', 'lease'] });
  t.match(of('--minutes', '2'), { minutes: 2, seeds: 999_999_999 });
  t.match(of('--minutes', '0.5', '--seeds', '10'), { minutes: 0.5, seeds: 10 });
  t.strictSame(of('--world', 'lease').worlds, ['lease']);
  t.strictSame(of('--world', 'both').worlds, ['whole', 'lease']);
  t.strictSame(of('--seed', '7', '--trace').worlds, ['whole'], 'a seed is one of one world');
});

t.test('what can’t be taken is named, with the value', async (t) => {
  for (const [args, named] of [
    [['--seeds', 'many'], /--seeds.*many/],
    [['--minutes', '0'], /--minutes.*0/],
    [['--world', 'flat'], /--world.*flat/],
    [['--trace'], /--seed/],
    [['--seed', '1', '--seeds', '2'], /--seed/],
    [['--group', 'platform'], /--config/],
    [['--fast'], /--fast/],
  ] as const) {
    t.throws(() => of(...args), { message: named });
  }
  t.equal(sim('--world', 'flat').status, 2);
});

t.test('one history as a transcript', async (t) => {
  const told = sim('--seed', '4', '--world', 'whole', '--trace');
  t.equal(told.status, 0, told.stderr);
  t.match(told.stdout, /seed 4: .*\n(?:.*\n)*.*daemon starts/);
});

t.test('a violation makes the run fail, with the seed that shows it again', async (t) => {
  const summary = emptySummary('whole');
  addHistory(summary, {
    seed: 77,
    violations: [{ invariant: 1, what: 'both can commit', atMs: 5 }],
    simulatedMs: 10,
    events: 1,
    entries: 1,
    outcome: 'dies: verified',
    completed: true,
    hits: {},
    least: {},
  });
  t.match(failuresOf(WHOLE, summary, true), [/1 violations/]);
  t.ok(summaryLines(WHOLE, summary, 1000, true).some((line) => /invariant 1 at seed 77.*--seed 77 --trace/.test(line)));
});

t.test('a user’s config: its times are simulated, and what does not fit is said', async (t) => {
  const dir = t.testdir();
  const file = (name: string, text: string): string => {
    const path = join(dir, name);
    writeFileSync(path, text);
    return path;
  };
  const good = sim('--seeds', '20', '--world', 'whole', '--jobs', '1', '--config', 'config/failover.yaml', '--json');
  t.equal(good.status, 0, `${good.stdout}${good.stderr}`);
  const summary = JSON.parse(good.stdout);
  t.equal(summary.histories, 20);
  t.ok(summary.simulatedMs / 20 > 300_000, 'a hold of five minutes is waited for');
  const minimal = sim('--seeds', '1', '--world', 'whole', '--config', 'config/minimal.yaml');
  t.equal(minimal.status, 2);
  t.match(minimal.stderr, /autonomy: observe/);
  const wrong = sim('--seeds', '1', '--world', 'whole', '--config', file('wrong.yaml', 'version: 2\n'));
  t.equal(wrong.status, 2);
  t.match(wrong.stderr, /version/);
});
