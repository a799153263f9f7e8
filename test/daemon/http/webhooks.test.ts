// What Alertmanager may post, what is refused, and that a refusal changes nothing.
import { request } from 'node:http';
import { connect } from 'node:net';
import t from 'tap';
import type { Problem } from '../../../src/daemon/http/problem.ts';
import { alert, BEARER, bearer, type Harness, payload, serve } from './harness.ts';

const PATH = '/webhooks/alertmanager';
const auth = bearer(BEARER);
const problem = async (response: Response): Promise<Problem> => (await response.json()) as Problem;
const codeOf = (body: Problem): string => body.type.split('/').at(-1) ?? '';
const entries = (h: Harness): number => h.disk.rows.length;

t.test('2xx comes once the alerts are in the journal', async (t) => {
  const h = await serve(t);
  const response = await h.post(PATH, payload(), auth);
  t.equal(response.status, 200);
  t.match(await response.json(), { accepted: 1, kept: 1, repeated: 0, ignored: 0, refused: [] });
  const last = h.disk.rows.map((row) => JSON.stringify(row)).find((row) => row.includes('alerts.received'));
  t.match(last, /c0ffee00c0ffee00/);
  t.equal(await h.metric('failoverd_webhooks_total{outcome="accepted"}'), 1);
  t.equal(await h.metric('failoverd_webhook_alerts_total{outcome="accepted"}'), 1);
});

t.test('a sender that trickles is cut off, wherever it trickles, and its connection is gone', async (t) => {
  const h = await serve(t, { hurry: 50 });
  const { port } = new URL(h.url);
  const head = `POST ${PATH} HTTP/1.1\r\nHost: h\r\n`;
  const body = `${head}Authorization: Bearer ${BEARER}\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\n{`;
  for (const beginning of [head, body]) {
    // It never closes its own side, and never stops.
    const socket = connect({ host: '127.0.0.1', port: Number(port), allowHalfOpen: true });
    const lines: string[] = [];
    socket.on('data', (chunk) => lines.push(String(chunk)));
    const gone = new Promise((resolve) => socket.once('error', resolve));
    socket.write(beginning);
    const trickle = setInterval(() => socket.write(beginning === head ? 'x' : ' '), 20);
    t.teardown(() => {
      clearInterval(trickle);
      socket.destroy();
    });
    await gone;
    t.match(lines.join(''), /^HTTP\/1\.1 408 .*application\/problem\+json/s);
  }
  t.equal(h.engine.health(), 'running');
});

t.test('the same webhook again, from the other Alertmanager of a pair, writes nothing more', async (t) => {
  const h = await serve(t);
  const one = payload();
  t.equal((await h.post(PATH, one, auth)).status, 200);
  const before = h.disk.rows.filter((row) => JSON.stringify(row).includes('alerts.received')).length;
  const again = await h.post(PATH, one, auth);
  t.equal(again.status, 200);
  t.match(await again.json(), { kept: 0, repeated: 1 });
  t.equal(h.disk.rows.filter((row) => JSON.stringify(row).includes('alerts.received')).length, before);
});

t.test('the same fingerprint that starts anew is another alert', async (t) => {
  const h = await serve(t);
  await h.post(PATH, payload([alert({ startsAt: '2025-01-01T00:00:00.123456789Z' })]), auth);
  const response = await h.post(PATH, payload([alert({ startsAt: '2025-01-01T03:00:00+02:00' })]), auth);
  t.match(await response.json(), { kept: 1 });
  t.strictSame(Object.keys(h.engine.state().ledger.alerts), [
    `c0ffee00c0ffee00@${Date.parse('2025-01-01T00:00:00.123Z')}`,
    `c0ffee00c0ffee00@${Date.parse('2025-01-01T01:00:00Z')}`,
  ]);
});

t.test('unknown keys are ignored, at every level', async (t) => {
  const h = await serve(t);
  const response = await h.post(PATH, payload([alert({ somethingNew: { deep: [1] } })], { another: true }), auth);
  t.equal(response.status, 200);
});

