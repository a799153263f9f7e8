// The old side under a real Patroni: fenced by its manager and read back, and brought back as a standby of the new one.
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import {
  type PatroniNode,
  patchConfig,
  patroniStatus,
  readClusterConfig,
  startNode,
  stopPatroni,
  untilRole,
} from '../../lab/servers/patroni.ts';
import { query } from '../../lab/servers/postgres.ts';
import { scanProcesses, signalAll } from '../../lab/servers/processes.ts';
import { until } from '../../lab/servers/wait.ts';
import { controlOf } from '../../src/actions/postgres-control.ts';
import { postgresTarget } from '../../src/actions/targets.ts';
import type { PostgresComponent } from '../../src/model/config.ts';
import type { OperationResult } from '../../src/model/loop.ts';
import { log } from '../lab-parts/real-servers.ts';
import { managedBy, patroniClusters, restUrl } from './patroni.ts';
import { A, actorOf, ask, configOf, contextOf, gist, operation } from './world.ts';

t.setTimeout(300_000);

const clusters = await patroniClusters(t, '127.0.84.10', '127.0.84.20');
const { primary, passwords, systemIdentifier } = clusters;
const identities = { db: systemIdentifier };
const [b] = await clusters.standbyCluster('b');
const secrets = { PGPASSWORD: passwords.failoverd, PATRONI: 'patroni-secret' };

/** What a step would ask of the driver, of the old side. */
async function old(
  which: 'fence' | 'rejoin',
  act: 'do' | 'verify',
  changes: Partial<PostgresComponent> = {},
  timeoutMs = 20_000,
): Promise<OperationResult> {
  const component = managedBy(primary, b, changes);
  const target = postgresTarget('platform', { id: 'db', component }, A);
  const control = controlOf(component)?.[which];
  if (target === null || control === undefined) throw new Error('no such driver');
  const { context, close } = contextOf(configOf({ db: component }), secrets, timeoutMs);
  try {
    const asked = operation({ stepKind: 'fence', operation: act, component: 'db', preState: { identities } });
    return await control[act](target, asked, context);
  } finally {
    await close();
  }
}

const standing = async (): Promise<unknown> =>
  (await readClusterConfig(primary.etcd, primary.scope))['standby_cluster'];
const insert = async (id: string): Promise<unknown> =>
  await query(primary.postgres, `insert into app.writes (id, region) values ($1, 'a')`, [id], 'app');
const pausedIs = async (node: PatroniNode, wanted: boolean): Promise<void> => {
  await patchConfig(node, { pause: wanted ? true : null });
  await until({ what: `pause ${wanted}`, timeoutMs: 10_000 }, async () =>
    ((await patroniStatus(node))?.pause === true) === wanted ? true : undefined,
  );
};

t.test('a primary is not off, and its Patroni must be there to say otherwise', async (t) => {
  t.equal(gist(await old('fence', 'verify')), 'no not-off');
  t.equal(gist(await old('rejoin', 'do')), 'no not-off', 'it would be rewound while it takes writes');
  t.equal(gist(await old('rejoin', 'verify')), 'no not-off');
  const nowhere = { patroni: { [A]: { urls: ['http://127.0.84.10:1'] } } };
  t.equal(gist(await old('fence', 'do', nowhere)), 'no manager-unreachable');
  // PostgreSQL itself says that it takes writes.
  t.equal(gist(await old('fence', 'verify', nowhere)), 'no not-off');
  await pausedIs(primary, true);
  t.equal(gist(await old('fence', 'do')), 'no manager-paused');
  t.equal(await standing(), undefined, 'nothing was asked for that would come to be when it is resumed');
  await pausedIs(primary, false);
  const noUser = { patroni: { [A]: { urls: [restUrl(primary)] } } };
  t.equal(gist(await old('fence', 'do', noUser)), 'no denied');
  t.equal(await standing(), undefined);
});

t.test('fenced: in recovery, read back, and still so after a restart of Patroni', async (t) => {
  await insert('before');
  const done = await old('fence', 'do');
  t.equal(gist(done), 'ok', done.message);
  t.match(done.facts, { driver: 'patroni', operation: 'verify', region: A, cluster: { leads: 'standby', members: 1 } });
  t.match(await standing(), { restore_command: 'false' }, 'it follows nobody');
  await t.rejects(insert('fenced'), 'no write is taken');
  t.equal(gist(await old('fence', 'verify')), 'ok');
  t.equal(gist(await old('fence', 'do')), 'ok', 'asked again it does no harm');

  await t.test('a member that says nothing may be a primary without a manager', async (t) => {
    const pids = (await scanProcesses([primary.dir])).pids;
    signalAll(pids, 'SIGSTOP');
    t.equal(gist(await old('fence', 'verify')), 'unknown manager-unreachable');
    signalAll(pids, 'SIGCONT');
  });

  await t.test('one member twice does not stand for two', async (t) => {
    const twice = { patroni: { [A]: { urls: [restUrl(primary), restUrl(primary)] } } };
    t.match((await old('fence', 'verify', twice)).message, /all 1 members/);
  });

  await t.test('switched off and on again, it is no primary for a moment', async (t) => {
    await stopPatroni(primary);
    t.equal(gist(await old('fence', 'verify')), 'unknown manager-unreachable');
    const started = startNode(primary, { log });
    let over = false;
    const watching = (async () => {
      const seen: unknown[] = [];
      while (!over) {
        const [row] = await query(primary.postgres, 'select pg_is_in_recovery() as still').catch(() => []);
        if (row !== undefined) seen.push(row['still']);
        await sleep(10);
      }
      return seen;
    })();
    await started;
    await untilRole(primary, ['standby_leader', 'replica']);
    await sleep(3_000);
    over = true;
    const seen = await watching;
    t.ok(seen.length > 10, `${seen.length} looks`);
    t.notOk(seen.includes(false));
    t.equal(gist(await old('fence', 'verify')), 'ok');
  });
});

t.test('brought back: it streams from the new side, whose Patroni promoted it meanwhile', async (t) => {
  t.equal(gist(await old('rejoin', 'verify')), 'no not-streaming');
  const actor = actorOf(t, configOf({ db: managedBy(primary, b) }), secrets);
  const promote = { stepKind: 'promote', component: 'db', preState: { identities }, timeoutMs: 10_000 } as const;
  const checked = await ask(actor, { ...promote, operation: 'check' });
  t.equal(gist(checked), 'ok', checked.message);
  const preState = { ...checked.facts, identities };
  t.equal(gist(await ask(actor, { ...promote, operation: 'do', preState })), 'ok');
  await query(b.postgres, `insert into app.writes (id, region) values ('after', 'b')`, [], 'app');
  t.equal(gist(await old('rejoin', 'do')), 'ok');
  const proof = await old('rejoin', 'verify');
  t.match(proof.facts, { status: 'streaming', timeline: 2, upstream: 2 });
  t.match(await standing(), { host: b.postgres.host, port: b.postgres.port });
  const rows = await until({ what: 'the new side’s write arrives', timeoutMs: 10_000 }, async () => {
    const found = await query(
      primary.postgres,
      `select id from app.writes where id in ('before', 'after', 'fenced') order by 1`,
      [],
      'app',
    );
    return found.length >= 2 ? found : undefined;
  });
  t.strictSame(
    rows.map(({ id }) => id),
    ['after', 'before'],
  );
  t.equal(gist(await old('fence', 'verify')), 'ok', 'and is a standby cluster, as it was');
});
