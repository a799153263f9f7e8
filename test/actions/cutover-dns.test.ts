// The cut-over against a Route 53 that plays by the real rules, with the real SDK, behind a real database.
import t from 'tap';
import { type Route53Lab, startRoute53 } from '../../lab/route53/index.ts';
import { query } from '../../lab/servers/postgres.ts';
import type { DnsComponent } from '../../src/model/config.ts';
import type { Operation } from '../../src/model/loop.ts';
import { host } from '../lab-parts/waiting.ts';
import { componentOf, databases } from './database.ts';
import { A, actorOf, ask, B, configOf, EPOCH, gist, RUN, type Tap, type TestActor } from './world.ts';

const NAME = 'app.failover.test';
const EPOCH_NAME = '_failoverd.app.failover.test';
const credentials = { accessKeyId: 'AKIDLAB', secretAccessKey: 'lab-secret-access-key' };
const OLD = '192.0.2.1';
const NEW = '192.0.2.2';

const name: DnsComponent = {
  kind: 'dns',
  tier: 1,
  provider: 'route53',
  zoneId: 'ZLAB1',
  name: NAME,
  records: { [A]: [OLD], [B]: [NEW] },
  epochName: EPOCH_NAME,
  resolvers: ['127.0.0.1:1'],
  accessKeyId: '${env:KEY}',
  secretAccessKey: '${env:SECRET}',
};

// The new primary holds our epoch, as it does when a cut-over begins.
const { primary, passwords, systemIdentifier } = await databases(t, '127.0.83.10', '127.0.83.20');
const db = componentOf(primary, primary, {
  instances: { [A]: '127.0.83.1:1', [B]: `${primary.host}:${primary.port}` },
});
const secrets = { PGPASSWORD: passwords.failoverd, KEY: credentials.accessKeyId, SECRET: credentials.secretAccessKey };

const txt = (epoch: number, run: string) => ({
  name: EPOCH_NAME,
  type: 'TXT' as const,
  ttlSeconds: 30,
  values: [`"failoverd epoch=${epoch} run=${run}"`],
});
const a = (address: string) => ({ name: NAME, type: 'A' as const, ttlSeconds: 30, values: [address] });

type World = { readonly route53: Route53Lab; readonly actor: TestActor };
type Records = Parameters<typeof startRoute53>[0]['zones'][number]['records'];
async function world(
  test: Tap,
  records: Records,
  changes: Partial<DnsComponent> = {},
  more: { requestsPerSecond?: number; requestBurst?: number } = {},
): Promise<World> {
  const route53 = await startRoute53({
    host,
    ...credentials,
    zones: [{ id: 'ZLAB1', name: 'failover.test', records }],
    propagationMs: 0,
    requestsPerSecond: 1000,
    ...more,
  });
  const component = { ...name, endpoint: route53.endpoint, ...changes };
  const actor = actorOf(test, configOf({ db, name: component }), secrets);
  test.teardown(() => route53.close());
  return { route53, actor };
}

const cutover = (operation: Operation, more: object = {}) => ({
  stepKind: 'cutover-dns' as const,
  operation,
  component: 'name',
  ...more,
});

/** Check, then do with what the check found, as a run does it. */
async function move({ actor }: World, more: object = {}) {
  const checked = await ask(actor, cutover('check', more));
  if (checked.kind !== 'ok') return { checked, done: checked };
  return { checked, done: await ask(actor, cutover('do', { preState: checked.facts, ...more })) };
}

const valuesAt = ({ route53 }: World, at: string, type: string): readonly string[] | undefined =>
  route53.records('ZLAB1').find((set) => set.name === `${at}.` && set.type === type)?.values;
const sent = ({ route53 }: World, wanted: string): number =>
  route53.requests().filter((line) => line.operation === wanted).length;

const ours = `"failoverd epoch=${EPOCH} run=${RUN}"`;

t.test('before our epoch is on the new primary, no traffic is moved', async (t) => {
  const w = await world(t, [a(OLD)]);
  const result = await ask(w.actor, cutover('check'));
  t.equal(gist(result), 'no not-writable', result.message);
  const preState = { identities: { db: systemIdentifier } };
  const epochRow = { stepKind: 'write-epoch-row', operation: 'do', component: 'db', preState } as const;
  t.equal(gist(await ask(w.actor, epochRow)), 'ok');
  t.equal(gist(await ask(w.actor, cutover('check'))), 'ok');
  t.equal(
    gist(await ask(w.actor, cutover('check', { run: 'run-platform-2' }))),
    'halt higher-epoch',
    'another run’s epoch',
  );
  t.equal(gist(await ask(w.actor, cutover('check', { epoch: EPOCH - 1 }))), 'halt higher-epoch', 'a stale run');
  t.equal(
    gist(await ask(w.actor, cutover('check', { epoch: EPOCH + 1 }))),
    'no not-writable',
    'an epoch never written',
  );

  await query(primary, 'alter role failoverd in database app set default_transaction_read_only = on');
  const readOnly = await world(t, [a(OLD)]);
  t.equal(gist(await ask(readOnly.actor, cutover('check'))), 'no not-writable', 'a primary that takes no writes');
  await query(primary, 'alter role failoverd in database app reset default_transaction_read_only');
});

