// What a Prometheus, or whatever stands in its place, may answer when it is asked for one value. Only one fresh, finite
// number is an answer; all else is unknown, with its own name and words that help.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { freePort } from '../../lab/servers/ports.ts';
import type { ProbeErrorCode } from '../../src/model/evidence.ts';
import { probeMetric } from '../../src/probes/metric.ts';
import type { MetricTarget } from '../../src/probes/target.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { ask, hangUp, rawServer, resetAtOnce, silent } from './asking.ts';

const HOST = '127.0.91.9';
type Tap = Pick<typeof t, 'teardown'>;

async function server(t: Tap, listener: RequestListener): Promise<URL> {
  const one = createServer(listener);
  one.listen(0, HOST);
  await once(one, 'listening');
  t.teardown(() => {
    one.closeAllConnections();
    one.close();
  });
  return new URL(`http://${HOST}:${(one.address() as AddressInfo).port}`);
}

const target = (url: URL, over: Partial<MetricTarget> = {}): MetricTarget => ({
  kind: 'metric',
  key: 'shop/metrics.errors/main/0',
  group: 'shop',
  fact: 'errors',
  server: 'main',
  replica: 0,
  region: 'north',
  intervalMs: 1000,
  timeoutMs: 1000,
  url,
  authorization: () => null,
  promql: 'errors',
  oldestSample: 'min(timestamp(errors))',
  bad: null,
  freshMs: 60_000,
  ...over,
});

const questionOf = (request: IncomingMessage): string =>
  new URL(request.url ?? '', 'http://x').searchParams.get('query') ?? '';
const isOwnTime = (request: IncomingMessage): boolean => questionOf(request).startsWith('min(timestamp(');
const now = (): number => systemClock.wall() / 1000;
const vector = (...values: readonly (string | number)[]) => ({
  status: 'success',
  data: {
    resultType: 'vector',
    result: values.map((value, index) => ({ metric: { instance: `i${index}` }, value: [now(), String(value)] })),
  },
});
const json =
  (body: unknown, status = 200): RequestListener =>
  (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };
/** The instant that a question is for, as a server takes it. */
const instantOf = (request: IncomingMessage): number =>
  Number(new URL(request.url ?? '', 'http://x').searchParams.get('time') ?? now());
/** Answers the value, and the time of its sample where that is asked for. */
const sampled =
  (value: string | number, ageSeconds = 0): RequestListener =>
  (request, response) =>
    json(vector(isOwnTime(request) ? instantOf(request) - ageSeconds : value))(request, response);

t.test('one fresh value is the fact, with the time of its own sample', async (t) => {
  const url = await server(t, sampled('0.25', 12));
  const answer = await ask(probeMetric, target(url));
  t.match(answer, { verdict: 'ok', code: null, reached: 'read', facts: { value: 0.25 } });
  t.ok(answer.facts !== null && answer.facts.ageMs >= 12_000, 'as old as the sample, not as the answer');
  t.ok(answer.facts !== null && Math.abs(systemClock.wall() - 12_000 - answer.facts.sampleAt) < 10_000);
});

t.test('a verdict is made of the number by the comparison of the config', async (t) => {
  const url = await server(t, sampled('0'));
  t.match(await ask(probeMetric, target(url, { bad: { comparator: '==', limit: 0 } })), { verdict: 'bad' });
  t.match(await ask(probeMetric, target(url, { bad: { comparator: '>', limit: 0 } })), { verdict: 'ok' });
});

t.test('the question goes below the path prefix, with the credentials, and so does the one for the age', async (t) => {
  const asked: IncomingMessage[] = [];
  const url = await server(t, (request, response) => {
    asked.push(request);
    sampled(1)(request, response);
  });
  await ask(
    probeMetric,
    target(new URL('/prometheus', url), {
      authorization: () => 'Bearer shh',
      promql: 'sum(rate(errors_total{path="/a b&c"}[5m])) # why',
      oldestSample: 'min(timestamp(errors_total{path="/a b&c"}))',
    }),
  );
  t.equal(asked.length, 2);
  for (const request of asked) {
    t.equal(request.method, 'GET', 'nothing that could be taken for a write');
    t.match(request.url, /^\/prometheus\/api\/v1\/query\?/);
    t.equal(request.headers.authorization, 'Bearer shh');
  }
  t.same(asked.map(questionOf), [
    'sum(rate(errors_total{path="/a b&c"}[5m])) # why',
    'min(timestamp(errors_total{path="/a b&c"}))',
  ]);
  t.notMatch(asked[0]?.url, /time=/);
  t.match(asked[1]?.url, /time=\d+/, 'both are of one instant');
});

