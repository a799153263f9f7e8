import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import t, { type Test } from 'tap';
import Value from 'typebox/value';
import { createGuards } from '../../src/daemon/guards.ts';
import type { App } from '../../src/daemon/http/context.ts';
import { RATES } from '../../src/daemon/http/limits.ts';
import { createReplies } from '../../src/daemon/http/replies.ts';
import { createHttp } from '../../src/daemon/http/server.ts';
import { createMetrics } from '../../src/daemon/metrics.ts';
import { createPeople } from '../../src/daemon/people.ts';
import { LeaseAnswer, type LeaseRequest } from '../../src/model/lease.ts';
import { createReportDesk } from '../../src/probes/report.ts';
import { newNonce } from '../../src/runtime/ids.ts';
import { createLog } from '../../src/runtime/log.ts';
import { createTimers } from '../../src/runtime/timers.ts';
import { bearer, until } from '../daemon/http/harness.ts';
import { GROUP } from '../support/group.ts';
import { A, B, COMPONENT, Guard, leaseContract, type StoreUnderTest, settled } from './contract.ts';
import { type Core, startCore } from './core.ts';

const TOKENS: Readonly<Record<string, string>> = { [A]: 'guard-a', [B]: 'guard-b' };
const ANN = bearer('token-of-ann');

type Face = StoreUnderTest & { readonly core: Core; readonly app: App; readonly url: string };

