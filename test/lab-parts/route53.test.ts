import { spawn } from 'node:child_process';
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  type Change,
  ChangeResourceRecordSetsCommand,
  CreateHealthCheckCommand,
  DeleteHealthCheckCommand,
  GetChangeCommand,
  GetHealthCheckCommand,
  GetHealthCheckStatusCommand,
  GetHostedZoneCommand,
  ListHealthChecksCommand,
  ListHostedZonesByNameCommand,
  ListHostedZonesCommand,
  ListResourceRecordSetsCommand,
  type ListResourceRecordSetsCommandOutput,
  type ResourceRecordSet,
  Route53Client,
  Route53ServiceException,
  UpdateHealthCheckCommand,
  waitUntilResourceRecordSetsChanged,
} from '@aws-sdk/client-route-53';
import t, { type Test } from 'tap';
import { startAuthority } from '../../lab/dns/index.ts';
import { type Route53Lab, type Route53Options, startRoute53 } from '../../lab/route53/index.ts';
import { host, stays, until } from './waiting.ts';

const zoneId = 'ZLAB0123456789';
const credentials = { accessKeyId: 'AKIDLAB', secretAccessKey: 'lab-secret' };

const epochTxt = (epoch: number): ResourceRecordSet => ({
  Name: '_epoch.lab.test',
  Type: 'TXT',
  TTL: 1,
  ResourceRecords: [{ Value: `"epoch=${epoch}"` }],
});

const appA = (address: string, TTL = 1): ResourceRecordSet => ({
  Name: 'app.lab.test',
  Type: 'A',
  TTL,
  ResourceRecords: [{ Value: address }],
});

/** The batch failoverd sends: only good while the TXT still says the epoch that was read. */
const takeOver = (from: number, to: number, address: string): Change[] => [
  { Action: 'DELETE', ResourceRecordSet: epochTxt(from) },
  { Action: 'CREATE', ResourceRecordSet: epochTxt(to) },
  { Action: 'UPSERT', ResourceRecordSet: appA(address) },
];

async function start(test: Test, options: Partial<Route53Options> = {}): Promise<Route53Lab> {
  const lab = await startRoute53({
    host,
    zones: [
      {
        id: zoneId,
        name: 'lab.test',
        records: [
          { name: 'app.lab.test', type: 'A', ttlSeconds: 1, values: ['127.0.1.1'] },
          { name: '_epoch.lab.test', type: 'TXT', ttlSeconds: 1, values: ['"epoch=7"'] },
        ],
      },
      { id: 'ZOTHER', name: 'other.test', records: [] },
    ],
    ...credentials,
    propagationMs: 0,
    requestsPerSecond: 1000,
    ...options,
  });
  test.teardown(() => lab.close());
  return lab;
}

function client(test: Test, lab: { readonly endpoint: string }, config: object = {}): Route53Client {
  const sdk = new Route53Client({ endpoint: lab.endpoint, region: 'eu-central-1', credentials, ...config });
  test.teardown(() => sdk.destroy());
  return sdk;
}

const change = (sdk: Route53Client, Changes: Change[], Comment?: string) =>
  sdk.send(
    new ChangeResourceRecordSetsCommand({
      HostedZoneId: zoneId,
      ChangeBatch: { Changes, ...(Comment !== undefined && { Comment }) },
    }),
  );

const list = async (sdk: Route53Client) =>
  (await sdk.send(new ListResourceRecordSetsCommand({ HostedZoneId: zoneId }))).ResourceRecordSets ?? [];

/** The SDK's exception for a call that must fail. */
async function failure(promise: Promise<unknown>): Promise<Route53ServiceException> {
  const error = await promise.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (error instanceof Route53ServiceException) return error;
  throw new Error(`expected a failure of the service, got ${error === null ? 'success' : String(error)}`);
}

const problemsOf = async (sdk: Route53Client, Changes: Change[]) => (await failure(change(sdk, Changes))).message;

async function dns(test: Test, lab: Route53Lab, index = 0): Promise<Resolver> {
  const server = await startAuthority({ host, source: lab.nameServer(index) });
  test.teardown(() => server.close());
  const resolver = new Resolver({ timeout: 1000, tries: 2 });
  resolver.setServers([server.address]);
  return resolver;
}

