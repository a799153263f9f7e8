// The first config, written by asking the servers: against a real pair, and every way in which they can disappoint.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { query } from '../../lab/servers/postgres.ts';
import { type Shell, UsageError } from '../../src/cli/command.ts';
import { databaseAddress } from '../../src/cli/init/address.ts';
import { configText } from '../../src/cli/init/config-text.ts';
import { mapAlerts } from '../../src/cli/init/mapping.ts';
import { init } from '../../src/cli/init.ts';
import { grantsFor, postgresRemedy } from '../../src/cli/remedies.ts';
import type { Config } from '../../src/model/config.ts';
import type { Failure } from '../../src/probes/failure.ts';
import { parseConfig } from '../../src/runtime/config/load.ts';
import { place, primaryAt, standbyAt } from '../probes/pair.ts';
import { folder, jsonServer, PROMETHEUS, terminal } from './first-hour.ts';
import { call } from './terminal.ts';

const HOST = { a: '127.0.98.1', b: '127.0.98.2', other: '127.0.98.3', outside: '127.0.98.9' } as const;
const at = await place();
t.teardown(() => at.remove());
const primary = await primaryAt(at, { host: HOST.a, fresh: true });
const standby = await standbyAt(at, primary, HOST.b);
const stranger = await primaryAt(at, { name: 'x', host: HOST.other, fresh: true });
const address = ({ host, port }: { host: string; port: number }): string => `${host}:${port}`;
const [A, B] = [address(primary), address(standby)];
const control = await jsonServer(t, HOST.outside, {});
const VARIABLES = { FAILOVERD_PG_PASSWORD: at.passwords.failoverd_ro };
const LOGIN = ['--user', 'failoverd_ro', '--database', 'app', '--tls', 'disable'];
const COMMON = [...LOGIN, '--control-target', control.url, '--yes'];
const both = (a: string, b: string): string[] => ['--primary', a, '--secondary', b];

function configIn(file: string, cwd: string, text: string): Config {
  const judged = parseConfig(file, cwd, text);
  if (judged.kind === 'refused') throw new Error(JSON.stringify(judged.problems));
  return judged.config;
}

/** Exit 2 with the usage error that ended it, or the exit code. */
async function run(argv: readonly string[], shell: Shell): Promise<number | string> {
  try {
    return await init(argv, shell);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return `${error.message}: ${error.remedy}`;
  }
}

t.test('by flags alone: a config that check takes, and that only observes', async (t) => {
  const cwd = folder(t);
  const shell = terminal(cwd, VARIABLES);
  t.equal(await run([...both(A, B), ...COMMON], shell), 0, shell.err());
  const text = readFileSync(join(cwd, 'failover.yaml'), 'utf8');
  const config = configIn('failover.yaml', cwd, text);
  const group = config.groups['main'];
  t.match(group, { autonomy: 'observe', primary: 'primary', secondary: 'secondary' });
  const [{ id }] = (await query<{ id: string }>(
    primary,
    'select system_identifier::text as id from pg_control_system()',
  )) as [{ id: string }];
  t.match(group?.components['db'], { systemIdentifier: id, tls: 'disable', instances: { primary: A, secondary: B } });
  t.notMatch(text, at.passwords.failoverd_ro, 'no password is in it');
  t.match(shell.out(), /the standby streams/);
  t.ok(text.split('\n').length < 45, 'some 30 lines');
  t.match(await call(['check', join(cwd, 'failover.yaml')]), { code: 0 });

  t.match(await run([...both(A, B), ...COMMON], shell), /is there already/);
  t.equal(readFileSync(join(cwd, 'failover.yaml'), 'utf8'), text, 'and is left as it is');
  t.equal(await run([...both(A, B), ...COMMON, '--force', '--group', 'shop'], shell), 0);
  t.match(readFileSync(join(cwd, 'failover.yaml'), 'utf8'), /^ {2}shop:$/m);
});

