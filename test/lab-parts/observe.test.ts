// Observe writes nothing anywhere (design §2): shown by what the servers were sent through a whole regional outage, and
// by what a server let a role do that may only look. The same outage without observe shows that the recorders see writes.

import { once } from 'node:events';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import t, { type Test } from 'tap';
import { stringify } from 'yaml';
import { startAuthority, startResolver } from '../../lab/dns/index.ts';
import { startRoute53 } from '../../lab/route53/index.ts';
import { startDaemon } from '../../lab/servers/daemon.ts';
import { freePort } from '../../lab/servers/ports.ts';
import { killPostgres, query } from '../../lab/servers/postgres.ts';
import { until } from '../../lab/servers/wait.ts';
import { place, primaryAt, standbyAt } from '../probes/pair.ts';
import { log, scratch } from './real-servers.ts';
import { type Recorder, recordDns, recordHttp, recordPostgres, type Sent, sqlKind } from './recorders.ts';

const LAUNCHER = path.join(import.meta.dirname, '../../bin/failoverd.mjs');
const HOST = { a: '127.0.97.1', b: '127.0.97.2', outside: '127.0.97.9' } as const;
const ZONE = 'Z0LABFAILOVERD000001';
const NAME = 'app.lab.test';
const EPOCH = '_failoverd.app.lab.test';
const TOKENS = { AM: 'token-of-alertmanager', SRE: 'token-of-the-sre', PAGER: 'key-of-the-pager' };
const AWS = { accessKeyId: 'AKIALABFAILOVERD0001', secretAccessKey: 'a-secret-of-the-lab-alone' };
const WAIT_MS = 60_000;

type Seen = {
  /** Everything that went to a server but the pager. */
  readonly sent: readonly Sent[];
  readonly pages: readonly string[];
  /** Arguments of each call of the fence. */
  readonly fenced: readonly string[];
};

type Api = { readonly groups: readonly Readonly<Record<string, unknown>>[] };

/** An HTTP server that answers by path, with JSON. */
async function serve(t: Test, host: string, answer: (request: http.IncomingMessage) => unknown): Promise<URL> {
  const server = http.createServer((request, response) => {
    request.resume();
    const body = answer(request);
    response.writeHead(body === undefined ? 404 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body ?? {}));
  });
  server.listen(0, host);
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return new URL(`http://${host}:${(server.address() as AddressInfo).port}`);
}

/**
 * A platform with a recorder before each of its servers, a daemon over it, and the loss of region A: PostgreSQL and
 * service gone at once, and the alert for it. Ends when `after` says that failoverd has come to its end with it.
 */
