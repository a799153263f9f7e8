// Promotion through a real Patroni with a real etcd: asked of Patroni and never of PostgreSQL, refused where Patroni would
// not do it, and left open where nobody can say whether it was taken.
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { killEtcd, startEtcd } from '../../lab/servers/etcd.ts';
import {
  type PatroniNode,
  patchConfig,
  patroniStatus,
  readClusterConfig,
  untilRole,
} from '../../lab/servers/patroni.ts';
import { query } from '../../lab/servers/postgres.ts';
import { scanProcesses, signalAll } from '../../lab/servers/processes.ts';
import { until } from '../../lab/servers/wait.ts';
import { startedAtOf } from '../../src/actions/patroni-api.ts';
import { controlOf } from '../../src/actions/postgres-control.ts';
import { postgresTarget } from '../../src/actions/targets.ts';
import { examineManagers } from '../../src/cli/doctor/managers.ts';
import type { PostgresComponent } from '../../src/model/config.ts';
import type { Secrets } from '../../src/runtime/config/secrets.ts';
import { SecretValue } from '../../src/runtime/secret.ts';
import { NO_CERTIFICATES } from '../../src/runtime/tls.ts';
import { log } from '../lab-parts/real-servers.ts';
import { managedBy, patroniClusters, restUrl } from './patroni.ts';
import { A, actorOf, ask, B, configOf, contextOf, gist, operation, type Tap, type TestActor } from './world.ts';

t.setTimeout(300_000);

const clusters = await patroniClusters(t, '127.0.83.10', '127.0.83.20');
const { primary, passwords, systemIdentifier } = clusters;
const identities = { db: systemIdentifier };
// Behind a manager failoverd needs no right to promote, and has none here.
const PROMOTE = 'pg_catalog.pg_promote(boolean, integer)';
await query(primary.postgres, `revoke execute on function ${PROMOTE} from failoverd, public`, [], 'app');

const secrets = { PGPASSWORD: passwords.failoverd, PATRONI: 'patroni-secret' };

function actorFor(test: Tap, standby: PatroniNode, changes: Partial<PostgresComponent> = {}): TestActor {
  return actorOf(test, configOf({ db: managedBy(primary, standby, changes) }), secrets);
}

const step =
  (stepKind: 'assess' | 'promote') =>
  (which: 'check' | 'do' | 'verify', more: object = {}) => ({
    stepKind,
    operation: which,
    component: 'db',
    preState: { identities },
    timeoutMs: 10_000,
    ...more,
  });
const assess = step('assess');
const promote = step('promote');

const access = { username: 'failoverd', password: '${env:PATRONI}' };
const urlsOfB = (...urls: string[]) => ({ patroni: { [B]: { urls, ...access } } });

const inRecovery = async (node: PatroniNode): Promise<unknown> =>
  (await query(node.postgres, 'select pg_is_in_recovery() as still'))[0]?.['still'];

type Handler = (asked: IncomingMessage, answer: ServerResponse, forward: () => void) => void;

