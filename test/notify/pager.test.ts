import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import { pipeline, Readable } from 'node:stream';
import t, { type Test } from 'tap';
import type { Pager } from '../../src/engine/ports.ts';
import type { Page } from '../../src/model/events.ts';
import { createPager } from '../../src/notify/pager.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { createLog } from '../../src/runtime/log.ts';
import { SecretValue } from '../../src/runtime/secret.ts';
import { createTimers, systemTimers, type Timers } from '../../src/runtime/timers.ts';

const SECRET = 'open sesame / 7';
const page: Page = {
  id: 'page-7',
  kind: 'proposal',
  group: 'shop',
  title: 'Region a is unreachable: failover to b proposed',
  body: 'Two people must approve „naïve ✓“.\nfailoverd approve proposal-1',
  dueAt: Date.UTC(2026, 0, 2, 3, 14, 5),
};

type Took = {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
};

/** A receiver on loopback that answers as told; it keeps what it took. */
async function receiver(t: Test, answer: (response: ServerResponse, request: IncomingMessage) => void) {
  const took: Took[] = [];
  const listener: RequestListener = async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString('utf8');
    took.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body });
    answer(response, request);
  };
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { took, url: `http://127.0.0.1:${port}/hook`, server };
}

function pagerTo(
  url: string,
  { timeoutMs = 5000, timers = systemTimers }: { timeoutMs?: number; timers?: Timers } = {},
) {
  const lines: string[] = [];
  // No secret is protected here: the pager alone must keep its own.
  const log = createLog({ level: 'debug', destination: { write: (line) => void lines.push(line) } });
  const secret = new SecretValue(SECRET);
  const clock = { ...systemClock, wall: () => Date.UTC(2026, 0, 2, 3, 4, 5, 678) };
  const pager: Pager = createPager({ url, secret, timeoutMs, log, clock, timers });
  const deliver = (which: Page = page, signal = new AbortController().signal) => pager.deliver(which, signal);
  return { deliver, lines };
}

t.test('a page is posted once, and delivered when the receiver says so', async (t) => {
  for (const status of [200, 202, 204]) {
    const { took, url } = await receiver(t, (response) => response.writeHead(status).end());
    const { deliver } = pagerTo(url);
    t.match(await deliver(), { delivered: true, message: `answered ${status}` });
    t.equal(took.length, 1);
    const [{ method, url: path, headers, body }] = took as [Took];
    t.same([method, path, headers['content-type']], ['POST', '/hook', 'application/json']);
    t.equal(headers['idempotency-key'], 'page-7');
    t.same(JSON.parse(body), {
      ...page,
      dueAt: '2026-01-02T03:14:05.000Z',
      sentAt: '2026-01-02T03:04:05.678Z',
    });
  }
});

t.test('the signature holds for openssl and for the example in the documentation', async (t) => {
  const { took, url } = await receiver(t, (response) => response.end());
  await pagerTo(url).deliver();
  const [{ headers, body }] = took as [Took];
  const timestamp = String(headers['failoverd-timestamp']);
  t.equal(timestamp, `${Date.UTC(2026, 0, 2, 3, 4, 5) / 1000}`);
  const digest = execFileSync('openssl', ['dgst', '-sha256', '-hmac', SECRET], {
    input: `${timestamp}.${body}`,
    encoding: 'utf8',
  });
  t.equal(headers['failoverd-signature'], `v1=${digest.trim().split(' ').at(-1)}`);

  const page = readFileSync(join(import.meta.dirname, '../../docs/pager.md'), 'utf8');
  const example = /```js\n(?<code>.*?)```/s.exec(page)?.groups?.['code'] ?? '';
  const now = `const Date = { now: () => ${timestamp}000 };`;
  const module = `data:text/javascript,${encodeURIComponent(`${now}\n${example}\nexport { isFromFailoverd };`)}`;
  const { isFromFailoverd } = await import(module);
  t.equal(isFromFailoverd(headers, body, SECRET), true);
  t.equal(isFromFailoverd(headers, `${body} `, SECRET), false);
  t.equal(isFromFailoverd(headers, body, 'another'), false);
  t.equal(isFromFailoverd({ ...headers, 'failoverd-timestamp': '1767323046' }, body, SECRET), false);
  t.equal(isFromFailoverd({}, body, SECRET), false);
});

