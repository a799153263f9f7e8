// The end of the valid log after a crash, against a real PostgreSQL 15 that is killed while it is written to.
import { open, readdir, readFile, rename, truncate } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { killPostgres, query, startPostgres, stopPostgres } from '../../../lab/servers/postgres.ts';
import { controlData } from '../../../src/guard/wal/control-data.ts';
import { endOfWal } from '../../../src/guard/wal/end-of-wal.ts';
import { segmentHolding, segmentName } from '../../../src/guard/wal/segments.ts';
import { lsnBytes, lsnGapBytes } from '../../../src/model/primitives.ts';
import { copyOf, idsIn, never, place, quiet, standbyOf, writers } from './real.ts';

const SEGMENT = 16_777_216;

t.test('killed under load, three times over', async (t) => {
  const at = await place(t);
  const { primary, programs } = at;
  for (const round of [1, 2, 3]) {
    if (round > 1) await startPostgres(primary, quiet);
    const load = writers(primary, 4, `r${round}`);
    await sleep(1200);
    if (round === 2) {
      // The log crosses into a new segment while it is written.
      await query(primary, 'select pg_switch_wal()');
      await sleep(300);
    }
    await killPostgres(primary);
    await load.ended;
    const end = await endOfWal(primary.dataDir, programs, never());
    t.ok(load.acknowledged.length > 20, `${load.acknowledged.length} rows were acknowledged`);
    for (const { id, lsn } of load.acknowledged) {
      // A position at a page's edge may be in the middle of somebody else's record: whole pages are flushed ahead.
      if (lsn === null || lsnBytes(lsn) % 8192n === 0n) continue;
      if (lsnBytes(lsn) > lsnBytes(end.lsn)) t.fail(`${id} was at ${lsn}, after ${end.lsn}`);
    }
    t.ok(lsnGapBytes(end.lsn, end.control.checkpoint.lsn) > 0, 'the control file is behind it');
    t.equal(end.timeline, 1);

    // PostgreSQL's own word for it, on a copy.
    const copy = await copyOf(at, primary, `copy${round}`);
    await startPostgres(copy, quiet);
    const held = await idsIn(copy);
    t.same(
      load.acknowledged.filter(({ id }) => !held.has(id)),
      [],
      'and every acknowledged row is before the end',
    );
    await stopPostgres(copy, 'fast');
    const said = await readFile(copy.logFile, 'utf8');
    // The checkpoint that ends the recovery is the first record after what was recovered.
    const after =
      /(?:invalid|incorrect|unexpected|there is no|record with|out-of-sequence|random).*? at ([0-9A-F]+\/[0-9A-F]+)/.exec(
        said.split('redo starts at')[1] ?? '',
      );
    const done = /redo done at ([0-9A-F]+\/[0-9A-F]+)/.exec(said)?.[1] ?? '';
    t.ok(lsnBytes(done) < lsnBytes(end.lsn), `redo was done with the record at ${done}`);
    if (after?.[1] !== undefined) t.equal(lsnBytes(after[1]), lsnBytes(end.lsn), 'where PostgreSQL ended too');
  }
});

t.test('a clean shutdown ends with its checkpoint', async (t) => {
  const { primary, programs } = await place(t);
  await query(primary, "insert into app.writes (id, region) values ('one', 'a')", [], 'app');
  await stopPostgres(primary, 'fast');
  const { lsn, control } = await endOfWal(primary.dataDir, programs, never());
  t.equal(control.state, 'shut down');
  t.ok(lsnGapBytes(lsn, control.checkpoint.lsn) > 0);
  t.ok(lsnGapBytes(lsn, control.checkpoint.lsn) < 200, 'the record of the checkpoint is the last');
});

t.test('a promoted server that dies before its first checkpoint ends on its new timeline', async (t) => {
  const at = await place(t);
  const standby = await standbyOf(at);
  await killPostgres(at.primary);
  await query(standby, 'select pg_promote()');
  await query(standby, "insert into app.writes (id, region) values ('after', 'b')", [], 'app');
  const [row] = await query<{ lsn: string }>(standby, 'select pg_current_wal_flush_lsn()::text lsn');
  await killPostgres(standby);
  const end = await endOfWal(standby.dataDir, at.programs, never());
  t.equal(end.timeline, 2);
  t.ok(lsnBytes(end.lsn) >= lsnBytes(row?.lsn ?? ''), `${end.lsn} is not before ${row?.lsn}`);
});

t.test('what can be wrong with the files', async (t) => {
  const { primary, programs } = await place(t);
  await query(primary, "insert into app.writes (id, region) values ('one', 'a')", [], 'app');
  await killPostgres(primary);
  const folder = path.join(primary.dataDir, 'pg_wal');
  const { lsn, control } = await endOfWal(primary.dataDir, programs, never());
  const name = segmentName({ timeline: 1, number: segmentHolding(lsn, SEGMENT) }, SEGMENT);
  const file = path.join(folder, name);

  await t.test('a torn last record is the end', async (t) => {
    const handle = await open(file, 'r+');
    const at = Number(lsnBytes(lsn) % BigInt(SEGMENT));
    const last = Buffer.alloc(1);
    await handle.read(last, 0, 1, at - 9);
    await handle.write(Buffer.from([(last[0] ?? 0) ^ 0xff]), 0, 1, at - 9);
    const torn = await endOfWal(primary.dataDir, programs, never());
    t.ok(lsnGapBytes(torn.lsn, lsn) < 0);
    await handle.write(last, 0, 1, at - 9);
    await handle.close();
    t.equal((await endOfWal(primary.dataDir, programs, never())).lsn, lsn);
  });
  await t.test('a damaged checkpoint record is no end', async (t) => {
    const handle = await open(file, 'r+');
    const at = Number(lsnBytes(control.checkpoint.lsn) % BigInt(SEGMENT)) + 30;
    const kept = Buffer.alloc(8);
    await handle.read(kept, 0, 8, at);
    await handle.write(Buffer.alloc(8, 0xee), 0, 8, at);
    await t.rejects(endOfWal(primary.dataDir, programs, never()), { code: 'wal-damaged' });
    await handle.write(kept, 0, 8, at);
    await handle.close();
  });
  await t.test('a segment that is gone', async (t) => {
    await rename(file, `${file}.away`);
    await t.rejects(endOfWal(primary.dataDir, programs, never()), { code: 'wal-missing' });
    await rename(`${file}.away`, file);
  });
  await t.test('a segment cut short is not taken for an end', async (t) => {
    await truncate(file, 8192);
    await t.rejects(endOfWal(primary.dataDir, programs, never()), { code: 'wal-damaged' });
  });
  await t.test('no tools, no cluster, no patience', async (t) => {
    await t.rejects(controlData(primary.dataDir, { ...programs, binDir: '/nowhere' }, never()), {
      code: 'tool-missing',
    });
    await t.rejects(controlData(folder, programs, never()), { code: 'not-this-cluster' });
    const signal = AbortSignal.abort();
    await t.rejects(endOfWal(primary.dataDir, programs, signal), { code: 'aborted' });
  });
  t.ok((await readdir(folder)).includes(name));
});
