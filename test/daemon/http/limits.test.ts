// Nobody asks for more than there is, webhooks are never told 429, and guessing tokens is slow.
import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import t from 'tap';
import { createGate, declaredBytes } from '../../../src/daemon/http/backpressure.ts';
import { MOST_STREAMS_PER_CLIENT } from '../../../src/daemon/http/events.ts';
import { clientOf, createLimiter, RATES } from '../../../src/daemon/http/limits.ts';
import { alert, BEARER, bearer, payload, serve, TOKENS, until } from './harness.ts';

const FEW = { burst: 3, perSecond: 0.01 };
const REPORTS = '/api/v1/groups/orders/reports';

t.test('a burst passes, then one at a time; a clock that is set changes nothing', (t) => {
  let mono = 5_000;
  const limiter = createLimiter({ burst: 3, perSecond: 2 }, () => mono, 2);
  for (let i = 0; i < 3; i += 1) t.equal(limiter.take('a'), 0);
  t.equal(limiter.take('a'), 500);
  t.equal(limiter.take('a'), 500, 'what is refused is not counted');
  t.equal(limiter.wait('b'), 0, 'others are not concerned');
  mono += 499;
  t.equal(limiter.take('a'), 1);
  mono += 1;
  t.equal(limiter.take('a'), 0);
  t.equal(limiter.take('a'), 500);
  mono += 60_000;
  for (let i = 0; i < 3; i += 1) t.equal(limiter.take('a'), 0, 'never more than a burst');
  t.equal(limiter.take('a'), 500);
  limiter.take('b');
  limiter.take('c');
  t.equal(limiter.wait('a'), 0, 'the one that was quiet longest is forgotten');
  t.end();
});