t.test('the two sides are told apart by themselves, whatever they were called', async (t) => {
  const shell = terminal(folder(t), VARIABLES);
  const argv = [...both(B, A), '--primary-region', 'eu', '--secondary-region', 'us', ...COMMON, '--json'];
  const urls = ['--primary-url', 'http://eu.test/', '--secondary-url', 'http://us.test/'];
  t.equal(await run([...argv, ...urls], shell), 0, shell.err());
  const told = JSON.parse(shell.out()) as { config: string; found: string[] };
  const config = configIn('x', '/', told.config);
  const group = config.groups['main'];
  t.match(group, { primary: 'us', secondary: 'eu' });
  t.match(group?.components['api'], { instances: { us: 'http://us.test/', eu: 'http://eu.test/' } });
  t.ok(told.found.some((line) => /was called the primary and is the standby/.test(line)));
});

t.test('with Prometheus: its Alertmanagers, what its alerts mean, and a fact', async (t) => {
  const prometheus = await jsonServer(t, HOST.outside, PROMETHEUS);
  const cwd = folder(t);
  const shell = terminal(cwd, VARIABLES);
  const argv = [...both(A, B), ...COMMON, '--prometheus', prometheus.url, '--monitoring-region', 'eu-west-1'];
  t.equal(await run(argv, shell), 0, shell.err());
  const config = configIn('x', cwd, readFileSync(join(cwd, 'failover.yaml'), 'utf8'));
  t.match(config.prometheus, { main: { url: prometheus.url, region: 'eu-west-1' } });
  t.strictSame(config.alertmanager?.apis, ['http://127.0.0.1:9093/prefix']);
  t.match(config.regions['eu-west-1'], { role: 'witness' });
  t.match(config.groups['main'], { primary: 'us-east-1', secondary: 'eu-central-1' }, 'regions by their label');
  t.match(config.groups['main']?.facts, { lag_seconds: { promql: 'max(pg_replication_lag_seconds)' } });
  t.strictSame(
    config.alertmanager?.facts?.map(({ match, fact, region }) => `${fact} ${region} ${match.join()}`),
    [
      'watchdog us-east-1 alertname="Watchdog",region="us-east-1"',
      'watchdog eu-central-1 alertname="Watchdog",region="eu-central-1"',
      'region-unreachable us-east-1 alertname="RegionUnreachable",region="us-east-1"',
      'workload-degraded us-east-1 alertname="KubePodCrashLooping"',
    ],
  );
  t.strictSame([...new Set(prometheus.requests.map((line) => line.split(' ')[0]))], ['GET']);
});

t.test(
  'whatever the servers answer amiss is told with what was asked and what helps; nothing is written',
  async (t) => {
    const nowhere = `${HOST.outside}:1`;
    const notPrometheus = await jsonServer(t, HOST.outside, {});
    const cases: readonly [
      what: string,
      argv: string[],
      variables: Record<string, string>,
      code: string,
      says: RegExp,
    ][] = [
      [
        'a wrong password',
        both(A, B),
        { FAILOVERD_PG_PASSWORD: 'wrong' },
        'auth',
        /password authentication failed.*create role failoverd_ro/s,
      ],
      ['nobody there', both(nowhere, B), VARIABLES, 'refused', /ECONNREFUSED/],
      [
        'two clusters',
        both(A, address(stranger)),
        { FAILOVERD_PG_PASSWORD: at.passwords.failoverd_ro },
        'foreign',
        /two clusters/,
      ],
      [
        'a database that nobody lets us into',
        [...both(A, B), '--database', 'nothing'],
        VARIABLES,
        'auth',
        /pg_hba\.conf/,
      ],
      ['no Prometheus', [...both(A, B), '--prometheus', `http://${nowhere}`], VARIABLES, 'refused', /Prometheus at/],
      [
        'no Prometheus but something',
        [...both(A, B), '--prometheus', notPrometheus.url],
        VARIABLES,
        'status',
        /path prefix/,
      ],
      [
        'no control target',
        [...both(A, B), '--control-target', `tcp://${nowhere}`],
        VARIABLES,
        'control',
        /none of them answers/,
      ],
      [
        'something else than PostgreSQL',
        both(control.host, B),
        VARIABLES,
        'protocol',
        /not PostgreSQL|correct the address/,
      ],
    ];
    for (const [what, argv, variables, code, says] of cases) {
      const shell = terminal(folder(t), variables);
      const own = argv.includes('--control-target') ? LOGIN : COMMON;
      // An option given twice counts as it was given last.
      const all = [...own, '--yes', ...argv, '--json'];
      t.equal(await run(all, shell), 1, what);
      const told = JSON.parse(shell.out()) as { written: boolean; faults: { code: string }[] };
      t.match(told, { written: false }, what);
      t.ok(
        told.faults.some((fault) => fault.code === code),
        `${what}: ${shell.out()}`,
      );
      t.match(shell.out(), says, what);
      for (const fault of told.faults) t.match(fault, { asked: /./, answered: /./, remedy: /./ }, what);
      t.throws(() => readFileSync(join(shell.cwd, 'failover.yaml')), what);
    }
  },
);