const failures: readonly [
  what: string,
  answers: RequestListener,
  code: ProbeErrorCode,
  says: RegExp,
  over?: Partial<MetricTarget>,
][] = [
  [
    'an expression that does not parse',
    json({ status: 'error', errorType: 'bad_data', error: '1:5: parse error: unexpected end' }, 400),
    'query',
    /bad_data.*parse error/,
  ],
  [
    'an expression that can’t be evaluated',
    json({ status: 'error', errorType: 'execution', error: 'many-to-many matching not allowed' }, 422),
    'query',
    /execution.*many-to-many/,
  ],
  [
    'a query that took too long',
    json({ status: 'error', errorType: 'timeout', error: 'query timed out' }, 503),
    'timeout',
    /timed out/,
  ],
  [
    'a Prometheus that is starting',
    json({ status: 'error', errorType: 'unavailable', error: 'TSDB not ready' }, 503),
    'failed',
    /not ready/,
  ],
  [
    'an error type of a later version',
    json({ status: 'error', errorType: 'constructor', error: 'x' }, 500),
    'failed',
    /refuses/,
  ],
  ['no series', json(vector()), 'empty', /no series/],
  ['several series', json(vector(1, 2, 3)), 'several', /3 series.*"instance":"i0".*aggregate/],
  ['a range', json({ status: 'success', data: { resultType: 'matrix', result: [] } }), 'query', /gives a matrix/],
  [
    'a text',
    json({ status: 'success', data: { resultType: 'string', result: [now(), 'up'] } }),
    'query',
    /gives a string/,
  ],
  [
    'a histogram',
    json({
      status: 'success',
      data: { resultType: 'vector', result: [{ metric: {}, histogram: [1, { count: '1' }] }] },
    }),
    'no-number',
    /histogram/,
  ],
  ...['NaN', '+Inf', '-Inf', '', ' ', '0x10', 'Infinity', '1e999', '1 2'].map(
    (value): [string, RequestListener, ProbeErrorCode, RegExp] => [
      `the value “${value}”`,
      sampled(value),
      'no-number',
      /neither well nor bad/,
    ],
  ),
  ['a sample that is too old', sampled(1, 61), 'stale', /6[12] s old and counts for 60 s; the value was 1/],
  ['a sample from the future', sampled(1, -20), 'stale', /still to come/],
  [
    'an answer of another time',
    json({ status: 'success', data: { resultType: 'vector', result: [{ metric: {}, value: [now() - 3600, '1'] }] } }),
    'stale',
    /36\d\d s away from our clock/,
  ],
  [
    'a warning that data is missing',
    json({ ...vector(1), warnings: ['store of region a is unreachable'] }),
    'failed',
    /warns: store of region a/,
  ],
  [
    'credentials that are refused',
    (_, response) => void response.writeHead(401).end(),
    'auth',
    /does not accept our credentials/,
  ],
  [
    'a person’s login page',
    (_, response) => void response.writeHead(302, { location: '/login' }).end(),
    'status',
    /redirect is not followed/,
  ],
  [
    'a proxy without its server',
    (_, response) => void response.writeHead(502).end('<html>Bad Gateway</html>'),
    'status',
    /502/,
  ],
  [
    'a page that is no API',
    (_, response) => void response.end('<!doctype html><title>Grafana</title>'),
    'protocol',
    /did not answer as Prometheus/,
  ],
  ['JSON of something else', json({ status: 'ok', data: [] }), 'protocol', /did not answer as Prometheus/],
  ['a success without data', json({ status: 'success' }), 'protocol', /did not answer as Prometheus/],
  [
    'a value that is a number, not text',
    json({ status: 'success', data: { resultType: 'vector', result: [{ metric: {}, value: [now(), 1] }] } }),
    'protocol',
    /did not answer as Prometheus/,
  ],
  [
    'a scalar of three parts',
    json({ status: 'success', data: { resultType: 'scalar', result: [now(), '1', '2'] } }),
    'protocol',
    /did not answer as Prometheus/,
  ],
  [
    'half of an answer',
    (_, response) => {
      response.writeHead(200, { 'content-length': '500' }).write('{"status":"success","data":{"resultType":"vec');
      setImmediate(() => response.destroy());
    },
    'reset',
    /./,
  ],
  [
    'an answer without an end',
    (_, response) => {
      const block = Buffer.alloc(64 * 1024, '[');
      const more = (): void => {
        while (!response.destroyed && response.write(block));
        if (!response.destroyed) response.once('drain', more);
      };
      more();
    },
    'protocol',
    /more than 262144 bytes/,
  ],
  ['an answer that never comes', () => undefined, 'timeout', /no answer before the deadline/, { timeoutMs: 200 }],
];

for (const [what, answers, code, says, over] of failures)
  t.test(`${what} is unknown, and says why: ${code}`, async (t) => {
    const url = await server(t, answers);
    for (const bad of [null, { comparator: '>=', limit: 0 }] as const) {
      const answer = await ask(probeMetric, target(url, { bad, ...over }));
      t.match(answer, { verdict: 'unknown', code, facts: null });
      t.match(answer.message, says);
      t.ok((answer.message ?? '').length > 0);
    }
  });

t.test('the second question may fail where the first did not', async (t) => {
  const url = await server(t, (request, response) =>
    isOwnTime(request)
      ? json({ status: 'error', errorType: 'bad_data', error: 'unknown function' }, 400)(request, response)
      : json(vector(1))(request, response),
  );
  t.match(await ask(probeMetric, target(url)), { verdict: 'unknown', code: 'query', facts: null });
});

t.test('a server that is not there, is silent, or hangs up is never the metric’s fault', async (t) => {
  const port = await freePort(HOST);
  t.match(await ask(probeMetric, target(new URL(`http://${HOST}:${port}`))), { verdict: 'unknown', code: 'refused' });
  for (const [serve, code] of [
    [silent, 'timeout'],
    [hangUp, 'reset'],
    [resetAtOnce, 'reset'],
  ] as const) {
    const raw = await rawServer(serve, '127.0.91.10');
    t.teardown(async () => await raw.close());
    const url = new URL(`http://${raw.host}:${raw.port}`);
    t.match(await ask(probeMetric, target(url, { timeoutMs: 200 })), { verdict: 'unknown', code, facts: null });
  }
});

t.test('what a stranger writes is shown as one line of text', async (t) => {
  const error = `\u001b[31mno\n${'x'.repeat(5000)}`;
  const url = await server(t, json({ status: 'error', errorType: 'bad_data', error }, 400));
  const { message } = await ask(probeMetric, target(url));
  t.notMatch(message, /[^\x20-\x7e’]/);
  t.ok((message ?? '').length < 500);
});
