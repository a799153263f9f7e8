// What clients see after a cut-over: resolvers, the service and a write, all through the public name.
import { createServer, type RequestListener, type Server } from 'node:http';
import t from 'tap';
import { startAuthority, startResolver } from '../../lab/dns/index.ts';
import type { DnsComponent, HttpComponent } from '../../src/model/config.ts';
import type { StepKind } from '../../src/model/plan.ts';
import { A, actorOf, ask, B, configOf, gist, RUN, type Tap, type TestActor } from './world.ts';

const NAME = 'app.failover.test';
const OLD = '127.0.84.10';
const NEW = '127.0.84.20';

/** A name that answers `addresses`, as two resolvers that ask for it each time. */
async function names(test: Tap) {
  let addresses: readonly string[] = [NEW];
  const authority = await startAuthority({
    host: '127.0.84.1',
    source: {
      isHealthy: () => true,
      zones: () => [
        {
          id: 'Z',
          name: 'failover.test.',
          records: [
            { name: 'failover.test.', type: 'SOA', ttlSeconds: 0, values: ['ns. hostmaster. 1 1 1 1 0'] },
            ...(addresses.length === 0
              ? []
              : [{ name: `${NAME}.`, type: 'A' as const, ttlSeconds: 0, values: addresses }]),
          ],
        },
      ],
    },
  });
  const upstream = { host: authority.host, port: authority.port };
  const [first, second] = await Promise.all(
    ['127.0.84.2', '127.0.84.3'].map((host) => startResolver({ host, upstream, respectTtl: true })),
  );
  if (first === undefined || second === undefined) throw new Error('two resolvers');
  test.teardown(async () => {
    await Promise.all([authority.close(), first.close(), second.close()]);
  });
  const answer = (...next: string[]): void => {
    addresses = next;
  };
  return { first, second, answer };
}

type Request = { readonly method: string; readonly url: string; readonly host: string; readonly body: string };
/** A service on the new side that answers as told, and remembers what it was asked. */
async function service(test: Tap, answer: (request: Request) => number | 'hang') {
  const requests: Request[] = [];
  const handle: RequestListener = async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const told = { method: request.method ?? '', url: request.url ?? '', host: request.headers.host ?? '', body };
    requests.push(told);
    const status = answer(told);
    if (status !== 'hang') response.writeHead(status).end('{}');
  };
  const server = await new Promise<Server>((resolve) => {
    const listening = createServer(handle).listen(0, NEW, () => resolve(listening));
  });
  test.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  return { requests, port: typeof address === 'object' && address !== null ? address.port : 0 };
}

function actorAt(test: Tap, port: number, resolvers: readonly string[]): TestActor {
  const name: DnsComponent = {
    kind: 'dns',
    tier: 1,
    provider: 'route53',
    zoneId: 'Z',
    name: NAME,
    records: { [A]: [OLD], [B]: [NEW] },
    epochName: `_failoverd.${NAME}`,
    resolvers: [...resolvers],
  };
  const api: HttpComponent = {
    kind: 'http',
    tier: 1,
    instances: { [A]: 'http://a.test/', [B]: 'http://b.test/' },
    public: {
      url: `http://${NAME}:${port}/healthz`,
      canaryWrite: { path: '/writes', body: '{"id":"${ID}","by":"${ID}"}' },
    },
  };
  return actorOf(test, configOf({ name, api }));
}

const step =
  (stepKind: StepKind, component: string) =>
  (operation: 'check' | 'do' | 'verify', more: object = {}) => ({
    stepKind,
    operation,
    component,
    ...more,
  });
const verifyDns = step('verify-dns', 'name');
const verifyHttp = step('verify-http', 'api');
const verifyWrite = step('verify-write', 'api');

