// A real Prometheus, asked as the daemon asks it: what it answers to good and bad questions, and how old it says a
// sample is once the thing it scrapes has fallen silent.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import t from 'tap';
import { describeMissing, isMissing } from '../../lab/binaries/missing.ts';
import { findTool } from '../../lab/binaries/tools.ts';
import { startAlertmanager, startPrometheus } from '../../lab/servers/monitoring.ts';
import { freePort } from '../../lab/servers/ports.ts';
import { until } from '../../lab/servers/wait.ts';
import { oldestSample, readPromql } from '../../src/model/promql.ts';
import { probeAlertmanager } from '../../src/probes/alertmanager-server.ts';
import { probeMetric } from '../../src/probes/metric.ts';
import { probePrometheus } from '../../src/probes/prometheus-server.ts';
import type { MetricTarget } from '../../src/probes/target.ts';
import { ask } from '../probes/asking.ts';
import { log, scratch } from './real-servers.ts';

const HOST = '127.0.84.12';
const prometheus = await findTool('prometheus', { fetch: true, log });
// On a developer's machine a server that can't be had is named and passed over; in CI it is a failure.
const alertmanager = await findTool('alertmanager', { fetch: true, log });
const missing = [prometheus, alertmanager].flatMap((each) => (isMissing(each) ? [describeMissing(each)] : []));
const skip = missing.length > 0 && process.env['CI'] === undefined ? missing.join('; ') : false;

/** Something to scrape, that can be told to fail. */
async function service(): Promise<{ readonly hostPort: string; fails: boolean }> {
  const state = { hostPort: '', fails: false };
  const server = createServer((_request, response) => {
    if (state.fails) return void response.writeHead(500).end();
    response.end(
      [
        '# TYPE errors_total counter',
        'errors_total{path="/a"} 3',
        'errors_total{path="/b"} 4',
        '# TYPE backup_age_seconds gauge',
        'backup_age_seconds 120',
        '# TYPE broken gauge',
        'broken NaN',
        // An exporter that lags says when it measured, as CloudWatch's does.
        `lagging 5 ${Date.now() - 90_000}`,
        '',
      ].join('\n'),
    );
  });
  server.listen(0, HOST);
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  state.hostPort = `${HOST}:${(server.address() as AddressInfo).port}`;
  return state;
}

t.test('a real Alertmanager is ready, and says whether it stands alone', { skip }, async (t) => {
  if (isMissing(alertmanager)) throw new Error(describeMissing(alertmanager));
  const server = await startAlertmanager({
    tool: alertmanager,
    dir: path.join(await scratch(t), 'am'),
    host: HOST,
    port: await freePort(HOST),
    webhooks: [{ url: `http://${HOST}:1/`, bearerToken: 'x' }],
    log,
  });
  t.teardown(async () => void (await server.stop()));
  const target = {
    kind: 'alertmanager',
    key: 'k',
    ...{ server: 'alertmanager', replica: 0, region: 'north', intervalMs: 1000, timeoutMs: 5000 },
    ...{ url: new URL(server.url), authorization: () => null },
  } as const;
  const up = await until({ what: 'it to be ready', timeoutMs: 30_000 }, async () => {
    const answer = await ask(probeAlertmanager, target);
    return answer.verdict === 'ok' ? answer : undefined;
  });
  t.match(up.facts, { cluster: 'disabled', peers: 0 });
  await server.stop();
  t.match(await ask(probeAlertmanager, target), { verdict: 'bad', code: 'refused' });
});