t.test('two primaries and two standbys are not a pair', async (t) => {
  // Seen from outside two addresses of one server are the same as two servers of one cluster.
  const other = '127.0.0.1';
  const alias = async (of: typeof primary): Promise<string> => {
    const { createLinks } = await import('../../lab/links/index.ts');
    const links = createLinks();
    t.teardown(() => links.close());
    const made = await links.link('x->y').forward({ listenHost: other, targetHost: of.host, targetPort: of.port });
    return `${made.host}:${made.port}`;
  };
  for (const [instance, code] of [
    [primary, 'both-primaries'],
    [standby, 'both-standbys'],
  ] as const) {
    const shell = terminal(folder(t), VARIABLES);
    t.equal(await run([...both(address(instance), await alias(instance)), ...COMMON, '--json'], shell), 1);
    t.match(JSON.parse(shell.out()), { faults: [{ code }] });
  }
});

t.test('a grant that is missing is named with the statement that gives it', async (t) => {
  await query(primary, 'revoke execute on function pg_control_system() from public', [], 'app');
  t.teardown(() => query(primary, 'grant execute on function pg_control_system() to public', [], 'app'));
  const shell = terminal(folder(t), VARIABLES);
  t.equal(await run([...both(A, A.replace(HOST.a, 'localhost')), ...COMMON], shell).catch(() => 1), 1);
  t.match(shell.err(), /grant execute on function pg_catalog\.pg_control_system\(\) to failoverd_ro;/);
});

t.test('no password is sent to a server that offers no TLS, unless somebody says so', async (t) => {
  const plain = ['--user', 'failoverd_ro', '--database', 'app', '--control-target', control.url];
  const shell = terminal(folder(t), VARIABLES);
  t.equal(await run([...both(A, B), ...plain, '--yes'], shell), 1);
  t.match(shell.err(), /offers no TLS.*--tls disable/s);
  const no = terminal(folder(t), VARIABLES, {});
  t.equal(await run([...both(A, B), ...plain], no), 1, 'an empty answer is no');
  const yes = terminal(folder(t), VARIABLES, { 'Send the password': 'y' });
  t.equal(await run([...both(A, B), ...plain], yes), 0, yes.err());
  t.match(readFileSync(join(yes.cwd, 'failover.yaml'), 'utf8'), /tls: disable/);
});

t.test('at a terminal it asks for what is not given, and not for ever', async (t) => {
  const answers = {
    'Address of the primary': A,
    'Address of its standby': B,
    Role: 'failoverd_ro',
    'Database to connect': 'app',
    'Password of failoverd_ro': at.passwords.failoverd_ro,
    'Addresses that always answer': control.url,
    'Send the password': 'yes',
    'region of the primary': 'us-east-1',
    'region of the secondary': 'eu-central-1',
  };
  const shell = terminal(folder(t), {}, answers);
  t.equal(await run([], shell), 0, shell.err());
  t.match(readFileSync(join(shell.cwd, 'failover.yaml'), 'utf8'), /primary: us-east-1/);
  t.ok(shell.asked.some((question) => question.startsWith('Password of')));
  t.notMatch(shell.out() + shell.err(), at.passwords.failoverd_ro);

  const stubborn = terminal(folder(t), {}, { ...answers, 'region of the primary': 'Not A Name' });
  t.match(await run([], stubborn), /--primary-region/);
  t.equal(stubborn.asked.filter((question) => question.includes('region of the primary')).length, 3);
});

