import t from 'tap';
import { type DnsServer, startAuthority, type Zone } from '../../lab/dns/index.ts';
import { freePort } from '../../lab/servers/ports.ts';
import { probeDns } from '../../src/probes/dns.ts';
import { ask, dnsTarget } from './asking.ts';

const HOST = '127.0.91.4';

const ZONE: Zone = {
  id: 'Z1',
  name: 'shop.test.',
  records: [
    { name: 'www.shop.test.', type: 'A', ttlSeconds: 30, values: ['10.2.0.9', '10.1.0.1'] },
    { name: 'six.shop.test.', type: 'AAAA', ttlSeconds: 5, values: ['2001:db8::1'] },
    { name: 'alias.shop.test.', type: 'CNAME', ttlSeconds: 60, values: ['www.shop.test.'] },
    { name: 'note.shop.test.', type: 'TXT', ttlSeconds: 60, values: ['"nothing"'] },
  ],
};

let server: DnsServer;
t.before(async () => {
  server = await startAuthority({ host: HOST, source: { zones: () => [ZONE], isHealthy: () => true } });
});
t.teardown(() => server.close());

t.test('what the resolver answers and for how long are facts', async (t) => {
  const answer = await ask(probeDns, dnsTarget(server.address));
  t.match(answer, { verdict: 'ok', reached: 'answer', code: null });
  t.same(answer.facts, { resolver: server.address, answers: ['10.1.0.1', '10.2.0.9'], ttlSeconds: 30 });
});

t.test('other types of record are asked for as the config says', async (t) => {
  const six = await ask(probeDns, dnsTarget(server.address, { name: 'six.shop.test', type: 'AAAA' }));
  t.same(six.facts, { resolver: server.address, answers: ['2001:db8::1'], ttlSeconds: 5 });
  const alias = await ask(probeDns, dnsTarget(server.address, { name: 'alias.shop.test', type: 'CNAME' }));
  t.same(alias.facts.answers, ['www.shop.test']);
});

t.test('a name that is not there is missing, and so is one without a record of the type', async (t) => {
  const absent = await ask(probeDns, dnsTarget(server.address, { name: 'gone.shop.test' }));
  t.match(absent, { verdict: 'bad', reached: 'answer', code: 'missing' });
  t.same(absent.facts.answers, []);
  const other = await ask(probeDns, dnsTarget(server.address, { name: 'note.shop.test' }));
  t.match(other, { verdict: 'bad', code: 'missing' });
});

t.test('a resolver that is in trouble says nothing of the name', async (t) => {
  for (const fault of ['servfail', 'refuse'] as const) {
    server.fault(fault);
    t.match(await ask(probeDns, dnsTarget(server.address)), { verdict: 'unknown', code: 'protocol' }, fault);
  }
  server.fault(null);
});

t.test('a resolver that does not answer costs the deadline and no more', async (t) => {
  server.fault('hang');
  const answer = await ask(probeDns, dnsTarget(server.address, { timeoutMs: 400 }));
  server.fault(null);
  t.match(answer, { verdict: 'bad', reached: 'none', code: 'timeout' });
  t.ok(answer.tookMs < 2_500, `took ${answer.tookMs} ms`);
});

t.test('a resolver that is not running refuses', async (t) => {
  const answer = await ask(probeDns, dnsTarget(`${HOST}:${await freePort(HOST)}`));
  t.match(answer, { verdict: 'bad', code: 'refused' });
});

t.test('a resolver may be given by name', async (t) => {
  const local = await startAuthority({ host: '127.0.0.1', source: { zones: () => [ZONE], isHealthy: () => true } });
  t.teardown(() => local.close());
  const answer = await ask(probeDns, dnsTarget(`localhost:${local.port}`));
  t.match(answer, { verdict: 'ok', facts: { answers: ['10.1.0.1', '10.2.0.9'] } });
});
