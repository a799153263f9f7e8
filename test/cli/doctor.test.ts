// What failoverd gets to see, and what it says of what it doesn't: against a real pair, one thing broken at a time.
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { stringify } from 'yaml';
import { query } from '../../lab/servers/postgres.ts';
import { until } from '../../lab/servers/wait.ts';
import { factLines } from '../../src/cli/doctor/facts.ts';
import type { DoctorReport, Finding } from '../../src/cli/doctor/report.ts';
import { rowFindings, rowLines, whyNever } from '../../src/cli/doctor/rows.ts';
import { settingFindings, spanMs } from '../../src/cli/doctor/settings.ts';
import { doctor } from '../../src/cli/doctor.ts';
import { initialState } from '../../src/engine/core.ts';
import { openSqliteJournal } from '../../src/journal/sqlite.ts';
import type { Config } from '../../src/model/config.ts';
import { settingsOf } from '../../src/model/settings.ts';
import { viewOf } from '../../src/policies/view.ts';
import type { PostgresSurvey } from '../../src/probes/postgres-survey.ts';
import { place, primaryAt, standbyAt } from '../probes/pair.ts';
import { folder, jsonServer, PROMETHEUS, terminal } from './first-hour.ts';
import { call, tooWide } from './terminal.ts';

const HOST = { a: '127.0.99.1', b: '127.0.99.2', outside: '127.0.99.9' } as const;
const at = await place();
t.teardown(() => at.remove());
const primary = await primaryAt(at, { host: HOST.a, fresh: true });
const standby = await standbyAt(at, primary, HOST.b);
const control = await jsonServer(t, HOST.outside, {});
const started = new Date(Date.now() - 3_600_000).toISOString();
const alertmanager = await jsonServer(t, HOST.outside, {
  '/api/v2/status': { uptime: started },
  '/api/v2/alerts': [
    {
      labels: { alertname: 'Watchdog' },
      annotations: {},
      startsAt: started,
      endsAt: started,
      fingerprint: '00000000000000aa',
      status: { state: 'active', silencedBy: [], inhibitedBy: [] },
    },
  ],
  '/api/v2/silences': [],
});
const prometheus = await jsonServer(t, HOST.outside, {
  ...PROMETHEUS,
  // A sample of five seconds ago, of the value 7; how old it is, is asked for by `timestamp()`.
  '/api/v1/query': ({ searchParams }: URL) => {
    const now = Date.now() / 1000;
    const value = /timestamp\(/.test(searchParams.get('query') ?? '') ? String(now - 5) : '7';
    return { status: 'success', data: { resultType: 'scalar', result: [now, value] } };
  },
});
const pager = await jsonServer(t, HOST.outside, {});
const VARIABLES = { PG: at.passwords.failoverd_ro, AM: 'token', KEY: 'key' };

type Change = (config: ReturnType<typeof whole>) => void;
const whole = () => ({
  version: 1,
  daemon: { stateDir: './state' },
  regions: { a: { role: 'primary' }, b: { role: 'secondary' }, w: { role: 'witness' } } as Record<string, object>,
  vantages: { daemon: { region: 'b', controlTargets: [control.url] } } as Record<string, object>,
  prometheus: { main: { url: prometheus.url, region: 'w' } } as Record<string, object>,
  alertmanager: {
    region: 'w',
    bearer: '${env:AM}',
    apis: [alertmanager.url],
    facts: [
      { match: ['alertname="RegionDown"'], fact: 'region-unreachable', group: 'shop', region: 'a' },
      { match: ['alertname="Watchdog"'], fact: 'watchdog', group: 'shop', region: 'a' },
      { match: ['alertname="PodDown"'], fact: 'workload-degraded', group: 'shop', region: 'a' },
    ],
  } as Record<string, unknown> | undefined,
  pager: { url: `${pager.url}/pages`, secret: '${env:KEY}' } as Record<string, string>,
  groups: {
    shop: {
      primary: 'a',
      secondary: 'b',
      facts: { seven: { promql: '3 + 4' } } as Record<string, object>,
      components: {
        db: {
          kind: 'postgres',
          tier: 1,
          database: 'app',
          user: 'failoverd_ro',
          password: '${env:PG}',
          tls: 'disable',
          instances: { a: `${primary.host}:${primary.port}`, b: `${standby.host}:${standby.port}` },
        } as Record<string, unknown>,
      } as Record<string, object>,
    },
  },
});

async function examined(
  t: Parameters<typeof folder>[0],
  change: Change = () => undefined,
  variables: Record<string, string> = VARIABLES,
): Promise<{ readonly code: number; readonly report: DoctorReport; readonly cwd: string }> {
  const cwd = folder(t);
  const config = whole();
  change(config);
  writeFileSync(join(cwd, 'failover.yaml'), stringify(config));
  const shell = terminal(cwd, variables);
  const code = await doctor(['failover.yaml', '--json'], shell);
  const report = JSON.parse(shell.out()) as DoctorReport;
  return { code, report, cwd };
}
const found = ({ findings }: DoctorReport, says: RegExp): Finding | undefined =>
  findings.find((one) => says.test(`${one.about}: ${one.says}`));
const fact = ({ facts }: DoctorReport, name: string): unknown => facts.find((one) => one.fact === name)?.value;

t.test('a platform that is well: exit 0, every fact known, and nothing written', async (t) => {
  const before = pager.requests.length;
  const { code, report, cwd } = await examined(t);
  t.equal(code, 0, JSON.stringify(report.findings));
  t.ok(
    report.asked.every(({ verdict }) => verdict === 'ok'),
    JSON.stringify(report.asked),
  );
  for (const name of [
    'active.reachable',
    'standby.reachable',
    'replication.streaming',
    'monitoring.watching',
    'workloads.healthy',
  ])
    t.equal(fact(report, name), 'ok', name);
  t.equal(fact(report, 'metrics.seven'), 7);
  t.ok(
    report.rows.every(({ state }) => state === 'quiet'),
    JSON.stringify(report.rows),
  );
  t.strictSame(readdirSync(cwd), ['failover.yaml'], 'no state folder was made');
  t.equal(pager.requests.length, before, 'the pager was connected to and not asked');
  t.ok([...alertmanager.requests, ...prometheus.requests].every((line) => line.startsWith('GET ')));
  const schemas = await query(
    primary,
    `select 1 from pg_namespace where nspname = 'failoverd' and nspowner <> 'failoverd'::regrole`,
    [],
    'app',
  );
  t.strictSame(schemas, []);
});

t.test('for people it fits a terminal, and a bad config is exit 2 with its place', async (t) => {
  const cwd = folder(t);
  const file = join(cwd, 'failover.yaml');
  writeFileSync(file, stringify(whole()));
  const { code, out } = await call(['doctor', file], VARIABLES);
  t.equal(code, 0);
  t.match(out, /nothing is in the way/);
  const leased = whole();
  guarded({ deadMan: 'absolute', isolation: 'stop', partitionExposure: '135s' })(leased);
  writeFileSync(file, stringify(leased));
  const lease = (await call(['doctor', file], { ...VARIABLES, GUARD_A: 'token-of-a', GUARD_B: 'token-of-b' })).out;
  t.match(lease, /Lease of shop/);
  t.strictSame(
    tooWide(lease).filter((line) => !/\S{60}/.test(line)),
    [],
  );
  // Paths and addresses are not broken.
  t.strictSame(
    tooWide(out).filter((line) => !/\S{60}/.test(line)),
    [],
  );
  writeFileSync(file, 'version: 2\n');
  t.match(await call(['doctor', file]), { code: 2, err: /:1:10|version/ });
  t.match(await call(['doctor']), { code: 2, err: /no config is named/ });
  writeFileSync(file, stringify(whole()));
  t.match(await call(['doctor', file, '--vantage', 'deamon']), { code: 2, err: /did you mean daemon\?/ });
});

t.test('a secret that is missing costs its component, and nothing else', async (t) => {
  const { code, report } = await examined(t, undefined, { AM: 'token', KEY: 'key' });
  t.equal(code, 1);
  t.match(found(report, /secret groups\.shop\.components\.db\.password/), { level: 'stop', remedy: /set PG/ });
  t.equal(fact(report, 'postgres.reachable'), 'unknown');
  t.equal(fact(report, 'monitoring.watching'), 'ok', 'the rest was asked all the same');
});

/** A guard beside each side, and a daemon in the third region. */
const guarded =
  (lease: object): Change =>
  (config) => {
    config.vantages['daemon'] = { region: 'w', controlTargets: [control.url] };
    const guard = (region: string) => ({ url: `http://${HOST.outside}:9`, token: `\${env:GUARD_${region}}` });
    Object.assign(config.groups.shop.components['db'] ?? {}, {
      control: 'guard',
      guards: { a: guard('A'), b: guard('B') },
    });
    Object.assign(config.groups.shop, { fence: { driver: 'guard' }, lease });
  };

t.test('a lease is told with its rules and what it costs', async (t) => {
  const tokens = { ...VARIABLES, GUARD_A: 'token-of-a', GUARD_B: 'token-of-b' };
  const stop = { deadMan: 'absolute', isolation: 'stop', partitionExposure: '135s' };
  const { report } = await examined(t, guarded(stop), tokens);
  const [{ lease } = { lease: null }] = report.leases;
  t.same(lease?.expiredIsNoProof, []);
  t.equal(lease?.rules.length, 5);
  t.ok(lease?.rules.every(({ holds }) => holds));
  t.match(
    lease?.isolated.map(({ forMs }) => forMs / 1000),
    [10, 43, 120, 300, 600],
  );
  t.match(found(report, /^lease of shop: .*clocks/), { level: 'warn', remedy: /driver: command/ });
  const serving = await examined(t, guarded({ deadMan: 'none' }), tokens);
  t.ok((serving.report.leases[0]?.lease.expiredIsNoProof.length ?? 0) > 0);
  t.equal(found(serving.report, /^lease of shop: .*clocks/), undefined, 'nothing is proven that a pause could break');
});

t.test('the token of a guard that is missing costs nothing of what is probed', async (t) => {
  const { report } = await examined(t, guarded({ deadMan: 'absolute' }), { ...VARIABLES, GUARD_A: 'token-of-a' });
  t.match(found(report, /secret groups\.shop\.components\.db\.guards\.b\.token/), {
    level: 'stop',
    remedy: /set GUARD_B/,
  });
  t.equal(fact(report, 'postgres.reachable'), 'ok');
});

t.test('a wrong password, and a grant that is missing, with the statements that help', async (t) => {
  const wrong = await examined(t, undefined, { ...VARIABLES, PG: 'wrong' });
  t.equal(wrong.code, 1);
  t.match(found(wrong.report, /password authentication failed/), {
    level: 'stop',
    sql: [/create role/, /grant pg_monitor/],
  });
  t.notMatch(JSON.stringify(wrong.report), /"wrong"/);

  await query(primary, 'revoke pg_monitor from failoverd_ro');
  t.teardown(() => query(primary, 'grant pg_monitor to failoverd_ro'));
  const hidden = await until({ what: 'the standby to have it', timeoutMs: 10_000 }, async () => {
    const seen = await examined(t);
    return found(seen.report, /shop\/db b .*pg_read_all_stats/) === undefined ? undefined : seen;
  });
  t.equal(hidden.code, 1);
  t.match(found(hidden.report, /shop\/db b .*pg_read_all_stats/), { sql: ['grant pg_monitor to failoverd_ro;'] });
});

t.test('settings that make a promotion slow or lossy, with what to set', async (t) => {
  await query(standby, `alter system set wal_retrieve_retry_interval = '5s'`);
  await query(standby, 'select pg_reload_conf()');
  t.teardown(async () => {
    await query(standby, 'alter system reset wal_retrieve_retry_interval');
    await query(standby, 'select pg_reload_conf()');
  });
  const { code, report } = await until({ what: 'the setting to be in force', timeoutMs: 10_000 }, async () => {
    const seen = await examined(t);
    return found(seen.report, /wal_retrieve_retry_interval is 5s/) === undefined ? undefined : seen;
  });
  t.equal(code, 0, 'it warns, and does not stop');
  t.match(found(report, /wal_retrieve_retry_interval/), {
    level: 'warn',
    sql: [`alter system set wal_retrieve_retry_interval = '100ms';`, 'select pg_reload_conf();'],
  });
  t.match(found(report, /synchronous_commit is on/), { level: 'note' });
});

t.test('what can’t be reached is in the way', async (t) => {
  const dead = `${HOST.outside}:1`;
  for (const [what, change, says] of [
    [
      'control',
      (c) => Object.assign(c.vantages['daemon'] ?? {}, { controlTargets: [`tcp://${dead}`] }),
      /no control target answers/,
    ],
    [
      'alertmanager',
      (c) => Object.assign(c.alertmanager ?? {}, { apis: [`http://${dead}`] }),
      /Alertmanager .*REFUSED/,
    ],
    [
      'prometheus',
      (c) => Object.assign(c.prometheus['main'] ?? {}, { url: `http://${dead}` }),
      /Prometheus main .*REFUSED/,
    ],
    ['pager', (c) => Object.assign(c.pager, { url: `http://${dead}/` }), /pager .*REFUSED/],
    [
      'pinned',
      (c) => Object.assign(c.groups.shop.components['db'] ?? {}, { systemIdentifier: '7000000000000000001' }),
      /another cluster answers/,
    ],
    [
      'name',
      (c) =>
        Object.assign(c.groups.shop.components, {
          name: {
            kind: 'dns',
            tier: 1,
            provider: 'route53',
            zoneId: 'Z1',
            name: 'x.test',
            records: { a: ['192.0.2.1'], b: ['192.0.2.2'] },
            epochName: '_f.x.test',
            resolvers: [dead],
            endpoint: `http://${dead}`,
            accessKeyId: '${env:AM}',
            secretAccessKey: '${env:KEY}',
          },
        }),
      /x\.test at 127/,
    ],
  ] as const satisfies readonly (readonly [string, Change, RegExp])[]) {
    const { code, report } = await examined(t, change as Change);
    t.equal(code, 1, what);
    t.match(found(report, says), { level: 'stop', remedy: /./ }, `${what}: ${JSON.stringify(report.findings)}`);
  }
});

t.test('rows that can never fire, and why', async (t) => {
  const { code, report } = await examined(t, (c) => {
    c.alertmanager = undefined;
    for (const key of Object.keys(c) as (keyof typeof c)[]) if (c[key] === undefined) delete c[key];
  });
  t.equal(code, 1, 'a failover that can’t be decided is in the way');
  t.match(found(report, /row 40/), { level: 'stop', says: /one path is one sign/ });
  t.match(found(report, /row 80/), { level: 'note', says: /no alert is mapped to workload-degraded/ });
  const written = await examined(t, (c) => {
    const matrix = [{ id: 7, kind: 'decide', when: 'bad(clickhouse.serving)', for: '1m', action: 'speak-up' }];
    Object.assign(c.groups.shop, { matrix });
  });
  t.match(found(written.report, /row 7/), { level: 'warn', remedy: /take the row out/ }, 'somebody wrote that row');
});

t.test('a row of a scope is told of each of its components, with the facts it reads of them', async (t) => {
  const { report } = await examined(t, (c) => {
    const component = (kind: string) => ({ kind, tier: 1 });
    Object.assign(c.groups.shop.components, { pods: component('workload'), jobs: component('workload') });
    const meaning = { fact: 'workload-degraded', group: 'shop', region: 'a' };
    Object.assign(c.alertmanager ?? {}, {
      facts: [
        { ...meaning, match: ['alertname="PodDown"'], component: 'pods' },
        { ...meaning, match: ['alertname="Watchdog"'], fact: 'watchdog' },
      ],
    });
    const row = { kind: 'decide', for: '1m', action: 'speak-up' };
    Object.assign(c.groups.shop, {
      matrix: [
        { ...row, id: 1, scope: 'workload', when: 'bad(component.healthy)' },
        { ...row, id: 2, scope: 'postgres', when: 'component.replay_lag_seconds > 300' },
      ],
    });
  });
  t.strictSame(
    report.rows.map(({ row, component, state }) => [row, component, state]),
    [
      [1, 'pods', 'quiet'],
      [1, 'jobs', 'never'],
      [2, 'db', 'quiet'],
    ],
    JSON.stringify(report),
  );
  t.match(found(report, /row 1 of jobs/), { level: 'warn', says: /no alert is mapped to a failure of jobs/ });
  t.strictSame(
    report.facts.filter(({ fact }) => fact.startsWith('component.')).map(({ fact, subject }) => `${fact} ${subject}`),
    ['component.healthy pods', 'component.healthy jobs', 'component.replay_lag_seconds db'],
  );
});

t.test('a state folder that can’t hold a journal, and one that is in use', async (t) => {
  const open = await examined(t, (c) => Object.assign(c.daemon, { stateDir: '/dev/null' }));
  t.equal(open.code, 1);
  t.match(found(open.report, /state folder/), { says: 'it is no folder' });

  const cwd = folder(t);
  mkdirSync(join(cwd, 'state'), { mode: 0o700 });
  writeFileSync(join(cwd, 'failover.yaml'), stringify(whole()));
  const journal = await openSqliteJournal({ dir: join(cwd, 'state') });
  // In a process of its own, as it is in life: in ours it would drop the lock it looks for.
  const { execFile } = await import('node:child_process');
  const launcher = join(import.meta.dirname, '../../bin/failoverd.mjs');
  const said = await new Promise<string>((resolve, reject) => {
    execFile(
      process.execPath,
      [launcher, 'doctor', 'failover.yaml', '--json'],
      { cwd, env: { ...process.env, ...VARIABLES } },
      (error, out) => (error === null ? resolve(out) : reject(error)),
    );
  });
  await journal.close();
  const stateDir = (JSON.parse(said) as DoctorReport).asked.find(({ what }) => what.startsWith('state folder'));
  t.match(stateDir, { verdict: 'ok', says: /a failoverd runs on it/ });
});

t.test('each unsafe setting has its finding, and a safe one has none', async (t) => {
  const safe = {
    fsync: 'on',
    full_page_writes: 'on',
    hot_standby_feedback: 'on',
    max_connections: '100',
    max_slot_wal_keep_size: '10GB',
    max_standby_streaming_delay: '30s',
    max_wal_senders: '10',
    primary_slot_name: 'b',
    recovery_min_apply_delay: '0',
    synchronous_commit: 'on',
    synchronous_standby_names: '',
    wal_keep_size: '1GB',
    wal_level: 'replica',
    wal_log_hints: 'on',
    wal_receiver_status_interval: '1s',
    wal_receiver_timeout: '60s',
    wal_retrieve_retry_interval: '100ms',
    wal_sender_timeout: '60s',
  };
  const survey = (over: Partial<Record<keyof typeof safe, string>> = {}, more: Partial<PostgresSurvey> = {}) => ({
    about: 'it',
    survey: {
      version: '17.0',
      dataChecksums: false,
      role: { name: 'f', superuser: false, monitor: true, connectionLimit: -1 },
      slots: [{ name: 'b', type: 'physical', active: true }],
      downstream: [],
      settings: Object.fromEntries(
        Object.entries({ ...safe, ...over }).map(([name, value]) => [name, { value, source: 'default' }]),
      ),
      ...more,
    } as unknown as PostgresSurvey,
  });
  const loud = (findings: readonly Finding[]): Finding[] => findings.filter(({ level }) => level !== 'note');
  t.strictSame(loud(settingFindings(survey(), survey())), []);
  for (const [over, says, level] of [
    [{ fsync: 'off' }, /fsync/, 'stop'],
    [{ full_page_writes: 'off' }, /full_page_writes/, 'stop'],
    [{ wal_level: 'minimal' }, /wal_level/, 'stop'],
    [{ wal_retrieve_retry_interval: '5s' }, /wal_retrieve_retry_interval/, 'warn'],
    [{ wal_log_hints: 'off' }, /pg_rewind/, 'warn'],
    [{ max_slot_wal_keep_size: '-1' }, /max_slot_wal_keep_size/, 'warn'],
    [{ primary_slot_name: '', wal_keep_size: '0' }, /slot/, 'warn'],
    [{ hot_standby_feedback: 'off', max_standby_streaming_delay: '-1' }, /max_standby_streaming_delay/, 'warn'],
    [{ recovery_min_apply_delay: '1h' }, /recovery_min_apply_delay/, 'warn'],
    [{ max_wal_senders: '0' }, /max_wal_senders/, 'warn'],
    [{ wal_receiver_timeout: '0' }, /wal_receiver_timeout/, 'warn'],
    [{ wal_receiver_status_interval: '0' }, /wal_receiver_status_interval/, 'warn'],
  ] as const) {
    const findings = loud(settingFindings(null, survey(over)));
    t.equal(findings.length, 1, JSON.stringify(over));
    t.match(findings[0], { says, level, remedy: /./ });
  }
  t.strictSame(loud(settingFindings(null, survey({ wal_log_hints: 'off' }, { dataChecksums: true }))), []);
  t.strictSame(loud(settingFindings(null, survey({ max_slot_wal_keep_size: '-1' }, { slots: [] }))), []);
  t.match(loud(settingFindings(survey(), survey({}, { version: '16.0' }))), [{ says: /16\.0/ }]);
  t.match(settingFindings(survey({ synchronous_standby_names: 'b' }), null).at(-1), {
    says: /stands still while it is away/,
  });
  t.strictSame(['5s', '100ms', '1min', '0', 'never'].map(spanMs), [5000, 100, 60_000, 0, null]);
});

t.test('a row can fire where each of its facts can have the value it needs', async (t) => {
  const settings = settingsOf(whole() as unknown as Config).groups['shop'];
  if (settings === undefined) throw new Error('no group');
  for (const [when, never] of [
    ['bad(active.reachable)', null],
    ['bad(clickhouse.serving)', /no alert is mapped to clickhouse-failing/],
    ['bad(clickhouse.serving) || bad(workloads.healthy)', null],
    ['bad(postgres.reachable) && ok(services.reachable)', /no HTTP component/],
    ['unknown(services.reachable)', null],
    ['metrics.seven > 5.0', null],
    ['bad(reports.corruption)', null],
  ] as const) {
    const why = whyNever(settings, { when });
    if (never === null) t.equal(why, null, when);
    else t.match(why, never, when);
  }
});

t.test('a row of single components can fire where that component has what it reads', async (t) => {
  const config = whole() as unknown as Config;
  const shop = config.groups['shop'];
  const primary = shop?.primary ?? '';
  const settings = settingsOf({
    ...config,
    alertmanager: {
      region: primary,
      bearer: '${env:TOKEN}',
      facts: [
        { match: ['alertname="W"'], fact: 'watchdog', group: 'shop', region: primary },
        { match: ['alertname="P"'], fact: 'workload-degraded', group: 'shop', region: primary, component: 'web' },
      ],
    },
    groups: {
      shop: {
        ...shop,
        components: {
          ...shop?.components,
          web: { kind: 'workload', tier: 1 },
          jobs: { kind: 'workload', tier: 1 },
          files: { kind: 'bucket', tier: 1, residency: [primary], instances: { [primary]: 'files' } },
        },
        matrix: [
          { id: 80, kind: 'decide', scope: 'workload', when: 'bad(component.healthy)', for: '1m', action: 'speak-up' },
        ],
      },
    },
  } as unknown as Config).groups['shop'];
  if (settings === undefined) throw new Error('no group');
  const postgres = settings.components.find(({ kind }) => kind === 'postgres')?.id ?? '';
  for (const [when, component, never] of [
    ['bad(component.healthy)', 'web', null],
    ['ok(component.healthy)', 'web', null],
    ['bad(component.healthy)', 'jobs', /component.healthy: no alert is mapped to a failure of jobs/],
    ['unknown(component.healthy)', 'jobs', null],
    ['bad(component.reachable)', postgres, null],
    ['bad(component.standby_reachable)', postgres, null],
    ['bad(component.reachable)', 'web', /web is declared and not probed yet/],
    ['component.receive_gap_bytes > 5.0', postgres, null],
    ['component.receive_gap_bytes > 5.0', 'web', /web is no PostgreSQL that is probed/],
    ['bad(component.identity)', 'files', /files is no PostgreSQL/],
    ['bad(component.residency_allows)', 'files', null],
    ['bad(component.residency_allows)', postgres, /no component declares a residency/],
    ['unknown(component.residency_allows)', 'files', /always known|^component/],
    ['bad(residency.allows)', null, null],
    ['bad(maintenance.over)', null, /no window and no silence is declared, and no alert is mapped to maintenance/],
  ] as const) {
    const why = whyNever(settings, { when }, component);
    if (never === null) t.equal(why, null, `${when} for ${component}`);
    else t.match(why, never, `${when} for ${component}`);
  }
  const window = { title: 'w', span: { kind: 'once', from: 0, to: 1 }, region: null, component: null, causes: [] };
  const planned = { ...settings, maintenance: [window] } as unknown as typeof settings;
  t.equal(whyNever(planned, { when: 'bad(maintenance.over)' }), null, 'a calendar tells of it too');

  const state = initialState(settingsOf(config));
  const view = viewOf({ ...state, settings: { ...state.settings, groups: { shop: settings } } }, 'shop');
  t.strictSame(
    rowLines(view).map(({ row, component, state: answer }) => `${row} ${component} ${answer}`),
    ["80 web can't tell", '80 jobs never'],
  );
  t.match(rowFindings(rowLines(view), new Set()), [{ about: 'shop, row 80 of jobs (decide, speak-up)' }]);
  t.strictSame(
    factLines(view, [], 'daemon').flatMap(({ fact, subject }) => (fact === 'component.healthy' ? [subject] : [])),
    ['web', 'jobs'],
  );
});