t.test('a client is an IPv4 address, or 64 bits of an IPv6 one', (t) => {
  for (const [address, client] of [
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::1', '0:0:0:0::/64'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:0db8:0001:0002:ffff::', '2001:db8:1:2::/64'],
    ['2001:DB8::9', '2001:db8:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ] as const)
    t.equal(clientOf(address), client, address);
  t.end();
});

t.test('who asks for too much is told to wait, and how long', async (t) => {
  const h = await serve(t, { rates: { ...RATES, client: FEW } });
  for (let i = 0; i < 3; i += 1) t.equal((await h.get('/api/v1/status')).status, 200);
  for (const path of ['/api/v1/status', '/status', '/metrics', '/nowhere']) {
    const refused = await h.get(path);
    t.equal(refused.status, 429, path);
    t.equal(refused.headers.get('content-type'), 'application/problem+json; charset=utf-8');
    t.equal(refused.headers.get('retry-after'), '100');
    t.match(await refused.json(), { type: /too-many-requests$/, status: 429, remedy: /Retry-After/ });
  }
  t.equal((await h.get('/-/ready')).status, 200, 'who watches us sees us');
  for (let i = 0; i < 20; i += 1) {
    const taken = await h.post('/webhooks/alertmanager', payload([alert()]), bearer(BEARER));
    t.equal(taken.status, 200, 'webhooks are not counted');
  }
});

t.test('a person who gives very many orders is told to wait; others are not', async (t) => {
  const h = await serve(t, { rates: { ...RATES, person: FEW } });
  const order = (who: keyof typeof TOKENS) =>
    h.post(REPORTS, { report: 'corruption', what: 'sums' }, bearer(TOKENS[who]));
  for (let i = 0; i < 3; i += 1) t.equal((await order('ann')).status, 200);
  const refused = await order('ann');
  t.equal(refused.status, 429);
  t.match(await refused.json(), { type: /too-many-requests$/, detail: /ann/ });
  t.equal((await order('vera')).status, 200);
  t.equal(await h.metric('failoverd_orders_total{order="report",outcome="too-many-requests"}'), 1);
});

t.test('the past is not asked for without end; the present is', async (t) => {
  const h = await serve(t, { rates: { ...RATES, past: FEW } });
  const past = '/api/v1/groups/orders/explain?at=2026-01-01T00:00:00Z';
  for (let i = 0; i < 3; i += 1) t.not((await h.get(past)).status, 429);
  t.equal((await h.get(past)).status, 429);
  t.equal((await h.get('/api/v1/groups/orders/explain')).status, 200);
});

t.test('guessing tokens is slowed, and locks nobody out', async (t) => {
  const h = await serve(t, { rates: { ...RATES, guess: FEW } });
  const order = (token: string) => h.post(REPORTS, { report: 'corruption', what: 'sums' }, bearer(token));
  for (let i = 0; i < 10; i += 1) t.equal((await order(TOKENS.ann)).status, 200);
  for (let i = 0; i < 3; i += 1) t.equal((await order(`guess-${i}`)).status, 401);
  t.equal((await order('guess-3')).status, 429);
  t.equal((await order(TOKENS.ann)).status, 200, 'whoever stands behind the same proxy can still give orders');
  t.equal((await h.get('/status')).status, 200, 'whoever only looks is not concerned');
});

t.test('webhooks that are more than there is room for are told 503, and taken again at once', async (t) => {
  const h = await serve(t);
  const { hostname, port } = new URL(h.url);
  const waiting = Array.from({ length: 256 }, () => {
    const one = request({
      host: hostname,
      port,
      method: 'POST',
      path: '/webhooks/alertmanager',
      headers: { ...bearer(BEARER), 'content-type': 'application/json', 'content-length': 10 },
    });
    one.on('error', () => undefined);
    one.write('{');
    return one;
  });
  t.teardown(() => {
    for (const one of waiting) one.destroy();
  });
  const refused = await until('no room', async () => {
    const response = await h.post('/webhooks/alertmanager', payload([alert()]), bearer(BEARER));
    if (response.status === 503) return response;
    await response.body?.cancel();
    return null;
  });
  t.match(refused.headers.get('retry-after'), /^\d+$/);
  t.match(await refused.json(), { type: /busy$/ });
  t.ok(((await h.metric('failoverd_webhooks_total{outcome="busy"}')) ?? 0) > 0);
  for (const one of waiting) one.destroy();
  await until('room', async () => {
    const response = await h.post('/webhooks/alertmanager', payload([alert()]), bearer(BEARER));
    await response.body?.cancel();
    return response.status === 200 ? true : null;
  });
});

t.test('one after the other they all find room, on one connection too', async (t) => {
  const h = await serve(t);
  const statuses = new Set<number>();
  for (let i = 0; i < 300; i += 1) {
    const response = await h.post('/webhooks/alertmanager', payload([alert()]), bearer(BEARER));
    await response.body?.cancel();
    statuses.add(response.status);
  }
  t.same([...statuses], [200]);
});

t.test('room is given back once', (t) => {
  const gate = createGate({ most: 2, mostBytes: 100 });
  const first = gate.enter(500);
  t.ok(first, 'a single one finds room however large it is');
  t.equal(gate.enter(1), null);
  first?.();
  first?.();
  const [second, third] = [gate.enter(40), gate.enter(40)];
  t.ok(second !== null && third !== null);
  t.equal(gate.enter(1), null, 'two at a time');
  t.equal(declaredBytes(undefined, 9), 9);
  t.equal(declaredBytes('7', 9), 7);
  for (const text of ['-1', 'x', '1e99', '12345']) t.equal(declaredBytes(text, 9), 9, text);
  t.end();
});

t.test('one client holds so many streams; how many are open is counted', async (t) => {
  const h = await serve(t);
  const { hostname, port } = new URL(h.url);
  const open = async () => {
    const socket = connect({ host: hostname, port: Number(port), localAddress: '127.0.0.9' });
    t.teardown(() => socket.destroy());
    await once(socket, 'connect');
    socket.write('GET /api/v1/events HTTP/1.1\r\nhost: failoverd\r\n\r\n');
    const [head] = (await once(socket.setEncoding('utf8'), 'data')) as [string];
    return { socket, status: Number(head.split(' ')[1]) };
  };
  const streams = await Promise.all(Array.from({ length: MOST_STREAMS_PER_CLIENT }, open));
  t.ok(streams.every(({ status }) => status === 200));
  t.equal((await open()).status, 429);
  t.equal(await h.metric('failoverd_event_streams_open'), MOST_STREAMS_PER_CLIENT);
  await h.get('/api/v1/openapi.json');
  t.equal(await h.metric('failoverd_event_streams_open'), MOST_STREAMS_PER_CLIENT, 'describing them closes none');
  for (const { socket } of streams) socket.destroy();
  await until('none', async () => ((await h.metric('failoverd_event_streams_open')) === 0 ? true : null));
});