t.test('what is typed wrongly is told before anybody is asked', async (t) => {
  const cwd = folder(t);
  writeFileSync(join(cwd, 'empty'), '');
  for (const [argv, says] of [
    [['extra'], /one too many/],
    [[], /--primary/],
    [both('postgres://me:secret@db/x', B), /holds a password/],
    [both('host=db password=secret', B), /none/],
    [both('db:99999', B), /no such port/],
    [both(A, A), /both databases are/],
    [[...both(A, B), '--password', 'secret'], /never the password/],
    [[...both(A, B), '--password', '${file:empty}'], /can't be read, or is empty/],
    [[...both(A, B), '--password', '${env:NOT_SET}'], /NOT_SET is not set/],
    [[...both(A, B), '--ca', 'empty'], /holds no certificate/],
    [[...both(A, B), '--ca', 'nowhere'], /can't be read/],
    [[...both(A, B), '--tls', 'maybe'], /one of verify-full/],
    [[...both(A, B), '--primary-region', 'x', '--secondary-region', 'x'], /two names/],
    [[...both(A, B), '--prometheus', 'ftp://x'], /http or https/],
    [[...both(A, B), '--prometheus', 'http://me:secret@x'], /holds a user or password/],
    [[...both(A, B), '--primary-url', 'http://x'], /both regions/],
    [[...both(A, B), '--control-target', 'nonsense'], /tcp:\/\//],
  ] as const) {
    const flags = argv.some((word) => word === '--control-target') ? LOGIN : COMMON;
    const shell = terminal(cwd, VARIABLES);
    const told = await run([...flags, '--yes', ...argv], shell);
    t.match(String(told), says, argv.join(' '));
    t.notMatch(`${told}${shell.err()}`, /secret@|password=secret/);
  }
});

t.test('what helps goes by the SQLSTATE, not by the words', async (t) => {
  const login = { user: 'Me', database: 'app' };
  const helps = (code: Failure['code'], state: string) =>
    postgresRemedy({ code, message: `x (SQLSTATE ${state})` }, login);
  t.match(helps('failed', '3D000').remedy, /name a database that is there, not app/);
  t.match(helps('failed', '53300').remedy, /free connections/);
  t.match(helps('denied', '42501').sql, ['grant connect on database app to "Me";', 'grant pg_monitor to "Me";']);
  t.strictSame(grantsFor(['pg_control_system()', 'pg_stat_wal_receiver', 'pg_read_all_stats'], 'me'), [
    'grant execute on function pg_catalog.pg_control_system() to me;',
    'grant select on pg_catalog.pg_stat_wal_receiver to me;',
    'grant pg_monitor to me;',
  ]);
});

t.test('addresses', async (t) => {
  t.strictSame(databaseAddress('db'), { host: 'db', port: 5432, user: null, database: null });
  t.strictSame(databaseAddress('[::1]:5433'), { host: '::1', port: 5433, user: null, database: null });
  t.strictSame(databaseAddress('postgres://me@[::1]:6/app?sslmode=require'), {
    host: '::1',
    port: 6,
    user: 'me',
    database: 'app',
  });
});

t.test('alerts of other regions mean nothing here', async (t) => {
  const rule = { name: 'RegionDown', query: 'x', firing: false, labels: { region: 'mars' }, alerts: [] };
  t.strictSame(mapAlerts([rule], { primary: 'a', secondary: 'b' }), []);
});

t.test('names that YAML would read as something else are quoted', async (t) => {
  const side = { host: 'db', port: 5432 };
  const text = configText({
    group: '123',
    stateDir: './a: b #c',
    primary: { ...side, region: 'true' },
    secondary: { ...side, host: 'db2', region: '0x1' },
    daemonRegion: '0x1',
    controlTargets: ['tcp://x:1'],
    user: "o'neil",
    database: 'null',
    password: '${env:X}',
    tls: { mode: 'disable', why: 'x' },
    ca: null,
    systemIdentifier: '7712285017022213097',
    services: null,
    monitoring: null,
  });
  const config = configIn('x', '/', text);
  t.match(config.daemon.stateDir, './a: b #c');
  t.match(config.groups['123']?.components['db'], { user: "o'neil", database: 'null' });
});
