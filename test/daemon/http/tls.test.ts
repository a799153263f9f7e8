// The listener speaks TLS; Alertmanager may prove itself by a certificate, which is worth what its names say and no more.
import { once } from 'node:events';
import { request } from 'node:https';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import t, { type Test } from 'tap';
import { type Authority, createAuthority, type Issued } from '../../../lab/pki.ts';
import { alternativeNames } from '../../../src/daemon/http/client-certificate.ts';
import type { SecureListener } from '../../../src/daemon/http/secure.ts';
import { alert, BEARER, bearer, type HarnessOptions, payload, serve, TOKENS } from './harness.ts';

const CA = await createAuthority('Private CA');
const OTHER = await createAuthority('Another CA');
const SERVER = await CA.issue({ commonName: 'failoverd', hosts: ['127.0.0.1', 'failoverd.test'] });
const ALERTMANAGER = await CA.issue({ commonName: 'alertmanager', hosts: ['am.test'], uris: ['spiffe://lab/am'] });

type Renewable = { readonly secure: SecureListener; renew(issued: Issued): void };

function listener(clients: SecureListener['clients'], clientCa: Authority = CA): Renewable {
  let issued = SERVER;
  const told: (() => void)[] = [];
  return {
    secure: {
      context: () => ({ cert: issued.certificate, key: issued.key, ca: clientCa.certificate, minVersion: 'TLSv1.2' }),
      clients,
      onRenewed: (call) => void told.push(call),
    },
    renew(next) {
      issued = next;
      for (const call of told) call();
    },
  };
}

const BY_NAMES = {
  kind: 'certificate',
  match: { commonName: 'alertmanager', dnsName: 'AM.test', uri: 'spiffe://lab/am' },
} as const;