t.test('an alert that no rule maps is taken and said to be ignored', async (t) => {
  const h = await serve(t);
  const response = await h.post(PATH, payload([alert({ labels: { alertname: 'DiskFull' } })]), auth);
  t.match(await response.json(), { accepted: 1, kept: 0, ignored: 1 });
});

t.test('a resolved webhook resolves', async (t) => {
  const h = await serve(t);
  const firing = alert();
  await h.post(PATH, payload([firing]), auth);
  await h.post(
    PATH,
    payload([{ ...firing, status: 'resolved', endsAt: firing.startsAt }], { status: 'resolved' }),
    auth,
  );
  t.strictSame(
    Object.values(h.engine.state().ledger.alerts).map((kept) => kept.alert.status),
    ['resolved'],
  );
});

t.test('bad input is refused with the field that is wrong', async (t) => {
  const h = await serve(t);
  const before = entries(h);
  const { fingerprint: _gone, ...nameless } = alert();
  const cases: readonly [
    name: string,
    body: unknown,
    status: number,
    code: string,
    field: string | undefined,
    headers?: Record<string, string>,
  ][] = [
    ['not JSON', '{"version":', 400, 'malformed-json', undefined],
    ['nothing', '', 400, 'malformed-json', undefined],
    ['not an object', '[]', 422, 'invalid', '/'],
    ['an old version', payload([alert()], { version: '3' }), 422, 'unsupported-version', '/version'],
    ['a version that is a number', payload([alert()], { version: 4 }), 422, 'unsupported-version', '/version'],
    ['no version', { ...payload(), version: undefined }, 422, 'invalid', '/version'],
    ['no alerts', { ...payload(), alerts: undefined }, 422, 'invalid', '/alerts'],
    ['no fingerprint', payload([alert(), nameless]), 422, 'invalid', '/alerts/1/fingerprint'],
    ['a fingerprint of another form', payload([alert({ fingerprint: 'X' })]), 422, 'invalid', '/alerts/0/fingerprint'],
    ['a status of another world', payload([alert({ status: 'maybe' })]), 422, 'invalid', '/alerts/0/status'],
    ['a label that is no text', payload([alert({ labels: { a: 1 } })]), 422, 'invalid', '/alerts/0/labels/a'],
    ['alerts that are no list', payload([], { alerts: {} }), 422, 'invalid', '/alerts'],
    ['a text where a number belongs', payload([alert()], { truncatedAlerts: '0' }), 422, 'invalid', '/truncatedAlerts'],
    ['a poisoned prototype', '{"version":"4","__proto__":{"a":1}}', 400, 'malformed-json', undefined],
    ['deep nesting', `${'['.repeat(100_000)}${']'.repeat(100_000)}`, 400, 'too-deep', undefined],
    ['deep nesting in an ignored key', `{"x":${'{"a":'.repeat(50)}1${'}'.repeat(50)}}`, 400, 'too-deep', undefined],
    ['deep nesting that never closes', '{"a":['.repeat(50_000), 400, 'too-deep', undefined],
    [
      'a form',
      'version=4',
      415,
      'unsupported-media-type',
      'Content-Type',
      { 'content-type': 'application/x-www-form-urlencoded' },
    ],
    ['plain text', 'hello', 415, 'unsupported-media-type', 'Content-Type', { 'content-type': 'text/plain' }],
  ];
  for (const [name, body, status, code, field, headers] of cases) {
    const response = await h.post(PATH, body, { ...auth, ...headers });
    const said = await problem(response);
    t.equal(response.status, status, `${name}: ${JSON.stringify(said)}`);
    t.match(response.headers.get('content-type'), /application\/problem\+json/, name);
    t.equal(codeOf(said), code, name);
    t.equal(said.field, field, name);
    t.ok(said.title !== '' && said.status === status, name);
    t.notMatch(JSON.stringify(said), /\bat .*:\d+:\d+|node_modules/, `${name}: no stack`);
  }
  t.equal(entries(h), before, 'nothing was written');
  t.strictSame(h.engine.state().ledger.alerts, {});
  t.equal(await h.metric('failoverd_webhooks_total{outcome="too-deep"}'), 3);
  t.equal(await h.metric('failoverd_webhooks_total{outcome="unsupported-version"}'), 2);
  t.equal(await h.metric('failoverd_webhooks_total{outcome="accepted"}'), null);
});