t.test('a real Prometheus is asked for facts', { skip }, async (t) => {
  if (isMissing(prometheus)) throw new Error(describeMissing(prometheus));
  const scraped = await service();
  const server = await startPrometheus({
    tool: prometheus,
    dir: path.join(await scratch(t), 'prom'),
    host: HOST,
    port: await freePort(HOST),
    scrapes: [{ job: 'service', targets: [scraped.hostPort] }],
    alertmanagers: [],
    log,
  });
  t.teardown(async () => void (await server.stop()));
  const target = (promql: string, over: Partial<MetricTarget> = {}): MetricTarget => ({
    kind: 'metric',
    key: 'k',
    ...{ group: 'shop', fact: 'errors', server: 'main', replica: 0, region: 'north' },
    ...{
      intervalMs: 1000,
      timeoutMs: 5000,
      url: new URL(server.url),
      authorization: () => null,
      bad: null,
      freshMs: 30_000,
    },
    ...{ promql, oldestSample: null },
    ...over,
  });
  const query = async (promql: string, over: Partial<MetricTarget> = {}) => {
    const read = readPromql(promql);
    const own = read.kind === 'read' ? oldestSample(read.selectors) : null;
    return await ask(probeMetric, target(promql, { oldestSample: own, ...over }));
  };
  await until({ what: 'the first scrape', timeoutMs: 30_000 }, async () =>
    (await query('backup_age_seconds')).code === null ? true : undefined,
  );

  await t.test('it is ready, and scrapes one target', async (t) => {
    const monitor = { ...target('up'), kind: 'prometheus' } as const;
    t.match(await ask(probePrometheus, monitor), { verdict: 'ok', reached: 'read', facts: { targets: 1 } });
  });
  await t.test('one series is one value, with the time of its own sample', async (t) => {
    const { facts } = await query('backup_age_seconds');
    t.equal(facts?.value, 120);
    t.ok(facts !== null && facts.ageMs < 30_000 && Date.now() - facts.sampleAt < 30_000);
  });
  await t.test('what computes is of the instant it was asked', async (t) => {
    t.match(await query('sum(errors_total)'), { verdict: 'ok', facts: { value: 7 } });
    t.match(await query('scalar(sum(errors_total)) + 1'), { verdict: 'ok', facts: { value: 8 } });
    t.match(await query('max(backup_age_seconds) # in seconds'), { verdict: 'ok', facts: { value: 120 } });
  });
  await t.test('a verdict is made of it', async (t) => {
    const bad = { comparator: '>', limit: 100 } as const;
    t.match(await query('backup_age_seconds', { bad }), { verdict: 'bad', facts: { value: 120 } });
    t.match(await query('backup_age_seconds / 2', { bad }), { verdict: 'ok', facts: { value: 60 } });
  });
  for (const [promql, code, says] of [
    ['errors_total', 'several', /2 series.*path/],
    ['no_such_metric', 'empty', /no series/],
    ['broken', 'no-number', /NaN/],
    ['1 / 0', 'no-number', /Inf/],
    ['sum(errors_total', 'query', /bad_data.*parse error/],
    ['errors_total[5m]', 'query', /gives a matrix/],
    ['"up"', 'query', /gives a string/],
    ['errors_total + on() group_left() errors_total', 'query', /execution/],
  ] as const)
    await t.test(`${promql} is unknown: ${code}`, async (t) => {
      const answer = await query(promql);
      t.match(answer, { verdict: 'unknown', code, facts: null });
      t.match(answer.message, says);
    });
  await t.test('a sample that an exporter dates back is as old as it says', async (t) => {
    const young = [
      'lagging',
      'sum(lagging)',
      'lagging + on() backup_age_seconds',
      'backup_age_seconds * on() lagging',
      'sum(lagging) or vector(0)',
      'max(max_over_time(lagging[5m]))',
    ];
    for (const promql of young) {
      const answer = await query(promql, { freshMs: 30_000 });
      t.match(answer, { verdict: 'unknown', code: 'stale', facts: null }, `${promql} does not make it young`);
      t.match(answer.message, /(?:89|9\d) s old and counts for 30 s/);
      const { facts } = await query(promql, { freshMs: 600_000 });
      t.ok(facts !== null && facts.ageMs >= 89_000, `${promql}: ${facts?.ageMs} ms old`);
    }
    t.match(await query('lagging offset 1s', { freshMs: 30_000 }), { code: null }, 'another time is the author’s wish');
    t.match(await query('sum(backup_age_seconds + on() group_left() sum(errors_total))'), { facts: { value: 127 } });
  });
  await t.test('what is scraped no more is unknown, and not what it was', async (t) => {
    scraped.fails = true;
    const gone = await until({ what: 'the value to be gone', timeoutMs: 30_000 }, async () => {
      const answer = await query('backup_age_seconds');
      return answer.code === null ? undefined : answer;
    });
    t.match(gone, { verdict: 'unknown', code: 'empty', facts: null });
    t.match(await query('sum(backup_age_seconds)'), { verdict: 'unknown', code: 'empty' });
  });
  await t.test('a Prometheus that is gone tells nothing', async (t) => {
    await server.stop();
    t.match(await query('backup_age_seconds'), { verdict: 'unknown', code: 'refused', facts: null });
  });
});
