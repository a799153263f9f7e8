// The report over a time, over HTTP and from the command line.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { seal } from '../../../src/journal/chain.ts';
import { openSqliteJournal } from '../../../src/journal/sqlite.ts';
import { type EventBody, GENESIS_HASH } from '../../../src/model/events.ts';
import type { Reviews } from '../../../src/model/review.ts';
import { call, tooWide } from '../../cli/terminal.ts';
import { alert, BEARER, bearer, type Harness, payload, serve, TOKENS, until } from './harness.ts';

async function held(h: Harness): Promise<void> {
  for (let i = 0; i < 3; i += 1) await h.see();
  await h.post('/webhooks/alertmanager', payload([alert()]), bearer(BEARER));
  await until('a decision', async () => {
    await h.see({ primaryDown: true });
    const told = (await (await h.get('/api/v1/report', bearer(TOKENS.ann))).json()) as Reviews;
    return (told.groups[0]?.decisions.length ?? 0) > 0 ? true : null;
  });
}

t.test('who has a role reads it; who has none does not', async (t) => {
  const h = await serve(t, { autonomy: 'observe' });
  t.equal((await h.get('/api/v1/report')).status, 401);
  t.equal((await h.get('/api/v1/report', bearer('nobody-knows-this'))).status, 401);
  for (const token of Object.values(TOKENS)) t.equal((await h.get('/api/v1/report', bearer(token))).status, 200);
});

t.test('observe says what it would have done', async (t) => {
  const h = await serve(t, { autonomy: 'observe' });
  await held(h);
  const told = (await (await h.get('/api/v1/report?since=1h&group=orders', bearer(TOKENS.ann))).json()) as Reviews;
  t.match(told.groups, [{ group: 'orders', decisions: [{ row: 40, wouldHaveActed: true }], runs: [], proposals: [] }]);
  const { code, out, err } = await call(['report', '--since', '1h', '--url', h.url], { FAILOVERD_TOKEN: TOKENS.ann });
  t.equal(code, 0, err);
  t.match(out, /would have acted 1 time/);
  t.match(out, /would have failed over/);
  t.strictSame(tooWide(out), []);
  const json = await call(['report', '--url', h.url, '--json'], { FAILOVERD_TOKEN: TOKENS.ann });
  t.match(JSON.parse(json.out), { groups: [{ group: 'orders' }] });
});

t.test('what is asked for wrongly is refused, with the field and a way out', async (t) => {
  const h = await serve(t);
  for (const [query, status, field] of [
    ['?since=yesterday', 422, 'since'],
    ['?since=0s', 422, 'since'],
    ['?since=401d', 422, 'since'],
    ['?group=nobody', 404, 'group'],
    ['?group=constructor', 422, '/group'],
    ['?until=now', 422, '/until'],
  ] as const) {
    const response = await h.get(`/api/v1/report${query}`, bearer(TOKENS.ann));
    t.equal(response.status, status, query);
    t.match(await response.json(), { field, ...(field === 'since' ? { remedy: /such as 7d/ } : {}) }, query);
  }
  for (const [argv, expected] of [
    [['report', '--since', 'ages'], /write it like 7d/],
    [['report', 'a', 'b'], /one group at most/],
    [['report', '--journal', '/does/not/exist'], /daemon\.stateDir/],
  ] as const) {
    const { code, err } = await call(argv);
    t.equal(code, argv.some((word) => word === '--journal') ? 1 : 2, argv.join(' '));
    t.match(err.replace(/\s+/g, ' '), expected);
  }
  const refused = await call(['report', '--url', h.url]);
  t.match(refused, { code: 1, err: /token|Authorization/i });
});

t.test('a journal is read without its daemon, and beside it', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'failoverd-review-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const at = Date.now() - 60_000;
  const bodies: readonly EventBody[] = [
    { kind: 'daemon.started', at, incarnation: 'one', version: '1.2.3', configHash: 'x' },
    { kind: 'hold.started', at: at + 1, group: 'shop', row: 40, region: 'r', impactAt: at, sample: null },
    { kind: 'hold.advanced', at: at + 2, group: 'shop', row: 40, heldMs: 4000 },
    { kind: 'hold.ended', at: at + 3, group: 'shop', row: 40, why: 'clients reach it again' },
  ];
  const journal = await openSqliteJournal({ dir: folder });
  await journal.load();
  await journal.append(seal(0, GENESIS_HASH, bodies));
  const beside = await call(['report', '--journal', folder]);
  t.equal(beside.code, 0, beside.err);
  await journal.close();
  const { code, out } = await call(['report', 'shop', '--journal', folder]);
  t.equal(code, 0);
  t.match(out, /1 hold \(4 s in all\)/);
  t.match(out, /clients reach it again/);
  t.match(await call(['report', 'shp', '--journal', folder]), { code: 2, err: /did you mean shop\?/ });
});
