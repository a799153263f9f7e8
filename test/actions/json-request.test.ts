// One request to an API: whether anything was sent is told apart, because what was never sent had no effect.
import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { createServer as createPlainServer, type Server } from 'node:net';
import { createSecureContext } from 'node:tls';
import t from 'tap';
import { createAuthority } from '../../lab/pki.ts';
import { askJson, type JsonRequest } from '../../src/actions/json-request.ts';
import { configOf, contextOf, type Tap } from './world.ts';

const HOST = '127.0.86.1';

async function asked(url: string, more: Partial<JsonRequest> = {}) {
  const { context, close } = contextOf(configOf({}), {}, 5_000);
  try {
    return await askJson({ method: 'GET', url: new URL(url), secureContext: null, timeoutMs: 500, ...more }, context);
  } finally {
    await close();
  }
}

async function listening(test: Tap, server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
  test.teardown(() => {
    server.close();
    if ('closeAllConnections' in server) (server.closeAllConnections as () => void)();
  });
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

t.test('answers are JSON or undefined, whatever their status', async (t) => {
  const port = await listening(
    t,
    createServer((request, response) => {
      if (request.url === '/broken') response.end('<html>');
      else if (request.url === '/much') response.end('x'.repeat(2 * 1024 * 1024));
      else {
        let body = '';
        request.on('data', (chunk) => (body += chunk));
        request.on('end', () => response.writeHead(503).end(JSON.stringify({ method: request.method, body })));
      }
    }),
  );
  const at = `http://${HOST}:${port}`;
  t.match(await asked(`${at}/config`, { method: 'PATCH', body: { standby_cluster: null } }), {
    kind: 'answered',
    status: 503,
    body: { method: 'PATCH', body: '{"standby_cluster":null}' },
  });
  t.strictSame(await asked(`${at}/broken`), { kind: 'answered', status: 200, body: undefined });
  t.match(await asked(`${at}/much`), { kind: 'no-answer', message: /more than/ });
});

t.test('nobody there, and nobody who answers', async (t) => {
  t.match(await asked(`http://${HOST}:1`), { kind: 'not-sent' });
  t.match(await asked('http://no-such-host.invalid'), { kind: 'not-sent' });
  const silent = await listening(t, createPlainServer((socket) => void socket.on('error', () => undefined)) as Server);
  t.match(await asked(`http://${HOST}:${silent}`), { kind: 'no-answer', message: /500 ms/ });
  const hangsUp = await listening(
    t,
    createPlainServer((socket) => void socket.on('data', () => socket.destroy())),
  );
  t.match(await asked(`http://${HOST}:${hangsUp}`), { kind: 'no-answer' });
});

t.test('by https: to somebody else nothing is sent', async (t) => {
  const authority = await createAuthority('own');
  const stranger = await createAuthority('other');
  const shown = await authority.issue({ commonName: 'patroni', hosts: [HOST] });
  let requests = 0;
  const server = createSecureServer({ cert: shown.certificate, key: shown.key }, (_, response) => {
    requests += 1;
    response.end('{"ok":true}');
  });
  server.on('tlsClientError', () => undefined);
  const url = `https://${HOST}:${await listening(t, server)}/leader`;
  const trusting = ({ certificate }: { readonly certificate: string }) => createSecureContext({ ca: certificate });
  t.match(await asked(url, { secureContext: trusting(authority) }), {
    kind: 'answered',
    status: 200,
    body: { ok: true },
  });
  t.equal(requests, 1);
  t.match(await asked(url, { secureContext: trusting(stranger), method: 'PATCH', body: {} }), { kind: 'not-sent' });
  t.match(
    await asked(url, { method: 'PATCH', body: {} }),
    { kind: 'not-sent' },
    'nor where the system is to be trusted',
  );
  t.equal(requests, 1);
});