async function outage(
  t: Test,
  how: {
    readonly autonomy: 'observe' | 'gated';
    readonly before: (status: Api, sent: readonly Sent[]) => boolean;
    readonly after: (
      status: Api,
      call: (path: string, body: object) => Promise<Response>,
      sent: readonly Sent[],
    ) => Promise<boolean>;
  },
): Promise<Seen> {
  const sent: Sent[] = [];
  const pages: string[] = [];
  const note = (one: Sent): void => void sent.push(one);
  const recorders: Recorder[] = [];
  const recorded = async (made: Promise<Recorder>): Promise<string> => {
    const recorder = await made;
    recorders.push(recorder);
    return `${recorder.host}:${recorder.port}`;
  };
  const at = await place();
  t.teardown(() => at.remove());
  t.teardown(async () => {
    for (const recorder of recorders) await recorder.close();
  });
  const dir = await scratch(t);
  const primary = await primaryAt(at, { host: HOST.a, fresh: true });
  const standby = await standbyAt(at, primary, HOST.b);

  const alive = { a: true };
  const health = (side: 'a' | 'b') => (request: http.IncomingMessage) => {
    if (side === 'a' && !alive.a) request.socket.destroy();
    return { ok: true };
  };
  const services = { a: await serve(t, HOST.a, health('a')), b: await serve(t, HOST.b, health('b')) };
  const startedAt = new Date(Date.now() - 3_600_000).toISOString();
  const alert = (alertname: string) => ({
    labels: { alertname, region: 'a' },
    annotations: {},
    startsAt: startedAt,
    endsAt: new Date(Date.now() + 600_000).toISOString(),
    fingerprint: alertname === 'Watchdog' ? '00000000000000aa' : '00000000000000bb',
    status: { state: 'active', silencedBy: [], inhibitedBy: [] },
  });
  const alertmanager = await serve(t, HOST.outside, ({ url = '' }) => {
    if (url.startsWith('/api/v2/status')) return { uptime: startedAt };
    if (!url.startsWith('/api/v2/alerts')) return undefined;
    return [alert('Watchdog'), ...(alive.a ? [] : [alert('RegionUnreachable')])];
  });
  const prometheus = await serve(t, HOST.outside, ({ url = '' }) =>
    url.startsWith('/api/v1/query')
      ? { status: 'success', data: { resultType: 'scalar', result: [Date.now() / 1000, '1'] } }
      : undefined,
  );
  const pager = await serve(t, HOST.outside, ({ method = '' }) => {
    pages.push(method);
    return {};
  });
  const control = await serve(t, HOST.outside, () => ({}));

  const record = { name: NAME, type: 'A', ttlSeconds: 1, values: [HOST.a] } as const;
  const route53 = await startRoute53({
    ...AWS,
    host: HOST.outside,
    zones: [{ id: ZONE, name: 'lab.test', records: [record] }],
    propagationMs: 100,
  });
  t.teardown(() => route53.close());
  const authority = await startAuthority({ host: HOST.outside, source: route53.nameServer(0) });
  t.teardown(() => authority.close());
  const resolver = await startResolver({ host: HOST.outside, upstream: authority, respectTtl: true });
  t.teardown(() => resolver.close());

  const fenceLog = path.join(dir, 'fenced');
  const fence = path.join(dir, 'fence');
  await writeFile(fenceLog, '');
  await writeFile(fence, `#!/bin/sh\necho "$@" >> ${fenceLog}\nexit 0\n`);
  await chmod(fence, 0o755);

  const listen = `${HOST.b}:${await freePort(HOST.b)}`;
  const url = `http://${listen}`;
  const probe = { interval: '250ms', timeout: '1s' };
  const config = {
    version: 1,
    daemon: { listen, stateDir: './state' },
    regions: { a: { role: 'primary' }, b: { role: 'secondary' }, w: { role: 'witness' } },
    vantages: {
      daemon: { region: 'w', controlTargets: [`http://${await recorded(recordHttp('control', control, note))}`] },
    },
    prometheus: { main: { url: `http://${await recorded(recordHttp('prometheus', prometheus, note))}`, region: 'w' } },
    alertmanager: {
      region: 'w',
      bearer: `$\{env:AM}`,
      apis: [`http://${await recorded(recordHttp('alertmanager', alertmanager, note))}`],
      facts: [
        { match: ['alertname="RegionUnreachable"'], fact: 'region-unreachable', group: 'shop', region: 'a' },
        { match: ['alertname="Watchdog"'], fact: 'watchdog', group: 'shop', region: 'a' },
      ],
    },
    people: { ann: { roles: ['sre'], token: `$\{env:SRE}` } },
    pager: { url: pager.href, secret: `$\{env:PAGER}` },
    groups: {
      shop: {
        autonomy: how.autonomy,
        primary: 'a',
        secondary: 'b',
        facts: { something: { promql: 'scalar(up)', every: '1s' } },
        components: {
          db: {
            kind: 'postgres',
            tier: 1,
            probe,
            database: 'app',
            // May do everything that failoverd ever does: that nothing is written is not for want of a grant.
            user: 'failoverd',
            password: `$\{env:PG}`,
            tls: 'disable',
            instances: {
              a: await recorded(recordPostgres('postgres a', primary, note)),
              b: await recorded(recordPostgres('postgres b', standby, note)),
            },
          },
          api: {
            kind: 'http',
            tier: 1,
            probe,
            instances: {
              a: `http://${await recorded(recordHttp('service a', services.a, note))}/health`,
              b: `http://${await recorded(recordHttp('service b', services.b, note))}/health`,
            },
          },
          name: {
            kind: 'dns',
            tier: 1,
            probe,
            provider: 'route53',
            zoneId: ZONE,
            name: NAME,
            ttl: '1s',
            records: { a: [HOST.a], b: [HOST.b] },
            epochName: EPOCH,
            resolvers: [await recorded(recordDns('resolver', resolver.address, note))],
            endpoint: `http://${await recorded(recordHttp('route 53', new URL(route53.endpoint), note))}`,
            accessKeyId: `$\{env:AWS_ID}`,
            secretAccessKey: `$\{env:AWS_KEY}`,
          },
        },
        fence: { driver: 'command', fence: [fence, 'off', `$\{REGION}`], verify: [fence, 'is-off', `$\{REGION}`] },
        matrix: [{ id: 40, kind: 'decide', when: 'bad(active.reachable)', for: '2s', action: 'failover' }],
        standbyStreamedWithin: '2s',
        authority: {
          timeZone: 'UTC',
          businessHours: { days: ['mon'], from: '00:00', to: '00:01' },
          approvals: { businessHours: ['sre'], otherwise: ['sre'] },
        },
      },
    },
  };
  const file = path.join(dir, 'failover.yaml');
  await writeFile(file, stringify(config));
  const daemon = await startDaemon({
    name: 'failoverd',
    argv: [process.execPath, LAUNCHER, 'run', '--config', file],
    cwd: dir,
    env: {
      ...process.env,
      ...TOKENS,
      PG: at.passwords.failoverd,
      AWS_ID: AWS.accessKeyId,
      AWS_KEY: AWS.secretAccessKey,
    },
    logFile: path.join(dir, 'failoverd.log'),
    ready: async () => (await fetch(`${url}/-/ready`)).ok,
    startTimeoutMs: WAIT_MS,
    log,
  });
  t.teardown(() => daemon.stop());
  const headers = { authorization: `Bearer ${TOKENS.SRE}`, 'content-type': 'application/json' };
  const status = async (): Promise<Api> => (await (await fetch(`${url}/api/v1/status`, { headers })).json()) as Api;
  const call = async (to: string, body: object): Promise<Response> =>
    await fetch(`${url}${to}`, { method: 'POST', headers, body: JSON.stringify(body) });

  await until({ what: 'failoverd to know its platform', timeoutMs: WAIT_MS }, async () =>
    how.before(await status(), sent) ? true : undefined,
  );
  alive.a = false;
  await killPostgres(primary);
  const hook = {
    version: '4',
    groupKey: '{}:{}',
    truncatedAlerts: 0,
    status: 'firing',
    receiver: 'failoverd',
    groupLabels: {},
    commonLabels: {},
    commonAnnotations: {},
    externalURL: alertmanager.href,
    alerts: [{ ...alert('RegionUnreachable'), status: 'firing', generatorURL: '' }],
  };
  const posted = await fetch(`${url}/webhooks/alertmanager`, {
    method: 'POST',
    headers: { authorization: `Bearer ${TOKENS.AM}`, 'content-type': 'application/json' },
    body: JSON.stringify(hook),
  });
  t.equal(posted.status, 200, await posted.text());
  await until({ what: 'failoverd to come to its end with it', timeoutMs: WAIT_MS }, async () =>
    (await how.after(await status(), call, sent)) ? true : undefined,
  );
  await daemon.stop();
  const fenced = (await readFile(fenceLog, 'utf8')).split('\n').filter((line) => line !== '');
  return { sent, pages, fenced };
}