/** The real face on a real socket, before the core. */
async function serve(t: Test, rates = RATES): Promise<Face> {
  const timers = createTimers();
  const replies = createReplies({ timers });
  const core = await startCore({ alsoReply: (reply) => replies.port.reply(reply), newClocks: false });
  const app = createHttp({
    engine: {
      submit: (input) => core.engine().submit(input),
      state: () => core.engine().state(),
      health: () => core.engine().health(),
      failureKind: () => core.engine().failureKind(),
    },
    replies,
    people: createPeople([
      { id: 'ann', roles: ['sre'], token: 'token-of-ann' },
      { id: 'vic', roles: ['viewer'], token: 'token-of-vic' },
    ]),
    guards: createGuards(
      Object.entries(TOKENS).map(([region, token]) => ({ group: GROUP, component: COMPONENT, region, token })),
    ),
    webhookCredentials: () => null,
    askWhatFires: () => undefined,
    witnesses: createReportDesk({ session: 'session-0123456789', keys: new Map(), clock: core.clock }),
    reload: async () => ({ kind: 'failed' }),
    past: async () => ({ events: [], firstAt: null, lastAt: null }),
    metrics: createMetrics({ version: 'test' }),
    log: createLog({ level: 'error', destination: { write: () => undefined } }),
    clock: core.clock,
    timers,
    newNonce,
    version: 'test',
    rates,
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const [address] = app.addresses() as AddressInfo[];
  const url = `http://127.0.0.1:${address?.port}`;
  t.teardown(async () => {
    await app.close();
    await core.engine().stop();
  });
  const ask = async (request: LeaseRequest): Promise<LeaseAnswer> => {
    const response = await post(url, request, bearer(TOKENS[request.guard] ?? ''));
    if (response.status !== 200) throw new Error(await response.text());
    return Value.Parse(LeaseAnswer, await response.json());
  };
  return {
    ...core,
    core,
    app,
    url,
    ask,
    async askInVain(request) {
      const before = core.inputs.length;
      const body = JSON.stringify(request);
      const socket = connect(address?.port ?? 0, '127.0.0.1');
      socket.on('error', () => undefined);
      await once(socket, 'connect');
      socket.write(
        `POST /api/v1/lease HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${TOKENS[request.guard]}\r\n` +
          `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
      );
      await until('the request', () => (core.inputs.length > before ? true : null));
      socket.destroy();
    },
    async clear() {
      const path = `/api/v1/groups/${GROUP}/leases/${COMPONENT}/clear`;
      const response = await post(url, { reason: 'looked at both' }, ANN, path);
      if (response.status !== 200) throw new Error(await response.text());
    },
  };
}

const post = (url: string, body: unknown, headers: Record<string, string>, path = '/api/v1/lease'): Promise<Response> =>
  fetch(`${url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });

const problem = async (response: Response): Promise<string> => {
  const { type } = (await response.json()) as { type: string };
  return `${response.status} ${type.split('/').at(-1)}`;
};

t.test('the core, over HTTP', async (t) => {
  leaseContract(t, serve);
});

t.test('a guard speaks for itself alone, with its own token', async (t) => {
  const { url, store } = await serve(t).then((face) => ({ url: face.url, store: face }));
  const a = new Guard(store, A);
  const read = a.request({ kind: 'read' });
  t.equal(await problem(await post(url, read, {})), '401 unauthenticated');
  t.equal(await problem(await post(url, read, ANN)), '401 unauthenticated', 'a person is no guard');
  t.equal(await problem(await post(url, read, bearer(TOKENS[B] ?? ''))), '403 foreign-guard');
  const token = bearer(TOKENS[A] ?? '');
  t.equal(await problem(await post(url, { ...read, group: 'other' }, token)), '403 foreign-guard');
  t.equal(await problem(await post(url, { ...read, component: 'other' }, token)), '403 foreign-guard');
  t.equal(await problem(await post(url, { ...read, more: 1 }, token)), '422 invalid');
  t.equal((await a.read()).kind, 'is');
});

t.test('asked very often it is told to wait, by guard and not by address', async (t) => {
  const store = await serve(t, { ...RATES, guard: { burst: 2, perSecond: 0.001 } });
  const a = new Guard(store, A);
  const read = a.request({ kind: 'read' });
  await a.read();
  await a.read();
  const refused = await post(store.url, read, bearer(TOKENS[A] ?? ''));
  t.equal(await problem(refused), '429 too-many-requests');
  t.ok(refused.headers.has('retry-after'));
  t.equal((await new Guard(store, B).read()).kind, 'is');
});

t.test('whoever asks too much of everything else holds up no guard', async (t) => {
  const store = await serve(t, { ...RATES, client: { burst: 1, perSecond: 0.001 } });
  await fetch(`${store.url}/status`);
  t.equal((await fetch(`${store.url}/status`)).status, 429);
  t.equal((await new Guard(store, A).read()).kind, 'is');
});

t.test('a disk that stands still: renewals go on, what must be durable is told late', async (t) => {
  const store = await serve(t);
  const { a, b } = await settled(store);
  const disk = Promise.withResolvers<void>();
  store.core.fault = { kind: 'hang', applied: true, until: disk.promise };
  const taking = post(store.url, b.request(b.setOf({ epoch: 2, peers: [A] })), bearer(TOKENS[B] ?? ''));
  const begun = performance.now();
  t.equal(await problem(await taking), '503 not-durable-in-time');
  const tookMs = performance.now() - begun;
  t.ok(tookMs > 1_000 && tookMs < 2_000, `before a guard gives up: ${tookMs}`);
  store.core.fault = null;
  disk.resolve();
  t.match(await a.read(), { record: { holder: B, epoch: 2 } }, 'and was made all the same');
});

t.test('a journal that failed: no answer but that', async (t) => {
  const store = await serve(t);
  const { a, b } = await settled(store);
  store.core.fault = { kind: 'fail', code: 'full' };
  const token = bearer(TOKENS[B] ?? '');
  t.equal(await problem(await post(store.url, b.request(b.setOf({ epoch: 2 })), token)), '503 journal-failed');
  store.core.fault = null;
  t.equal(
    await problem(await post(store.url, a.request(a.setOf()), bearer(TOKENS[A] ?? ''))),
    '503 journal-failed',
    'a renewal, too',
  );
});

t.test('leases are shown to whoever looks: holder, ages, pins, the wait', async (t) => {
  const store = await serve(t);
  const { a } = await settled(store);
  await a.set();
  await store.pass(5_000);
  const { leases } = (await (await fetch(`${store.url}/api/v1/leases`)).json()) as { leases: object[] };
  t.match(leases, [
    {
      group: GROUP,
      component: COMPONENT,
      state: 'held',
      holder: A,
      epoch: 1,
      peers: [B],
      renewedAgoMs: 5_000,
      unchangedMs: 5_000,
      warmingMs: 0,
      guards: [
        { region: A, heardAgoMs: 5_000, pinned: true, obeyed: 1 },
        { region: B, heardAgoMs: 5_000, pinned: true, obeyed: 0 },
      ],
      halt: null,
    },
  ]);
  const page = await (await fetch(`${store.url}/status`, { headers: { accept: 'text/html' } })).text();
  t.match(page, /Who may write/);
  const metrics = await (await fetch(`${store.url}/metrics`)).text();
  const labels = `group="${GROUP}",component="${COMPONENT}"`;
  for (const line of [
    `failoverd_lease_holder_info{${labels},region="${A}"} 1`,
    `failoverd_lease_epoch{${labels}} 1`,
    `failoverd_lease_unchanged_seconds{${labels}} 5`,
    `failoverd_lease_halted{${labels}} 0`,
    `failoverd_lease_guard_pinned{${labels},region="${B}"} 1`,
    'failoverd_lease_answers_total{answer="set"} 2',
  ])
    t.ok(metrics.split('\n').includes(line), line);
});

t.test('a halted store is shown, and cleared by whoever may, once', async (t) => {
  const store = await serve(t);
  const { b } = await settled(store);
  b.obeyed = 7;
  await b.read();
  const page = await (await fetch(`${store.url}/status`, { headers: { accept: 'text/html' } })).text();
  t.match(page, /The lease store of db is halted/);
  t.match(page, /failoverd lease clear platform\/db/);
  const { groups } = (await (await fetch(`${store.url}/api/v1/status`)).json()) as {
    groups: { summary: { wrong: string } }[];
  };
  t.match(groups[0]?.summary.wrong, /lease store of db is halted/);
  const clear = (token: string, key = '"k-1"', component = COMPONENT): Promise<Response> =>
    post(
      store.url,
      { reason: 'looked at both' },
      { ...bearer(token), 'idempotency-key': key },
      `/api/v1/groups/${GROUP}/leases/${component}/clear`,
    );
  t.equal(await problem(await clear('token-of-vic')), '403 role');
  t.equal(await problem(await clear('token-of-ann', '"k-0"', 'nothing')), '409 not-waiting');
  const first = await (await clear('token-of-ann')).json();
  t.match(first, { status: 'cleared', epoch: 7, start: 2 });
  t.strictSame(await (await clear('token-of-ann')).json(), first, 'the same order again is the same');
  t.equal(await problem(await clear('token-of-ann', '"k-2"')), '409 not-waiting');
});
