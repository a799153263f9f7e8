// A port that must take connections, and end a TLS handshake where the config asks for one.
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type TlsOptions, type Server as TlsServer } from 'node:tls';
import t, { type Test } from 'tap';
import { freePort } from '../../lab/servers/ports.ts';
import { until } from '../../lab/servers/wait.ts';
import type { TcpTarget } from '../../src/probes/target.ts';
import { probeTcp } from '../../src/probes/tcp.ts';
import { ask, rawServer, resetAtOnce, silent } from './asking.ts';
import { selfSigned } from './certificate.ts';

const HOST = '127.0.91.11';
const target = (port: number, over: Partial<TcpTarget> = {}): TcpTarget => ({
  kind: 'tcp',
  key: 'shop/cache/east',
  ...{ group: 'shop', component: 'cache', region: 'east', intervalMs: 1000, timeoutMs: 500 },
  ...{ host: HOST, port, tls: 'disable' },
  ...over,
});

async function secureServer(t: Pick<Test, 'teardown'>, options: TlsOptions) {
  const server: TlsServer = createServer(options);
  server.on('tlsClientError', () => undefined);
  server.on('secureConnection', (socket) => socket.on('error', () => undefined));
  server.listen(0, HOST);
  await once(server, 'listening');
  t.teardown(() => void server.close());
  return (server.address() as AddressInfo).port;
}

t.test('a port that takes connections is ok, and the connection is closed again', async (t) => {
  const raw = await rawServer(silent, HOST);
  t.teardown(async () => await raw.close());
  const answer = await ask(probeTcp, target(raw.port));
  t.match(answer, { verdict: 'ok', reached: 'connect', code: null, facts: null });
  t.match(answer.lines, [/connected to/]);
  await until({ what: 'the socket to go', timeoutMs: 2_000 }, async () => raw.open.size === 0 || undefined);
  t.equal(raw.accepted(), 1);
});

t.test('a port where nothing listens is bad', async (t) => {
  const answer = await ask(probeTcp, target(await freePort(HOST)));
  t.match(answer, { verdict: 'bad', reached: 'none', code: 'refused' });
});

t.test('a handshake is waited for where it is asked for', async (t) => {
  const { certificate, key } = selfSigned(HOST);
  const port = await secureServer(t, { cert: certificate, key });
  const answer = await ask(probeTcp, target(port, { tls: 'require' }));
  t.match(answer, { verdict: 'ok', reached: 'handshake' });
  t.match(answer.lines, [/connected/, /handshake done: TLSv1/]);
  t.match(
    await ask(probeTcp, target(port, { tls: 'verify-full' })),
    { verdict: 'unknown', reached: 'connect', code: 'tls' },
    'a certificate nobody vouches for is our trust in it, not its failure',
  );
});

t.test('a peer that is no TLS server, is silent, or hangs up in the handshake', async (t) => {
  for (const [serve, code, verdict] of [
    [silent, 'timeout', 'bad'],
    [resetAtOnce, 'reset', 'bad'],
    [
      (socket: { end(text: string): void; once(e: 'data', f: () => void): void }) =>
        socket.once('data', () => socket.end('220 mail ready\r\n')),
      'tls',
      'unknown',
    ],
    [
      (socket: { end(): void; once(e: 'data', f: () => void): void }) => socket.once('data', () => socket.end()),
      'reset',
      'bad',
    ],
  ] as const) {
    const raw = await rawServer(serve as typeof silent, HOST);
    t.teardown(async () => await raw.close());
    const answer = await ask(probeTcp, target(raw.port, { tls: 'require' }));
    t.match(answer, { verdict, reached: 'connect', code }, `${code}: ${answer.message}`);
    t.ok(answer.message);
  }
});

t.test('a stop of the process ends it at once', async (t) => {
  const raw = await rawServer(silent, HOST);
  t.teardown(async () => await raw.close());
  const stopped = AbortSignal.abort();
  t.match(await ask(probeTcp, target(raw.port, { tls: 'require', timeoutMs: 60_000 }), { signal: stopped }), {
    verdict: 'bad',
    code: 'timeout',
  });
});
