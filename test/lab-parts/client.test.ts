import { createSocket } from 'node:dgram';
import { readFile } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import path from 'node:path';
import t, { type Test } from 'tap';
import { account } from '../../lab/client/account.ts';
import { type ClientOptions, startClient } from '../../lab/client/client.ts';
import { type Attempt, type Ledger, readLedgers } from '../../lab/client/ledger.ts';
import { freePort } from '../../lab/servers/ports.ts';
import { until } from '../../lab/servers/wait.ts';
import { scratch } from './real-servers.ts';

const HOST = '127.0.83.1';
const HOST_A = '127.0.83.10';
const HOST_B = '127.0.83.20';
const NAME = 'app.lab.test';

/** A region's service as a client sees it, with its database: what it acknowledged, or kept although it did not. */
interface Service {
  readonly rows: Set<string>;
  /** How it answers; undefined is the plain 201. */
  readonly behave: { answer?: (id: string, response: ServerResponse) => void };
}

async function service(t: Test, region: string, host: string, port: number): Promise<Service> {
  const rows = new Set<string>();
  const behave: Service['behave'] = {};
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { id } = JSON.parse(Buffer.concat(chunks).toString('utf8'));
      if (behave.answer !== undefined) return behave.answer(id, response);
      rows.add(id);
      response.writeHead(201).end(JSON.stringify({ id, region, lsnBefore: '0/10', lsn: '0/20' }));
      return undefined;
    });
  });
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return { rows, behave };
}

/** A name server with one answer, which a test turns. */
async function nameServer(
  t: Test,
  ttlSeconds: number,
): Promise<{ resolver: string; point: (to: string) => void; asked: () => number }> {
  let address = HOST_A;
  let asked = 0;
  const socket = createSocket('udp4');
  socket.on('message', (query, peer) => {
    asked += 1;
    // The question's name ends at its zero byte; type and class follow.
    const question = query.subarray(12, query.indexOf(0, 12) + 5);
    const header = Buffer.concat([query.subarray(0, 2), Buffer.from('84000001000100000000', 'hex')]);
    const record = Buffer.from('c00c00010001000000000004', 'hex');
    record.writeUInt32BE(ttlSeconds, 6);
    socket.send(
      Buffer.concat([header, question, record, Buffer.from(address.split('.').map(Number))]),
      peer.port,
      peer.address,
    );
  });
  await new Promise<void>((resolve) => socket.bind(0, HOST, resolve));
  t.teardown(() => socket.close());
  return {
    resolver: `${HOST}:${socket.address().port}`,
    point: (to) => {
      address = to;
    },
    asked: () => asked,
  };
}

interface World {
  readonly a: Service;
  readonly b: Service;
  readonly dns: Awaited<ReturnType<typeof nameServer>>;
  readonly options: ClientOptions;
  readonly ledger: () => Promise<Ledger>;
}

async function world(t: Test, ttlSeconds = 0): Promise<World> {
  const place = await scratch(t);
  const port = await freePort(HOST_A);
  const a = await service(t, 'a', HOST_A, port);
  const b = await service(t, 'b', HOST_B, port);
  const dns = await nameServer(t, ttlSeconds);
  const ledgerFile = path.join(place, 'ledger.jsonl');
  const options: ClientOptions = {
    clientId: 'c1',
    target: { kind: 'name', name: NAME, port, resolvers: [dns.resolver] },
    ledgerFile,
    ratePerSecond: 200,
    timeoutMs: 300,
  };
  return { a, b, dns, options, ledger: async () => await readLedgers([ledgerFile]) };
}

t.test('a client follows the public name from one region to the other', async (t) => {
  const { a, b, dns, options, ledger } = await world(t);
  const client = startClient(options);
  await client.waitForAcks('a', 20, 10_000);
  dns.point(HOST_B);
  await client.waitForAcks('b', 20, 10_000);
  const stats = await client.stop();
  const told = account({ ledger: await ledger(), dumpOld: a.rows, dumpNew: b.rows, oldRegion: 'a', newRegion: 'b' });
  t.equal(told.acknowledged, stats.acked);
  t.equal(told.found, b.rows.size);
  t.equal(told.missing.length, a.rows.size);
  t.same(told.ackedByOldAfterNew, []);
  t.ok((told.gapMs ?? -1) >= 0);
  t.equal(told.consistent, true);
  t.equal(stats.sent, stats.acked + stats.failed + stats.unknown, 'every write has its end');
});

