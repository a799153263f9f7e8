// What the status shows, to whom in which form, and that it can be read anywhere.
import { request } from 'node:http';
import { connect } from 'node:net';
import { fastify } from 'fastify';
import t from 'tap';
import Value from 'typebox/value';
import type { App } from '../../../src/daemon/http/context.ts';
import { statusNowOf, statusRoutes } from '../../../src/daemon/http/status.ts';
import { StatusDocument } from '../../../src/daemon/status-document.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { createTimers } from '../../../src/runtime/timers.ts';
import { alert, BEARER, bearer, type Harness, payload, serve, TOKENS, until } from './harness.ts';

const json = async (h: Harness, path = '/api/v1/status'): Promise<StatusDocument> =>
  (await (await h.get(path)).json()) as StatusDocument;
const group = async (h: Harness) => {
  const [one] = (await json(h)).groups;
  if (one === undefined) throw new Error('no group');
  return one;
};
const html = async (h: Harness, path = '/status'): Promise<string> =>
  (await h.get(path, { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' })).text();

t.test('a browser gets a page, a program JSON', async (t) => {
  const h = await serve(t);
  const forms: readonly [accept: string, type: RegExp][] = [
    ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', /text\/html/],
    ['text/html, text/plain, text/sgml, */*;q=0.01', /text\/html/],
    ['*/*', /text\/html/],
    ['application/json', /application\/json/],
    ['application/json;q=0.5, text/html;q=0.9', /text\/html/],
    ['application/json, text/plain, */*', /application\/json/],
  ];
  for (const [accept, type] of forms) {
    const response = await h.get('/status', { accept });
    t.match(response.headers.get('content-type'), type, accept);
    t.equal(response.headers.get('vary'), 'Accept');
    t.equal(response.headers.get('cache-control'), 'no-store');
    await response.text();
  }
  const root = await h.get('/');
  t.equal(root.headers.get('location'), '/status');
});

t.test('the document is what its schema says', async (t) => {
  const h = await serve(t);
  await h.see();
  const body: unknown = await json(h);
  t.strictSame(Value.Errors(StatusDocument, body), []);
});

t.test('all is well: it says so, and how old each fact is', async (t) => {
  const h = await serve(t);
  await h.see();
  const { summary, facts, vantages } = await group(h);
  t.match(summary, { mood: 'quiet', wrong: /us-east-1/ });
  t.strictSame(
    vantages.map((v) => v.connected),
    ['ok', 'ok'],
  );
  t.ok(facts.length > 10);
  t.ok(facts.every((fact) => fact.verdict === 'ok' && fact.ageMs !== null && fact.ageMs < 5000));
});

t.test('nothing was heard: everything expected is listed as unknown, never as well', async (t) => {
  const h = await serve(t);
  const { summary, facts, autonomy } = await group(h);
  t.equal(summary.mood, 'blind');
  t.ok(facts.length > 0 && facts.every((fact) => fact.verdict === 'unknown' && fact.ageMs === null));
  for (const subject of ['db in us-east-1', 'db in eu-central-1', 'api in us-east-1', 'name', 'dublin'])
    t.ok(
      facts.some((fact) => fact.subject === subject),
      subject,
    );
  t.equal(autonomy.inForce, 'gated');
});

t.test('the region dies: what is wrong, what follows, who has to approve, and what it would cost', async (t) => {
  const h = await serve(t);
  for (let i = 0; i < 3; i += 1) await h.see();
  await h.post('/webhooks/alertmanager', payload([alert()]), bearer(BEARER));
  const seen = await until('a proposal', async () => {
    await h.see({ primaryDown: true, log: ['connecting to 192.0.2.10:5432', 'no answer <in> 2000 ms'] });
    const one = await group(h);
    return one.proposal === null ? null : one;
  });
  t.match(seen.summary, { mood: 'waiting', wrong: /RegionUnreachable/, next: /proposal-orders-1/ });
  t.match(seen.proposal, { from: 'us-east-1', to: 'eu-central-1', fence: 'command', missing: ['sre', 'vp'] });
  t.ok((seen.proposal?.expiresInMs ?? 0) > 0);
  const page = await html(h);
  for (const text of [
    'failoverd approve proposal-orders-1',
    seen.proposal?.planHash ?? '-',
    'sre and vp',
    'no answer &lt;in> 2000 ms',
  ])
    t.ok(page.includes(text), text);
});

t.test('the page runs no script but its own, loads nothing, and lets nothing be put in', async (t) => {
  const h = await serve(t);
  const nasty = '<img src=x onerror=alert(1)>"\'&';
  await h.post(
    '/webhooks/alertmanager',
    payload([alert({ labels: { alertname: 'PodDown', pod: nasty }, annotations: { summary: nasty } })]),
    bearer(BEARER),
  );
  await h.see({ primaryDown: true, log: [nasty] });
  const response = await h.get('/status');
  const page = await response.text();
  t.equal(page.match(/<script/gi)?.length, 1, 'its own script and no other');
  t.notMatch(page, /<img|<link|<iframe|javascript:|<[a-z][^>]*\son\w+=/i);
  t.match(page, /&lt;img src=x onerror=alert\(1\)>/);
  t.notMatch(page.replaceAll(/https?:\/\/127\.0\.0\.1[^"]*/g, ''), /(src|href)="(https?:)?\/\//);
  t.notMatch(page, /style="/, 'no inline style that the policy would have to allow');
  const policy = response.headers.get('content-security-policy') ?? '';
  t.match(policy, /default-src 'none'/);
  t.match(policy, /style-src 'sha256-[A-Za-z0-9+/]+=*'/);
  t.notMatch(policy, /unsafe/);
  t.equal(response.headers.get('x-content-type-options'), 'nosniff');
});

t.test('the style sheet and the script are the ones that the policy allows', async (t) => {
  const { createHash } = await import('node:crypto');
  const h = await serve(t);
  const response = await h.get('/status');
  const page = await response.text();
  const policy = response.headers.get('content-security-policy') ?? '';
  for (const [element, directive] of [
    ['style', 'style-src'],
    ['script', 'script-src'],
  ] as const) {
    const text = new RegExp(`<${element}>([\\s\\S]*?)</${element}>`).exec(page)?.[1] ?? '';
    t.ok(text.length > 100, element);
    const hash = createHash('sha256').update(text).digest('base64');
    t.ok(policy.includes(`${directive} 'sha256-${hash}'`), directive);
  }
});

t.test('it loads itself anew, and stops when asked', async (t) => {
  const h = await serve(t);
  t.match(await html(h), /<noscript><meta http-equiv="refresh"/);
  const still = await html(h, '/status?refresh=off');
  t.notMatch(still, /http-equiv="refresh"/);
  t.notMatch(still, /<script/);
});

t.test('a report stands at the top until it is cleared, with who made it and what it bars', async (t) => {
  const h = await serve(t);
  await h.see();
  await h.engine.submit({
    kind: 'report',
    request: 'report-1',
    person: { id: 'dora', roles: ['dba'] },
    group: 'orders',
    report: 'corruption',
    what: 'checksum failures in <orders>',
  });
  const { reports, summary } = await group(h);
  t.match(reports, [{ report: 'corruption', by: 'dora', what: 'checksum failures in <orders>' }]);
  t.match(summary, { since: reports[0]?.at, headline: /corruption/i, wrong: /dora/ });
  t.match(summary.saidBy[0], /^dora: /);
  t.match(await html(h), /checksum failures in &lt;orders>/);
  await h.engine.submit({
    kind: 'clear-report',
    request: 'report-2',
    person: { id: 'dora', roles: ['dba'] },
    group: 'orders',
    report: 'corruption',
    why: 'it was the test database',
  });
  t.strictSame((await group(h)).reports, []);
});

t.test('each row tells what it sees and what would turn it', async (t) => {
  const h = await serve(t);
  const row = async (id: number) => (await group(h)).rows.find((one) => one.row === id);
  t.match(await row(40), { when: 'bad(active.reachable)', verdict: 'unknown', values: [{ value: 'unknown' }] });
  await h.see();
  t.match(await row(40), {
    verdict: 'ok',
    values: [{ fact: 'active.reachable', value: 'ok' }],
    turnedBy: ['active.reachable = bad'],
  });
  const page = await html(h);
  t.ok(page.includes('active.reachable = bad'));
});

t.test('many who look at once share what was made, for ten times as long as it took', async (t) => {
  const h = await serve(t);
  await h.see();
  let mono = 0;
  let made = 0;
  const clock = { wall: systemClock.wall, mono: () => mono };
  const context = { engine: h.engine, clock, timers: createTimers(), metrics: h.metrics, version: 'test' };
  const statusNow = statusNowOf({ ...context, clock: systemClock });
  const app: App = fastify();
  t.teardown(() => app.close());
  app.decorateReply('problem', null);
  app.setValidatorCompiler(() => () => true);
  statusRoutes(app, context, (group) => {
    made += 1;
    mono += 100;
    return statusNow(group);
  });
  const ask = (url: string, accept = 'text/html') => app.inject({ url, headers: { accept } });
  const first = await ask('/status');
  const others = await Promise.all(Array.from({ length: 40 }, () => ask('/status')));
  t.equal(made, 1);
  t.ok(others.every((other) => other.body === first.body));
  t.ok(others.every((other) => other.headers['content-security-policy'] === first.headers['content-security-policy']));
  t.not((await ask('/status?refresh=off')).body, first.body, 'another choice is another page');
  t.equal(made, 2);
  await ask('/status', 'application/json');
  await ask('/api/v1/status');
  t.equal(made, 4, 'a program is given what is true at that instant');
  mono = 1_100;
  await ask('/status');
  t.equal(made, 5, 'when its time is over it is made anew');
});

t.test('one group can be asked for', async (t) => {
  const h = await serve(t);
  t.equal((await json(h, '/api/v1/status?group=orders')).groups.length, 1);
  for (const path of ['/api/v1/status?group=nobody', '/status?group=nobody']) {
    const response = await h.get(path);
    t.equal(response.status, 404);
    t.match(await response.json(), { field: 'group', value: 'nobody' });
  }
  t.equal((await h.get('/status?gruop=orders')).status, 422, 'an unknown parameter is an error');
});

t.test('when the engine has failed the page still answers and says so', async (t) => {
  const h = await serve(t);
  await h.see();
  h.fault = { kind: 'fail', code: 'io' };
  await h.post('/webhooks/alertmanager', payload([alert()]), bearer(BEARER));
  t.match(await html(h), /role="alert"/);
  t.match(await group(h), { summary: { mood: 'stuck' } });
  t.match(await json(h), { engine: 'failed' });
});

t.test('a failed judgement is told as what it is, on the page and to whoever gives an order', async (t) => {
  const h = await serve(t);
  await h.see();
  await t.rejects(h.engine.submit({ kind: 'nonsense' } as never));
  t.match(await group(h), { summary: { mood: 'stuck', because: [/defect of failoverd/] } });
  const order = await h.post('/api/v1/runs/run-orders-1/approve', {}, bearer(TOKENS.ann));
  t.equal(order.status, 503);
  t.match(await order.json(), { type: /core-failed$/ });
});

t.test('ready means that webhooks can be taken durably; silent vantages are named', async (t) => {
  const h = await serve(t);
  const response = await h.get('/-/ready');
  t.equal(response.status, 200);
  t.match(await response.json(), { ready: true, engine: 'running', silentVantages: ['daemon', 'dublin'] });
  await h.see();
  t.match(await (await h.get('/-/ready')).json(), { silentVantages: [] });
});

t.test('metrics carry the state in base units, and no text of others', async (t) => {
  const h = await serve(t);
  await h.see();
  await h.post(
    '/webhooks/alertmanager',
    payload([alert({ labels: { alertname: 'X', pod: 'very-unbounded' } })]),
    bearer(BEARER),
  );
  const text = await (await h.get('/metrics')).text();
  t.notMatch(text, /very-unbounded/);
  for (const [line, value] of [
    ['failoverd_engine_up', 1],
    ['failoverd_group_active_info{group="orders",region="us-east-1"}', 1],
    ['failoverd_group_autonomy{group="orders",autonomy="gated"}', 1],
    ['failoverd_group_autonomy{group="orders",autonomy="auto"}', 0],
    ['failoverd_diagnosis_verdict{group="orders",diagnosis="RegionUnreachable"}', 0],
    ['failoverd_vantage_connected{group="orders",vantage="dublin"}', 1],
    ['failoverd_postgres_receive_gap_bytes{group="orders"}', 0],
    ['failoverd_postgres_replay_lag_bytes{group="orders"}', 0],
    ['failoverd_rto_target_seconds{group="orders"}', 300],
    ['failoverd_rpo_target_seconds{group="orders"}', 10],
    ['failoverd_gate_answer{group="orders",gate="one-run"}', 1],
    ['failoverd_gate_answer{group="orders",gate="vantage-quorum"}', 0],
    ['failoverd_pages_overdue{kind="executive-notice"}', 0],
    ['failoverd_pages_undelivered', 0],
  ] as const)
    t.equal(await h.metric(line), value, line);
  t.ok(
    Math.abs(((await h.metric('failoverd_sla_error_budget_seconds')) ?? 0) - 1296) < 1e-6,
    '21.6 minutes in 30 days',
  );
  const wrong = text
    .split('\n')
    .filter((line) => /^failoverd_/.test(line) && /_(ms|milliseconds|minutes|kb)\b/.test(line));
  t.strictSame(wrong, []);
  const counters = text.split('\n').filter((line) => /^# TYPE failoverd_\S+ counter/.test(line));
  t.ok(counters.length > 5 && counters.every((line) => line.includes('_total ')));
});

t.test('what is no route, and what is no method', async (t) => {
  const h = await serve(t);
  const nowhere = await h.get('/nowhere');
  t.equal(nowhere.status, 404);
  t.match(await nowhere.json(), { type: /not-found$/, value: '/nowhere' });
  for (const [path, allow] of [
    ['/webhooks/alertmanager', 'POST'],
    ['/api/v1/proposals/proposal-a-1/approve', 'POST'],
  ] as const) {
    const wrong = await h.get(path);
    t.equal(wrong.status, 405);
    t.equal(wrong.headers.get('allow'), allow);
    t.match(await wrong.json(), { type: /method-not-allowed$/, value: 'GET' });
  }
  const deleted = await fetch(`${h.url}/status`, { method: 'DELETE' });
  t.equal(deleted.status, 405);
  t.match(deleted.headers.get('allow'), /GET/);
  await deleted.body?.cancel();
});

t.test('addresses and requests that are none are answered, not thrown', async (t) => {
  const h = await serve(t);
  const { hostname, port } = new URL(h.url);
  const status = await new Promise<number>((resolve, reject) => {
    request({ hostname, port, path: '/%zz' }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    })
      .on('error', reject)
      .end();
  });
  t.equal(status, 400);
  const raw = await new Promise<string>((resolve, reject) => {
    let text = '';
    const socket = connect(Number(port), hostname, () => socket.write('NONSENSE\r\n\r\n'));
    socket.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
    socket.on('end', () => resolve(text)).on('error', reject);
  });
  t.match(raw, /^HTTP\/1\.1 400 /);
  t.match(raw, /application\/problem\+json/);
  t.equal((await h.get('/-/healthy')).status, 200);
});

t.test('the API describes itself', async (t) => {
  const h = await serve(t);
  const api = (await (await h.get('/api/v1/openapi.json')).json()) as {
    openapi: string;
    paths: Record<string, unknown>;
  };
  t.equal(api.openapi, '3.1.0');
  for (const path of [
    '/webhooks/alertmanager',
    '/api/v1/status',
    '/api/v1/proposals/{id}/approve',
    '/api/v1/runs/{id}/abort',
  ])
    t.ok(api.paths[path], path);
});
