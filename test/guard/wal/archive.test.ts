// Divergent log of a real pair: archived before anything starts that PostgreSQL (invariants 21, 26), counted, and named.
import { spawnSync } from 'node:child_process';
import { appendFile, cp, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import t from 'tap';
import type { PostgresInstance } from '../../../lab/servers/postgres.ts';
import { connectAdmin, killPostgres, query, startPostgres } from '../../../lab/servers/postgres.ts';
import { archiveDivergent } from '../../../src/guard/wal/archive.ts';
import type { NamesOf } from '../../../src/guard/wal/divergence.ts';
import { divergence, NO_NAMES } from '../../../src/guard/wal/divergence.ts';
import { endOfWal } from '../../../src/guard/wal/end-of-wal.ts';
import { MANIFEST, verifyArchive } from '../../../src/guard/wal/manifest.ts';
import { namesFrom } from '../../../src/guard/wal/relation-names.ts';
import { segmentHolding, segmentName } from '../../../src/guard/wal/segments.ts';
import { forkPoint } from '../../../src/guard/wal/timeline.ts';
import { copyOf, idsIn, never, parted, place, quiet, stoppedOf } from './real.ts';

const SEGMENT = 16_777_216;

const askNew = (instance: PostgresInstance): NamesOf =>
  namesFrom(async (database) => {
    const [row] = await query<{ name: string }>(instance, 'select datname as name from pg_database where oid = $1', [
      database,
    ]);
    if (row === undefined) return null;
    const { client, close } = await connectAdmin(instance, row.name);
    return {
      name: row.name,
      catalog: { query: async (sql, values) => (await client.query(sql, [...values])).rows, close },
    };
  });

t.test('what the old primary took alone', async (t) => {
  const at = await place(t);
  const { primary, programs, dir } = at;
  const more = async (): Promise<void> => {
    // Work that counts: one transaction with a savepoint that is kept and one that is not.
    await query(
      primary,
      `begin; insert into app.writes (id, region) values ('t1', 'a'); savepoint s;
       insert into app.writes (id, region) values ('t2', 'a'); release s; savepoint r;
       insert into app.writes (id, region) values ('undone', 'a'); rollback to r; commit`,
      [],
      'app',
    );
    // Work that does not.
    await query(primary, "begin; insert into app.writes (id, region) values ('never', 'a'); rollback", [], 'app');
    await query(primary, 'create table app.new_here as select g from generate_series(1, 500) g', [], 'app');
    await query(primary, "update app.writes set region = 'z' where id in ('t1', 't2')", [], 'app');
    await query(primary, 'select pg_switch_wal()');
    await query(primary, "delete from app.writes where id = 't1'", [], 'app');
    // Cut off in the middle: flushed, and never committed.
    const { client } = await connectAdmin(primary, 'app');
    await client.query("begin; insert into app.writes select 'open-' || g, 'a' from generate_series(1, 1000) g");
    await query(primary, 'checkpoint');
  };
  const { standby, divergent, history } = await parted(at, more);
  const fork = forkPoint({ timeline: 1, history: null }, { timeline: 2, history });
  t.equal(fork.timeline, 1);
  const end = await endOfWal(primary.dataDir, programs, never());
  const target = path.join(dir, 'archive');
  const request = { dataDir: primary.dataDir, programs, fork, end, target, stopped: stoppedOf(primary.dataDir) };

  await t.test('is not archived while that PostgreSQL runs, or may run', async (t) => {
    const running = stoppedOf(standby.dataDir);
    await t.rejects(archiveDivergent({ ...request, stopped: running }, never()), { code: 'running' });
    const unknown = async () => ({ stopped: null, why: 'no look into the kernel' });
    await t.rejects(archiveDivergent({ ...request, stopped: unknown }, never()), { code: 'running' });
    t.equal(await stat(target).catch(() => null), null, 'and nothing was written');
    let asked = 0;
    const later = async () => ({ stopped: ++asked === 1, why: 'it came back' });
    await t.rejects(archiveDivergent({ ...request, stopped: later }, never()), { code: 'running' });
    const [folder = ''] = await readdir(target);
    await t.rejects(verifyArchive(path.join(target, folder), never()), { code: 'not-archived' });
    await rm(target, { recursive: true });
  });

  await t.test('a full disk is said before the first byte, and leaves nothing half', async (t) => {
    const small = path.join(dir, 'small');
    await mkdir(small);
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=20m', 'tmpfs', small]);
    if (mounted.status !== 0) {
      t.comment(`no tmpfs may be mounted here: ${String(mounted.stderr)}`);
      t.equal(process.getuid?.() === 0 && process.env['CI'] !== undefined, false, 'in CI it must be possible');
      return;
    }
    t.teardown(() => spawnSync('umount', ['-l', small]));
    await t.rejects(archiveDivergent({ ...request, target: small }, never()), { code: 'disk-full' });
    const [folder = ''] = await readdir(small);
    t.same(await readdir(path.join(small, folder)), [], 'nothing was begun');
    // Somebody else fills it in the middle: space that was there is gone.
    spawnSync('mount', ['-o', 'remount,size=45m', small]);
    const filling = archiveDivergent(
      { ...request, target: small, stopped: async () => ({ stopped: true, why: 'seen' }) },
      never(),
    );
    await writeFile(path.join(small, 'other'), Buffer.alloc(20 * 1024 * 1024));
    await t.rejects(filling, { code: 'disk-full' });
    const left = await readdir(path.join(small, folder));
    t.same(
      left.filter((name) => name.endsWith('.unfinished') || name === MANIFEST),
      [],
    );
    await rm(path.join(small, 'other'));
    const { manifest } = await archiveDivergent({ ...request, target: small }, never());
    t.same(manifest.missing, [], 'with room again it goes on');
  });

  await t.test('a crash at any point leaves an archive that goes on', async (t) => {
    const crashing = path.join(dir, 'crashing');
    const words = JSON.stringify({ dataDir: primary.dataDir, programs, fork, target: crashing });
    const args = ['--import', path.join(import.meta.dirname, 'crash-after.mjs')];
    const child = path.join(import.meta.dirname, 'archive-once.ts');
    let ends = 0;
    // Steps of seven writes; each starts on what the one before left behind, so that in the end one is through.
    for (let after = 0; after < 150; after += after < 6 ? 1 : 7) {
      const env = { ...process.env, CRASH_AFTER: String(after), NODE_OPTIONS: '' };
      const ran = spawnSync(process.execPath, [...args, child, words], { encoding: 'utf8', env, timeout: 60_000 });
      if (ran.status === 0) {
        const manifest = await verifyArchive(ran.stdout.trim(), never());
        t.same(manifest.missing, []);
        t.ok(manifest.files.length >= 3);
        break;
      }
      t.equal(ran.signal, 'SIGKILL', `after ${after}: ${ran.stderr.slice(-300)}`);
      ends += 1;
      for (const folder of await readdir(crashing).catch(() => [])) {
        if ((await readdir(path.join(crashing, folder))).includes(MANIFEST))
          await t.resolves(verifyArchive(path.join(crashing, folder), never()), 'a manifest means whole');
      }
    }
    t.ok(ends >= 5, `${ends} crashes`);
  });

  const { folder, manifest } = await archiveDivergent(request, never());

  await t.test('is all there, and stays when asked again', async (t) => {
    const first = segmentName({ timeline: 1, number: segmentHolding(fork.lsn, SEGMENT) }, SEGMENT);
    const last = segmentName({ timeline: 1, number: segmentHolding(end.lsn, SEGMENT) }, SEGMENT);
    const names = manifest.files.map(({ name }) => name);
    t.ok(names.includes(first) && names.includes(last) && names.includes('pg_control'));
    t.same(manifest.missing, []);
    const before = await stat(path.join(folder, first));
    t.same((await archiveDivergent(request, never())).manifest, manifest);
    t.equal((await stat(path.join(folder, first))).mtimeMs, before.mtimeMs);
  });

  await t.test('what was changed in it is found', async (t) => {
    const changed = path.join(dir, 'changed');
    await cp(folder, changed, { recursive: true });
    const [file = ''] = manifest.files.map(({ name }) => name).filter((name) => /^[0-9A-F]{24}$/.test(name));
    const bytes = await readFile(path.join(changed, file));
    bytes[12_345] = (bytes[12_345] ?? 0) ^ 1;
    await writeFile(path.join(changed, file), bytes);
    await t.rejects(verifyArchive(changed, never()), { code: 'checksum' });
    await rm(path.join(changed, file));
    await t.rejects(verifyArchive(changed, never()), { code: 'not-archived' });
    await appendFile(path.join(changed, MANIFEST), 'x');
    await t.rejects(verifyArchive(changed, never()), { code: 'not-archived' });
  });

  await t.test('is counted as the client counted it', async (t) => {
    const found = await divergence(folder, manifest, programs, askNew(standby), never());
    // Rows of the two writers, the savepoints' transaction, create table, update, delete.
    t.equal(found.commits, divergent.length + 4);
    const writes = found.relations.find(({ name }) => name === 'app: app.writes');
    t.equal(writes?.changes, divergent.length + 2 + 2 + 1, 'inserts, updates, the delete; nothing undone or open');
    t.ok(
      found.relations.some(({ name, changes }) => name === null && changes === 500),
      'a table the new side lacks',
    );
    t.ok((found.firstCommitAt ?? 0) > Date.now() - 300_000 && (found.firstCommitAt ?? 0) < (found.lastCommitAt ?? 0));
    t.equal(found.complete, true);
    t.equal(found.prepared, 0);
    const nameless = await divergence(folder, manifest, programs, NO_NAMES, never());
    t.match(nameless.relations[0], { name: null, changes: 500 });
    t.equal(nameless.commits, found.commits);
  });

  await t.test('holds every row that was acknowledged: replayed from the archive, they are back', async (t) => {
    // The files as they were, without their log from the fork's segment on: that comes from the archive.
    const copy = await copyOf(at, primary, 'replay');
    for (const name of await readdir(path.join(copy.dataDir, 'pg_wal')))
      if (/^[0-9A-F]{24}$/.test(name)) await rm(path.join(copy.dataDir, 'pg_wal', name));
    for (const { name } of manifest.files)
      if (/^[0-9A-F]{24}$/.test(name)) await cp(path.join(folder, name), path.join(copy.dataDir, 'pg_wal', name));
    spawnSync('chown', ['-R', '65534:65534', copy.dataDir]);
    await startPostgres(copy, quiet);
    const held = await idsIn(copy);
    t.same(
      divergent.filter((id) => !held.has(id)),
      [],
    );
    await killPostgres(copy);
  });

  await t.test('log that was recycled is said to be missing, and the rest is counted', async (t) => {
    const first = segmentName({ timeline: 1, number: segmentHolding(fork.lsn, SEGMENT) }, SEGMENT);
    const file = path.join(primary.dataDir, 'pg_wal', first);
    await cp(file, path.join(dir, first));
    await rm(file);
    const partly = await archiveDivergent({ ...request, target: path.join(dir, 'partly') }, never());
    t.same(partly.manifest.missing, [first]);
    const found = await divergence(partly.folder, partly.manifest, programs, NO_NAMES, never());
    t.equal(found.complete, false);
    t.equal(found.commits, 1, 'the delete in the segment that is left');
  });
});

t.test('a primary that had nothing of its own', async (t) => {
  const at = await place(t);
  const { standbyOf, cutOff } = await import('./real.ts');
  const standby = await standbyOf(at);
  const { stopPostgres } = await import('../../../lab/servers/postgres.ts');
  // Stopped clean: the standby gets the last record.
  await stopPostgres(at.primary, 'fast');
  await cutOff(standby);
  await query(standby, 'select pg_promote()');
  const history = await readFile(path.join(standby.dataDir, 'pg_wal', '00000002.history'), 'utf8');
  const fork = forkPoint({ timeline: 1, history: null }, { timeline: 2, history });
  const { primary, programs, dir } = at;
  const end = await endOfWal(primary.dataDir, programs, never());
  t.equal(end.lsn, fork.lsn, 'it ends where the new side begins');
  const stopped = stoppedOf(primary.dataDir);
  const request = { dataDir: primary.dataDir, programs, fork, end, target: path.join(dir, 'archive'), stopped };
  const { folder, manifest } = await archiveDivergent(request, never());
  t.same(manifest.missing, []);
  t.match(await divergence(folder, manifest, programs, NO_NAMES, never()), {
    commits: 0,
    relations: [],
    complete: true,
  });
});