t.test('a batch is accepted, listed at once, PENDING, and in the DNS when it is INSYNC', async (test) => {
  const lab = await start(test, { propagationMs: 900 });
  const sdk = client(test, lab);
  const resolver = await dns(test, lab);
  const propagated: string[] = [];
  lab.onPropagated(({ id }) => propagated.push(id));
  const { ChangeInfo } = await change(sdk, takeOver(7, 8, '127.0.1.2'), 'run 42 <&> "x"');
  test.match(ChangeInfo, { Status: 'PENDING', Comment: 'run 42 <&> "x"' });
  test.match(ChangeInfo?.Id, /^\/change\/C[0-9A-Z]+$/);
  test.ok(ChangeInfo?.SubmittedAt instanceof Date);
  test.same((await list(sdk)).find(({ Name }) => Name === '_epoch.lab.test.')?.ResourceRecords, [
    { Value: '"epoch=8"' },
  ]);
  test.strictSame(await resolver.resolve4('app.lab.test'), ['127.0.1.1'], 'not yet in the DNS');
  const done = await waitUntilResourceRecordSetsChanged(
    { client: sdk, maxWaitTime: 10, minDelay: 1, maxDelay: 1 },
    { Id: ChangeInfo?.Id },
  );
  test.equal(done.state, 'SUCCESS');
  test.strictSame(await resolver.resolve4('app.lab.test'), ['127.0.1.2']);
  test.strictSame(await resolver.resolveTxt('_epoch.lab.test'), [['epoch=8']]);
  test.match(lab.changes(), [{ comment: 'run 42 <&> "x"', status: 'INSYNC', changes: { length: 3 } }]);
  test.strictSame(
    propagated,
    lab.changes().map(({ id }) => id),
  );
});

t.test('a stale compare-and-set batch fails whole and leaves everything as it was', async (test) => {
  const lab = await start(test);
  const sdk = client(test, lab);
  await change(sdk, takeOver(7, 9, '127.0.1.2'));
  const before = lab.records(zoneId);
  const error = await failure(change(sdk, takeOver(7, 8, '127.0.1.3')));
  test.equal(error.name, 'InvalidChangeBatch');
  test.equal(error.$metadata.httpStatusCode, 400);
  test.match(error.message, 'but the values provided do not match the current values');
  test.match(error.$metadata.requestId, /^[0-9a-f-]{36}$/);
  test.strictSame(lab.records(zoneId), before);
  test.equal(lab.changes().length, 1);
});

