// `failoverd check` on the configurations that are shipped, and on files that are not there.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { UsageError } from '../../src/cli/command.ts';
import { MOST_BYTES } from '../../src/runtime/config/load.ts';
import { callCheck, FIXTURES, ROOT, reportFor } from './support.ts';

t.test('the strategy is right, and people are told that it runs at observe and why', async (t) => {
  const { code, stdout, stderr } = await callCheck(['config/failover.yaml']);
  t.equal(code, 0);
  t.equal(stderr, '');
  t.match(stdout, /gated declared; runs at observe/);
  t.match(stdout, /clickhouse .*not supported yet/);
  t.match(stdout, /in all +4m +of an RTO of 5m/);
  t.match(stdout, /^ok {2}config\/failover\.yaml/m);
});

t.test('the strategy holds every row, phase and component that dr-strategy names', async (t) => {
  const report = await reportFor(['config/failover.yaml']);
  const [group] = report.groups;
  t.same(
    group?.matrix.map((row) => row.id),
    [10, 20, 30, 40, 42, 45, 50, 60, 70, 80, 85, 86, 90],
  );
  t.ok(
    group?.matrix.every((row) => Object.keys(row.example).length > 0),
    'every row has values that make it match',
  );
  t.same(new Set(group?.components.map((component) => component.kind)), new Set(KINDS));
  t.ok(group?.components.every((component) => component.tier === 1));
  t.equal(
    group?.phases.reduce((sumMs, phase) => sumMs + phase.budgetMs, 0),
    360_000,
    'in a row they take longer than the RTO',
  );
  t.equal(group?.criticalPathMs, 240_000, 'beside each other they do not');
  t.match(group?.approvals, { businessHours: ['sre', 'vp'], otherwise: ['sre'] });
  t.equal(group?.notifyExecutivesWithinMs, 30 * 60_000);
  t.same(
    report.regions.map((region) => region.role),
    ['primary', 'secondary', 'witness'],
  );
});
const KINDS = ['postgres', 'clickhouse', 'nats', 'bucket', 'cache', 'workload', 'http', 'dns'];

t.test('the first hour fits on 30 lines and watches at observe', async (t) => {
  const lines = readFileSync(join(ROOT, 'config/minimal.yaml'), 'utf8').trimEnd().split('\n');
  t.ok(lines.length <= 30, `${lines.length} lines`);
  const report = await reportFor(['config/minimal.yaml']);
  t.equal(report.code, 0);
  t.match(report.groups[0]?.autonomy, { declared: 'observe', inForce: 'observe' });
  t.same(report.warnings, []);
});

t.test('JSON says the same as the lines for people', async (t) => {
  const report = await reportFor(['config/failover.yaml']);
  const { stdout } = await callCheck(['config/failover.yaml']);
  t.ok(report.ok);
  for (const { path } of report.notSupported) t.ok(stdout.includes(path), path);
  for (const component of report.groups[0]?.components ?? []) t.ok(stdout.includes(component.id), component.id);
  for (const { why } of report.groups[0]?.autonomy.caps.filter((cap) => cap.autonomy === 'observe') ?? [])
    t.ok(stdout.replace(/\s+/g, ' ').includes(why), why);
});

t.test('a cap above what is in force is not given as the reason', async (t) => {
  const { stdout } = await callCheck(['config/failover.yaml']);
  t.notMatch(stdout.split('quorum')[0], /row 10/);
});

t.test('a file that can not be read is told apart from one that is wrong', async (t) => {
  const folder = t.testdir({ huge: '', sub: {} });
  truncateSync(join(folder, 'huge'), MOST_BYTES + 1);
  const codeOf = async (file: string): Promise<string | undefined> => {
    const report = await reportFor([file], folder);
    t.equal(report.code, 2);
    t.ok(report.problems.every((problem) => problem.value !== '' && problem.remedy !== ''));
    return report.problems[0]?.code;
  };
  t.equal(await codeOf('absent.yaml'), 'file-unreadable');
  t.equal(await codeOf('sub'), 'file-unreadable');
  t.equal(await codeOf('huge'), 'file-too-large');
});

t.test('a pipe is not waited for', async (t) => {
  const folder = t.testdir({});
  const made = spawnSync('mkfifo', [join(folder, 'pipe')], { timeout: 5000 });
  if (made.status !== 0) t.bailout('mkfifo is part of every system failoverd runs on');
  const report = await reportFor(['pipe'], folder);
  t.equal(report.problems[0]?.code, 'file-unreadable');
});