t.test('resolvers: all must answer the target’s records, and nothing else', async (t) => {
  const { first, second, answer } = await names(t);
  const actor = actorAt(t, 1, [first.address, second.address]);
  const result = await ask(actor, verifyDns('verify'));
  t.equal(gist(result), 'ok', result.message);
  t.same(result.facts['resolvers'], {
    [`${first.address} ${NAME}`]: [NEW],
    [`${second.address} ${NAME}`]: [NEW],
  });
  t.equal(gist(await ask(actor, verifyDns('do'))), 'ok');

  for (const answers of [[OLD], [OLD, NEW], []]) {
    answer(...answers);
    t.equal(
      gist(await ask(actor, verifyDns('verify'))),
      'no stale',
      `answering ${answers.join(' and ') || 'no address'}`,
    );
  }
  answer(NEW);
  second.fault('servfail');
  t.equal(gist(await ask(actor, verifyDns('verify'))), 'unknown no-answer', 'one that fails says nothing');
  second.fault('hang');
  t.equal(gist(await ask(actor, verifyDns('verify', { timeoutMs: 1000 }))), 'unknown no-answer');
  answer(OLD);
  t.equal(
    gist(await ask(actor, verifyDns('verify', { timeoutMs: 1000 }))),
    'no stale',
    'and one stale answer is enough',
  );
});

t.test('the service: asked by its public name, at the address the resolvers give', async (t) => {
  const { first, second, answer } = await names(t);
  let status: number | 'hang' = 200;
  const { requests, port } = await service(t, () => status);
  const actor = actorAt(t, port, [first.address, second.address]);
  const result = await ask(actor, verifyHttp('verify'));
  t.equal(gist(result), 'ok', result.message);
  t.match(result.facts['api'], { address: NEW, resolver: /^127\.0\.84\.[23]:/, status: 200 });
  t.match(requests, [{ method: 'GET', url: '/healthz', host: `${NAME}:${port}` }]);

  status = 503;
  t.equal(gist(await ask(actor, verifyHttp('verify'))), 'no status');
  status = 'hang';
  t.match(await ask(actor, verifyHttp('verify', { timeoutMs: 500 })), { kind: /no|unknown/ });
  status = 200;
  first.fault('hang');
  t.equal(gist(await ask(actor, verifyHttp('verify'))), 'ok', 'the second resolver is asked where the first is silent');
  second.fault('servfail');
  first.fault('servfail');
  t.equal(gist(await ask(actor, verifyHttp('verify'))), 'unknown no-answer');
  first.fault(null);
  answer(OLD);
  const before = requests.length;
  t.equal(gist(await ask(actor, verifyHttp('verify'))), 'no stale');
  t.equal(requests.length, before, 'the old side is not asked');
  const nobody = actorAt(t, 1, [second.address]);
  second.fault(null);
  answer(NEW);
  t.equal(gist(await ask(nobody, verifyHttp('verify'))), 'no unreachable');
});

t.test('the write: sent once, under an id of its own, and never to the old side', async (t) => {
  const { first, answer } = await names(t);
  let status: number | 'hang' = 201;
  const { requests, port } = await service(t, () => status);
  const actor = actorAt(t, port, [first.address]);
  answer(OLD);
  t.equal(gist(await ask(actor, verifyWrite('check'))), 'no stale');
  t.equal(gist(await ask(actor, verifyWrite('do'))), 'no stale');
  t.same(requests, []);
  answer(NEW);
  t.equal(gist(await ask(actor, verifyWrite('check'))), 'ok');
  t.same(requests, [], 'looking whether it may be sent sends nothing');

  const result = await ask(actor, verifyWrite('do'));
  const id = `failoverd-${RUN}-1`;
  t.match(result, { kind: 'ok', facts: { id, status: 201, address: NEW } });
  t.match(await ask(actor, verifyWrite('verify')), { kind: 'ok', facts: { id, status: 201 } });
  t.same(requests, [{ method: 'POST', url: '/writes', host: `${NAME}:${port}`, body: `{"id":"${id}","by":"${id}"}` }]);

  await t.test('after a restart it is sent again under the same id', async (t) => {
    const restarted = actorAt(t, port, [first.address]);
    t.equal(gist(await ask(restarted, verifyWrite('verify'))), 'ok');
    t.equal(requests.length, 2);
    t.equal(requests[1]?.body, requests[0]?.body);
  });

  await t.test('an answer that is none leaves it open', async (t) => {
    status = 502;
    t.equal(gist(await ask(actor, verifyWrite('do', { attempt: 2 }))), 'unknown status');
    status = 'hang';
    t.equal((await ask(actor, verifyWrite('do', { attempt: 3, timeoutMs: 500 }))).kind, 'unknown');
    status = 200;
    t.equal(gist(await ask(actor, verifyWrite('verify', { attempt: 3 }))), 'ok');
  });
});