t.test('a name is asked for again only when its time is up', async (t) => {
  const { dns, options } = await world(t, 60);
  const client = startClient(options);
  await client.waitForAcks('a', 50, 10_000);
  await client.stop();
  t.equal(dns.asked(), 1);
});

t.test('a client of its own goes to one address, whatever the name says', async (t) => {
  const { a, dns, options } = await world(t);
  dns.point(HOST_B);
  const client = startClient({ ...options, target: { kind: 'address', host: HOST_A, port: options.target.port } });
  await client.waitForAcks('a', 10, 10_000);
  const stats = await client.stop();
  t.same(Object.keys(stats.ackedByRegion), ['a']);
  t.equal(a.rows.size, stats.acked);
  t.equal(dns.asked(), 0);
});

t.test('what was not acknowledged is failed only when it surely was not applied', async (t) => {
  const { a, dns, options, ledger } = await world(t);
  const cases: Record<string, (id: string, response: ServerResponse) => void> = {
    'http-503 refused': (_, response) => response.writeHead(503).end('{"applied":"no"}'),
    'http-503 open': (_, response) => response.writeHead(503).end('{"applied":"unknown"}'),
    timeout: () => undefined,
    ECONNRESET: (_, response) => response.destroy(),
  };
  const seen: Record<string, string> = {};
  for (const [name, answer] of Object.entries(cases)) {
    a.behave.answer = answer;
    const clientId = `c-${Object.keys(seen).length}`;
    const client = startClient({ ...options, clientId });
    await until({ what: name, timeoutMs: 10_000 }, async () => {
      const { failed, unknown } = client.stats();
      return failed + unknown > 0 ? true : undefined;
    });
    await client.stop();
    const { attempts } = await ledger();
    const one = attempts.find(({ id }) => id.startsWith(`${clientId}-`));
    seen[name] = `${one?.outcome} ${one?.reason}`;
  }
  dns.point('127.0.83.99');
  const refused = startClient({ ...options, clientId: 'c-refused' });
  await until({ what: 'refusals', timeoutMs: 10_000 }, async () => (refused.stats().failed > 0 ? true : undefined));
  await refused.stop();
  t.same(seen, {
    'http-503 refused': 'failed http-503',
    'http-503 open': 'unknown http-503',
    timeout: 'unknown timeout',
    ECONNRESET: 'unknown ECONNRESET',
  });
  const { attempts } = await ledger();
  t.match(
    attempts.find(({ id }) => id.startsWith('c-refused')),
    { outcome: 'failed', reason: 'ECONNREFUSED' },
  );
});

t.test('a ledger that forgets and invents is found out', async (t) => {
  const { a, options, ledger } = await world(t);
  const client = startClient({ ...options, dropAcks: true });
  await client.waitForAcks('a', 60, 10_000);
  await client.stop();
  const told = account({ ledger: await ledger(), dumpOld: a.rows, dumpNew: new Set(), oldRegion: 'a', newRegion: 'b' });
  t.ok(told.unrecorded.length > 0, 'the database holds what the ledger never heard of');
  t.ok((told.nowhere ?? []).length > 0, 'the ledger has acknowledgements that no database holds');
  t.equal(told.consistent, false);
});

t.test('a write is in the ledger before it is on its way', async (t) => {
  const { a, options } = await world(t);
  const before: boolean[] = [];
  a.behave.answer = (id, response) => {
    readFile(options.ledgerFile, 'utf8').then(
      (text) => {
        before.push(text.includes(`"id":"${id}"`));
        response.writeHead(201).end(JSON.stringify({ id, region: 'a' }));
      },
      () => response.destroy(),
    );
  };
  const client = startClient(options);
  await client.waitForAcks('a', 20, 10_000);
  await client.stop();
  t.ok(before.length >= 20);
  t.ok(before.every(Boolean));
});

const attempt = (id: string, endedAtMs: number, more: Partial<Attempt> = {}): Attempt => ({
  id,
  sentAtMs: endedAtMs - 1,
  endedAtMs,
  outcome: 'acked',
  region: 'a',
  ...more,
});

const reckon = (attempts: readonly Attempt[], more: Partial<Parameters<typeof account>[0]> = {}) =>
  account({
    ledger: { clientIds: ['c'], attempts },
    dumpNew: new Set(),
    dumpOld: new Set(),
    oldRegion: 'a',
    newRegion: 'b',
    ...more,
  });

