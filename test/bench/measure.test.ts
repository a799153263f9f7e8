// What `npm run bench` says of numbers. The numbers themselves depend on the machine and are asserted nowhere.
import { spawnSync } from 'node:child_process';
import { hostname } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { against, compare, findingLine, interleaved, least, quantity, quartiles } from '../../bench/measure.ts';
import { resultsPage, thisMachine } from '../../bench/results.ts';
import { repositoryRoot } from '../support/repository.ts';

const limitMs = 60_000;
const options = (rounds: number, signal = new AbortController().signal) => ({ rounds, tell: () => undefined, signal });

t.test('a median with its quartiles doesn’t hang on the order the numbers came in', async (t) => {
  t.same(quartiles([5, 1, 4, 2, 3]), { q1: 2, median: 3, q3: 4 });
  t.same(quartiles([4, 1, 3, 2]), { q1: 1.75, median: 2.5, q3: 3.25 });
  t.same(quartiles([7]), { q1: 7, median: 7, q3: 7 });
  t.throws(() => quartiles([]), RangeError);
});

t.test('the sides are measured in turn, and the first round only warms up', async (t) => {
  const order: string[] = [];
  const side = (name: string) => ({
    name,
    measure: async () => {
      order.push(name);
      return { total: order.length };
    },
  });
  const samples = await interleaved([side('a'), side('b')], options(2));
  t.equal(order.join(''), 'ababab');
  t.same(quantity(samples, 'a', 'total'), [3, 5]);
  t.same(quantity(samples, 'b', 'total'), [4, 6]);
});

t.test('a side that can’t be measured ends the bench with its reason', async (t) => {
  const broken = { name: 'a', measure: () => Promise.reject(new Error('no PostgreSQL here')) };
  await t.rejects(interleaved([broken], options(1)), { message: 'no PostgreSQL here' });
});

t.test('a bench that is stopped measures nothing more', async (t) => {
  const stopping = new AbortController();
  let measured = 0;
  const side = {
    name: 'a',
    measure: async () => {
      measured += 1;
      stopping.abort(new Error('stopped by SIGINT'));
      return { total: 1 };
    },
  };
  await t.rejects(interleaved([side], options(5, stopping.signal)), { message: 'stopped by SIGINT' });
  t.equal(measured, 1);
});

t.test('a bound is within up to its limit and over beyond it', async (t) => {
  const verdict = (measured: number): string => compare('x', 'ms', [measured], [100], 1.5).verdict;
  t.equal(verdict(150), 'within');
  t.equal(verdict(151), 'over');
  t.equal(against('x', 'MB', [150], 150).verdict, 'within');
  t.equal(against('x', 'MB', [151], 150).verdict, 'over');
  t.equal(least('x', '/s', [200], 200).verdict, 'within');
  t.equal(least('x', '/s', [199], 200).verdict, 'over');
  t.match(findingLine(compare('x', 'ms', [120], [100], 1.5)), /120.*100.*1\.20.*1\.5.*within$/);
});

t.test('the results name the kind of machine and nothing that is only this one', async (t) => {
  const finding = compare('overhead', 'ms', [120], [100], 1.5);
  const results = [{ bench: 'one', says: 'what it is', findings: [finding], notes: [] }];
  const page = resultsPage(results, thisMachine(), { before: 0.5, after: 1.5 }, '2030-01-01');
  t.match(page, '| overhead | 1 | 120 ms (120 to 120) | 100 ms (100 to 100) | 1.20 | 1.5 | within |');
  t.match(page, process.version);
  if (hostname().length > 3) t.notMatch(page, hostname());
  t.notMatch(page, repositoryRoot);
});

t.test('why a bound is over is told where one is', async (t) => {
  const page = (value: number): string => {
    const findings = [compare('overhead', 'ms', [value], [100], 1.5)];
    const results = [{ bench: 'one', says: 'what it is', findings, notes: [], whyOver: ['it copies'] }];
    return resultsPage(results, thisMachine(), { before: 0.5, after: 1.5 }, '2030-01-01');
  };
  t.match(page(151), 'Why it is over:\n\n- it copies\n');
  t.notMatch(page(150), 'it copies');
});

t.test('a bench that there is not, or no number of rounds, is refused with what there is', async (t) => {
  for (const [args, said] of [
    [['--only', 'nothing'], /failover, .*start, webhooks/],
    [['--rounds', '0'], /--rounds 0/],
    [['--rounds', 'many'], /--rounds many/],
    [['--fast'], /--fast/],
  ] as const) {
    const ran = spawnSync(process.execPath, [join(repositoryRoot, 'bench/main.ts'), ...args], {
      encoding: 'utf8',
      timeout: limitMs,
    });
    t.equal(ran.status, 2, args.join(' '));
    t.match(ran.stderr, said);
    t.equal(ran.stdout, '');
  }
});
