// Why a row answers as it does, over HTTP and from the command line: the same sentences, now and of the past.
import t from 'tap';
import type { ToldExplanation } from '../../../src/model/explanation.ts';
import { call, tooWide } from '../../cli/terminal.ts';
import { alert, BEARER, bearer, type Harness, payload, serve } from './harness.ts';

const told = async (h: Harness, query = ''): Promise<ToldExplanation> =>
  (await (await h.get(`/api/v1/groups/orders/explain${query}`)).json()) as ToldExplanation;

t.test('the API tells of every row, or of one', async (t) => {
  const h = await serve(t);
  await h.see();
  const all = await told(h);
  t.strictSame(
    all.rows.map(({ row }) => row),
    [40, 80],
  );
  t.match(all.says, /^Orders & billing \(orders\) at 2.*us-east-1 active, eu-central-1 standby\./);
  const one = await told(h, '?row=40');
  t.strictSame(
    one.rows.map(({ row, answer }) => [row, answer]),
    [[40, 'does-not-match']],
  );
  t.ok(one.rows[0]?.paragraphs.find(({ label }) => label === 'changes')?.lines[0]?.startsWith('It would propose'));
});

t.test('what is asked for wrongly is refused, with the field and a way out', async (t) => {
  const h = await serve(t);
  for (const [path, status, field] of [
    ['/api/v1/groups/nobody/explain', 404, 'group'],
    ['/api/v1/groups/orders/explain?row=41', 404, 'row'],
    ['/api/v1/groups/orders/explain?row=4x', 422, '/row'],
    ['/api/v1/groups/orders/explain?at=yesterday', 422, 'at'],
    ['/api/v1/groups/orders/explain?at=2999-01-01T00:00:00Z', 422, 'at'],
    ['/api/v1/groups/orders/explain?when=now', 422, '/when'],
    ['/groups/nobody/explain', 404, 'group'],
    ['/groups/constructor/explain', 422, '/group'],
  ] as const) {
    const response = await h.get(path);
    t.equal(response.status, status, path);
    const said = (await response.json()) as { field: string; remedy?: string };
    t.equal(said.field, field, path);
    if (status === 404) t.ok(said.remedy, path);
  }
});

t.test('the page needs no script, runs none, and shows what is sent in as text', async (t) => {
  const h = await serve(t);
  await h.see();
  const evil = '<script>alert(1)</script>';
  await h.post(
    '/webhooks/alertmanager',
    payload([{ ...alert(), labels: { alertname: 'PodDown' }, annotations: { summary: evil } }]),
    bearer(BEARER),
  );
  const response = await h.get('/groups/orders/explain?row=80');
  t.equal(response.status, 200);
  const policy = response.headers.get('content-security-policy') ?? '';
  t.match(policy, "default-src 'none'");
  t.notMatch(policy, 'script-src');
  const page = await response.text();
  t.match(page, '&lt;script>alert(1)');
  t.notMatch(page, '<script');
  t.match(page, 'href="/api/v1/groups/orders/explain?row=80"');
  const status = await (await h.get('/status', { accept: 'text/html' })).text();
  t.match(status, 'href="/groups/orders/explain?row=40"', 'the status links to each row');
});

t.test('of the past it tells from the journal, in the API and in the terminal alike', async (t) => {
  const h = await serve(t);
  for (let i = 0; i < 3; i += 1) await h.see();
  const begun = Date.parse('2001-01-01T00:00:00Z');
  const before = await told(h, `?at=${new Date(begun).toISOString()}`);
  t.equal(before.basis, 'journal');
  t.match(before.notes[0], /^nothing was kept of that time: the journal begins at /);
  t.ok(before.rows.every(({ answer }) => answer === 'not-kept'));
  const at = new Date().toISOString();
  const terminal = await call(['explain', 'orders', '--row', '40', '--at', at, '--url', h.url]);
  t.equal(terminal.code, 0);
  t.match(terminal.out.replace(/\s+/g, ' '), 'from what the journal kept');
  t.match(terminal.out.replace(/\s+/g, ' '), 'Nothing was kept of this row at that time');
});

t.test('failoverd explain', async (t) => {
  const h = await serve(t);
  await h.see();
  const all = await call(['explain', '--url', h.url]);
  t.equal(all.code, 0, all.err);
  t.match(all.out, 'Row 40 (decide) does not match');
  t.match(all.out, 'Row 80 (decide)');
  t.strictSame(tooWide(all.out), []);
  const json = JSON.parse((await call(['explain', 'orders', '--row', '80', '--json', '--url', h.url])).out);
  t.strictSame(
    (json as ToldExplanation).rows.map(({ row }) => row),
    [80],
  );
  for (const [argv, says] of [
    [['explain', 'nobody'], 'there is no group nobody help: groups are orders'],
    [['explain', 'orders', '--row', '41'], 'there is no row 41 help: rows of orders are 40, 80'],
    [['explain', '--row', '41'], 'no group has a row 41 help: rows of orders are 40, 80'],
    [['explain', 'orders', '--row', 'x'], 'is no number of a row'],
    [['explain', 'orders', 'more'], 'one group at most'],
    [['explain', 'orders', '--at', 'noon'], 'write it like'],
  ] as const) {
    const ended = await call([...argv, '--url', h.url]);
    t.equal(ended.code, 2, argv.join(' '));
    t.match(ended.err.replace(/\s+/g, ' '), says);
  }
});