t.test('two writers with the same epoch in hand: one wins', async (test) => {
  const lab = await start(test);
  const sdk = client(test, lab);
  const outcomes = await Promise.allSettled(
    ['127.0.1.2', '127.0.1.3'].map((address) => change(sdk, takeOver(7, 8, address))),
  );
  test.strictSame(outcomes.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
  test.equal(lab.changes().length, 1);
});

t.test('what a zone refuses, with every complaint in one message', async (test) => {
  const sdk = client(test, await start(test));
  const refuse = (label: string, pattern: RegExp, ...changes: Change[]) =>
    problemsOf(sdk, changes).then((message) => test.match(message, pattern, label));
  const set = (more: Partial<ResourceRecordSet>): ResourceRecordSet => ({ ...appA('127.0.1.9'), ...more });
  const create = (more: Partial<ResourceRecordSet>): Change => ({ Action: 'CREATE', ResourceRecordSet: set(more) });
  const name = { Name: 'new.lab.test' };
  await refuse(
    'exists',
    /^\[Tried to create resource record set \[name='app\.lab\.test\.', type='A'\] but it already exists\]$/,
    create({}),
  );
  await refuse('not there', /\[name='new\.lab\.test\.', type='A'\] but it was not found/, {
    Action: 'DELETE',
    ResourceRecordSet: set(name),
  });
  await refuse('other TTL', /values provided do not match/, {
    Action: 'DELETE',
    ResourceRecordSet: appA('127.0.1.1', 2),
  });
  await refuse(
    'all told',
    /already exists, Invalid Resource Record.*IPv4/,
    create({}),
    create({ ...name, ResourceRecords: [{ Value: '1.2.3' }] }),
  );
  await refuse(
    'CNAME beside',
    /conflicts with other records/,
    create({ Type: 'CNAME', ResourceRecords: [{ Value: 'x.lab.test' }] }),
  );
  await refuse(
    'CNAME at the apex',
    /not permitted at apex/,
    create({ Name: 'lab.test', Type: 'CNAME', ResourceRecords: [{ Value: 'x.lab.test' }] }),
  );
  await refuse(
    'TXT unquoted',
    /enclosed in quotation marks/,
    create({ ...name, Type: 'TXT', ResourceRecords: [{ Value: 'bare' }] }),
  );
  await refuse('AAAA', /IPv6/, create({ ...name, Type: 'AAAA', ResourceRecords: [{ Value: '127.0.0.1' }] }));
  await refuse('foreign name', /not permitted in zone lab\.test\./, create({ Name: 'new.elsewhere.org' }));
  await refuse('twice', /invalid set of changes/, create(name), { Action: 'UPSERT', ResourceRecordSet: set(name) });
  await refuse('no TTL', /found none in Change with \[Action=CREATE/, {
    Action: 'CREATE',
    ResourceRecordSet: { Name: 'new.lab.test', Type: 'A', ResourceRecords: [{ Value: '127.0.1.9' }] },
  });
  await refuse('empty set', /ResourceRecord/, create({ ...name, ResourceRecords: [] }));
  await refuse('weight alone', /Missing field 'SetIdentifier'/, create({ ...name, Weight: 1 }));
  await refuse('identifier alone', /found none/, create({ ...name, SetIdentifier: 'a' }));
  await refuse('mixed policies', /cannot be created/, create({ SetIdentifier: 'a', Weight: 1 }));
  await refuse('no target', /target was not found/, {
    Action: 'CREATE',
    ResourceRecordSet: {
      ...name,
      Type: 'A',
      AliasTarget: { HostedZoneId: zoneId, DNSName: 'gone.lab.test', EvaluateTargetHealth: false },
    },
  });
  await refuse(
    'too many',
    /limit of 1000 exceeded/,
    create({
      ...name,
      ResourceRecords: Array.from({ length: 1001 }, (_, index) => ({ Value: `127.1.${index >> 8}.${index & 255}` })),
    }),
  );
  const [ns] = (await list(sdk)).filter(({ Type }) => Type === 'NS');
  await refuse('apex NS', /at least one NS record/, { Action: 'DELETE', ResourceRecordSet: ns });
  test.equal((await failure(change(sdk, [create({ ...name, HealthCheckId: 'gone' })]))).name, 'NoSuchHealthCheck');
});

t.test('DELETE makes room for CREATE in one batch, also of another type', async (test) => {
  const lab = await start(test);
  const sdk = client(test, lab);
  await change(sdk, [
    { Action: 'DELETE', ResourceRecordSet: appA('127.0.1.1') },
    { Action: 'CREATE', ResourceRecordSet: { ...appA(''), Type: 'CNAME', ResourceRecords: [{ Value: 'b.lab.test' }] } },
  ]);
  test.match(
    lab.records(zoneId).filter(({ name }) => name === 'app.lab.test.'),
    [{ type: 'CNAME' }],
  );
});

t.test('record sets are listed in order of the reversed name, page by page', async (test) => {
  const sdk = client(test, await start(test));
  const names = ['*.lab.test', 'a.b.lab.test', 'B.lab.test', 'c.lab.test', 'b-x.lab.test'];
  await change(
    sdk,
    names.map((Name) => ({ Action: 'CREATE', ResourceRecordSet: { ...appA('127.0.1.9'), Name } })),
  );
  const whole = (await list(sdk)).map(({ Name, Type }) => `${Name} ${Type}`);
  test.strictSame(whole, [
    'lab.test. NS',
    'lab.test. SOA',
    '\\052.lab.test. A',
    '_epoch.lab.test. TXT',
    'app.lab.test. A',
    'b-x.lab.test. A',
    'b.lab.test. A',
    'a.b.lab.test. A',
    'c.lab.test. A',
  ]);
  const paged: string[] = [];
  let from: object | null = {};
  while (from !== null) {
    const page: ListResourceRecordSetsCommandOutput = await sdk.send(
      new ListResourceRecordSetsCommand({ HostedZoneId: zoneId, MaxItems: 2, ...from }),
    );
    paged.push(...(page.ResourceRecordSets ?? []).map(({ Name, Type }) => `${Name} ${Type}`));
    test.equal(page.MaxItems, 2);
    from = page.IsTruncated ? { StartRecordName: page.NextRecordName, StartRecordType: page.NextRecordType } : null;
  }
  test.strictSame(paged, whole);
  const typed = new ListResourceRecordSetsCommand({ HostedZoneId: zoneId, StartRecordType: 'A' });
  test.equal((await failure(sdk.send(typed))).name, 'InvalidInput', 'a type needs a name');
});

t.test('zones are found by id and by name, and unknown ones are not', async (test) => {
  const sdk = client(test, await start(test));
  const zone = await sdk.send(new GetHostedZoneCommand({ Id: `/hostedzone/${zoneId}` }));
  test.match(zone.HostedZone, { Id: `/hostedzone/${zoneId}`, Name: 'lab.test.', ResourceRecordSetCount: 4 });
  test.equal(zone.DelegationSet?.NameServers?.length, 4);
  const byName = await sdk.send(new ListHostedZonesByNameCommand({ DNSName: 'other.test', MaxItems: 1 }));
  test.match(byName.HostedZones, [{ Name: 'other.test.' }]);
  const first = await sdk.send(new ListHostedZonesCommand({ MaxItems: 1 }));
  test.match(first, { IsTruncated: true, NextMarker: 'ZOTHER' });
  const second = await sdk.send(new ListHostedZonesCommand({ Marker: first.NextMarker }));
  test.match(second, { IsTruncated: false, HostedZones: [{ Name: 'other.test.' }] });
  const unknown = await failure(sdk.send(new GetHostedZoneCommand({ Id: 'ZNONE' })));
  test.match(unknown, { name: 'NoSuchHostedZone', $metadata: { httpStatusCode: 404 } });
  test.equal((await failure(sdk.send(new GetChangeCommand({ Id: 'CNONE' })))).name, 'NoSuchChange');
});

t.test('only the configured key, a right signature and a right clock get in', async (test) => {
  const lab = await start(test);
  const get = (config: object) =>
    failure(client(test, lab, { maxAttempts: 1, ...config }).send(new GetHostedZoneCommand({ Id: zoneId })));
  const stranger = await get({ credentials: { ...credentials, accessKeyId: 'AKIDOTHER' } });
  test.match(stranger, { name: 'InvalidClientTokenId', $metadata: { httpStatusCode: 403 } });
  const forger = await get({ credentials: { ...credentials, secretAccessKey: 'guess' } });
  test.match(forger, { name: 'SignatureDoesNotMatch', $metadata: { httpStatusCode: 403 } });
  test.equal((await get({ systemClockOffset: -3_600_000 })).name, 'SignatureDoesNotMatch');
  test.equal((await get({ credentials: { ...credentials, sessionToken: 'x' } })).name, 'InvalidClientTokenId');
  const unsigned = await fetch(`${lab.endpoint}/2013-04-01/hostedzone/${zoneId}`);
  test.equal(unsigned.status, 403);
  test.match(
    await unsigned.text(),
    /<ErrorResponse xmlns="https:\/\/route53[^"]*"><Error>.*<Code>MissingAuthenticationToken</,
  );
});

t.test('a changed body does not pass with the signature of another', async (test) => {
  const lab = await start(test);
  const sdk = client(test, lab, { maxAttempts: 1 });
  sdk.middlewareStack.add(
    (next) => (args) => {
      const request = args.request as { body?: string };
      if (request.body !== undefined) request.body = request.body.replace('127.0.1.2', '127.0.1.3');
      return next(args);
    },
    { step: 'deserialize', name: 'tamper', priority: 'low' },
  );
  test.equal((await failure(change(sdk, takeOver(7, 8, '127.0.1.2')))).name, 'SignatureDoesNotMatch');
  test.equal(lab.changes().length, 0);
});

t.test('more requests than the account may make are throttled, and the SDK gets through by waiting', async (test) => {
  const lab = await start(test, { requestsPerSecond: 5 });
  const hasty = client(test, lab, { maxAttempts: 1 });
  const get = new GetHostedZoneCommand({ Id: zoneId });
  const outcomes = await Promise.allSettled(Array.from({ length: 12 }, () => hasty.send(get)));
  const refused = outcomes.filter((outcome) => outcome.status === 'rejected').map(({ reason }) => reason);
  test.ok(refused.length >= 3, `${refused.length} of 12 throttled`);
  test.match(refused[0], { name: 'Throttling', message: 'Rate exceeded', $metadata: { httpStatusCode: 400 } });
  const patient = await client(test, lab, { maxAttempts: 6 }).send(get);
  test.ok((patient.$metadata.attempts ?? 0) >= 1);
  test.equal(patient.HostedZone?.Name, 'lab.test.');
});

t.test('a fault of throttling or of the server is ridden out by the SDK and ends after its count', async (test) => {
  const lab = await start(test);
  const sdk = client(test, lab);
  for (const kind of ['throttle', '5xx'] as const) {
    lab.fault(kind, { count: 2 });
    const { $metadata } = await sdk.send(new GetHostedZoneCommand({ Id: zoneId }));
    test.equal($metadata.attempts, 3, kind);
  }
  lab.fault('5xx', { operations: ['GetChange'] });
  await sdk.send(new GetHostedZoneCommand({ Id: zoneId }));
  const single = client(test, lab, { maxAttempts: 1 });
  const down = await failure(single.send(new GetChangeCommand({ Id: 'C1' })));
  test.match(down, { name: 'ServiceUnavailable', $metadata: { httpStatusCode: 503 } });
});

t.test('a hanging service answers nothing, carries nothing out, and lets go when it is closed', async (test) => {
  const lab = await start(test);
  lab.fault('hang');
  const sdk = client(test, lab, { maxAttempts: 1 });
  const call = sdk.send(
    new ChangeResourceRecordSetsCommand({
      HostedZoneId: zoneId,
      ChangeBatch: { Changes: takeOver(7, 8, '127.0.1.2') },
    }),
    { abortSignal: AbortSignal.timeout(200) },
  );
  await test.rejects(call, { name: 'AbortError' });
  test.match(lab.requests(), [{ outcome: 'hung' }]);
  test.equal(lab.changes().length, 0);
});

t.test('a reply dropped after the change was made: the blind retry fails though the change is there', async (test) => {
  const lab = await start(test);
  lab.fault('drop-reply-after-apply', { count: 1 });
  const error = await failure(change(client(test, lab), takeOver(7, 8, '127.0.1.2')));
  test.equal(error.name, 'InvalidChangeBatch', "the SDK's own retry meets its own first attempt");
  test.match(lab.requests(), [{ outcome: 'dropped' }, { outcome: 400 }]);
  test.equal(lab.changes().length, 1);
  const txt = lab.records(zoneId).find(({ type }) => type === 'TXT');
  test.strictSame(txt?.values, ['"epoch=8"'], 'reading back is what tells');
});

t.test('a stuck change stays PENDING and out of the DNS, and so does what comes after it', async (test) => {
  const lab = await start(test);
  const sdk = client(test, lab);
  const resolver = await dns(test, lab);
  lab.fault('stuckPending', { count: 1 });
  const stuck = await change(sdk, takeOver(7, 8, '127.0.1.2'));
  await change(sdk, takeOver(8, 9, '127.0.1.3'));
  await stays(
    'pending, and the old answer',
    100,
    async () => (await resolver.resolve4('app.lab.test'))[0] === '127.0.1.1',
  );
  const status = async () => (await sdk.send(new GetChangeCommand({ Id: stuck.ChangeInfo?.Id }))).ChangeInfo?.Status;
  test.equal(await status(), 'PENDING');
  lab.fault(null);
  await until('INSYNC', async () => (await status()) === 'INSYNC');
  await until('the latest', async () => (await resolver.resolve4('app.lab.test'))[0] === '127.0.1.3');
});

t.test('a zone whose changes no longer propagate refuses further ones in the end', async (test) => {
  const lab = await start(test, { priorRequestAfterMs: 0 });
  const sdk = client(test, lab, { maxAttempts: 2 });
  lab.fault('stuckPending');
  await change(sdk, takeOver(7, 8, '127.0.1.2'));
  const refused = await failure(change(sdk, takeOver(8, 9, '127.0.1.3')));
  test.match(refused, { name: 'PriorRequestNotComplete', $metadata: { httpStatusCode: 400, attempts: 2 } });
  test.equal(lab.changes().length, 1);
});

t.test('name servers hear of a change one after another', async (test) => {
  const lab = await start(test, { nameServers: 2, propagationMs: 1500 });
  const sdk = client(test, lab);
  const [early, late] = await Promise.all([dns(test, lab, 0), dns(test, lab, 1)]);
  const address = async (resolver: Resolver) => (await resolver.resolve4('app.lab.test'))[0];
  await change(sdk, takeOver(7, 8, '127.0.1.2'));
  await until('the first has it', async () => (await address(early)) === '127.0.1.2');
  test.equal(await address(late), '127.0.1.1', 'the second not yet');
  test.equal(lab.changes()[0]?.status, 'PENDING');
  await until('then the second', async () => (await address(late)) === '127.0.1.2');
  await until('and then it is INSYNC', () => lab.changes()[0]?.status === 'INSYNC');
});

t.test('health checks: versions, references, and what Inverted and Disabled make of them', async (test) => {
  const lab = await start(test);
  const sdk = client(test, lab);
  const config = { Type: 'TCP', IPAddress: '192.0.2.1', Port: 5432, RequestInterval: 10 } as const;
  const make = (more: object = {}) =>
    new CreateHealthCheckCommand({ CallerReference: 'ref', HealthCheckConfig: { ...config, ...more } });
  const { HealthCheck, Location } = await sdk.send(make());
  const HealthCheckId = HealthCheck?.Id ?? '';
  test.match(HealthCheck, {
    HealthCheckVersion: 1,
    HealthCheckConfig: { Port: 5432, Inverted: false, FailureThreshold: 3 },
  });
  test.match(Location, `/healthcheck/${HealthCheckId}`);
  test.equal((await sdk.send(make())).HealthCheck?.Id, HealthCheckId, 'the same again is the same');
  test.match(await failure(sdk.send(make({ Port: 1 }))), {
    name: 'HealthCheckAlreadyExists',
    $metadata: { httpStatusCode: 409 },
  });
  const update = (more: object) => sdk.send(new UpdateHealthCheckCommand({ HealthCheckId, ...more }));
  test.ok(lab.isHealthy(HealthCheckId), 'healthy without data');
  test.match((await update({ HealthCheckVersion: 1, Inverted: true })).HealthCheck, { HealthCheckVersion: 2 });
  test.notOk(lab.isHealthy(HealthCheckId), 'inverted');
  const stale = await failure(update({ HealthCheckVersion: 1, Inverted: false }));
  test.match(stale, { name: 'HealthCheckVersionMismatch', $metadata: { httpStatusCode: 409 } });
  lab.setHealth(HealthCheckId, false);
  test.ok(lab.isHealthy(HealthCheckId), 'inverted, and its endpoint down');
  await update({ Disabled: true });
  test.notOk(lab.isHealthy(HealthCheckId), 'disabled counts as up, inverted as down');
  test.match(await sdk.send(new GetHealthCheckCommand({ HealthCheckId })), {
    HealthCheck: { HealthCheckConfig: { Disabled: true } },
  });
  test.equal((await sdk.send(new ListHealthChecksCommand({}))).HealthChecks?.length, 1);
  await sdk.send(new DeleteHealthCheckCommand({ HealthCheckId }));
  test.equal((await failure(sdk.send(new GetHealthCheckCommand({ HealthCheckId })))).name, 'NoSuchHealthCheck');
});

t.test(
  'an endpoint that goes down fails over its record set, and an inverted check switches the other way',
  async (test) => {
    let status = 200;
    const endpoint = createServer((_, response) => response.writeHead(status).end('ok'));
    endpoint.listen(0, host);
    await once(endpoint, 'listening');
    test.teardown(() => {
      endpoint.close();
    });
    const lab = await start(test, { healthCheckIntervalMs: 20 });
    const sdk = client(test, lab);
    const resolver = await dns(test, lab);
    const { port } = endpoint.address() as AddressInfo;
    const config = { Type: 'HTTP', IPAddress: host, Port: port, FailureThreshold: 2, ResourcePath: '/x' } as const;
    const { HealthCheck } = await sdk.send(
      new CreateHealthCheckCommand({ CallerReference: 'a', HealthCheckConfig: config }),
    );
    const HealthCheckId = HealthCheck?.Id ?? '';
    const side = (address: string, Failover: 'PRIMARY' | 'SECONDARY', more: object = {}): Change => ({
      Action: 'CREATE',
      ResourceRecordSet: { ...appA(address), Name: 'ha.lab.test', SetIdentifier: Failover, Failover, ...more },
    });
    await change(sdk, [side('127.0.1.1', 'PRIMARY', { HealthCheckId }), side('127.0.1.2', 'SECONDARY')]);
    const serves = (address: string) =>
      until(address, async () => (await resolver.resolve4('ha.lab.test').catch(() => []))[0] === address);
    await serves('127.0.1.1');
    status = 503;
    await serves('127.0.1.2');
    const observed = await sdk.send(new GetHealthCheckStatusCommand({ HealthCheckId }));
    test.match(observed.HealthCheckObservations, [{ StatusReport: { Status: /Failure: HTTP Status Code 503/ } }]);
    await sdk.send(new UpdateHealthCheckCommand({ HealthCheckId, Inverted: true }));
    await serves('127.0.1.1');
  },
);

t.test('as a process of its own it says when it is ready, is driven over /_lab, and ends when told', async (test) => {
  const dir = await mkdtemp(path.join(tmpdir(), 'route53-'));
  test.teardown(() => rm(dir, { recursive: true }));
  const file = path.join(dir, 'config.json');
  const route53 = {
    ...{ host, ...credentials, propagationMs: 0 },
    zones: [
      {
        id: zoneId,
        name: 'lab.test',
        records: [{ name: 'app.lab.test', type: 'A', ttlSeconds: 1, values: ['127.0.1.1'] }],
      },
    ],
  };
  await writeFile(file, JSON.stringify({ route53, nameServers: [{ host }], resolvers: [{ host }] }));
  const main = path.join(import.meta.dirname, '../../lab/route53/main.ts');
  const child = spawn(process.execPath, [main, '--config', file], { stdio: ['ignore', 'pipe', 'inherit'] });
  test.teardown(() => child.kill('SIGKILL'));
  const [line] = await once(child.stdout, 'data');
  const ready: { endpoint: string; nameServers: { port: number }[]; resolvers: { port: number }[] } = JSON.parse(
    String(line),
  );
  const post = (where: string, body: object) =>
    fetch(`${ready.endpoint}/_lab/${where}`, { method: 'POST', body: JSON.stringify(body) }).then(
      ({ status }) => status,
    );
  const resolver = new Resolver({ timeout: 300, tries: 1 });
  resolver.setServers([`${host}:${ready.resolvers[0]?.port}`]);
  test.strictSame(await resolver.resolve4('app.lab.test'), ['127.0.1.1']);
  test.equal(await post('dns-fault', { server: 'resolver', index: 0, fault: 'servfail' }), 200);
  await test.rejects(resolver.resolve4('app.lab.test'), { code: 'ESERVFAIL' });
  test.equal(await post('fault', { kind: '5xx', count: 1 }), 200);
  test.equal(await post('fault', { kind: 'nonsense' }), 400);
  test.equal(await post('fault', { kind: null, count: 'many' }), 400);
  test.equal(await post('nowhere', {}), 404);
  const sdk = client(test, ready);
  const { ChangeInfo } = await change(
    sdk,
    [{ Action: 'UPSERT', ResourceRecordSet: appA('127.0.1.5') }],
    'from outside',
  );
  const changes = await fetch(`${ready.endpoint}/_lab/changes`).then((response) => response.json());
  test.match(changes, [{ comment: 'from outside', id: ChangeInfo?.Id?.replace('/change/', '') }]);
  const records = await fetch(`${ready.endpoint}/_lab/records?zone=${zoneId}`).then((response) => response.json());
  test.match(records, [{ name: 'app.lab.test.', values: ['127.0.1.5'] }]);
  child.kill('SIGTERM');
  const [code] = await once(child, 'exit');
  test.equal(code, 0);
});
