// What PostgreSQL's clients meet on a bad path, or at the wrong address. No server is needed for these.
import { readFileSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import t from 'tap';
import { freePort } from '../../lab/servers/ports.ts';
import { until } from '../../lab/servers/wait.ts';
import { createPostgresProbe } from '../../src/probes/postgres.ts';
import type { PostgresTarget } from '../../src/probes/target.ts';
import { SecretValue } from '../../src/runtime/secret.ts';
import { ask, hangUp, rawServer, resetAtOnce, silent } from './asking.ts';
import { selfSigned } from './certificate.ts';

const HOST = '127.0.91.5';

const target = (port: number, over: Partial<PostgresTarget> = {}): PostgresTarget => ({
  kind: 'postgres',
  key: 'shop/db/east',
  group: 'shop',
  component: 'db',
  region: 'east',
  host: HOST,
  port,
  database: 'app',
  user: 'failoverd',
  password: new SecretValue('hunter2'),
  tls: 'disable',
  systemIdentifier: null,
  canarySchema: 'failoverd',
  canary: false,
  intervalMs: 1000,
  timeoutMs: 400,
  ...over,
});

/** A server that answers the first message with these bytes. */
const answering =
  (bytes: string | Buffer) =>
  (socket: Socket): void =>
    void socket.once('data', () => socket.write(bytes));

const errorResponse = (sqlState: string, message: string): Buffer => {
  const fields = Buffer.from(`SFATAL\0VFATAL\0C${sqlState}\0M${message}\0\0`);
  const head = Buffer.from('E\0\0\0\0');
  head.writeInt32BE(fields.length + 4, 1);
  return Buffer.concat([head, fields]);
};

const { probe, close } = createPostgresProbe();
t.teardown(close);

t.test('where nothing listens it is refused', async (t) => {
  const answer = await ask(probe, target(await freePort(HOST)));
  t.match(answer, { verdict: 'bad', reached: 'none', code: 'refused', facts: null });
});

t.test('a half-open peer costs no more than the deadline, and no socket after it', async (t) => {
  const server = await rawServer(silent, HOST);
  t.teardown(() => server.close());
  for (const tls of ['disable', 'require'] as const) {
    const answer = await ask(probe, target(server.port, { tls }));
    t.match(answer, { verdict: 'bad', reached: 'connect', code: 'timeout' }, tls);
    t.ok(answer.tookMs >= 390 && answer.tookMs < 2_500, `took ${answer.tookMs} ms`);
  }
  await until({ what: 'the sockets to go', timeoutMs: 2_000 }, async () => server.open.size === 0 || undefined);
});

t.test('a connection that ends before the server said anything is a reset', async (t) => {
  for (const serve of [hangUp, resetAtOnce]) {
    const server = await rawServer(serve, HOST);
    t.teardown(() => server.close());
    for (const tls of ['disable', 'require'] as const) {
      const answer = await ask(probe, target(server.port, { tls }));
      t.match(answer, { verdict: 'bad', reached: 'connect', code: 'reset' }, `${serve.name} ${tls}`);
    }
  }
});

t.test('something else that listens there tells nothing of the database', async (t) => {
  const server = await rawServer(answering('HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n'), HOST);
  t.teardown(() => server.close());
  for (const tls of ['disable', 'require'] as const) {
    const answer = await ask(probe, target(server.port, { tls }));
    t.match(answer, { verdict: 'unknown', reached: 'connect', code: 'protocol' }, tls);
  }
});

t.test('a stranger that answers and hangs up is a stranger, not a reset', async (t) => {
  const server = await rawServer(
    (socket) => void socket.once('data', () => socket.end('SSH-2.0-OpenSSH_9.2\r\n')),
    HOST,
  );
  t.teardown(() => server.close());
  t.match(await ask(probe, target(server.port)), { verdict: 'unknown', code: 'protocol' });
});

t.test('a server that is starting up serves no client yet', async (t) => {
  const server = await rawServer(answering(errorResponse('57P03', 'the database system is starting up')), HOST);
  t.teardown(() => server.close());
  t.match(await ask(probe, target(server.port)), { verdict: 'bad', reached: 'connect', code: 'starting' });
});

t.test('a server without a connection left is alive', async (t) => {
  const server = await rawServer(answering(errorResponse('53300', 'sorry, too many clients already')), HOST);
  t.teardown(() => server.close());
  t.match(await ask(probe, target(server.port)), { verdict: 'unknown', reached: 'connect', code: 'failed' });
});

t.test('a server that does not do TLS is not spoken to in the clear where TLS is required', async (t) => {
  const heard: string[] = [];
  const server = await rawServer((socket) => {
    socket.once('data', () => socket.write('N'));
    socket.on('data', (chunk: Buffer) => heard.push(chunk.toString('latin1')));
  }, HOST);
  t.teardown(() => server.close());
  const answer = await ask(probe, target(server.port, { tls: 'require' }));
  t.match(answer, { verdict: 'unknown', reached: 'connect', code: 'tls' });
  t.notMatch(heard.join(''), /failoverd|hunter2/, 'neither user nor password was sent');
});

t.test('a connection that ends after the TLS handshake is a reset', async (t) => {
  const { certificate: cert, key } = selfSigned('db.shop.test');
  const server = await rawServer((socket) => {
    socket.once('data', () => {
      socket.write('S');
      const secure = new TLSSocket(socket, { isServer: true, cert, key });
      secure.on('error', () => secure.destroy());
      secure.once('data', () => secure.destroy());
    });
  }, HOST);
  t.teardown(() => server.close());
  const answer = await ask(probe, target(server.port, { tls: 'require' }));
  t.match(answer, { verdict: 'bad', reached: 'connect', code: 'reset' });
});

t.test('a name that is not resolved before the deadline is our own trouble', async (t) => {
  // A machine with no resolver at all says so at once; both are unknown, or the name certainly does not exist.
  const answer = await ask(probe, target(5432, { host: 'db.does-not-exist.invalid', timeoutMs: 3_000 }));
  t.ok(
    (answer.code === 'internal' && answer.verdict === 'unknown') ||
      (answer.code === 'unreachable' && answer.verdict === 'bad'),
    `${answer.code}: ${answer.message}`,
  );
});

t.test('stopping ends a probe at once', async (t) => {
  const server = await rawServer(silent, HOST);
  t.teardown(() => server.close());
  const stopping = new AbortController();
  const asked = ask(probe, target(server.port, { timeoutMs: 30_000 }), { signal: stopping.signal });
  await until({ what: 'the probe to connect', timeoutMs: 2_000 }, async () => server.accepted() > 0 || undefined);
  stopping.abort();
  t.ok((await asked).tookMs < 2_000);
  await until({ what: 'the socket to go', timeoutMs: 2_000 }, async () => server.open.size === 0 || undefined);
});

t.test('no file or environment of this process lends a password', async (t) => {
  let startup = '';
  const server = await rawServer((socket) => {
    // AuthenticationCleartextPassword, then whatever comes back.
    socket.once('data', () => {
      socket.once('data', (chunk: Buffer) => {
        startup = chunk.toString('latin1');
      });
      socket.write(Buffer.from('R\0\0\0\x08\0\0\0\x03', 'latin1'));
    });
  }, HOST);
  t.teardown(() => server.close());
  process.env['PGPASSWORD'] = 'from the environment';
  const file = `${t.testdir()}/pgpass`;
  writeFileSync(file, '*:*:*:*:from-a-file\n', { mode: 0o600 });
  process.env['PGPASSFILE'] = file;
  t.teardown(() => {
    delete process.env['PGPASSWORD'];
    delete process.env['PGPASSFILE'];
  });
  await ask(probe, target(server.port, { password: null }));
  t.notMatch(startup, /from/);
  t.match(readFileSync(file, 'utf8'), /from-a-file/);
});