/** One request on a connection of its own, trusting the private CA. */
function ask(
  url: string,
  path: string,
  options: { readonly show?: Issued; readonly body?: unknown; readonly headers?: Record<string, string> } = {},
): Promise<{ status: number; body: Record<string, unknown>; headers: Record<string, unknown> }> {
  const { show, body, headers = {} } = options;
  return new Promise((resolve, reject) => {
    const sent = request(`${url.replace('http:', 'https:')}${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      agent: false,
      ca: CA.certificate,
      ...(show === undefined ? {} : { cert: show.certificate, key: show.key }),
      headers: { 'content-type': 'application/json', ...headers },
    });
    sent.on('error', reject);
    sent.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body: JSON.parse(text), headers: response.headers }),
      );
    });
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

const open = async (t: Test, url: string, options: ConnectionOptions = {}): Promise<TLSSocket> => {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), ca: CA.certificate, ...options });
  t.teardown(() => socket.destroy());
  await once(socket, 'secureConnect');
  return socket;
};

const begin = (t: Test, clients: SecureListener['clients'], options: HarnessOptions = {}, ca = CA) => {
  const renewable = listener(clients, ca);
  return serve(t, { ...options, secure: renewable.secure }).then((h) => ({ ...renewable, url: h.url, h }));
};

t.test('without a certificate the API is there as ever, by TLS 1.2 and newer', async (t) => {
  const { url } = await begin(t, 'may');
  t.equal((await ask(url, '/-/ready')).status, 200);
  const order = await ask(url, '/api/v1/groups/orders/reports', {
    body: { report: 'corruption', what: 'sums' },
    headers: bearer(TOKENS.ann),
  });
  t.equal(order.status, 200);
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const)
    t.equal((await open(t, url, { minVersion: version, maxVersion: version })).getProtocol(), version);
  const old = { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT:@SECLEVEL=0' } as const;
  await t.rejects(open(t, url, old), { code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION' });
  await t.rejects(fetch(url), 'plain HTTP is no longer answered');
});

t.test('a webhook proves itself by its certificate alone, and by all names that are asked for', async (t) => {
  const { url, h } = await begin(t, 'may', { webhookCredentials: BY_NAMES });
  const webhook = (show?: Issued, headers = {}) =>
    ask(url, '/webhooks/alertmanager', { body: payload([alert()]), headers, ...(show === undefined ? {} : { show }) });
  t.equal((await webhook(ALERTMANAGER)).status, 200);
  t.equal(Object.keys(h.engine.state().ledger.alerts).length, 1);
  const refused: readonly [string, Issued | undefined][] = [
    ['no certificate', undefined],
    ['another common name', await CA.issue({ commonName: 'grafana', hosts: ['am.test'], uris: ['spiffe://lab/am'] })],
    ['another DNS name', await CA.issue({ commonName: 'alertmanager', hosts: ['x.test'], uris: ['spiffe://lab/am'] })],
    ['a wildcard', await CA.issue({ commonName: 'alertmanager', hosts: ['*.test'], uris: ['spiffe://lab/am'] })],
    ['another URI', await CA.issue({ commonName: 'alertmanager', hosts: ['am.test'], uris: ['spiffe://lab/am/x'] })],
    ['another CA', await OTHER.issue({ commonName: 'alertmanager', hosts: ['am.test'], uris: ['spiffe://lab/am'] })],
  ];
  for (const [name, show] of refused) {
    const answer = await webhook(show, bearer(BEARER));
    t.equal(answer.status, 401, name);
    t.match(answer.body, { type: /unauthenticated$/, field: 'client certificate', remedy: /tls_config/ }, name);
  }
  t.equal((await ask(url, '/api/v1/status', { show: ALERTMANAGER })).status, 200);
  const order = { body: { report: 'corruption', what: 'sums' }, show: ALERTMANAGER };
  t.equal((await ask(url, '/api/v1/groups/orders/reports', order)).status, 401, 'it is no person');
});

t.test('where webhooks are proven by a token, a certificate is no proof', async (t) => {
  const { url } = await begin(t, 'may');
  const body = payload([alert()]);
  t.equal((await ask(url, '/webhooks/alertmanager', { body, show: ALERTMANAGER })).status, 401);
  t.equal((await ask(url, '/webhooks/alertmanager', { body, headers: bearer(BEARER) })).status, 200);
});

t.test('where every client must show a certificate, nobody else gets an answer', async (t) => {
  const { url } = await begin(t, 'must');
  await t.rejects(ask(url, '/-/ready'), 'none');
  await t.rejects(ask(url, '/-/ready', { show: await OTHER.issue({ commonName: 'x' }) }), 'of another CA');
  t.equal((await ask(url, '/-/ready', { show: ALERTMANAGER })).status, 200);
});

t.test('renewed certificates are shown to new connections, and open ones go on', async (t) => {
  const { url, renew } = await begin(t, 'may');
  const kept = await open(t, url);
  const before = kept.getPeerX509Certificate()?.fingerprint256;
  renew(await CA.issue({ commonName: 'failoverd', hosts: ['127.0.0.1'] }));
  t.not((await open(t, url)).getPeerX509Certificate()?.fingerprint256, before);
  kept.write('GET /-/healthy HTTP/1.1\r\nhost: failoverd\r\n\r\n');
  const [answer] = await once(kept.setEncoding('utf8'), 'data');
  t.match(answer, /^HTTP\/1\.1 200 /);
  t.equal(kept.getPeerX509Certificate()?.fingerprint256, before);
});

t.test('a session is not carried on: what a certificate is worth is looked at each time', async (t) => {
  const { url } = await begin(t, 'may');
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const versions = { minVersion: version, maxVersion: version } as const;
    const first = await open(t, url, versions);
    const session = first.getSession();
    first.write('GET /-/healthy HTTP/1.1\r\nhost: failoverd\r\n\r\n');
    await once(first, 'data');
    const again = await open(t, url, { ...versions, ...(session === undefined ? {} : { session }) });
    t.equal(again.isSessionReused(), false, version);
  }
});

t.test('names of a certificate are taken apart as they were put together', (t) => {
  t.same(alternativeNames('DNS:am.test, IP Address:127.0.0.1, URI:spiffe://lab/am'), [
    { kind: 'DNS', value: 'am.test' },
    { kind: 'IP Address', value: '127.0.0.1' },
    { kind: 'URI', value: 'spiffe://lab/am' },
  ]);
  t.same(alternativeNames('DNS:"x.test, URI:spiffe://lab/am"'), [
    { kind: 'DNS', value: 'x.test, URI:spiffe://lab/am' },
  ]);
  for (const text of ['', 'DNS:a"b', 'DNS', 'DNS:a,URI:b', '"DNS:a"']) t.same(alternativeNames(text), [], text);
  t.end();
});
