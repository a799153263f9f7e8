import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { freePort } from '../../lab/servers/ports.ts';
import { until } from '../../lab/servers/wait.ts';
import { probeHttp } from '../../src/probes/http.ts';
import { ask, hangUp, httpTarget, rawServer, resetAtOnce, silent } from './asking.ts';
import { selfSigned } from './certificate.ts';

const HOST = '127.0.91.2';

async function service(t: Tap, listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  server.listen(0, HOST);
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://${HOST}:${(server.address() as AddressInfo).port}/health`;
}
type Tap = Pick<typeof t, 'teardown'>;

t.test('a service that says it is well is ok', async (t) => {
  const url = await service(t, (_request, response) => response.end('fine'));
  const answer = await ask(probeHttp, httpTarget(url));
  t.match(answer, { verdict: 'ok', reached: 'read', code: null, facts: { status: 200 } });
});

t.test('the statuses that count as well are the ones of the config', async (t) => {
  const url = await service(t, (_request, response) => response.writeHead(204).end());
  t.match(await ask(probeHttp, httpTarget(url, { expectStatus: [200, 204] })), { verdict: 'ok' });
  const answer = await ask(probeHttp, httpTarget(url));
  t.match(answer, { verdict: 'bad', reached: 'respond', code: 'status', facts: { status: 204 } });
});

t.test('an unexpected status is bad, and what the service said about it is kept', async (t) => {
  const url = await service(t, (_request, response) =>
    response.writeHead(503).end('no connection to\n\x1b[31m database'),
  );
  const answer = await ask(probeHttp, httpTarget(url));
  t.match(answer, { verdict: 'bad', code: 'status', facts: { status: 503 } });
  t.ok(answer.lines.some((line) => line.includes('no connection to')));
  t.notOk(
    answer.lines.some((line) => line.includes('\x1b')),
    'what a stranger sends is not printed raw',
  );
});

t.test('a redirect is not followed', async (t) => {
  let asked = 0;
  const url = await service(t, (_request, response) => {
    asked += 1;
    response.writeHead(302, { location: '/elsewhere' }).end();
  });
  t.match(await ask(probeHttp, httpTarget(url)), { verdict: 'bad', code: 'status', facts: { status: 302 } });
  t.equal(asked, 1);
});

t.test('every probe is a client of its own', async (t) => {
  const connections = new Set<number | undefined>();
  const url = await service(t, (request, response) => {
    connections.add(request.socket.remotePort);
    response.end();
  });
  await ask(probeHttp, httpTarget(url));
  await ask(probeHttp, httpTarget(url));
  t.equal(connections.size, 2);
});

t.test('where nothing listens it is refused', async (t) => {
  const url = `http://${HOST}:${await freePort(HOST)}/`;
  const answer = await ask(probeHttp, httpTarget(url));
  t.match(answer, { verdict: 'bad', reached: 'none', code: 'refused', facts: { status: null } });
});

t.test('a peer that accepts and never answers costs no more than the deadline, and no socket after it', async (t) => {
  const server = await rawServer(silent, HOST);
  t.teardown(() => server.close());
  const answer = await ask(probeHttp, httpTarget(`http://${HOST}:${server.port}/`, { timeoutMs: 300 }));
  t.match(answer, { verdict: 'bad', reached: 'connect', code: 'timeout' });
  t.ok(answer.tookMs >= 290 && answer.tookMs < 2_500, `took ${answer.tookMs} ms`);
  await until({ what: 'the socket to go', timeoutMs: 2_000 }, async () => server.open.size === 0 || undefined);
});

t.test('a body that never ends is bad at the deadline, though its status was fine', async (t) => {
  const url = await service(t, (_request, response) => void response.writeHead(200).write('working on it'));
  const answer = await ask(probeHttp, httpTarget(url, { timeoutMs: 300 }));
  t.match(answer, { verdict: 'bad', reached: 'respond', code: 'timeout', facts: { status: 200 } });
});

t.test('a body that is too long is not read to its end', async (t) => {
  let sent = 0;
  const chunk = Buffer.alloc(16 * 1024, 'x');
  const url = await service(t, (_request, response) => {
    const more = (): void => {
      while (!response.destroyed && sent < 64 * 1024 * 1024 && response.write(chunk)) sent += chunk.length;
    };
    response.on('drain', more);
    more();
  });
  const answer = await ask(probeHttp, httpTarget(url));
  t.match(answer, { verdict: 'ok', reached: 'respond', facts: { status: 200 } });
  t.ok(sent < 32 * 1024 * 1024, `${sent} bytes sent`);
});

t.test('a connection that ends in the middle is a reset', async (t) => {
  for (const serve of [hangUp, resetAtOnce]) {
    const server = await rawServer(serve, HOST);
    t.teardown(() => server.close());
    const answer = await ask(probeHttp, httpTarget(`http://${HOST}:${server.port}/`));
    t.match(answer, { verdict: 'bad', reached: 'connect', code: 'reset' });
  }
});

t.test('an answer that is cut off in its body is a reset', async (t) => {
  const server = await rawServer((socket) => {
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this'));
  }, HOST);
  t.teardown(() => server.close());
  const answer = await ask(probeHttp, httpTarget(`http://${HOST}:${server.port}/`));
  t.match(answer, { verdict: 'bad', reached: 'respond', code: 'reset', facts: { status: 200 } });
});

t.test('what does not speak HTTP tells nothing of the service', async (t) => {
  const server = await rawServer(
    (socket) => void socket.once('data', () => socket.write('220 mail.test ESMTP\r\n')),
    HOST,
  );
  t.teardown(() => server.close());
  const answer = await ask(probeHttp, httpTarget(`http://${HOST}:${server.port}/`));
  t.match(answer, { verdict: 'unknown', reached: 'connect', code: 'protocol' });
});

t.test('a certificate we do not trust tells nothing of the service', async (t) => {
  const { certificate: cert, key } = selfSigned(HOST);
  const server = createSecureServer({ cert, key }, (_request, response) => response.end());
  server.listen(0, HOST);
  await once(server, 'listening');
  t.teardown(() => void server.close());
  const answer = await ask(probeHttp, httpTarget(`https://${HOST}:${(server.address() as AddressInfo).port}/`));
  t.match(answer, { verdict: 'unknown', code: 'tls' });
});

t.test('a name that does not exist is unreachable', async (t) => {
  const answer = await ask(probeHttp, httpTarget('http://does-not-exist.invalid/', { timeoutMs: 8_000 }));
  // Where this machine has no resolver that answers, whether the name exists can't be told.
  t.ok(
    (answer.code === 'unreachable' && answer.verdict === 'bad') ||
      (answer.code === 'internal' && answer.verdict === 'unknown'),
    `${answer.code}: ${answer.message}`,
  );
});

t.test('a password in a URL is shown nowhere', async (t) => {
  const port = await freePort(HOST);
  const answer = await ask(probeHttp, httpTarget(`http://user:hunter2@${HOST}:${port}/health?token=hunter2`));
  t.equal(answer.code, 'refused');
  t.notMatch(JSON.stringify(answer), /hunter2/);
});