/** Something between failoverd and Patroni that may lose what it should pass on. Its address. */
async function between(test: Tap, node: PatroniNode, handle: Handler): Promise<string> {
  const server = createServer((asked, answer) => {
    const forward = (): void => {
      const { method, url, headers } = asked;
      const passed = request({ host: node.rest.host, port: node.rest.port, method, path: url, headers }, (response) => {
        answer.writeHead(response.statusCode ?? 500, response.headers);
        response.pipe(answer);
      });
      passed.on('error', () => answer.destroy());
      asked.pipe(passed);
    };
    handle(asked, answer, forward);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.83.1', resolve));
  test.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.83.1:${(server.address() as AddressInfo).port}`;
}

t.test('a standby cluster: asked of Patroni once, and proven by PostgreSQL and Patroni both', async (t) => {
  const [b] = await clusters.standbyCluster('b');
  const actor = actorFor(t, b);
  const may = "select has_function_privilege('failoverd', $1, 'execute') as may";
  t.equal((await query(b.postgres, may, [PROMOTE], 'app'))[0]?.['may'], false);

  const assessed = await ask(actor, assess('verify'));
  t.equal(gist(assessed), 'ok', assessed.message);
  const checked = await ask(actor, promote('check'));
  t.equal(gist(checked), 'ok', checked.message);
  t.match(checked.facts, { timeline: 1, systemIdentifier, inRecovery: true });
  const preState: Record<string, unknown> = { ...checked.facts, identities };
  t.equal(gist(await ask(actor, promote('verify', { preState }))), 'no still-in-recovery');
  t.equal(await inRecovery(b), true, 'reads changed nothing');

  const startedMs = performance.now();
  const done = await ask(actor, promote('do', { preState }));
  t.equal(gist(done), 'ok', done.message);
  let proof = await ask(actor, promote('verify', { preState }));
  // Patroni's own word may trail PostgreSQL's by one loop.
  for (let tries = 0; tries < 50 && proof.kind !== 'ok'; tries += 1)
    proof = await ask(actor, promote('verify', { preState }));
  t.comment(`promoted and proven in ${Math.round(performance.now() - startedMs)} ms`);
  t.equal(gist(proof), 'ok', proof.message);
  t.match(proof.facts, { timeline: 2, timelineBefore: 1, systemIdentifier, manager: 'patroni' });
  t.match(proof.facts['cluster'], { leads: 'primary', leader: 'b1', members: 1 });
  t.notOk('standby_cluster' in (await readClusterConfig(b.etcd, b.scope)), 'etcd holds no standby_cluster any more');

  await t.test('asking again does no harm, and is found done', async (t) => {
    t.equal(gist(await ask(actor, promote('do', { preState, attempt: 2 }))), 'unknown not-in-recovery');
    const again = await ask(actor, promote('check', { preState, attempt: 1 }));
    t.equal(gist(again), 'ok');
    const second = { preState: { ...again.facts, identities }, attempt: 2 };
    t.equal(gist(await ask(actor, promote('do', second))), 'ok', 'nothing is asked for again');
    t.equal(gist(await ask(actor, promote('verify', second))), 'ok');
  });

  await t.test('another history than our promotion gives stops everything', async (t) => {
    const other = { preState: { ...preState, timeline: 2 } };
    t.equal(gist(await ask(actor, promote('verify', other))), 'halt foreign-timeline');
  });

  await t.test('made a standby cluster again by somebody, it stops everything', async (t) => {
    // Paused, Patroni leaves PostgreSQL as it is: what must not last is seen while it lasts.
    await patchConfig(b, { pause: true });
    await until({ what: 'paused', timeoutMs: 10_000 }, async () =>
      (await patroniStatus(b))?.pause ? true : undefined,
    );
    const { host, port } = primary.postgres;
    await patchConfig(b, { standby_cluster: { host, port } });
    t.equal(await inRecovery(b), false);
    t.equal(gist(await ask(actor, promote('verify', { preState }))), 'halt manager-disagrees');
  });
});

t.test('what Patroni would not do is refused before anything is fenced or asked for', async (t) => {
  const [b, replica] = await clusters.standbyCluster('c', 2);
  if (replica === undefined) throw new Error('no second member');
  const both = urlsOfB(restUrl(b), restUrl(replica));
  const actor = actorFor(t, b, both);
  t.equal(gist(await ask(actor, assess('verify'))), 'ok');
  const pausedIs = async (wanted: boolean): Promise<void> => {
    await patchConfig(b, { pause: wanted ? true : null });
    await until({ what: `pause ${wanted}`, timeoutMs: 10_000 }, async () => {
      const seen = await Promise.all([b, replica].map(patroniStatus));
      return seen.every((status) => (status?.pause === true) === wanted) ? true : undefined;
    });
  };

  await t.test('a replica at the configured address is not what would be promoted', async (t) => {
    const there = { [A]: '127.0.83.10:1', [B]: `${replica.postgres.host}:${replica.postgres.port}` };
    const wrong = actorFor(t, b, { ...both, instances: there });
    t.equal(gist(await ask(wrong, assess('verify'))), 'no not-leader');
    t.equal(gist(await ask(wrong, promote('check'))), 'no not-leader');
    t.equal(gist(await ask(wrong, promote('do'))), 'no not-leader');
    // Its Patroni is not configured: the leader may be it, for all that is known.
    const half = actorFor(t, b, { ...urlsOfB(restUrl(replica), 'http://127.0.83.20:1') });
    t.equal(gist(await ask(half, promote('check'))), 'unknown manager-unreachable');
    const another = actorFor(t, b, urlsOfB(restUrl(primary)));
    t.equal(gist(await ask(another, promote('check'))), 'no managed', 'the urls of another cluster');
  });

  await t.test('direct finds out who owns the server', async (t) => {
    const grant = `grant execute on function ${PROMOTE} to failoverd`;
    await query(primary.postgres, grant, [], 'app');
    const direct = actorFor(t, b, { control: 'direct' });
    await until({ what: 'the grant is replayed', timeoutMs: 10_000 }, async () =>
      gist(await ask(direct, promote('check'))) === 'no denied' ? undefined : true,
    );
    t.equal(gist(await ask(direct, promote('check'))), 'no managed');
    t.equal(gist(await ask(direct, assess('verify'))), 'no managed');
    await query(primary.postgres, `revoke execute on function ${PROMOTE} from failoverd`, [], 'app');
  });

  await t.test('paused', async (t) => {
    await pausedIs(true);
    t.equal(gist(await ask(actor, assess('verify'))), 'no manager-paused');
    t.equal(gist(await ask(actor, promote('check'))), 'no manager-paused');
    t.equal(gist(await ask(actor, promote('do'))), 'no manager-paused');
    t.ok('standby_cluster' in (await readClusterConfig(b.etcd, b.scope)), 'nothing was asked for');
    await pausedIs(false);
  });

  await t.test('a member that takes connections and never answers holds up nothing', async (t) => {
    const url = await between(t, b, () => undefined);
    const slow = actorFor(t, b, urlsOfB(url, restUrl(b), restUrl(replica)));
    t.equal(gist(await ask(slow, promote('check'))), 'ok', 'connections are made');
    const startedMs = performance.now();
    t.equal(gist(await ask(slow, promote('check'))), 'ok');
    t.ok(performance.now() - startedMs < 2_000, `${Math.round(performance.now() - startedMs)} ms`);
  });

  await t.test('off is only what was seen of every member', async (t) => {
    const read = async (...urls: string[]) => {
      const component = managedBy(primary, b, urlsOfB(...urls));
      const target = postgresTarget('platform', { id: 'db', component }, B);
      const fence = controlOf(component)?.fence;
      if (target === null || fence === undefined) throw new Error('no such driver');
      const { context, close } = contextOf(configOf({ db: component }), secrets, 5_000);
      try {
        return gist(
          await fence.verify(
            target,
            operation({ stepKind: 'fence', operation: 'verify', preState: { identities } }),
            context,
          ),
        );
      } finally {
        await close();
      }
    };
    t.equal(await read(restUrl(b), restUrl(replica)), 'ok');
    t.equal(await read(restUrl(b)), 'unknown not-yet', 'the other may take writes');
    t.equal(await read(restUrl(b), `${restUrl(b)}/`), 'unknown not-yet', 'one of them twice is not both');
    t.equal(await read(restUrl(b), restUrl(replica), restUrl(primary)), 'no not-off', 'a primary is none');
  });

  await t.test('doctor tells of it beforehand', async (t) => {
    const levels = async (changes: Partial<PostgresComponent>) => {
      const config = configOf({ db: managedBy(primary, b, changes) });
      const of = (reference: string) => new SecretValue(secrets[/\w+(?=\})/.exec(reference)?.[0] as 'PATRONI'] ?? '');
      const found = await examineManagers(config, {
        secrets: { of } as unknown as Secrets,
        certificates: NO_CERTIFICATES,
        redact: (text) => text,
      });
      return found.filter(({ about }) => about.includes(B)).map(({ level, says }) => `${level} ${says}`);
    };
    t.strictSame(await levels(both), []);
    t.match(await levels({ control: 'direct' }), [/^stop Patroni owns this server .*control: direct/]);
    t.match(await levels(urlsOfB(restUrl(b))), [/^warn its store knows 2 members, and 1 answered/]);
    t.match(await levels(urlsOfB('http://127.0.83.20:1')), [/^stop .*leader: /, /^stop .*cluster: /]);
    await pausedIs(true);
    t.match(await levels(both), [/^warn it is paused/]);
    await pausedIs(false);
    t.strictSame(await levels({ ...both, control: 'command' }), []);
  });

  await t.test('a wrong password: refused by Patroni, with certainly no effect', async (t) => {
    const stranger = actorOf(t, configOf({ db: managedBy(primary, b, both) }), {
      ...secrets,
      PATRONI: 'not-it-at-all',
    });
    const checked = await ask(stranger, promote('check'));
    t.equal(gist(checked), 'ok', 'reads need no password');
    const refused = await ask(stranger, promote('do'));
    t.equal(gist(refused), 'no denied');
    t.notOk(JSON.stringify(refused).includes('not-it-at-all'));
    t.ok('standby_cluster' in (await readClusterConfig(b.etcd, b.scope)));
  });

  await t.test('a member that stands still says nothing, and nothing is taken from it', async (t) => {
    const pids = (await scanProcesses([b.dir])).pids;
    signalAll(pids, 'SIGSTOP');
    t.teardown(() => signalAll(pids, 'SIGCONT'));
    t.equal(gist(await ask(actor, promote('check'))), 'unknown manager-unreachable');
    signalAll(pids, 'SIGCONT');
  });

  await t.test('etcd is gone: no answer, no request', async (t) => {
    await killEtcd(b.etcd);
    t.equal(gist(await ask(actor, assess('verify'))), 'unknown manager-unreachable');
    t.equal(gist(await ask(actor, promote('do'))), 'no manager-unreachable', 'nothing was sent');
    t.equal(await inRecovery(b), true);
    await startEtcd(b.etcd, { log });
    await untilRole(b, ['standby_leader']);
    await until({ what: 'Patroni sees etcd again', timeoutMs: 60_000, intervalMs: 200 }, async () =>
      gist(await ask(actor, promote('check'))) === 'ok' ? true : undefined,
    );
    t.equal(await inRecovery(b), true, 'and nothing happened by itself');
  });
});

t.test('an answer that says nothing is a promotion that may have been asked for', async (t) => {
  const [b] = await clusters.standbyCluster('d');
  const isPatch = ({ method }: IncomingMessage): boolean => method === 'PATCH';
  const standing = async (): Promise<boolean> => 'standby_cluster' in (await readClusterConfig(b.etcd, b.scope));
  const checkedBy = async (actor: TestActor) => {
    const checked = await ask(actor, promote('check'));
    t.equal(gist(checked), 'ok', checked.message);
    return { preState: { ...checked.facts, identities } };
  };

  for (const status of [409, 500, 502, 503]) {
    await t.test(
      `${status}: Patroni gives it for a store that failed in the middle, or something in front of it`,
      async (t) => {
        const url = await between(t, b, (asked, answer, forward) => {
          if (!isPatch(asked)) return forward();
          asked.resume();
          answer.writeHead(status).end('no');
        });
        const actor = actorFor(t, b, urlsOfB(url));
        const pre = await checkedBy(actor);
        t.equal(gist(await ask(actor, promote('do', pre))), 'unknown manager-refused');
        t.equal(gist(await ask(actor, promote('verify', pre))), 'no still-in-recovery');
        t.ok(await standing());
      },
    );
  }

  await t.test('200 that does not say so is none', async (t) => {
    const url = await between(t, b, (asked, answer, forward) => {
      if (!isPatch(asked)) return forward();
      asked.resume();
      answer.writeHead(200).end(JSON.stringify({ standby_cluster: { host: 'x' } }));
    });
    const actor = actorFor(t, b, urlsOfB(url));
    t.equal(gist(await ask(actor, promote('do', await checkedBy(actor)))), 'unknown manager-refused');
  });

  await t.test('lost on its way, then asked again', async (t) => {
    let lost = 0;
    const url = await between(t, b, (asked, _answer, forward) => {
      if (!isPatch(asked) || lost > 0) return forward();
      lost += 1;
      asked.resume();
      asked.socket.destroy();
    });
    const actor = actorFor(t, b, urlsOfB(url));
    const pre = await checkedBy(actor);
    t.equal(gist(await ask(actor, promote('do', pre))), 'unknown broken');
    t.equal(gist(await ask(actor, promote('verify', pre))), 'no still-in-recovery');
    t.ok(await standing(), 'it never arrived');
    const again = await ask(actor, promote('check', { ...pre, attempt: 1 }));
    t.equal(gist(again), 'ok');
    t.equal(lost, 1);
  });

  await t.test('taken, and the answer lost: it stands, and is proven by a read', async (t) => {
    let passed = 0;
    const url = await between(t, b, (asked, answer, forward) => {
      if (!isPatch(asked)) return forward();
      passed += 1;
      // Patroni's answer meets a connection that is gone.
      answer.writeHead = () => answer.destroy() as never;
      forward();
    });
    const actor = actorFor(t, b, urlsOfB(url));
    const pre = await checkedBy(actor);
    t.equal(gist(await ask(actor, promote('do', pre))), 'unknown broken');
    t.equal(passed, 1);
    const proof = await until({ what: 'it is promoted', timeoutMs: 20_000, intervalMs: 50 }, async () => {
      const read = await ask(actor, promote('verify', pre));
      return read.kind === 'ok' ? read : undefined;
    });
    t.match(proof.facts, { timeline: 2, timelineBefore: 1 });
  });
});

t.test('when a server was started, as Patroni prints it', async (t) => {
  const at = (text: unknown) => startedAtOf(text);
  t.strictSame(at('2026-11-26 05:27:44.524946+00:00'), { us: 1795670864524946n, exactUs: 0n });
  t.strictSame(at('2026-11-26 07:27:44.524946+02:00'), { us: 1795670864524946n, exactUs: 0n });
  t.strictSame(at('2026-11-26 05:27:44+00'), { us: 1795670864000000n, exactUs: 0n });
  t.strictSame(at('2026-11-26 05:27:44.524 UTC'), { us: 1795670864524000n, exactUs: 1000n });
  for (const none of [undefined, null, 7, '', 'yesterday', '2026-11-26 05:27:44.524946', '2026-99-26 05:27:44+00']) {
    t.equal(at(none), null, String(none));
  }
});
