// Metrics and the servers that watch, as the status shows them: value, unit, age, where from, and why unknown.
import t from 'tap';
import Value from 'typebox/value';
import { renderPage } from '../../src/daemon/http/page/page.ts';
import { createMetrics } from '../../src/daemon/metrics.ts';
import { statusOf } from '../../src/daemon/status.ts';
import { StatusDocument } from '../../src/daemon/status-document.ts';
import type { MetricObservation, Observation } from '../../src/model/evidence.ts';
import { CONFIG, GROUP, settingsWith, W } from '../support/group.ts';
import { History } from '../support/histories.ts';

const HOSTILE = '<script>alert("x")</script>';
const settings = settingsWith(
  {
    facts: {
      errors: { promql: 'sum(errors{path!="</pre>"})', unit: 'ratio', every: '10s', fresh: '60s', says: HOSTILE },
      down: { promql: 'down', type: 'verdict', bad: '> 0', every: '10s', fresh: '60s' },
    },
    matrix: [
      { id: 35, kind: 'gate', when: 'metrics.errors > 0.5', against: ['failover'], unknown: 'pass' },
      { id: 40, kind: 'decide', when: 'bad(active.reachable)', for: '5s', action: 'failover', auto: true },
    ],
  },
  {
    ...CONFIG,
    prometheus: { main: { url: 'http://prometheus.test/', region: W, replicas: ['http://prometheus-2.test/'] } },
    alertmanager: { ...CONFIG.alertmanager, region: W, apis: ['http://alertmanager.test/'] },
  },
);

const seen = { vantage: 'daemon', durationMs: 12, reached: 'read', code: null, message: null } as const;
const metric = (h: History, fact: string, value: number | null, replica = 0): MetricObservation => ({
  ...seen,
  kind: 'metric',
  ...{ group: GROUP, fact, server: 'main', replica, region: W, at: h.at },
  ...(value === null
    ? { verdict: 'unknown', code: 'several', message: `3 series ${HOSTILE}`, log: [`+0 ms ${HOSTILE}`], facts: null }
    : { verdict: 'ok', facts: { value, sampleAt: h.at - 7_000, ageMs: 7_000 } }),
});

function scene(...observations: readonly ((h: History) => Observation)[]) {
  const h = new History(settings);
  h.pass(3000);
  h.give({ kind: 'observed', observations: observations.map((one) => one(h)) });
  const status = (laterMs = 0) =>
    statusOf({
      ...{ state: h.state, engine: 'running', version: 'test' },
      ...{ at: h.at + laterMs, mono: h.mono + laterMs },
    });
  const of = (fact: string, laterMs = 0) => status(laterMs).groups[0]?.metrics.find((one) => one.fact === fact);
  return { h, status, of };
}

t.test('a fact that is known shows its value, unit, age, source, and the rows that read it', async (t) => {
  const { of, status } = scene((h) => metric(h, 'errors', 0.25));
  t.match(of('metrics.errors', 1_000), {
    type: 'number',
    verdict: 'ok',
    value: 0.25,
    unit: 'ratio',
    ageMs: 8_000,
    freshMs: 60_000,
    server: 'main',
    path: `${W}->us-east-1`,
    rows: [35],
    promql: 'sum(errors{path!="</pre>"})',
  });
  t.match(of('metrics.down'), { verdict: 'unknown', value: null, rows: [], why: /not asked yet/, ageMs: null });
  t.strictSame([...Value.Errors(StatusDocument, status())], []);
  const page = renderPage(status(), { refresh: true, group: null });
  t.match(page, /0\.25 ratio/);
  t.match(page, /sum\(errors\{path!=&quot;&lt;\/pre>&quot;\}\)/, 'PromQL is shown as text');
});

t.test('one that is unknown says why, for each server, with the log of the question', async (t) => {
  const { of, status } = scene(
    (h) => metric(h, 'errors', null),
    (h) => metric(h, 'errors', null, 1),
  );
  const { servers = [], ...errors } = of('metrics.errors') ?? {};
  t.match(errors, { verdict: 'unknown', value: null, why: /main: 3 series.*main, replica 1: 3 series/ });
  t.match(servers, [
    { server: 'main', value: null, log: [/\+0 ms/], failures: [{ code: 'several', count: 1 }] },
    { server: 'main, replica 1' },
  ]);
  const page = renderPage(status(), { refresh: true, group: null });
  t.notMatch(page, HOSTILE, 'what strangers write is shown as text');
  t.match(page, '&lt;script>alert');
});