t.test('the account tells apart what is found, in the bracket, on the old side, and lost', async (t) => {
  const told = reckon(
    [
      attempt('c-1', 10, { lsnBefore: '0/100', lsn: '0/110' }),
      attempt('c-2', 20, { lsnBefore: '0/200', lsn: '0/210' }),
      attempt('c-3', 30, { lsnBefore: '0/FFFFFFF0', lsn: '1/10' }),
      attempt('c-4', 40, { lsnBefore: '2/0', lsn: '2/10' }),
      attempt('c-5', 50),
      attempt('c-6', 60, { outcome: 'unknown' }),
      attempt('c-7', 70, { outcome: 'failed' }),
    ],
    {
      dumpNew: new Set(['c-1', 'c-6']),
      dumpOld: new Set(['c-1', 'c-2', 'c-3', 'c-4']),
      bracket: { afterLsn: '0/150', upToLsn: '1/0' },
    },
  );
  t.same(
    { ...told, firstNewAckAtMs: undefined },
    {
      attempted: 7,
      acknowledged: 5,
      acknowledgedByRegion: { a: 5 },
      failed: 1,
      unknown: 1,
      found: 1,
      missing: ['c-2', 'c-3', 'c-4', 'c-5'],
      missingInBracket: ['c-2', 'c-3'],
      missingOnOld: ['c-4'],
      lost: ['c-5'],
      firstNewAckAtMs: undefined,
      lastOldAckAtMs: 50,
      gapMs: null,
      ackedByOldAfterNew: [],
      unrecorded: [],
      nowhere: ['c-5'],
      consistent: false,
    },
  );
});

t.test('a bracket that is open above takes everything after its lower end', async (t) => {
  const attempts = [
    attempt('c-1', 10, { lsnBefore: '0/100', lsn: '0/110' }),
    attempt('c-2', 20, { lsnBefore: 'A/0', lsn: 'A/10' }),
  ];
  const told = reckon(attempts, { bracket: { afterLsn: '0/110', upToLsn: null } });
  t.same(told.missingInBracket, ['c-2']);
  t.same(told.lost, ['c-1']);
});

t.test('an acknowledgement by the old side after the first by the new one is named', async (t) => {
  const told = reckon(
    [attempt('c-1', 10), attempt('c-2', 20, { region: 'b' }), attempt('c-3', 30), attempt('c-4', 40, { region: 'b' })],
    { dumpNew: new Set(['c-1', 'c-2', 'c-3', 'c-4']) },
  );
  t.same(told.ackedByOldAfterNew, [{ id: 'c-3', sentAtMs: 29, ackedAtMs: 30 }]);
  t.equal(told.firstNewAckAtMs, 20);
  t.equal(told.lastOldAckAtMs, 10);
  t.equal(told.gapMs, 10);
});

t.test('rows of these clients that no ledger knows are named, rows of others are not', async (t) => {
  const told = reckon([attempt('c-1', 10)], { dumpNew: new Set(['c-1', 'c-9', 'canary-1']) });
  t.same(told.unrecorded, ['c-9']);
  t.equal(told.consistent, false);
});

t.test('without the old side nobody can say that an acknowledgement is nowhere', async (t) => {
  const { dumpOld: _, ...input } = {
    ledger: { clientIds: ['c'], attempts: [attempt('c-1', 10)] },
    dumpNew: new Set<string>(),
    dumpOld: undefined,
    oldRegion: 'a',
    newRegion: 'b',
  };
  const told = account(input);
  t.equal(told.nowhere, null);
  t.same(told.lost, ['c-1']);
});

t.test('a client that was killed leaves a ledger that can be read', async (t) => {
  const place = await scratch(t);
  const file = path.join(place, 'ledger.jsonl');
  const { writeFile } = await import('node:fs/promises');
  const lines = [
    '{"event":"client","clientId":"c","atMs":1}',
    '{"event":"sent","id":"c-1","sentAtMs":1}',
    '{"event":"ended","id":"c-1","sentAtMs":1,"endedAtMs":2,"outcome":"acked","region":"a"}',
    '{"event":"sent","id":"c-2","sentAtMs":2}',
    '{"event":"ended","id":"c-2","sen',
  ];
  await writeFile(file, lines.join('\n'));
  const { attempts, clientIds } = await readLedgers([file]);
  t.same(clientIds, ['c']);
  t.match(attempts, [
    { id: 'c-1', outcome: 'acked' },
    { id: 'c-2', outcome: 'unknown' },
  ]);
  await writeFile(file, ['half a li', '{"event":"sent","id":"c-1","sentAtMs":1}'].join('\n'));
  await t.rejects(readLedgers([file]), { code: 'bad-input' }, 'in the middle it is damage, not a crash');
});
