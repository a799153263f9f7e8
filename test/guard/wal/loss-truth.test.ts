// The bracket against real servers: what an estimate says of a primary killed under load, and what its log then shows (invariant 19).
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { killPostgres, query } from '../../../lab/servers/postgres.ts';
import { until } from '../../../lab/servers/wait.ts';
import { archiveDivergent } from '../../../src/guard/wal/archive.ts';
import { divergence, NO_NAMES } from '../../../src/guard/wal/divergence.ts';
import { endOfWal } from '../../../src/guard/wal/end-of-wal.ts';
import { forkPoint } from '../../../src/guard/wal/timeline.ts';
import type { Sample } from '../../../src/model/loop.ts';
import { bracket, finalLoss, writeRate } from '../../../src/policies/loss.ts';
import { cutOff, idsIn, never, place, standbyOf, stoppedOf, writers } from './real.ts';

t.test('the count lies in the estimate, and every lost row in the count', async (t) => {
  const at = await place(t);
  const { primary, programs, dir } = at;
  const standby = await standbyOf(at);
  const load = writers(primary, 3, 'w');
  const samples: Sample[] = [];
  const look = async (): Promise<void> => {
    const [row] = await query<{ insert: string; flush: string; clock: number }>(
      primary,
      `select pg_current_wal_insert_lsn()::text as insert, pg_current_wal_flush_lsn()::text as flush,
              (extract(epoch from clock_timestamp()) * 1000)::float8 as clock`,
    );
    if (row === undefined) return;
    const { insert: insertLsn, flush: flushLsn, clock: clockAt } = row;
    samples.push({ region: 'a', at: Date.now(), receivedMono: 0, timeline: 1, insertLsn, flushLsn, clockAt });
  };
  for (let round = 0; round < 8; round += 1) {
    await look();
    await sleep(150);
  }
  await cutOff(standby);
  for (let round = 0; round < 8; round += 1) {
    await look();
    await sleep(150);
  }
  const last = samples.at(-1);
  if (last === undefined) throw new Error('nothing was sampled');
  await killPostgres(primary);
  const fencedAt = Date.now();
  await load.ended;
  const [had] = await query<{ received: string | null; replayed: string; commit: number | null }>(
    standby,
    `select pg_last_wal_receive_lsn()::text as received, pg_last_wal_replay_lsn()::text as replayed,
            (extract(epoch from pg_last_xact_replay_timestamp()) * 1000)::float8 as commit`,
  );
  const received = {
    lsn: had?.received ?? had?.replayed ?? null,
    timeline: 1,
    lastCommitAt: had?.commit ?? null,
    archive: false,
  };
  const sample = { ...last, component: 'db', p99BytesPerSecond: writeRate(samples), freshMs: 10_000 };
  const estimate = bracket(sample, fencedAt, received, fencedAt);

  await query(standby, 'select pg_promote()');
  await until({ what: 'promoted', timeoutMs: 20_000 }, async () => {
    const [row] = await query<{ standby: boolean }>(standby, 'select pg_is_in_recovery() as standby');
    return row?.standby === false ? true : undefined;
  });
  const history = await readFile(path.join(standby.dataDir, 'pg_wal', '00000002.history'), 'utf8');
  const fork = forkPoint({ timeline: 1, history: null }, { timeline: 2, history });
  const end = await endOfWal(primary.dataDir, programs, never());
  const stopped = stoppedOf(primary.dataDir);
  const request = { dataDir: primary.dataDir, programs, stopped, fork, end, target: path.join(dir, 'archive') };
  const { folder, manifest } = await archiveDivergent(request, never());
  const { relations, ...counted } = await divergence(folder, manifest, programs, NO_NAMES, never());
  const found = { component: 'db', ...counted, relations: relations.slice(0, 50), moreRelations: 0, archive: folder };
  const truth = finalLoss(found, received.lastCommitAt);

  const held = await idsIn(standby);
  const lost = load.acknowledged.filter(({ id }) => !held.has(id));
  t.ok(lost.length > 10, `${lost.length} acknowledged rows are not on the new primary`);
  // One of each writer may have been committed and not acknowledged.
  t.ok(found.commits >= lost.length && found.commits <= lost.length + 3, `${found.commits} commits counted`);
  t.ok((truth.highBytes ?? -1) >= (estimate.lowBytes ?? 0), `${truth.highBytes} bytes, at least ${estimate.lowBytes}`);
  t.ok((truth.highBytes ?? 0) <= (estimate.highBytes ?? 0), `${truth.highBytes} bytes, at most ${estimate.highBytes}`);
  // Commits of one moment are not logged in the order of their stamps.
  t.ok(
    (truth.windowFrom ?? 0) >= (estimate.windowFrom ?? 0) - 100,
    `from ${truth.windowFrom}, not before ${estimate.windowFrom}`,
  );
  t.ok((truth.windowTo ?? 0) <= (estimate.windowTo ?? 0), `to ${truth.windowTo}, not after ${estimate.windowTo}`);
  t.ok(
    (truth.highSeconds ?? 0) <= (estimate.highSeconds ?? 0),
    `${truth.highSeconds} s, at most ${estimate.highSeconds}`,
  );
  t.equal(truth.final, true);
});
