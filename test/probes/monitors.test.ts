// How a Prometheus and an Alertmanager are, by what they and whatever stands in their place may answer.
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { freePort } from '../../lab/servers/ports.ts';
import type { ProbeErrorCode } from '../../src/model/evidence.ts';
import { probeAlertmanager } from '../../src/probes/alertmanager-server.ts';
import { probePrometheus } from '../../src/probes/prometheus-server.ts';
import type { AlertmanagerTarget, PrometheusTarget } from '../../src/probes/target.ts';
import { ask } from './asking.ts';

const HOST = '127.0.91.12';

/** Answers by path; what is not there is 404. */
async function server(t: Pick<Test, 'teardown'>, answers: Readonly<Record<string, RequestListener>>): Promise<URL> {
  const one = createServer((request, response) => {
    const path = (request.url ?? '').split('?')[0] ?? '';
    const answer = answers[path];
    if (answer === undefined) response.writeHead(404).end();
    else answer(request, response);
  });
  one.listen(0, HOST);
  await once(one, 'listening');
  t.teardown(() => {
    one.closeAllConnections();
    one.close();
  });
  return new URL(`http://${HOST}:${(one.address() as AddressInfo).port}/base`);
}
const base = {
  server: 'main',
  replica: 0,
  region: 'north',
  intervalMs: 1000,
  timeoutMs: 500,
  authorization: () => null,
};
const prometheus = (url: URL): PrometheusTarget => ({ kind: 'prometheus', key: 'prometheus/main/0', ...base, url });
const alertmanager = (url: URL): AlertmanagerTarget => ({ kind: 'alertmanager', key: 'a', ...base, url });
const says =
  (body: unknown, status = 200): RequestListener =>
  (_request, response) =>
    void response.writeHead(status).end(typeof body === 'string' ? body : JSON.stringify(body));
const vector = (...values: readonly string[]) => ({
  status: 'success',
  data: { resultType: 'vector', result: values.map((value) => ({ metric: {}, value: [1, value] })) },
});
const ready = { '/base/-/ready': says('Prometheus Server is Ready.') };

t.test('a Prometheus that is ready and scrapes is ok', async (t) => {
  const url = await server(t, { ...ready, '/base/api/v1/query': says(vector('12')) });
  t.match(await ask(probePrometheus, prometheus(url)), { verdict: 'ok', reached: 'read', facts: { targets: 12 } });
});

t.test('one that scrapes nothing is bad: it answers every question with nothing', async (t) => {
  const url = await server(t, { ...ready, '/base/api/v1/query': says(vector()) });
  const answer = await ask(probePrometheus, prometheus(url));
  t.match(answer, {
    verdict: 'bad',
    reached: 'ready',
    code: 'empty',
    facts: { targets: 0 },
    message: /scrapes nothing/,
  });
});

t.test('an Alertmanager that is ready and answers is ok', async (t) => {
  const cluster = { status: 'ready', peers: [{ name: 'a' }, { name: 'b' }] };
  const url = await server(t, { ...ready, '/base/api/v2/status': says({ cluster, uptime: 'x' }) });
  const answer = await ask(probeAlertmanager, alertmanager(url));
  t.match(answer, { verdict: 'ok', reached: 'read', facts: { cluster: 'ready', peers: 2 } });
  const alone = await server(t, { ...ready, '/base/api/v2/status': says({ cluster: { status: 'disabled' } }) });
  t.match(await ask(probeAlertmanager, alertmanager(alone)), { facts: { cluster: 'disabled', peers: 0 } });
});

const troubles: readonly [
  what: string,
  Readonly<Record<string, RequestListener>>,
  ProbeErrorCode,
  'bad' | 'unknown',
][] = [
  ['is starting', { '/base/-/ready': says('Service Unavailable', 503) }, 'status', 'bad'],
  ['refuses our credentials', { '/base/-/ready': says('', 401) }, 'auth', 'unknown'],
  ['stands behind a login', { '/base/-/ready': says('', 302) }, 'status', 'bad'],
  ['has another path', {}, 'status', 'bad'],
  ['never answers', { '/base/-/ready': () => undefined }, 'timeout', 'bad'],
  ['is ready and no more', ready, 'status', 'bad'],
  [
    'is something else',
    { ...ready, '/base/api/v1/query': says('<html>'), '/base/api/v2/status': says('<html>') },
    'protocol',
    'unknown',
  ],
  [
    'answers another schema',
    { ...ready, '/base/api/v1/query': says({ status: 'success' }), '/base/api/v2/status': says({ cluster: [] }) },
    'protocol',
    'unknown',
  ],
  [
    'never ends its answer',
    {
      ...ready,
      '/base/api/v1/query': (_, response) => void response.write('{'),
      '/base/api/v2/status': (_, response) => void response.write('{'),
    },
    'timeout',
    'bad',
  ],
];
for (const [what, answers, code, verdict] of troubles)
  t.test(`one that ${what} is ${verdict}: ${code}`, async (t) => {
    const url = await server(t, answers);
    const both = [await ask(probePrometheus, prometheus(url)), await ask(probeAlertmanager, alertmanager(url))];
    for (const answer of both) {
      t.match(answer, { verdict, code, facts: null });
      t.ok(answer.message);
    }
  });

t.test('one that is not there is bad', async (t) => {
  const url = new URL(`http://${HOST}:${await freePort(HOST)}`);
  t.match(await ask(probePrometheus, prometheus(url)), { verdict: 'bad', reached: 'none', code: 'refused' });
  t.match(await ask(probeAlertmanager, alertmanager(url)), { verdict: 'bad', reached: 'none', code: 'refused' });
});