t.test('relative names are relative to the folder the command was called in', async (t) => {
  const folder = t.testdir({});
  mkdirSync(join(folder, 'etc'));
  writeFileSync(join(folder, 'etc/failover.yaml'), readFileSync(join(FIXTURES, 'valid.yaml')));
  t.equal((await reportFor(['etc/failover.yaml'], folder)).code, 0);
});

t.test('arguments that make no sense are answered with the way out', async (t) => {
  await t.rejects(callCheck([]), UsageError);
  await t.rejects(callCheck(['a.yaml', 'b.yaml']), UsageError);
  await t.rejects(callCheck(['a.yaml', '--jsn']), UsageError);
});

t.test('control characters of the file never reach the terminal', async (t) => {
  const folder = t.testdir({ 'x.yaml': 'version: "\\e[31m1"\n"\\e[2Jk\\u202e": 1\n' });
  const { stderr } = await callCheck(['x.yaml'], folder);
  t.match(stderr, /unknown|no such key/);
  t.notMatch(stderr, /[^\P{Cc}\n]|\p{Cf}/u);
});

t.test('a guard’s own file is known by its keys, and has the lease of its group', async (t) => {
  const { code, stdout } = await callCheck(['config/guard.yaml']);
  t.equal(code, 0);
  t.match(stdout, /guard +of platform\/postgres in us-east-1/);
  const guard = await reportFor(['config/guard.yaml']);
  t.same(guard.warnings, []);
  const group = (await reportFor(['config/failover.yaml'])).groups[0];
  t.equal(guard.guard?.lease.timingsHash, group?.lease?.timingsHash, 'the two files are one lease');
  t.equal(guard.guard?.group, group?.id);
  t.ok(group?.components.some(({ id, kind }) => id === guard.guard?.component && kind === 'postgres'));
});

t.test('a file of either kind that is broken at the top is judged as what it means to be', async (t) => {
  const folder = t.testdir({
    'guard.yaml': 'version: 1\npeers: {}\nstore: { url: http://x }\npostgres: { driver: pg_ctl }\n',
    'failover.yaml': 'version: 1\ngroups: {}\ndaemon: {}\nstore: {}\n',
  });
  const paths = async (file: string): Promise<string[]> =>
    (await reportFor([file], folder)).problems.map(({ path }) => path);
  t.ok((await paths('guard.yaml')).includes('postgres.binDir'));
  t.ok((await paths('failover.yaml')).includes('vantages'));
});

t.test('what a lease comes to is told: every rule with its numbers, what is lost, what is at risk', async (t) => {
  const { code, stdout } = await callCheck(['valid-guard.yaml'], FIXTURES);
  t.equal(code, 0);
  const said = stdout.replaceAll(/\s+/g, ' ');
  for (const rule of ['q < r', 'E + 3q + r <= G', 'G + K <= H', 'H <= L', 'L(1 + rho)/(1 - rho) + 2 s <= W'])
    t.ok(said.includes(rule), rule);
  const [group] = (await reportFor(['valid-guard.yaml'], FIXTURES)).groups;
  const lease = group?.lease;
  t.same(lease?.expiredIsNoProof, []);
  t.equal(group?.autonomy.inForce, 'auto');
  t.same(
    lease?.isolated.map(({ forMs, leastMs, mostMs, mayMove }) => [forMs, leastMs, mostMs, mayMove]),
    [
      [10_000, 0, 0, false],
      [43_000, 0, 0, false],
      [120_000, 0, 13_000, false],
      [300_000, 172_000, 186_000, true],
      [600_000, 472_000, 486_000, true],
    ],
  );
  t.equal(lease?.exposureMs, 135_000);
  t.match(lease?.writable, [{ row: 40, auto: true, confirmedMs: null, expiredMs: 429_000, waitedOverMs: 0 }]);
});

t.test('a primary that serves on loses nothing to an isolation, and may write without bound', async (t) => {
  const lease = (await reportFor(['config/failover.yaml'])).groups[0]?.lease;
  t.ok(lease?.isolated.every(({ leastMs, mostMs, mayMove }) => leastMs === 0 && mostMs === 0 && !mayMove));
  t.equal(lease?.exposureMs, null);
  t.equal(lease?.writable[0]?.expiredMs, null, 'the end of its lease proves nothing');
  t.type(lease?.writable[0]?.confirmedMs, 'number');
  t.match((await callCheck(['config/failover.yaml'])).stdout, /without bound/);
});
