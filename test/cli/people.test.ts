// What a person at a terminal sees, and what their yes does.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { StatusDocument } from '../../src/daemon/status-document.ts';
import { alert, BEARER, bearer, type Harness, payload, serve, TOKENS, until } from '../daemon/http/harness.ts';
import { call, tooWide } from './terminal.ts';

async function proposed(h: Harness) {
  for (let i = 0; i < 3; i += 1) await h.see();
  await h.post('/webhooks/alertmanager', payload([alert()]), bearer(BEARER));
  return until('a proposal', async () => {
    await h.see({ primaryDown: true });
    const status = (await (await h.get('/api/v1/status')).json()) as StatusDocument;
    return status.groups[0]?.proposal ?? null;
  });
}

t.test('status tells what is wrong and what follows, in 80 columns', async (t) => {
  const h = await serve(t);
  await h.see();
  const quiet = await call(['status', '--url', h.url]);
  t.equal(quiet.code, 0, quiet.err);
  t.match(quiet.out, /Orders & billing \(orders\) +quiet/);
  t.notMatch(quiet.out, '\u001b', 'no colours where no terminal is');
  const { id } = await proposed(h);
  const { out } = await call(['status', 'orders'], { FAILOVERD_URL: `${h.url}/` });
  t.match(out, new RegExp(`failoverd approve ${id}`));
  t.match(out, /waits for people/);
  t.match(out, /RegionUnreachable/);
  t.strictSame(tooWide(out), []);
});

t.test('status as JSON is the daemon’s own document', async (t) => {
  const h = await serve(t);
  const { code, out } = await call(['status', '--url', h.url, '--json']);
  t.equal(code, 0);
  t.match(JSON.parse(out), { engine: 'running', groups: [{ group: 'orders' }] });
});

t.test('a group that is none is answered with the one that was meant', async (t) => {
  const h = await serve(t);
  t.match(await call(['status', 'order', '--url', h.url]), { code: 2, err: /did you mean orders\?/ });
});

t.test('text of others can’t steer the terminal', async (t) => {
  const h = await serve(t);
  const summary = 'bad\u001b]0;owned\u0007\u001b[2J news';
  await h.post(
    '/webhooks/alertmanager',
    payload([alert({ labels: { alertname: 'PodDown' }, annotations: { summary } })]),
    bearer(BEARER),
  );
  const { out } = await call(['status', '--url', h.url]);
  t.match(out, /PodDown/);
  t.notMatch(out.replaceAll('\n', ''), /\p{Cc}/u);

  const title = 'no\u001b]0;owned\u0007\u001b[2J way';
  const stranger = createServer((_request, response) => {
    response.writeHead(404, { 'content-type': 'application/problem+json' });
    response.end(JSON.stringify({ type: 'about:blank', title, status: 404, detail: title, remedy: title }));
  });
  await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve));
  t.teardown(() => void stranger.close());
  const { err } = await call(['status', '--url', `http://127.0.0.1:${(stranger.address() as AddressInfo).port}`]);
  t.match(err, /owned/);
  t.notMatch(err.replaceAll('\n', ''), /\p{Cc}/u, 'nor can what answers in the daemon’s place');
});