t.test('any other answer is not delivered, and its beginning is told', async (t) => {
  for (const status of [300, 400, 404, 429, 500, 503]) {
    const { took, url } = await receiver(t, (response) =>
      response.writeHead(status).end('the\n database\u001b[2J is down'),
    );
    const { delivered, message } = await pagerTo(url).deliver();
    t.equal(delivered, false);
    t.match(message, `answered ${status}`);
    t.match(message, /: the database \[2J is down$/);
    t.equal(took.length, 1, 'one try');
  }
});

t.test('a redirect is not followed', async (t) => {
  const other = await receiver(t, (response) => response.end());
  for (const status of [301, 302, 307, 308]) {
    const { url } = await receiver(t, (response) => response.writeHead(status, { location: other.url }).end());
    t.match(await pagerTo(url).deliver(), { delivered: false, message: /not followed/ });
  }
  t.equal(other.took.length, 0);
});

t.test('a receiver that takes the page and never answers costs the timeout and no more', async (t) => {
  const { took, url } = await receiver(t, () => undefined);
  const startedMono = performance.now();
  t.match(await pagerTo(url, { timeoutMs: 200 }).deliver(), { delivered: false, message: /200 ms/ });
  const tookMs = performance.now() - startedMono;
  t.ok(tookMs >= 200 && tookMs < 5000, `${tookMs} ms`);
  t.equal(took.length, 1);
});

t.test('a receiver that takes the connection and nothing else costs the timeout and no more', async (t) => {
  const sockets = new Set<{ destroy(): void }>();
  const server = createTcpServer({ pauseOnConnect: true }, (socket) => sockets.add(socket)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  for (const scheme of ['http', 'https']) {
    const { deliver } = pagerTo(`${scheme}://127.0.0.1:${port}/`, { timeoutMs: 200 });
    t.match(await deliver(), { delivered: false, message: /200 ms/ }, scheme);
  }
});

t.test('an answer that never ends is read no further than its beginning', async (t) => {
  for (const status of [200, 500]) {
    const broken = Promise.withResolvers<void>();
    const { url } = await receiver(t, (response) => {
      response.writeHead(status);
      const endless = Readable.from(
        (function* () {
          for (;;) yield 'x'.repeat(65_536);
        })(),
      );
      pipeline(endless, response, () => broken.resolve());
    });
    const { delivered, message } = await pagerTo(url, { timeoutMs: 2000 }).deliver();
    t.equal(delivered, status === 200);
    t.ok(message.length <= 500);
    await broken.promise;
  }
});

t.test('a connection that breaks in the middle is not delivered', async (t) => {
  const broken = await receiver(t, (response) => response.socket?.resetAndDestroy());
  t.equal((await pagerTo(broken.url).deliver()).delivered, false);
  const half = await receiver(t, (response) => {
    response.writeHead(500, { 'content-length': 100 }).write('half');
    setTimeout(() => response.socket?.destroy(), 20);
  });
  t.equal((await pagerTo(half.url).deliver()).delivered, false);
});

t.test('nobody listening is not delivered', async (t) => {
  const { url, server } = await receiver(t, (response) => response.end());
  server.close();
  await once(server, 'close');
  t.match(await pagerTo(url).deliver(), { delivered: false, message: /ECONNREFUSED/ });
  t.equal((await pagerTo(url.replace('127.0.0.1', 'localhost')).deliver()).delivered, false);
});

t.test('a receiver that speaks no HTTP is not delivered', async (t) => {
  const server = createTcpServer((socket) => void socket.on('error', () => undefined).end('220 mail ready\r\n')).listen(
    0,
    '127.0.0.1',
  );
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  for (const scheme of ['http', 'https']) {
    const { delivered, message } = await pagerTo(`${scheme}://127.0.0.1:${port}/`).deliver();
    t.equal(delivered, false);
    t.ok(message.length > 0, message);
  }
});

t.test('what is given up is not delivered, at once', async (t) => {
  const { url } = await receiver(t, () => undefined);
  const { deliver } = pagerTo(url, { timeoutMs: 60_000 });
  t.equal((await deliver(page, AbortSignal.abort())).delivered, false);
  const giveUp = new AbortController();
  const delivery = deliver(page, giveUp.signal);
  giveUp.abort();
  t.equal((await delivery).delivered, false);
});

t.test('no timer is left behind', async (t) => {
  let armed = 0;
  const real = createTimers();
  const timers: Timers = {
    after(delayMs, call) {
      armed += 1;
      const cancel = real.after(delayMs, call);
      return () => {
        armed -= 1;
        cancel();
      };
    },
  };
  const good = await receiver(t, (response) => response.end());
  const bad = await receiver(t, (response) => response.writeHead(500).end());
  for (const { url } of [good, bad]) await pagerTo(url, { timers }).deliver();
  const untilMono = performance.now() + 10_000;
  while (armed > 0 && performance.now() < untilMono) await new Promise((resolve) => setImmediate(resolve));
  t.equal(armed, 0);
});

t.test('a page that is too long, or due at no instant, is cut rather than lost', async (t) => {
  const { took, url } = await receiver(t, (response) => response.end());
  const { deliver } = pagerTo(url);
  t.equal((await deliver({ ...page, group: null, body: '😀'.repeat(100_000), dueAt: 1e300 })).delivered, true);
  const [{ body }] = took as [Took];
  t.ok(body.length < 20_000);
  t.match(JSON.parse(body), { group: null, dueAt: null });
});

t.test('the secret is in no log line and in no message', async (t) => {
  const { url } = await receiver(t, (response) => response.writeHead(500).end(`key was ${SECRET}`));
  const { deliver, lines } = pagerTo(url);
  const { message } = await deliver();
  t.ok(lines.length > 0);
  t.notMatch(lines.join('\n'), SECRET);
  t.notMatch(message, SECRET);
});
