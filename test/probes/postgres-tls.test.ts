// What a server offers of TLS, before any password is sent.
import { TLSSocket } from 'node:tls';
import t from 'tap';
import { askTls } from '../../src/probes/postgres-tls.ts';
import { hangUp, rawServer, silent } from './asking.ts';
import { selfSigned } from './certificate.ts';

const soon = (): AbortSignal => AbortSignal.timeout(5000);

t.test('no TLS, a stranger, a hang-up, and nobody', async (t) => {
  const cases = [
    [(socket) => void socket.once('data', () => socket.write('N')), { kind: 'none' }],
    [(socket) => void socket.write('HTTP/1.1 400\r\n'), { kind: 'failed', failure: { code: 'protocol' } }],
    [hangUp, { kind: 'failed' }],
  ] as const satisfies readonly (readonly [Parameters<typeof rawServer>[0], object])[];
  for (const [serve, offer] of cases) {
    const server = await rawServer(serve);
    t.match(await askTls(server, soon()), offer);
    await server.close();
  }
  t.match(await askTls({ host: '127.0.91.1', port: 1 }, soon()), { kind: 'failed', failure: { code: 'refused' } });
  const quiet = await rawServer(silent);
  t.match(await askTls(quiet, AbortSignal.timeout(100)), { kind: 'failed', failure: { code: 'timeout' } });
  await quiet.close();
});

t.test('a certificate that nobody here trusts is no proof', async (t) => {
  const { certificate, key } = selfSigned('127.0.91.1');
  const server = await rawServer((socket) => {
    socket.once('data', () => {
      socket.write('S');
      new TLSSocket(socket, { isServer: true, cert: certificate, key }).on('error', () => undefined);
    });
  });
  t.match(await askTls(server, soon()), { kind: 'offered', mode: 'require', why: /self-signed|SELF_SIGNED/ });
  t.match(await askTls(server, soon(), certificate), { kind: 'offered', mode: 'verify-full' }, 'unless it is named');
  await server.close();
});
