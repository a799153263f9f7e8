// The tail of a crashed primary's log, shipped to a real standby before it is promoted: no acknowledged row is lost.

import { createHash } from 'node:crypto';
import { open, readdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { Readable } from 'node:stream';
import t, { type Test } from 'tap';
import {
  killPostgres,
  type PostgresInstance,
  query,
  startPostgres,
  stopPostgres,
} from '../../../lab/servers/postgres.ts';
import { until } from '../../../lab/servers/wait.ts';
import { endOfWal } from '../../../src/guard/wal/end-of-wal.ts';
import { takeTail } from '../../../src/guard/wal/receive.ts';
import { lsnText, segmentName } from '../../../src/guard/wal/segments.ts';
import { answerTail, awaitReplay, readTailQuery, shipTail, type TailAnswer } from '../../../src/guard/wal/ship.ts';
import { bytesOfTail, type TailAsked, textOfHead } from '../../../src/guard/wal/tail.ts';
import { laterLsn, lsnBytes, lsnGapBytes } from '../../../src/model/primitives.ts';
import { systemTimers } from '../../../src/runtime/timers.ts';
import { cutOff, idsIn, never, type Place, place, quiet, standbyOf, stoppedOf, writers } from './real.ts';

const SEGMENT = 16_777_216;
type Spoil = (chunk: Buffer, offset: number) => Buffer | null;
type Get = (query: URLSearchParams, signal: AbortSignal) => Promise<TailAnswer>;

/** The old side's guard, as far as it serves the tail; `spoil` is what a bad wire does. */
async function guardOf(t: Test, at: Place, spoil: Spoil = (chunk) => chunk): Promise<Get> {
  const { dataDir } = at.primary;
  const server = createServer((request, response) => {
    const asked = new URL(request.url ?? '/', 'http://guard').searchParams;
    answerTail({ dataDir, programs: at.programs, stopped: stoppedOf(dataDir) }, readTailQuery(asked), never()).then(
      async ({ headers, body }) => {
        response.writeHead(200, headers);
        let offset = 0;
        for await (const chunk of body) {
          const sent = spoil(chunk, offset);
          if (sent === null) return response.destroy();
          offset += chunk.length;
          response.write(sent);
        }
        return response.end();
      },
      (error: unknown) => response.writeHead(409).end(String(error)),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  return async (asked, signal) => {
    const answer = await fetch(`http://127.0.0.1:${port}/wal/tail?${asked}`, { signal });
    return {
      status: answer.status,
      header: (name) => answer.headers.get(name),
      body: answer.body ?? new Blob([]).stream(),
    };
  };
}

async function askedBy(standby: PostgresInstance): Promise<TailAsked> {
  const [row] = await query<{ id: string; received: string | null; replayed: string | null }>(
    standby,
    `select (select system_identifier::text from pg_control_system()) id,
            pg_last_wal_receive_lsn()::text received, pg_last_wal_replay_lsn()::text replayed`,
  );
  const fromLsn = laterLsn(row?.received ?? null, row?.replayed ?? null) ?? '0/0';
  return { systemIdentifier: row?.id ?? '', timeline: 1, fromLsn };
}

const replayedBy = (standby: PostgresInstance) => async (): Promise<string | null> =>
  (await query<{ lsn: string | null }>(standby, 'select pg_last_wal_replay_lsn()::text lsn'))[0]?.lsn ?? null;

const shareOf = (at: Place, standby: PostgresInstance) => ({
  dataDir: standby.dataDir,
  programs: at.programs,
  spool: path.join(at.dir, 'spool'),
  maxBytes: 1 << 30,
});

/** A primary that is killed under load while its standby receives nothing. */
async function crashed(at: Place, more?: (primary: PostgresInstance) => Promise<void>) {
  const standby = await standbyOf(at);
  await query(at.primary, "insert into app.writes (id, region) values ('shared', 'a')", [], 'app');
  await until({ what: 'the row', timeoutMs: 20_000 }, async () =>
    (await idsIn(standby)).has('shared') ? true : undefined,
  );
  await cutOff(standby);
  const load = writers(at.primary, 3, 'late');
  await until({ what: 'rows', timeoutMs: 20_000 }, async () => (load.acknowledged.length > 40 ? true : undefined));
  await more?.(at.primary);
  await killPostgres(at.primary);
  await load.ended;
  return { standby, late: load.acknowledged.map(({ id }) => id) };
}

const lacking = async (standby: PostgresInstance, ids: readonly string[]): Promise<readonly string[]> => {
  const held = await idsIn(standby);
  return ids.filter((id) => !held.has(id));
};

t.test('the standby runs, and its stream is cut', async (t) => {
  const at = await place(t);
  const { standby, late } = await crashed(at, async (primary) => {
    // More than the segment that the standby is in.
    await query(primary, 'select pg_switch_wal()');
    await query(
      primary,
      "insert into app.writes select 'big-' || g, repeat('y', 900) from generate_series(1, 20000) g",
      [],
      'app',
    );
  });
  const asked = await askedBy(standby);
  t.equal((await lacking(standby, late)).length, late.length, 'it lacks every one of them');
  const share = shareOf(at, standby);

  await t.test('a tail that a bad wire changes or cuts short does not reach it', async (t) => {
    const before = await contents(standby);
    const flipped = await guardOf(t, at, (chunk, offset) => {
      if (offset < 2 << 20 || offset > 3 << 20) return chunk;
      const copy = Buffer.from(chunk);
      copy[7] = (copy[7] ?? 0) ^ 1;
      return copy;
    });
    await t.rejects(shipTail(share, asked, flipped, never()), { code: 'checksum' });
    const cut = await guardOf(t, at, (chunk, offset) => (offset > 1 << 20 ? null : chunk));
    await t.rejects(shipTail(share, asked, cut, never()), { code: 'checksum' });
    const refused: Get = async () => ({ status: 503, header: () => null, body: new Blob([]).stream() });
    await t.rejects(shipTail(share, asked, refused, never()), { code: 'unreachable' });
    const gone: Get = async () => {
      throw new Error('ECONNREFUSED');
    };
    await t.rejects(shipTail(share, asked, gone, never()), { code: 'unreachable' });
    const honest = await guardOf(t, at);
    await t.rejects(shipTail({ ...share, maxBytes: 1000 }, asked, honest, never()), { code: 'disk-full' });
    await t.rejects(shipTail(share, asked, honest, AbortSignal.abort()));
    await t.rejects(shipTail(share, { ...asked, systemIdentifier: '1' }, honest, never()), { code: 'unreachable' });
    await t.rejects(shipTail(share, { ...asked, timeline: 7 }, honest, never()), { code: 'unreachable' });
    t.same(await contents(standby), before, 'its log is as it was');
  });

  const get = await guardOf(t, at);
  const shipped = await shipTail(share, asked, get, never());
  const end = await endOfWal(at.primary.dataDir, at.programs, never());
  t.equal(shipped.endLsn, end.lsn);
  t.ok(shipped.bytes > SEGMENT, `${shipped.bytes} bytes`);
  const lsn = await awaitReplay(replayedBy(standby), end.lsn, { timers: systemTimers, withinMs: 20_000 }, never());
  t.equal(lsnBytes(lsn), lsnBytes(end.lsn), 'it replayed all there is, and nothing else');
  t.same(await lacking(standby, late), [], 'every acknowledged row is there before the promotion');
  t.same(await shipTail(share, asked, get, never()), shipped, 'once more changes nothing');

  await query(standby, 'select pg_promote()');
  t.same(await lacking(standby, late), [], 'and after it');
  const history = await readFile(path.join(standby.dataDir, 'pg_wal', '00000002.history'), 'utf8');
  t.equal(lsnBytes(history.split('\t')[1] ?? ''), lsnBytes(end.lsn), 'the new history begins where the old one ends');
  await query(standby, "insert into app.writes (id, region) values ('new', 'b')", [], 'app');
});
t.test('a standby that is down takes it too, and has it when it starts', async (t) => {
  const at = await place(t);
  const { standby, late } = await crashed(at);
  const asked = await askedBy(standby);
  await stopPostgres(standby, 'fast');
  const shipped = await shipTail(shareOf(at, standby), asked, await guardOf(t, at), never());
  t.ok(shipped.bytes < SEGMENT);
  await startPostgres(standby, quiet);
  await awaitReplay(replayedBy(standby), shipped.endLsn, { timers: systemTimers, withinMs: 20_000 }, never());
  t.same(await lacking(standby, late), []);
});

t.test('a standby that is promoted at once replays it first', async (t) => {
  const at = await place(t);
  const { standby, late } = await crashed(at);
  await shipTail(shareOf(at, standby), await askedBy(standby), await guardOf(t, at), never());
  await query(standby, 'select pg_promote()');
  t.same(await lacking(standby, late), []);
});

t.test('nothing to ship, nobody to ship from, and another history', async (t) => {
  const at = await place(t);
  const { standby } = await crashed(at);
  const share = shareOf(at, standby);
  const get = await guardOf(t, at);
  const asked = await askedBy(standby);
  const end = await endOfWal(at.primary.dataDir, at.programs, never());

  const all = { ...asked, fromLsn: end.lsn };
  t.same(await shipTail(share, all, get, never()), { endLsn: end.lsn, bytes: 0 });
  await t.rejects(
    awaitReplay(replayedBy(standby), end.lsn, { timers: systemTimers, withinMs: 200 }, never()),
    { code: 'timeout' },
    'it has not got it, and that is said',
  );

  const size = BigInt(SEGMENT);
  const name = segmentName({ timeline: 1, number: lsnBytes(asked.fromLsn) / size }, SEGMENT);
  // A sender that claims more than its log holds: all arrives, and what arrives is not all records.
  const source = await readFile(path.join(at.primary.dataDir, 'pg_wal', name));
  const endLsn = lsnText(lsnBytes(end.lsn) + 64n);
  const startLsn = lsnText((lsnBytes(asked.fromLsn) / size) * size);
  const head = { version: 1, ...asked, segmentBytes: SEGMENT, startLsn, endLsn } as const;
  const sent = source.subarray(0, bytesOfTail(head));
  const digest = createHash('sha256').update(textOfHead(head)).update(sent).digest();
  await t.rejects(takeTail(share, asked, head, Readable.from([sent, digest]), never()), { code: 'checksum' });
  const trailing = Readable.from([sent, digest, Buffer.from('more')]);
  await t.rejects(takeTail(share, asked, head, trailing, never()), { code: 'checksum' });

  const own = await open(path.join(standby.dataDir, 'pg_wal', name), 'r+');
  const offset = Number(lsnBytes(asked.fromLsn) % size) - 20;
  const byte = Buffer.alloc(1);
  await own.read(byte, 0, 1, offset);
  await own.write(Buffer.from([(byte[0] ?? 0) ^ 1]), 0, 1, offset);
  await t.rejects(shipTail(share, asked, get, never()), { code: 'checksum' }, 'what it has is not what came');
  await own.write(byte, 0, 1, offset);
  await own.close();

  await startPostgres(at.primary, quiet);
  await t.rejects(shipTail(share, asked, get, never()), { code: 'unreachable' }, 'a primary that runs ships nothing');
  t.ok(lsnGapBytes(end.lsn, asked.fromLsn) > 0);
});

/** Of every segment, its bytes; the standby is quiet, as its stream is cut. */
async function contents(standby: PostgresInstance): Promise<readonly string[]> {
  const folder = path.join(standby.dataDir, 'pg_wal');
  const names = (await readdir(folder)).filter((name) => /^[0-9A-F]{24}/.test(name)).sort();
  return await Promise.all(
    names.map(
      async (name) =>
        `${name} ${createHash('sha256')
          .update(await readFile(path.join(folder, name)))
          .digest('hex')}`,
    ),
  );
}