t.test('the first cut-over makes the epoch record, and moves the name in the same batch', async (t) => {
  const w = await world(t, [a(OLD)]);
  const { checked, done } = await move(w);
  t.match(checked.facts, { txt: null, already: false, records: { ResourceRecords: [{ Value: OLD }] } });
  t.equal(gist(done), 'ok', done.message);
  t.same(valuesAt(w, NAME, 'A'), [NEW]);
  t.same(valuesAt(w, EPOCH_NAME, 'TXT'), [ours]);
  t.equal(w.route53.changes().length, 1);
  const proof = await ask(w.actor, cutover('verify'));
  t.equal(gist(proof), 'ok', proof.message);
  t.match(proof.facts, { txt: { ResourceRecords: [{ Value: ours }] } });
  t.ok(w.route53.requests().length <= 5, 'an account has five requests a second');

  await t.test('done again, it finds that it is done', async (t) => {
    const again = await move(w, { attempt: 2 });
    t.match(again.checked.facts, { already: true });
    t.equal(gist(again.done), 'ok');
    t.equal(w.route53.changes().length, 1);
  });
});

t.test('an earlier epoch is replaced', async (t) => {
  const w = await world(t, [a(OLD), txt(EPOCH - 1, 'run-platform-1')]);
  t.equal(gist((await move(w)).done), 'ok');
  t.same(valuesAt(w, EPOCH_NAME, 'TXT'), [ours]);
  t.equal(gist(await ask(w.actor, cutover('verify'))), 'ok');
});

t.test('a name of many records, far from its epoch, is found', async (t) => {
  const many = Array.from({ length: 250 }, (_, n) => ({
    name: `n${String(n).padStart(3, '0')}.app.failover.test`,
    type: 'A' as const,
    ttlSeconds: 30,
    values: ['192.0.2.9'],
  }));
  const far = { epochName: 'zz-epoch.failover.test' };
  const w = await world(t, [a(OLD), ...many, { ...txt(3, 'run-platform-1'), name: far.epochName }], far);
  const { checked, done } = await move(w);
  t.match(checked.facts, { records: { ResourceRecords: [{ Value: OLD }] }, txt: { Name: /^zz-epoch/ } });
  t.equal(gist(done), 'ok', done.message);
});

t.test('a higher epoch, or ours of another run, halts the run at every operation', async (t) => {
  for (const [epoch, run] of [
    [EPOCH + 1, 'run-platform-9'],
    [EPOCH, 'run-platform-9'],
  ] as const) {
    const w = await world(t, [a(OLD), txt(epoch, run)]);
    t.equal(gist(await ask(w.actor, cutover('check'))), 'halt higher-epoch');
    t.equal(gist(await ask(w.actor, cutover('verify'))), 'halt higher-epoch');
    t.equal(gist(await ask(w.actor, cutover('do', { attempt: 2, preState: { txt: null } }))), 'halt higher-epoch');
    t.same(valuesAt(w, NAME, 'A'), [OLD]);
  }
});

t.test('a writer that comes in between makes the whole batch fail', async (t) => {
  const w = await world(t, [a(OLD), txt(3, 'run-platform-1')]);
  const checked = await ask(w.actor, cutover('check'));
  const other = actorOf(
    t,
    configOf({ name: { ...name, endpoint: w.route53.endpoint, records: { [A]: [OLD], [B]: ['192.0.2.77'] } } }),
    secrets,
  );
  const between = { epoch: 5, run: 'run-platform-2' as const };
  t.equal(gist((await move({ route53: w.route53, actor: other }, between)).done), 'ok');

  t.equal(gist(await ask(w.actor, cutover('do', { preState: checked.facts }))), 'no conflict');
  t.same(valuesAt(w, NAME, 'A'), ['192.0.2.77'], 'nothing of ours was applied');
  t.equal(gist(await ask(w.actor, cutover('verify'))), 'no not-applied');

  t.equal(
    gist(await ask(w.actor, cutover('do', { preState: checked.facts, attempt: 2 }))),
    'ok',
    'the next attempt reads what is there now, whatever the first one found',
  );
  t.same(valuesAt(w, NAME, 'A'), [NEW]);
});

t.test('a reply that is lost after the change leaves it open, and the next read finds it done', async (t) => {
  const w = await world(t, [a(OLD)]);
  w.route53.fault('drop-reply-after-apply', { count: 1 });
  const { done } = await move(w);
  t.equal(done.kind, 'unknown', done.message);
  t.equal(sent(w, 'ChangeResourceRecordSets'), 1, 'it is not sent twice: the second would fail for the first');
  t.equal(gist(await ask(w.actor, cutover('verify'))), 'ok');
});