t.test('one that has grown old is unknown, and its last value is told', async (t) => {
  const { of } = scene((h) => metric(h, 'errors', 0.25));
  t.match(of('metrics.errors', 53_001), { verdict: 'unknown', value: null, ageMs: 60_001, why: /it was 0.25 ratio/ });
});

t.test('why it failed is answered while it is well again', async (t) => {
  const { h, of } = scene((h) => metric(h, 'errors', null));
  for (let turn = 0; turn < 3000; turn += 1) {
    h.at += 1000;
    h.mono += 1000;
    h.give({ kind: 'observed', observations: [metric(h, 'errors', 0.1)] });
  }
  t.match(of('metrics.errors')?.servers[0], {
    value: 0.1,
    log: [],
    failures: [{ code: 'several', count: 1, lastAgeMs: 3_000_000, log: [/\+0 ms/], message: /3 series/ }],
  });
  const fact = statusOf({ state: h.state, engine: 'running', version: 'test', at: h.at, mono: h.mono }).groups[0]
    ?.facts;
  t.ok(fact?.every((one) => one.failures.length === 0));
});

t.test('a probe’s failure is answered for too, on the page as well', async (t) => {
  const { h, status } = scene();
  h.sights.active = 'bad';
  h.pass(5_000);
  h.sights.active = 'ok';
  h.pass(30_000);
  const fact = status().groups[0]?.facts.find((one) => one.subject === 'db in us-east-1' && one.vantage === 'dublin');
  t.match(fact, { verdict: 'ok', log: [], failures: [{ code: 'timeout', reached: 'connect', count: 5 }] });
  t.match(renderPage(status(), { refresh: true, group: null }), /1 failure lately/);
});

t.test('servers that watch are shown, also those that were never asked', async (t) => {
  const { status } = scene(
    (h) => ({
      ...seen,
      kind: 'prometheus',
      server: 'main',
      replica: 0,
      region: W,
      at: h.at,
      verdict: 'ok',
      facts: { targets: 3 },
    }),
    (h) => ({
      ...seen,
      ...{ kind: 'alertmanager', server: 'alertmanager', replica: 0, region: W, at: h.at },
      ...{
        verdict: 'bad',
        reached: 'none',
        code: 'refused',
        message: 'connect ECONNREFUSED',
        log: ['+1 ms x'],
        facts: null,
      },
    }),
    // Of nobody that the config names.
    (h) => ({
      ...seen,
      kind: 'prometheus',
      server: 'other',
      replica: 0,
      region: W,
      at: h.at,
      verdict: 'bad',
      facts: null,
    }),
  );
  t.match(status().monitors, [
    { fact: 'alertmanager.ready', verdict: 'bad', value: /refused/, log: ['+1 ms x'] },
    { fact: 'prometheus.scraping', subject: `main, replica 1 in ${W}`, verdict: 'unknown', value: 'never seen' },
    { fact: 'prometheus.scraping', subject: `main in ${W}`, verdict: 'ok', value: /scrapes 3 targets/ },
  ]);
  t.equal(status().monitors.length, 3);
  t.match(renderPage(status(), { refresh: true, group: null }), /<h2>Monitoring<\/h2>/);
  t.match(status(60_000).monitors[2], { verdict: 'unknown', expired: true });
});

t.test('Prometheus is told of them, and a value that is unknown is left out', async (t) => {
  const { status } = scene((h) => metric(h, 'errors', 0.25));
  const text = await createMetrics({ version: 'test' }).exposition(status());
  t.match(text, 'failoverd_metric_fact{group="platform",fact="errors"} 0.25');
  t.match(text, 'failoverd_metric_fact_known{group="platform",fact="errors"} 1');
  t.match(text, 'failoverd_metric_fact_known{group="platform",fact="down"} 0');
  t.notMatch(text, 'failoverd_metric_fact{group="platform",fact="down"}');
  t.match(text, 'failoverd_metric_fact_age_seconds{group="platform",fact="errors"} 7');
  t.match(text, `failoverd_monitor_up{monitor="prometheus",server="main in ${W}"} -1`);
});
