import { createSocket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import t, { type Test } from 'tap';
import { type DnsServer, type RecordSet, startAuthority, startResolver, type ZoneSource } from '../../lab/dns/index.ts';
import { host, until } from './waiting.ts';

const apex = 'lab.test.';
const soa = 'ns-1.lab.test. hostmaster.lab.test. 7 7200 900 1209600 60';

const a = (name: string, address: string, more: Partial<RecordSet> = {}): RecordSet => ({
  name,
  type: 'A',
  ttlSeconds: 30,
  values: [address],
  ...more,
});

const base: readonly RecordSet[] = [
  { name: apex, type: 'SOA', ttlSeconds: 900, values: [soa] },
  { name: apex, type: 'NS', ttlSeconds: 172_800, values: ['ns-1.lab.test.', 'ns-2.lab.test.'] },
  a('www.lab.test.', '127.0.1.1', { values: ['127.0.1.1', '127.0.1.2'] }),
  { name: 'www.lab.test.', type: 'AAAA', ttlSeconds: 30, values: ['2001:db8::1'] },
  { name: 'app.lab.test.', type: 'CNAME', ttlSeconds: 300, values: ['www.lab.test.'] },
  { name: 'txt.lab.test.', type: 'TXT', ttlSeconds: 30, values: ['"epoch=7" "run \\"x\\" \\052"', '"two"'] },
  a('deep.below.lab.test.', '127.0.1.3'),
  a('\\052.wild.lab.test.', '127.0.1.4'),
];

/** A source whose records and health can be changed while it is served. */
function createSource(records: readonly RecordSet[] = base) {
  const state = { records: [...records], sick: new Set<string>() };
  const source: ZoneSource = {
    zones: () => [{ id: 'ZLAB', name: apex, records: state.records }],
    isHealthy: (id) => !state.sick.has(id),
  };
  return { state, source };
}

function ask(server: { readonly address: string }, timeoutMs = 300): Resolver {
  const resolver = new Resolver({ timeout: timeoutMs, tries: 1 });
  resolver.setServers([server.address]);
  return resolver;
}

const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'answered',
    (error: NodeJS.ErrnoException) => error.code ?? error.message,
  );

async function serve(test: Test, source: ZoneSource, draw?: () => number): Promise<DnsServer> {
  const server = await startAuthority({ host, source, ...(draw !== undefined && { draw }) });
  test.teardown(() => server.close());
  return server;
}

t.test('a name server answers the types of its zone', async (test) => {
  const server = await serve(test, createSource().source);
  const resolver = ask(server);
  test.strictSame((await resolver.resolve4('www.lab.test')).sort(), ['127.0.1.1', '127.0.1.2']);
  test.strictSame(await resolver.resolve4('WWW.Lab.Test', { ttl: true }).then((all) => all[0]?.ttl), 30);
  test.strictSame(await resolver.resolve6('www.lab.test'), ['2001:db8::1']);
  test.strictSame(await resolver.resolve4('app.lab.test').then((all) => all.length), 2, 'through the CNAME');
  test.strictSame(await resolver.resolveCname('app.lab.test'), ['www.lab.test']);
  test.strictSame(await resolver.resolveTxt('txt.lab.test'), [['epoch=7', 'run "x" *'], ['two']], 'quotes undone');
  test.strictSame((await resolver.resolveNs('lab.test')).sort(), ['ns-1.lab.test', 'ns-2.lab.test']);
  test.match(await resolver.resolveSoa('lab.test'), { nsname: 'ns-1.lab.test', serial: 7, minttl: 60 });
  test.strictSame(await resolver.resolve4('anything.at.wild.lab.test'), ['127.0.1.4'], 'by the wildcard');
});

t.test('a name that is not there is told from a type that is not there', async (test) => {
  const server = await serve(test, createSource().source);
  const resolver = ask(server);
  test.equal(await codeOf(resolver.resolve4('nothing.lab.test')), 'ENOTFOUND', 'NXDOMAIN');
  test.equal(await codeOf(resolver.resolve4('txt.lab.test')), 'ENODATA', 'NODATA');
  test.equal(await codeOf(resolver.resolve4('below.lab.test')), 'ENODATA', 'a name with only names below it exists');
  test.equal(await codeOf(resolver.resolve4('elsewhere.org')), 'EREFUSED', 'not our zone');
});

