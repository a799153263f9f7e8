// A command's order arrives once, however bad the line is; and by TLS it goes to nobody else.
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { createAuthority, type Issued } from '../../lab/pki.ts';
import { bearer, serve, TOKENS } from '../daemon/http/harness.ts';
import { call } from './terminal.ts';

const CA = await createAuthority('Private CA');
const OTHER = await createAuthority('Another CA');
const SERVER = await CA.issue({ commonName: 'failoverd', hosts: ['127.0.0.1', '::1'] });
const CLIENT = await CA.issue({ commonName: 'ann' });

const FLAG = ['flag', 'orders', 'corruption', '--reason', 'sums do not add up'];
const ANN = { FAILOVERD_TOKEN: TOKENS.ann };

async function listening(t: Test, server: Server, host = '127.0.0.1'): Promise<string> {
  server.listen(0, host);
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** Passes requests on, and answers of the first few on the way back get lost. */
async function lossy(t: Test, url: string, lost: number): Promise<{ readonly url: string; readonly keys: string[] }> {
  const keys: string[] = [];
  const take: RequestListener = (request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', async () => {
      keys.push(String(request.headers['idempotency-key']));
      const { 'idempotency-key': key = '', authorization = '' } = request.headers as Record<string, string>;
      const answer = await fetch(`${url}${request.url}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'idempotency-key': key, authorization },
        body: Buffer.concat(parts),
      });
      const text = await answer.text();
      if (keys.length <= lost) return void request.socket.destroy();
      response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' }).end(text);
    });
  };
  return { url: `http://${await listening(t, createServer(take))}`, keys };
}

t.test('an order whose answer was lost is sent again with its key, and carried out once', async (t) => {
  const h = await serve(t);
  const line = await lossy(t, h.url, 2);
  const said = await call([...FLAG, '--url', line.url, '--json'], ANN);
  t.equal(said.code, 0, said.err);
  t.match(JSON.parse(said.out), { status: 'reported' }, 'and not: already reported');
  t.equal(line.keys.length, 3);
  t.equal(new Set(line.keys).size, 1, 'one key for one command');
  t.match(line.keys[0], /^"[0-9a-f]{32}"$/);
  const again = await call([...FLAG, '--url', line.url, '--json'], ANN);
  t.match(JSON.parse(again.out), { status: 'already-reported' }, 'another command is another order');
});

t.test('it gives up in the end, says so, and never tries where nothing listens', async (t) => {
  const h = await serve(t);
  const line = await lossy(t, h.url, 99);
  const said = await call([...FLAG, '--url', line.url], ANN);
  t.match(said, { code: 1, err: /ECONNRESET/ });
  t.equal(line.keys.length, 4);
  t.match(await call([...FLAG, '--url', 'http://127.0.0.1:1'], ANN), { code: 1, err: /ECONNREFUSED/ });
});

t.test('a refusal is an answer: it is not sent again', async (t) => {
  const h = await serve(t);
  const line = await lossy(t, h.url, 0);
  t.equal((await call([...FLAG, '--url', line.url], { FAILOVERD_TOKEN: TOKENS.vic })).code, 1);
  t.equal((await call(['clear', 'orders', 'deletion', '--reason', 'none', '--url', line.url], ANN)).code, 3);
  t.equal(line.keys.length, 2);
  t.equal(
    (await h.post('/api/v1/groups/orders/reports', { report: 'deletion', what: 'all' }, bearer(TOKENS.ann))).status,
    200,
  );
});

t.test('by https it trusts whom it was told to trust, also by IPv6, and shows its certificate', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'failoverd-cli-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const keep = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  const [ca, other] = [keep('ca.pem', CA.certificate), keep('other.pem', OTHER.certificate)];
  const [cert, key] = [keep('ann.pem', CLIENT.certificate), keep('ann.key', CLIENT.key)];
  const secure = ({ certificate, key }: Issued) =>
    createSecureServer(
      { cert: certificate, key, ca: CA.certificate, requestCert: true, rejectUnauthorized: true },
      (request, response) => {
        response.setHeader('content-type', 'application/json');
        request.resume().on('end', () => response.end('{"status":"reported"}'));
      },
    );
  for (const host of ['127.0.0.1', '::1']) {
    const url = `https://${await listening(t, secure(SERVER) as unknown as Server, host)}`;
    const shown = ['--cert', cert, '--key', key];
    t.match(await call([...FLAG, '--url', url, '--ca', ca, ...shown, '--json'], ANN), { code: 0 }, host);
    t.match(
      await call([...FLAG, '--url', url], { ...ANN, FAILOVERD_CA: ca, FAILOVERD_CERT: cert, FAILOVERD_KEY: key }),
      { code: 0 },
    );
    t.match(await call([...FLAG, '--url', url, '--ca', other, ...shown], ANN), {
      code: 1,
      err: /UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER|SELF_SIGNED/,
    });
    t.match(await call([...FLAG, '--url', url, ...shown], ANN), { code: 1 }, 'the system does not trust it');
    t.match(await call([...FLAG, '--url', url, '--ca', ca], ANN), { code: 1 }, 'nothing is shown');
  }
});

t.test('certificates that can’t be used are told of, and nothing is sent', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'failoverd-cli-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'no.pem');
  writeFileSync(file, 'sesame');
  const url = ['--url', 'https://127.0.0.1:1'];
  for (const [args, err] of [
    [[...url, '--cert', file], /--key FILE/],
    [[...url, '--ca', join(folder, 'none.pem')], /ENOENT/],
    [[...url, '--cert', file, '--key', file], /PEM/],
    [['--url', 'http://127.0.0.1:1', '--ca', file], /https/],
  ] as const) {
    const said = await call([...FLAG, ...args], ANN);
    t.match(said, { code: 2, err });
    t.notMatch(said.err, /sesame/);
  }
});