const textOf = (status: Api): string => JSON.stringify(status);
const isWrite = ({ kind }: Sent): boolean => kind === 'write';
const places = (sent: readonly Sent[]): readonly string[] => [...new Set(sent.map(({ to }) => to))].sort();
const known = (status: Api): boolean => /"streaming":"ok"/.test(textOf(status));

const EVERYWHERE = [
  'alertmanager',
  'control',
  'postgres a',
  'postgres b',
  'prometheus',
  'resolver',
  'service a',
  'service b',
];

t.test('through the loss of a region, observe sends nothing but reads, and runs no program', async (t) => {
  let decidedAfter: number | null = null;
  const { sent, pages, fenced } = await outage(t, {
    autonomy: 'observe',
    before: known,
    // It has decided, and said what it would do; then it goes on looking for a while.
    after: async (status, _call, so) => {
      if (/would fail over to b/.test(textOf(status))) decidedAfter ??= so.length;
      return decidedAfter !== null && so.length > decidedAfter + 50;
    },
  });
  t.strictSame(places(sent), EVERYWHERE, 'every server was asked, and Route 53 not even that');
  t.strictSame(sent.filter(isWrite), []);
  t.strictSame(fenced, [], 'the fence was not called');
  t.ok(sent.length > 50, `${sent.length} messages were recorded`);
  t.comment(`pages, which tell people and are no writes: ${pages.length}`);
});

t.test('the same outage without observe is seen by every recorder', async (t) => {
  const proposals = new Set<string>();
  const { sent, pages, fenced } = await outage(t, {
    autonomy: 'gated',
    before: (status, so) => known(status) && so.some(isWrite),
    after: async (status, call) => {
      const group = status.groups[0] as {
        proposal: { id: string; planHash: string } | null;
        ended: { outcome: string }[];
      };
      if (group.proposal !== null && !proposals.has(group.proposal.id)) {
        const answer = await call(`/api/v1/proposals/${group.proposal.id}/approve`, {
          planHash: group.proposal.planHash,
        });
        if (answer.ok) proposals.add(group.proposal.id);
      }
      return group.ended.some(({ outcome }) => outcome === 'verified');
    },
  });
  const writes = sent.filter(isWrite);
  t.strictSame(places(writes), ['postgres a', 'postgres b', 'route 53']);
  const to = (place: string): string =>
    writes
      .filter((one) => one.to === place)
      .map(({ what }) => what)
      .join('\n');
  t.match(to('postgres a'), /insert into "failoverd"\.canary/, 'the canary of ordinary days');
  t.match(to('postgres b'), /pg_promote/, 'the promotion');
  t.match(to('route 53'), /^POST .*rrset/m, 'the cut-over');
  t.match(fenced.join('\n'), /^off a$/m, 'the fence');
  t.ok(pages.length > 0, 'people were told');
});