t.test('approve shows what a yes covers, and sends it bound to that plan', async (t) => {
  const h = await serve(t);
  const { id, planHash } = await proposed(h);
  const folder = mkdtempSync(join(tmpdir(), 'failoverd-test-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'token');
  writeFileSync(file, `${TOKENS.ann}\n`);

  const asked = await call(['approve', id, '--url', h.url, '--token-file', file]);
  t.equal(asked.code, 2, 'nobody can be asked here');
  for (const part of [
    planHash,
    'assess.db',
    'promote.db',
    'cutover-dns.name',
    'sre and vp',
    'may lose',
    'fence',
    'RTO',
  ])
    t.ok(asked.out.includes(part), part);
  t.strictSame(tooWide(asked.out), []);

  const other = await call([
    'approve',
    id,
    '--url',
    h.url,
    '--token-file',
    file,
    '--yes',
    '--plan-hash',
    'f'.repeat(64),
  ]);
  t.equal(other.code, 3, 'another plan is not approved');
  t.equal(h.engine.state().ledger.groups['orders']?.proposal?.approvals.length, 0);

  const first = await call(['approve', id, '--url', h.url, '--token-file', file, '--yes']);
  t.equal(first.code, 0, first.err);
  t.match(first.out, /as sre/);
  t.match(first.out, /vp/);
  const again = await call(['approve', id, '--url', h.url, '--token-file', file, '--yes']);
  t.equal(again.code, 3);
  const second = await call(['approve', id, '--url', h.url, '--yes', '--json', '--plan-hash', planHash], {
    FAILOVERD_TOKEN: TOKENS.vera,
  });
  t.equal(second.code, 0, second.err);
  t.match(JSON.parse(second.out), { approvedAs: 'vp', waitingFor: [] });
});

t.test('refusals have the exit code of their kind, and no token in them', async (t) => {
  const h = await serve(t);
  const { id } = await proposed(h);
  const none = await call(['approve', id, '--url', h.url, '--yes']);
  t.equal(none.code, 1);
  t.match(none.err, /Authorization/);
  const viewer = await call(['approve', id, '--url', h.url, '--yes'], { FAILOVERD_TOKEN: TOKENS.vic });
  t.equal(viewer.code, 1);
  t.match(viewer.err, /sre/);
  t.notMatch(viewer.err + viewer.out, TOKENS.vic);
  const gone = await call(['approve', 'proposal-orders-99', '--url', h.url, '--yes']);
  t.equal(gone.code, 1);
  t.match(gone.err, new RegExp(id), 'what is open is named');
});

t.test('a token that can’t be sent is told of without being shown', async (t) => {
  const dir = t.testdir({ two: 'sesame\nopen\n', none: '\n', good: `${TOKENS.vic}\n` });
  for (const [argv, variables] of [
    [[], { FAILOVERD_TOKEN: 'sesame\nopen' }],
    [[], { FAILOVERD_TOKEN: 'sesame\u20ac' }],
    [['--token-file', `${dir}/two`], {}],
    [['--token-file', `${dir}/none`], {}],
    [['--url', 'http://ada:sesame@127.0.0.1:1'], {}],
  ] as const) {
    const { code, out, err } = await call(['status', '--url', 'http://127.0.0.1:1', ...argv], { ...variables });
    t.equal(code, 2, err);
    t.notMatch(err + out, /sesame/);
    t.match(err, /token/);
  }
  const h = await serve(t);
  t.equal((await call(['status', '--url', h.url, '--token-file', `${dir}/good`])).code, 0);
});

t.test('abort takes a reason and says what became of it', async (t) => {
  const h = await serve(t);
  const { id } = await proposed(h);
  const ended = await call(['abort', id, '--reason', 'the provider is back', '--url', h.url], {
    FAILOVERD_TOKEN: TOKENS.vera,
  });
  t.equal(ended.code, 0, ended.err);
  t.match(ended.out, new RegExp(`${id} is aborted`));
  t.ok(h.disk.rows.some((row) => JSON.stringify(row).includes('vera: the provider is back')));
});

t.test('where nobody answers there is one clear line', async (t) => {
  const server = createServer((_request, response) => response.end('<h1>hello</h1>'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  const stranger = await call(['status', '--url', url]);
  t.equal(stranger.code, 1);
  t.match(stranger.err, /doesn't answer like a failoverd/);
  await new Promise((resolve) => server.close(resolve));
  const closed = await call(['status', '--url', url]);
  t.equal(closed.code, 1);
  t.match(closed.err, /ECONNREFUSED/);
  t.equal(closed.err.trim().split('\n').length, 1);
  t.notMatch(closed.err, /\.ts:\d|node_modules/, 'no stack');
  const json = await call(['status', '--url', url, '--json']);
  t.match(JSON.parse(json.out), { error: { kind: 'unreachable' } });
});
