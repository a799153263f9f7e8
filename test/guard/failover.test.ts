// Two guards, two PostgreSQL, and the store’s real rules between them: a switchover, and the old side coming home.
import { existsSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { until } from '../../lab/servers/wait.ts';
import { asClient, type Hands } from './hands.ts';
import { setUpPair } from './running.ts';

const HOST = '127.0.71.8';
const insert = (region: string): string =>
  `insert into app.writes (id, region) values (gen_random_uuid()::text, '${region}') returning region`;
const rows = async (hands: Hands): Promise<unknown> => await asClient(hands, 'select count(*)::int from app.writes');

t.test('the old side releases, the new one takes over, and the old one comes home', async (t) => {
  const { a, b, store } = await setUpPair(t, HOST);
  a.guard();
  b.guard();
  await a.become('primary');
  await b.become('standby');
  t.equal(await asClient(a.hands, insert('a')), 'a');
  await until({ what: 'the row on b', timeoutMs: 20_000 }, async () =>
    (await rows(b.hands)) === 1 ? true : undefined,
  );
  t.equal(await asClient(b.hands, insert('b')), '25006', 'the standby takes no writes');
  t.match(
    await b.post('/v1/orders', { kind: 'promote', run: 'run-1', epoch: 2, claim: 'confirmed' }),
    { status: 409, body: { taken: false } },
    'without the lease nothing is promoted',
  );

  const epoch = (store.record()?.epoch ?? 0) + 1;
  t.match(await a.post('/v1/orders', { kind: 'release', run: 'run-1', epoch }), { status: 200 });
  await until({ what: 'the release', timeoutMs: 20_000 }, async () =>
    store.record()?.state === 'released' ? true : undefined,
  );
  t.match(store.record(), { holder: 'a', release: { kind: 'clean', timeline: 1 } });
  t.match(await b.post('/v1/orders', { kind: 'candidacy', run: 'run-1', epoch, claim: 'confirmed' }), { status: 200 });
  t.match(await b.become('holding'), { holds: epoch, postgres: { state: 'standby' } });
  t.match(await b.post('/v1/orders', { kind: 'promote', run: 'run-1', epoch, claim: 'confirmed' }), { status: 200 });
  t.match(await b.become('primary'), { holds: epoch, promotion: null, postgres: { timeline: 2 } });
  t.ok(existsSync(path.join(b.hands.instance.dataDir, 'standby.signal')));
  t.match(store.record(), { holder: 'b', writer: 'b', epoch });
  t.equal(await rows(b.hands), 1, 'what was acknowledged is there (invariant 26)');
  t.equal(await asClient(b.hands, insert('b')), 'b');

  t.match(await a.become('deposed'), { deposedBy: epoch, postgres: { state: 'stopped' } });
  t.equal(await asClient(a.hands, insert('a')), 'ECONNREFUSED');
  t.match(await a.post('/v1/orders', { kind: 'rejoin', why: 'come home' }), { status: 200 });
  t.match(await a.become('standby', 90_000), { deposedBy: null });
  await until({ what: 'b’s row on a', timeoutMs: 30_000 }, async () =>
    (await rows(a.hands)) === 2 ? true : undefined,
  );
  t.equal(await asClient(a.hands, insert('a')), '25006');
  t.match(await a.post('/v1/promise', { group: 'g', component: 'db', holder: 'b', epoch }), {
    status: 200,
    body: { promised: true },
  });
});