t.test('whoever has no credentials is refused before the body is read', async (t) => {
  const h = await serve(t);
  const before = entries(h);
  for (const headers of [
    {},
    bearer('wrong'),
    bearer(BEARER.slice(1)),
    { authorization: `Basic ${BEARER}` },
    { authorization: BEARER },
  ]) {
    const response = await h.post(PATH, '{"not even": json', headers);
    t.equal(response.status, 401);
    t.equal(response.headers.get('www-authenticate'), 'Bearer realm="failoverd"');
    const said = await problem(response);
    t.equal(codeOf(said), 'unauthenticated');
    t.notMatch(JSON.stringify(said), BEARER, 'no credential is told');
  }
  t.equal(entries(h), before);
  t.equal(await h.metric('failoverd_webhooks_total{outcome="unauthenticated"}'), 5);
  t.notOk(
    h.lines.some((line) => line.includes(BEARER)),
    'no credential is logged',
  );
});

t.test('where the config names a user and password, they are asked for, and a token is none', async (t) => {
  // The colon belongs to the password: only the first one ends the user's name.
  const h = await serve(t, { webhookCredentials: { kind: 'basic', user: 'alertmanager', password: 'pa:ss wörd' } });
  const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` });
  t.equal((await h.post(PATH, payload(), basic('alertmanager:pa:ss wörd'))).status, 200);
  const before = entries(h);
  for (const headers of [
    {},
    basic('alertmanager:pa'),
    basic('alertmanager'),
    basic(':pa:ss wörd'),
    basic('alertmanager:pa:ss wörd '),
    bearer('alertmanager:pa:ss'),
    bearer(Buffer.from('alertmanager:pa:ss wörd').toString('base64')),
    { authorization: 'Basic alertmanager:pa:ss' },
    { authorization: 'Basic' },
  ]) {
    const response = await h.post(PATH, '{"not even": json', headers);
    t.equal(response.status, 401, JSON.stringify(headers));
    t.equal(response.headers.get('www-authenticate'), 'Basic realm="failoverd", charset="UTF-8"');
    const said = await problem(response);
    t.equal(codeOf(said), 'unauthenticated');
    t.match(said.remedy, /basic_auth/);
    t.notMatch(JSON.stringify(said), /pa:ss/);
  }
  t.equal(entries(h), before);
  t.notOk(h.lines.some((line) => line.includes('pa:ss') || line.includes(Buffer.from('pa:ss').toString('base64'))));
});

t.test('a webhook that says it left alerts out has Alertmanager asked for them, once it is durable', async (t) => {
  let asked = 0;
  const h = await serve(t, {
    askWhatFires: () => {
      asked += 1;
    },
  });
  await h.post(PATH, payload(), auth);
  t.equal(asked, 0);
  t.equal((await h.post(PATH, payload([alert()], { truncatedAlerts: 3 }), auth)).status, 200);
  t.equal(asked, 1);
  t.equal((await h.post(PATH, payload([alert()], { truncatedAlerts: 3 }), bearer('wrong'))).status, 401);
  t.equal(asked, 1, 'a stranger asks for nothing');
});

t.test('a resolved has all Alertmanagers asked: one that is cut off resolves what still fires', async (t) => {
  let asked = 0;
  const h = await serve(t, {
    askWhatFires: () => {
      asked += 1;
    },
  });
  await h.post(PATH, payload(), auth);
  await h.post(PATH, payload([alert({ status: 'resolved' })]), auth);
  t.equal(asked, 1);
});

t.test('where the config takes no webhooks, it says so', async (t) => {
  const h = await serve(t, { webhookCredentials: null });
  const response = await h.post(PATH, payload(), auth);
  t.equal(response.status, 404);
  t.equal(codeOf(await problem(response)), 'not-configured');
});

t.test('a body that is too large is refused by its length, unread', async (t) => {
  const h = await serve(t);
  const { hostname, port } = new URL(h.url);
  const said = await new Promise<{ status: number; body: string }>((resolve, reject) => {
    const sending = request(
      {
        hostname,
        port,
        path: PATH,
        method: 'POST',
        headers: { ...auth, 'content-type': 'application/json', 'content-length': 9 * 1024 * 1024 },
      },
      (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (part: string) => {
          body += part;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
      },
    );
    sending.on('error', reject);
    sending.flushHeaders();
  });
  t.equal(said.status, 413);
  t.match(JSON.parse(said.body), { type: /too-large$/, remedy: /max_alerts/ });
  t.equal(await h.metric('failoverd_webhooks_total{outcome="too-large"}'), 1);
});

t.test('alerts with a clock far off are refused by themselves, and named', async (t) => {
  const h = await serve(t);
  const off = [
    alert({ fingerprint: '0000000000000001', startsAt: new Date(Date.now() + 3_600_000).toISOString() }),
    alert({ fingerprint: '0000000000000002', startsAt: '1999-12-31T23:59:59Z' }),
    alert({ fingerprint: '0000000000000003', startsAt: 'yesterday' }),
    alert({ fingerprint: '0000000000000004', startsAt: '2025-02-30T00:00:00Z' }),
  ];
  const response = await h.post(PATH, payload([alert(), ...off]), auth);
  t.equal(response.status, 200);
  t.match(await response.json(), {
    accepted: 1,
    refused: [
      { fingerprint: '0000000000000001', field: '/alerts/1/startsAt', code: 'clock-ahead' },
      { fingerprint: '0000000000000002', field: '/alerts/2/startsAt', code: 'clock-behind' },
      { fingerprint: '0000000000000003', field: '/alerts/3/startsAt', code: 'clock-unreadable' },
      { fingerprint: '0000000000000004', field: '/alerts/4/startsAt', code: 'clock-unreadable' },
    ],
  });
  t.equal(Object.keys(h.engine.state().ledger.alerts).length, 1);
  t.equal(await h.metric('failoverd_webhook_alerts_total{outcome="clock-ahead"}'), 1);
  t.equal(await h.metric('failoverd_webhook_alerts_total{outcome="clock-unreadable"}'), 2);

  const before = entries(h);
  const all = await h.post(PATH, payload(off), auth);
  t.equal(all.status, 422, 'nothing of it could be taken');
  t.match(await problem(all), { type: /clock-far-off$/, field: '/alerts/0/startsAt' });
  t.equal(entries(h), before);
});

t.test('a clock a few minutes ahead is no reason to lose an alert', async (t) => {
  const h = await serve(t);
  const startsAt = new Date(Date.now() + 9 * 60_000).toISOString();
  t.equal((await h.post(PATH, payload([alert({ startsAt })]), auth)).status, 200);
});

t.test('when the journal fails the answer is 503 with Retry-After, and stays so', async (t) => {
  const h = await serve(t);
  h.fault = { kind: 'fail', code: 'io' };
  for (const _ of [1, 2]) {
    const response = await h.post(PATH, payload(), auth);
    t.equal(response.status, 503);
    t.match(response.headers.get('retry-after'), /^\d+$/);
    t.equal(codeOf(await problem(response)), 'journal-failed');
  }
  t.equal((await h.get('/-/ready')).status, 503);
  t.equal((await h.get('/-/healthy')).status, 200);
  t.equal(await h.metric('failoverd_webhooks_total{outcome="journal-failed"}'), 2);
  t.equal(await h.metric('failoverd_engine_up'), 0);
});

t.test('a journal that hangs is answered before Alertmanager hangs up', async (t) => {
  const h = await serve(t, { hurry: 40 });
  const { promise, resolve } = Promise.withResolvers<void>();
  h.fault = { kind: 'hang', applied: false, until: promise };
  const response = await h.post(PATH, payload(), auth);
  t.equal(response.status, 503);
  t.equal(codeOf(await problem(response)), 'not-durable-in-time');
  h.fault = null;
  resolve();
});