t.test('a role that may only look is enough, and the server saw it do nothing else', async (t) => {
  const at = await place();
  t.teardown(() => at.remove());
  const dir = await scratch(t);
  const primary = await primaryAt(at, { host: HOST.a, fresh: true });
  const standby = await standbyAt(at, primary, HOST.b);
  // The lab's role for those who look: login, connect, pg_monitor. Here it can't even begin a transaction that writes.
  await query(primary, 'alter role failoverd_ro set default_transaction_read_only = on');
  for (const instance of [primary, standby])
    for (const statement of [
      `alter system set log_statement = 'all'`,
      `alter system set log_line_prefix = '%u@%a|'`,
      'select pg_reload_conf()',
    ])
      await query(instance, statement);
  const control = await serve(t, HOST.outside, () => ({}));
  const listen = `${HOST.b}:${await freePort(HOST.b)}`;
  const file = path.join(dir, 'failover.yaml');
  const instances = { a: `${primary.host}:${primary.port}`, b: `${standby.host}:${standby.port}` };
  const db = {
    kind: 'postgres',
    tier: 1,
    database: 'app',
    user: 'failoverd_ro',
    password: `$\{env:PG}`,
    tls: 'disable',
    instances,
  };
  const config = {
    version: 1,
    daemon: { listen, stateDir: './state' },
    regions: { a: { role: 'primary' }, b: { role: 'secondary' } },
    vantages: { daemon: { region: 'b', controlTargets: [control.href] } },
    groups: { shop: { primary: 'a', secondary: 'b', components: { db } } },
  };
  await writeFile(file, stringify(config));
  const env = { ...process.env, PG: at.passwords.failoverd_ro };
  const daemon = await startDaemon({
    name: 'failoverd',
    argv: [process.execPath, LAUNCHER, 'run', '--config', file],
    cwd: dir,
    env,
    logFile: path.join(dir, 'failoverd.log'),
    ready: async () => (await fetch(`http://${listen}/-/ready`)).ok,
    startTimeoutMs: WAIT_MS,
    log,
  });
  t.teardown(() => daemon.stop());
  await until({ what: 'all facts', timeoutMs: WAIT_MS }, async () => {
    const status = (await (await fetch(`http://${listen}/api/v1/status`)).json()) as Api;
    return known(status) ? true : undefined;
  });
  const statements = async (instance: typeof primary): Promise<readonly string[]> =>
    (await readFile(instance.logFile, 'utf8'))
      // A statement of several lines goes on behind a tab.
      .replaceAll('\n\t', ' ')
      .split('\n')
      .filter((line) => line.startsWith('failoverd_ro@'))
      .flatMap((line) => /\|LOG: +(?:statement|execute [^:]*): (.*)$/.exec(line)?.[1] ?? []);
  const readBack = async (): Promise<readonly string[]> => [
    ...(await statements(primary)),
    ...(await statements(standby)),
  ];
  await until({ what: 'twenty statements in the servers’ logs', timeoutMs: WAIT_MS }, async () =>
    (await readBack()).length >= 20 ? true : undefined,
  );
  await daemon.stop();
  const sql = await readBack();
  t.strictSame(
    sql.filter((one) => sqlKind(one) === 'write'),
    [],
  );

  // The log would show it: the same server, the same role, a write that the grants refuse.
  const [held] = await query<{ writable: boolean }>(
    primary,
    `select bool_or(has_table_privilege('failoverd_ro', c.oid, 'insert, update, delete, truncate')) as writable
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.relkind = 'r' and n.nspname not in ('pg_catalog', 'information_schema')`,
    [],
    'app',
  );
  t.equal(held?.writable, false, 'no table of the database can be written by it');
  await query(primary, 'set role failoverd_ro; create table public.mine (id int)', [], 'app').then(
    () => t.fail('it could make a table'),
    (error: Error) => t.match(error.message, /permission denied/),
  );
});

t.test('what counts as a read', async (t) => {
  for (const sql of ['select 1', 'SHOW server_version', ' select pg_is_in_recovery()', 'select pg_control_system()'])
    t.equal(sqlKind(sql), 'read', sql);
  for (const sql of [
    'insert into x values (1)',
    'select pg_promote(true, 60)',
    'select * into y from x',
    'select 1 from x for update',
    "select nextval('s')",
    'begin',
    'create schema if not exists failoverd',
    "select set_config('a.b', '1', false)",
    'with gone as (delete from x returning 1) select 1',
  ])
    t.equal(sqlKind(sql), 'write', sql);
});