t.test('an answer too large for a datagram comes over TCP', async (test) => {
  const values = Array.from({ length: 120 }, (_, index) => `127.0.2.${index + 1}`);
  const server = await serve(test, createSource([...base, a('many.lab.test.', '', { values })]).source);
  test.equal((await ask(server).resolve4('many.lab.test')).length, 120);
  test.ok(server.queries() >= 2, 'asked again after the truncated answer');
});

t.test('failover sets follow the health check of the primary', async (test) => {
  const { state, source } = createSource([
    ...base,
    a('ha.lab.test.', '127.0.1.1', { setIdentifier: 'a', failover: 'PRIMARY', healthCheckId: 'hc-a' }),
    a('ha.lab.test.', '127.0.1.2', { setIdentifier: 'b', failover: 'SECONDARY', healthCheckId: 'hc-b' }),
    {
      name: 'alias.lab.test.',
      type: 'A',
      alias: { hostedZoneId: 'ZLAB', dnsName: 'ha.lab.test.', evaluateTargetHealth: true },
    },
  ]);
  const resolver = ask(await serve(test, source));
  test.strictSame(await resolver.resolve4('ha.lab.test'), ['127.0.1.1']);
  state.sick.add('hc-a');
  test.strictSame(await resolver.resolve4('ha.lab.test'), ['127.0.1.2']);
  test.strictSame(await resolver.resolve4('alias.lab.test'), ['127.0.1.2'], 'and an alias to them as well');
  state.sick.add('hc-b');
  test.strictSame(await resolver.resolve4('ha.lab.test'), ['127.0.1.1'], 'all sick: somewhere rather than nowhere');
});

t.test('weighted sets are drawn by weight among the healthy', async (test) => {
  let drawn = 0;
  const { state, source } = createSource([
    ...base,
    a('w.lab.test.', '127.0.1.1', { setIdentifier: 'a', weight: 90, healthCheckId: 'hc-a' }),
    a('w.lab.test.', '127.0.1.2', { setIdentifier: 'b', weight: 10 }),
    a('w.lab.test.', '127.0.1.3', { setIdentifier: 'c', weight: 0 }),
  ]);
  const resolver = ask(await serve(test, source, () => drawn));
  drawn = 0.89;
  test.strictSame(await resolver.resolve4('w.lab.test'), ['127.0.1.1']);
  drawn = 0.91;
  test.strictSame(await resolver.resolve4('w.lab.test'), ['127.0.1.2']);
  state.sick.add('hc-a');
  drawn = 0.1;
  test.strictSame(await resolver.resolve4('w.lab.test'), ['127.0.1.2']);
});

t.test('a name server or resolver can hang, fail or refuse, and recovers by itself after a count', async (test) => {
  const server = await serve(test, createSource().source);
  const resolver = await startResolver({ host, upstream: server, respectTtl: true, upstreamTimeoutMs: 100 });
  test.teardown(() => resolver.close());
  for (const faulty of [server, resolver]) {
    faulty.fault('servfail');
    test.equal(await codeOf(ask(faulty).resolve4('www.lab.test')), 'ESERVFAIL');
    faulty.fault('refuse');
    test.equal(await codeOf(ask(faulty).resolve4('www.lab.test')), 'EREFUSED');
    faulty.fault('hang', { count: 1 });
    test.equal(await codeOf(ask(faulty).resolve4('www.lab.test')), 'ETIMEOUT');
    test.equal(await codeOf(ask(faulty).resolve4('www.lab.test')), 'answered');
  }
  resolver.flush();
  server.fault('hang');
  test.equal(await codeOf(ask(resolver, 2000).resolve4('www.lab.test')), 'ESERVFAIL', 'a resolver whose server hangs');
});

t.test('a resolver keeps an answer for its TTL and not longer', async (test) => {
  const { state, source } = createSource();
  const server = await serve(test, source);
  let nowMs = 0;
  const caching = await startResolver({ host, upstream: server, respectTtl: true, now: () => nowMs });
  test.teardown(() => caching.close());
  const address = (name: string) => ask(caching).resolve4(name, { ttl: true });
  test.equal((await address('deep.below.lab.test'))[0]?.ttl, 30);
  state.records = state.records.map((set) =>
    set.name === 'deep.below.lab.test.' ? { ...set, values: ['127.0.9.9'] } : set,
  );
  nowMs = 20_000;
  test.strictSame(
    await address('deep.below.lab.test'),
    [{ address: '127.0.1.3', ttl: 10 }],
    'stale, with what is left',
  );
  test.strictSame(
    await ask(server).resolve4('deep.below.lab.test'),
    ['127.0.9.9'],
    'while the name server knows better',
  );
  nowMs = 30_000;
  test.strictSame(await address('deep.below.lab.test'), [{ address: '127.0.9.9', ttl: 30 }]);
});

