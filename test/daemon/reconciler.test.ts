// An Alertmanager is asked over HTTP, and whatever it answers but a whole list changes nothing.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { createReconciler, type Reconciler, type ReconcilerOptions } from '../../src/daemon/reconciler.ts';
import { alertSourceOf } from '../../src/probes/alertmanager.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import type { HttpCredentials } from '../../src/runtime/http-credentials.ts';
import { createTimers } from '../../src/runtime/timers.ts';
import { alert, type Harness, serve, until } from './http/harness.ts';

const STATUS = JSON.stringify({ uptime: '2026-01-01T00:00:00.000Z', cluster: { status: 'ready' } });
const listed = (over: Record<string, unknown> = {}) => {
  const { status: _webhook, ...one } = alert(over);
  return { ...one, receivers: [], status: { state: 'active', silencedBy: [], inhibitedBy: [], mutedBy: [] } };
};

type Answer = (request: IncomingMessage, response: ServerResponse) => void;
type Api = {
  readonly url: URL;
  readonly asked: string[];
  readonly authorization: Set<string>;
  alerts: Answer;
  silences: Answer;
  status: Answer;
};

const json =
  (text: string): Answer =>
  (_, response) =>
    void response.setHeader('content-type', 'application/json').end(text);

async function api(t: Pick<Test, 'teardown'>, alerts: readonly unknown[] = []): Promise<Api> {
  const one = {
    asked: [] as string[],
    authorization: new Set<string>(),
    alerts: json(JSON.stringify(alerts)),
    silences: json('[]'),
    status: json(STATUS),
  };
  const server = createServer((request, response) => {
    one.asked.push(request.url ?? '');
    one.authorization.add(request.headers.authorization ?? '');
    const path = (request.url ?? '').split('?')[0];
    if (path === '/am/api/v2/alerts') one.alerts(request, response);
    else if (path === '/am/api/v2/silences') one.silences(request, response);
    else if (path === '/am/api/v2/status') one.status(request, response);
    else response.writeHead(404).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return Object.assign(one, { url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/am`) });
}

type Over = Partial<ReconcilerOptions> & { readonly credentials?: HttpCredentials };

function reconciler(t: Pick<Test, 'teardown'>, h: Harness, apis: readonly Api[], over: Over = {}): Reconciler {
  const { engine, metrics, log } = h;
  const made = createReconciler({
    sources: apis.map(({ url }) => alertSourceOf({ url, credentials: over.credentials ?? null })),
    ...{ engine, metrics, log },
    clock: systemClock,
    timers: createTimers(),
    random: () => 0.5,
    redact: (text) => text,
    everyMs: 20,
    ...over,
  });
  t.teardown(() => made.stop());
  return made;
}

const outcomes = async (h: Harness, outcome: string): Promise<number> =>
  (await h.metric(`failoverd_alertmanager_reconciliations_total{outcome="${outcome}"}`)) ?? 0;
const atLeast = (h: Harness, outcome: string, least: number) =>
  until(`${least} times ${outcome}`, async () => ((await outcomes(h, outcome)) >= least ? true : null));
const statuses = (h: Harness): string[] =>
  Object.values(h.engine.state().ledger.alerts).map(({ alert }) => `${alert.fingerprint} ${alert.status}`);

t.test('what fires is found at the start, and what ended unheard in a later round', async (t) => {
  const h = await serve(t);
  const am = await api(t, [listed()]);
  reconciler(t, h, [am]).start();
  await until('the alert', () => (statuses(h).length > 0 ? true : null));
  t.strictSame(statuses(h), ['c0ffee00c0ffee00 firing']);
  am.alerts = json('[]');
  await until('its end', () => (statuses(h)[0] === 'c0ffee00c0ffee00 resolved' ? true : null));
  t.ok((await outcomes(h, 'ok')) >= 2);
  const age = await h.metric('failoverd_alertmanager_reconciliation_age_seconds');
  t.ok(age !== null && age < 5, `${age} s ago`);
  t.ok(
    h.lines.some((line) => line.includes('"lostResolved":1')),
    'and said',
  );
});

t.test('an alert heard of again by asking goes on counting, and writes nothing down', async (t) => {
  const h = await serve(t);
  reconciler(t, h, [await api(t, [listed()])]).start();
  await atLeast(h, 'ok', 1);
  const [key = ''] = await until('the alert', () => {
    const keys = Object.keys(h.engine.state().ledger.alerts);
    return keys.length > 0 ? keys : null;
  });
  const heard = h.engine.state().volatile.alertHeardMono[key] ?? 0;
  const received = () => h.disk.rows.filter((row) => JSON.stringify(row).includes('alerts.received')).length;
  await until('it is heard again', () => ((h.engine.state().volatile.alertHeardMono[key] ?? 0) > heard ? true : null));
  t.equal(received(), 1);
});

t.test(
  'an alert that a cut-off one of a pair resolved fires again, as an answer asked for since lists it',
  async (t) => {
    const h = await serve(t);
    const one = alert();
    const am = await api(t, [listed({ startsAt: one.startsAt })]);
    const post = (status: string) =>
      h.post(
        '/webhooks/alertmanager',
        { version: '4', status, alerts: [{ ...one, status }] },
        { authorization: 'Bearer alertmanager-says-hello' },
      );
    await post('firing');
    await post('resolved');
    t.strictSame(statuses(h), ['c0ffee00c0ffee00 resolved']);
    reconciler(t, h, [am]).start();
    await until('it fires again', () => (statuses(h)[0] === 'c0ffee00c0ffee00 firing' ? true : null));
    t.equal(h.disk.rows.filter((row) => JSON.stringify(row).includes('alerts.reopened')).length, 1);
  },
);

t.test('an alert that means nothing to us is not kept, nor looked for again', async (t) => {
  const h = await serve(t);
  reconciler(t, h, [await api(t, [listed({ labels: { alertname: 'DiskFull' } })])]).start();
  await atLeast(h, 'ok', 2);
  t.strictSame(statuses(h), []);
});

t.test('no answer, nonsense or half of an answer is never taken for no alerts', async (t) => {
  const half: Answer = (_, response) => {
    response.writeHead(200, { 'content-length': 100 }).write('[');
    response.destroy();
  };
  const cases: readonly [string, keyof Pick<Api, 'alerts' | 'silences' | 'status'>, Answer, string][] = [
    ['an error', 'alerts', (_, response) => void response.writeHead(500).end('[]'), 'status'],
    ['a redirect', 'alerts', (_, response) => void response.writeHead(302, { location: '/' }).end('[]'), 'status'],
    ['credentials refused', 'alerts', (_, response) => void response.writeHead(401).end('[]'), 'auth'],
    ['no JSON', 'alerts', json('<html>all is well</html>'), 'protocol'],
    ['nothing', 'alerts', json(''), 'protocol'],
    ['no list', 'alerts', json('{"alerts":[]}'), 'protocol'],
    ['null', 'alerts', json('null'), 'protocol'],
    ['a list with a stranger', 'alerts', json('[{"fingerprint":"c0ffee00c0ffee00"}]'), 'protocol'],
    ['a state of another world', 'alerts', json(JSON.stringify([{ ...listed(), status: { state: '?' } }])), 'protocol'],
    ['more than may be', 'alerts', json(`[${' '.repeat(9 * 1024 * 1024)}]`), 'protocol'],
    ['half of it', 'alerts', half, 'reset'],
    ['silence', 'alerts', () => undefined, 'timeout'],
    ['a list, and then no silences', 'silences', (_, response) => void response.writeHead(404).end(), 'status'],
    ['a list, and then silences of another world', 'silences', json('[{"id":"x"}]'), 'protocol'],
    ['a list, and then half of the silences', 'silences', half, 'reset'],
    ['a list, and then no status', 'status', (_, response) => void response.writeHead(404).end(), 'status'],
    ['a list, and then no start', 'status', json('{}'), 'protocol'],
    ['a list, and then half of a status', 'status', half, 'reset'],
  ];
  for (const [name, part, answer, code] of cases) {
    const h = await serve(t);
    const am = await api(t, [listed()]);
    const asking = reconciler(t, h, [am], { deadlineMs: name === 'silence' ? 100 : 5_000 });
    asking.start();
    await until('the alert', () => (statuses(h).length > 0 ? true : null));
    am.alerts = json('[]');
    am[part] = answer;
    const before = await outcomes(h, code);
    // The first may have been asked before the answers were changed; the second was asked after.
    await atLeast(h, code, before + 2);
    if (part === 'alerts') t.strictSame(statuses(h), ['c0ffee00c0ffee00 firing'], name);
    t.ok(
      h.lines.some((line) => line.includes(`"code":"${code}"`) && line.includes('/am')),
      `${name} is logged`,
    );
    await asking.stop();
  }
});

t.test('the age of the last good answer grows while nobody answers', async (t) => {
  const h = await serve(t);
  const am = await api(t);
  am.alerts = (_, response) => void response.writeHead(503).end();
  reconciler(t, h, [am]).start();
  const begun = performance.now();
  await atLeast(h, 'status', 5);
  const passedMs = performance.now() - begun;
  const ageSeconds = (await h.metric('failoverd_alertmanager_reconciliation_age_seconds')) ?? 0;
  t.ok(ageSeconds * 1000 >= passedMs, `${ageSeconds} s after ${passedMs} ms`);
});

t.test('where one of a pair is down, the other is enough', async (t) => {
  const h = await serve(t);
  const [one, two] = [await api(t, [listed()]), await api(t, [listed()])];
  one.alerts = (_, response) => void response.destroy();
  reconciler(t, h, [one, two]).start();
  await until('the alert', () => (statuses(h)[0] === 'c0ffee00c0ffee00 firing' ? true : null));
  two.alerts = json('[]');
  await until('its end', () => (statuses(h)[0] === 'c0ffee00c0ffee00 resolved' ? true : null));
  t.ok((await outcomes(h, 'reset')) > 0);
});

t.test('an alert that came by webhook while the question was out is not taken for ended', async (t) => {
  const h = await serve(t);
  const am = await api(t);
  const { promise: asked, resolve: tellAsked } = Promise.withResolvers<ServerResponse>();
  am.alerts = (_, response) => tellAsked(response);
  reconciler(t, h, [am], { everyMs: 60_000 }).start();
  const response = await asked;
  await h.post(
    '/webhooks/alertmanager',
    { version: '4', status: 'firing', alerts: [alert()] },
    {
      authorization: 'Bearer alertmanager-says-hello',
    },
  );
  t.strictSame(statuses(h), ['c0ffee00c0ffee00 firing']);
  response.end('[]');
  await atLeast(h, 'ok', 1);
  await h.engine.submit({ kind: 'tick' });
  t.strictSame(statuses(h), ['c0ffee00c0ffee00 firing']);
});

t.test('a webhook that left alerts out has a round begin long before its time; a storm of them, one', async (t) => {
  const h = await serve(t);
  const am = await api(t);
  const asking = reconciler(t, h, [am], { everyMs: 600_000 });
  asking.soon();
  t.equal(am.asked.length, 0, 'before the start nothing is asked');
  asking.start();
  await atLeast(h, 'ok', 1);
  for (let times = 0; times < 100; times += 1) asking.soon();
  await atLeast(h, 'ok', 2);
  t.equal(am.asked.filter((url) => url.startsWith('/am/api/v2/alerts')).length, 2);
});

t.test('credentials are presented, and told to nobody', async (t) => {
  for (const [credentials, header] of [
    [{ kind: 'bearer', token: 'sesame-token' }, 'Bearer sesame-token'],
    [{ kind: 'basic', user: 'failoverd', password: 'sesame' }, 'Basic ZmFpbG92ZXJkOnNlc2FtZQ=='],
  ] as const) {
    const h = await serve(t);
    const am = await api(t);
    const asking = reconciler(t, h, [am], { credentials });
    asking.start();
    await atLeast(h, 'ok', 1);
    am.alerts = (_, response) => void response.writeHead(403).end(header);
    await atLeast(h, 'auth', 1);
    await asking.stop();
    t.strictSame([...am.authorization], [header]);
    t.notOk(h.lines.some((line) => /sesame|c2VzYW1l/.test(line)));
  }
});

t.test('once it is stopped nothing is asked or put in, whatever was under way', async (t) => {
  const h = await serve(t);
  const am = await api(t);
  const { promise: asked, resolve: tellAsked } = Promise.withResolvers<void>();
  am.alerts = () => tellAsked();
  const asking = reconciler(t, h, [am]);
  asking.start();
  await asked;
  await asking.stop();
  asking.soon();
  t.equal(am.asked.length, 1);
  t.equal(await outcomes(h, 'timeout'), 0, 'what we cut off ourselves is no failure of theirs');
});