t.test('a provider that fails, or does not answer, leaves the change open', async (t) => {
  const w = await world(t, [a(OLD)]);
  w.route53.fault('5xx', { operations: ['ChangeResourceRecordSets'] });
  t.equal(gist((await move(w)).done), 'unknown server-error');
  w.route53.fault('hang', { operations: ['ChangeResourceRecordSets'] });
  t.equal(gist((await move(w, { timeoutMs: 1000 })).done), 'unknown timeout');
  w.route53.fault('5xx');
  t.equal(gist(await ask(w.actor, cutover('verify'))), 'unknown server-error', 'and a read that fails proves nothing');
  w.route53.fault(null);
  t.equal(gist(await ask(w.actor, cutover('verify'))), 'no not-applied');
});

t.test('a request too many is tried again, for it was refused unseen', async (t) => {
  const w = await world(t, [a(OLD)]);
  const checked = await ask(w.actor, cutover('check'));
  w.route53.fault('throttle', { count: 2 });
  t.equal(gist(await ask(w.actor, cutover('do', { preState: checked.facts }))), 'ok');
  t.equal(w.route53.changes().length, 1);
  w.route53.fault('throttle', { count: 2 });
  t.equal(gist(await ask(w.actor, cutover('verify'))), 'ok');

  w.route53.fault('throttle');
  const refused = await ask(w.actor, cutover('do', { preState: { txt: null, already: false } }));
  t.equal(gist(refused), 'no throttled');
});

t.test('a cut-over goes through an account’s real limit', async (t) => {
  const w = await world(t, [a(OLD)], {}, { requestsPerSecond: 5, requestBurst: 2 });
  t.equal(gist((await move(w)).done), 'ok');
  t.equal(gist(await ask(w.actor, cutover('verify'))), 'ok');
});

t.test('what would be refused for good is told apart, and certainly had no effect', async (t) => {
  const preState = { txt: null, records: null, already: false };
  const stranger = await world(t, [a(OLD)], { secretAccessKey: 'not-the-secret-key' });
  const denied = await ask(stranger.actor, cutover('do', { preState }));
  t.equal(gist(denied), 'no denied');
  t.notOk(JSON.stringify(denied).includes('not-the-secret-key'));
  const gone = await world(t, [a(OLD)], { zoneId: 'ZNONE' });
  t.equal(gist(await ask(gone.actor, cutover('do', { preState }))), 'no no-zone');
  const nobody = await world(t, [a(OLD)], { endpoint: 'http://127.0.83.1:1' });
  t.equal(gist(await ask(nobody.actor, cutover('do', { preState }))), 'no unreachable');
  t.equal((await ask(nobody.actor, cutover('verify'))).kind, 'unknown', 'while a read that fails proves nothing');
  const empty = await world(t, [a(OLD)], { records: { [A]: [OLD] } });
  t.equal(gist(await ask(empty.actor, cutover('do', { preState }))), 'no unsupported', 'never an empty set');
});

t.test('what is not ours to change is left alone', async (t) => {
  const spf = { name: EPOCH_NAME, type: 'TXT' as const, ttlSeconds: 30, values: ['"v=spf1 -all"'] };
  const foreign = await world(t, [a(OLD), spf]);
  t.equal(gist(await ask(foreign.actor, cutover('check'))), 'no foreign-txt');
  const weighted = await world(t, [{ ...a(OLD), setIdentifier: 'one', weight: 1 }]);
  t.equal(gist(await ask(weighted.actor, cutover('check'))), 'no not-simple');
});

t.test('records that somebody changed after us are set again', async (t) => {
  const w = await world(t, [a(OLD), txt(EPOCH, RUN)]);
  t.equal(gist(await ask(w.actor, cutover('verify'))), 'no records-differ');
  t.equal(gist((await move(w)).done), 'ok');
  t.equal(gist(await ask(w.actor, cutover('verify'))), 'ok');
});

t.test('AAAA and CNAME records are moved as well', async (t) => {
  const v6 = await world(t, [{ ...a(OLD), type: 'AAAA', values: ['2001:db8::1'] }], {
    type: 'AAAA',
    records: { [A]: ['2001:db8::1'], [B]: ['2001:DB8:0::2', '2001:db8::3'] },
  });
  t.equal(gist((await move(v6)).done), 'ok');
  t.equal(gist(await ask(v6.actor, cutover('verify'))), 'ok');
  const alias = await world(t, [{ ...a(OLD), type: 'CNAME', values: ['a.example.test.'] }], {
    type: 'CNAME',
    records: { [A]: ['a.example.test'], [B]: ['B.example.test'] },
  });
  t.equal(gist((await move(alias)).done), 'ok');
  t.equal(gist(await ask(alias.actor, cutover('verify'))), 'ok');
});

t.test('a provider that is not there yet is refused', async (t) => {
  const w = await world(t, [a(OLD)], { provider: 'cloudflare' });
  t.equal(gist(await ask(w.actor, cutover('check'))), 'no unsupported');
});