t.test('a changed CNAME is seen only when its own TTL is over, however short the TTL of its target', async (test) => {
  const { state, source } = createSource();
  const server = await serve(test, source);
  let nowMs = 0;
  const caching = await startResolver({ host, upstream: server, respectTtl: true, now: () => nowMs });
  test.teardown(() => caching.close());
  test.equal((await ask(caching).resolve4('app.lab.test')).length, 2);
  state.records = state.records.map((set) =>
    set.name === 'app.lab.test.' ? { ...set, values: ['deep.below.lab.test.'] } : set,
  );
  nowMs = 299_000;
  test.equal((await ask(caching).resolve4('app.lab.test')).length, 2, 'the old target');
  nowMs = 300_000;
  test.strictSame(await ask(caching).resolve4('app.lab.test'), ['127.0.1.3']);
});

t.test('an absence is remembered for as long as the SOA says', async (test) => {
  const { state, source } = createSource();
  const server = await serve(test, source);
  let nowMs = 0;
  const caching = await startResolver({ host, upstream: server, respectTtl: true, now: () => nowMs });
  test.teardown(() => caching.close());
  test.equal(await codeOf(ask(caching).resolve4('new.lab.test')), 'ENOTFOUND');
  state.records.push(a('new.lab.test.', '127.0.1.8'));
  nowMs = 59_000;
  test.equal(await codeOf(ask(caching).resolve4('new.lab.test')), 'ENOTFOUND');
  nowMs = 60_000;
  test.strictSame(await ask(caching).resolve4('new.lab.test'), ['127.0.1.8']);
});

t.test('a resolver that does not respect TTLs keeps what it has', async (test) => {
  const { state, source } = createSource();
  const server = await serve(test, source);
  let nowMs = 0;
  const stubborn = await startResolver({
    host,
    upstream: server,
    respectTtl: false,
    minTtlSeconds: 120,
    now: () => nowMs,
  });
  test.teardown(() => stubborn.close());
  await ask(stubborn).resolve4('deep.below.lab.test');
  state.records = state.records.map((set) =>
    set.name === 'deep.below.lab.test.' ? { ...set, values: ['127.0.9.9'] } : set,
  );
  nowMs = 119_000;
  test.strictSame(await ask(stubborn).resolve4('deep.below.lab.test'), ['127.0.1.3']);
  nowMs = 120_000;
  test.strictSame(await ask(stubborn).resolve4('deep.below.lab.test'), ['127.0.9.9']);
});

t.test(
  'on the real clock a one-second answer is gone after a second, and many askers make one question',
  async (test) => {
    const { state, source } = createSource([...base, a('short.lab.test.', '127.0.1.1', { ttlSeconds: 1 })]);
    const server = await serve(test, source);
    const caching = await startResolver({ host, upstream: server, respectTtl: true });
    test.teardown(() => caching.close());
    const startedMs = performance.now();
    await Promise.all(Array.from({ length: 10 }, () => ask(caching, 2000).resolve4('short.lab.test')));
    test.equal(server.queries(), 1);
    state.records = state.records.map((set) =>
      set.name === 'short.lab.test.' ? { ...set, values: ['127.0.9.9'] } : set,
    );
    await until('the new address', async () => (await ask(caching).resolve4('short.lab.test'))[0] === '127.0.9.9');
    test.ok(performance.now() - startedMs >= 950, 'not before the TTL was over');
  },
);

t.test('a message that is no question gets FORMERR or silence, and the server goes on', async (test) => {
  const server = await serve(test, createSource().source);
  const socket = createSocket('udp4');
  test.teardown(() => {
    socket.close();
  });
  const replies: Buffer[] = [];
  socket.on('message', (message) => replies.push(message));
  const send = (message: Buffer) => socket.send(message, server.port, server.host);
  send(Buffer.from('short'));
  send(Buffer.from('123401000001000000000000ff', 'hex'));
  await until('a format error', () => replies.length === 1);
  test.equal(replies[0]?.readUInt16BE(0), 0x1234);
  test.equal((replies[0]?.[3] ?? 0) & 0xf, 1);
  test.equal(await codeOf(ask(server).resolve4('www.lab.test')), 'answered');
});
