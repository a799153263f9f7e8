// The old primary comes home, on real servers: archived first (invariant 21), rewound or cloned, and a standby in the end, with
// crashes before every write on the way, and with a server that comes back by itself in the middle.
import { spawn, spawnSync } from 'node:child_process';
import { appendFile, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import {
  killPostgres,
  type PostgresInstance,
  query,
  startPostgres,
  stopPostgres,
} from '../../../lab/servers/postgres.ts';
import { until } from '../../../lab/servers/wait.ts';
import { divergence, NO_NAMES } from '../../../src/guard/wal/divergence.ts';
import { readManifest, verifyArchive } from '../../../src/guard/wal/manifest.ts';
import { readRecord } from '../../../src/guard/wal/rejoin-record.ts';
import { confirmRejoin } from '../../../src/guard/wal/rejoined.ts';
import { systemTimers } from '../../../src/runtime/timers.ts';
import {
  askOf,
  idsIn,
  never,
  type Parted,
  type Place,
  parted,
  place,
  quiet,
  type RejoinWords,
  rejoinWords,
} from './real.ts';

const CHILD = path.join(import.meta.dirname, 'rejoin-once.ts');
const CRASH = ['--import', path.join(import.meta.dirname, 'crash-after.mjs')];
type Answer = { folder?: string; method?: string; code?: string; why?: string; signal?: string };

/** `crash`: after so many writes; or as soon as it has written down where it stands, for the so-manieth time. */
function goOn(words: RejoinWords, crash: number | { readonly records: number } | null): Answer {
  const when =
    crash === null
      ? {}
      : typeof crash === 'number'
        ? { CRASH_AFTER: String(crash) }
        : { CRASH_AT: `rejoin.json:${crash.records}` };
  const env = { ...process.env, NODE_OPTIONS: '', ...when };
  const args = [...(crash === null ? [] : CRASH), CHILD, JSON.stringify(words)];
  const ran = spawnSync(process.execPath, args, { encoding: 'utf8', env, timeout: 120_000 });
  if (ran.signal !== null) return { signal: ran.signal };
  if (ran.stdout === '') throw new Error(ran.stderr);
  return JSON.parse(ran.stdout);
}

/** It streams, has what the new side has, and is still itself. */
async function isHome(
  t: Test,
  at: Place,
  words: RejoinWords,
  { standby: newPrimary, divergent }: Parted,
): Promise<void> {
  const { primary } = at;
  t.equal((await readRecord(words.recordFile))?.step, 'configured');
  await query(newPrimary, "insert into app.writes (id, region) values ('meanwhile', 'b')", [], 'app');
  await startPostgres(primary, quiet);
  const [mine, theirs] = [askOf(primary.socketDir, primary.port), askOf(newPrimary.socketDir, newPrimary.port)];
  const limits = { timers: systemTimers, withinMs: 30_000 };
  const { timeline } = await confirmRejoin(words, mine, theirs, limits, never());
  t.equal(timeline, 2);
  const held = await idsIn(primary);
  t.ok(held.has('shared') && held.has('meanwhile'));
  t.same(
    divergent.filter((id) => held.has(id)),
    [],
    'what it took alone is in the archive, not in it',
  );
  const [slot] = await query<{ active: boolean }>(
    newPrimary,
    "select active from pg_replication_slots where slot_name = 'home'",
  );
  t.equal(slot?.active, true);
  const [name] = await query<{ name: string }>(primary, "select current_setting('cluster_name') as name");
  t.equal(name?.name, 'a', 'its configuration is its own');
  t.equal(await readRecord(words.recordFile), null);
  const left = (await readdir(path.dirname(primary.dataDir))).filter((each) => each.startsWith('data'));
  t.same(left, ['data'], 'nothing else is left');
}

/** Every acknowledged row of the old side is counted in some whole archive (invariant 26). */
async function isArchived(t: Test, at: Place, words: RejoinWords, rows: number): Promise<void> {
  const changes: number[] = [];
  for (const name of await readdir(words.archives)) {
    const folder = path.join(words.archives, name);
    if ((await readManifest(folder)) === null) continue;
    const found = await divergence(folder, await verifyArchive(folder, never()), at.programs, NO_NAMES, never());
    changes.push(Math.max(0, ...found.relations.map((relation) => relation.changes)));
  }
  t.ok(changes.includes(rows), `${rows} rows in one of the archives: ${changes.join(', ')}`);
}

t.test('rewound, in one go', async (t) => {
  const at = await place(t);
  const apart = await parted(at);
  const words = rejoinWords(at, apart.standby, true);
  const answer = goOn(words, null);
  t.match(answer, { method: 'rewind' });
  t.match(goOn(words, null), answer, 'asked again it is done');
  await isArchived(t, at, words, apart.divergent.length);
  await isHome(t, at, words, apart);
});

t.test('home, a primary again, and deposed again: another rejoin, with the configuration of that day', async (t) => {
  const at = await place(t);
  const { primary } = at;
  const { standby: other } = await parted(at);
  const words = rejoinWords(at, other, true);
  const first = goOn(words, null);
  await startPostgres(primary, quiet);
  await until({ what: 'streaming', timeoutMs: 30_000 }, async () => {
    const [row] = await query<{ n: string }>(other, 'select count(*) n from pg_stat_replication');
    return row?.n === '1' ? true : undefined;
  });
  await stopPostgres(other, 'fast');
  await query(primary, 'select pg_promote()');
  await query(
    primary,
    "insert into app.writes (id, region) select 'again-' || g, 'a' from generate_series(1, 70) g",
    [],
    'app',
  );
  await stopPostgres(primary, 'fast');
  await startPostgres(other, quiet);
  const conf = path.join(words.dataDir, 'failoverd-lab-instance.conf');
  await appendFile(conf, '# of today\n');
  // As a stranger starts it: read-only. Its control file then says nothing of the primary that it was.
  await writeFile(path.join(words.dataDir, 'standby.signal'), '');
  await startPostgres(primary, quiet);
  await stopPostgres(primary, 'fast');
  const second = goOn(words, null);
  t.match(second, { method: 'rewind' });
  t.not(second.folder, first.folder);
  await isArchived(t, at, words, 70);
  t.match(await readFile(conf, 'utf8'), /# of today/);
});

t.test('cloned, in one go', async (t) => {
  const at = await place(t);
  const apart = await parted(at);
  const words = rejoinWords(at, apart.standby, false);
  t.match(goOn(words, null), { method: 'clone' });
  await isArchived(t, at, words, apart.divergent.length);
  t.ok(await stat(`${words.dataDir}.before-rejoin`), 'the old files stay until the new ones have proven themselves');
  await isHome(t, at, words, apart);
});

t.test('with a crash before every write', async (t) => {
  const at = await place(t);
  const apart = await parted(at);
  const words = rejoinWords(at, apart.standby, true);
  const steps = new Set<string>();
  let crashes = 0;
  let answer: Answer = {};
  for (let round = 0; round < 60; round += 2) {
    // Ever a little further than before, on what the one before left behind.
    answer = goOn(words, round);
    if (answer.signal === undefined) break;
    crashes += 1;
    steps.add((await readRecord(words.recordFile))?.step ?? 'none');
  }
  t.equal(answer.code, undefined, answer.why ?? 'no error');
  t.ok(crashes >= 8, `${crashes} crashes, at ${[...steps].join(', ')}`);
  t.ok(steps.has('none') && steps.has('rewinding') && steps.size >= 3);
  await isArchived(t, at, words, apart.divergent.length);
  await isHome(t, at, words, apart);
});

t.test('with a crash at each step, once it is written down', async (t) => {
  const at = await place(t);
  const apart = await parted(at);
  const words = rejoinWords(at, apart.standby, true);
  const steps: (string | undefined)[] = [];
  // One more record in each round; a rewind that was cut off is followed by a clone.
  for (let round = 0; round < 12 && goOn(words, { records: 1 }).signal !== undefined; round += 1)
    steps.push((await readRecord(words.recordFile))?.step);
  t.same(steps, ['archived', 'rewinding', 'cloning', 'placing', 'placed', 'configured']);
  await isArchived(t, at, words, apart.divergent.length);
  await isHome(t, at, words, apart);
});

t.test('a rewind that was through, and not written down', async (t) => {
  const at = await place(t);
  const apart = await parted(at);
  const words = rejoinWords(at, apart.standby, true);
  t.ok(goOn(words, { records: 1 }).signal);
  const archived = JSON.parse(await readFile(words.recordFile, 'utf8'));
  t.match(goOn(words, null), { method: 'rewind' });
  await writeFile(words.recordFile, JSON.stringify({ ...archived, step: 'rewinding', method: 'rewind' }));
  t.match(goOn(words, null), { method: 'clone' }, 'it can’t be told from one that was not');
  await isArchived(t, at, words, apart.divergent.length);
  await isHome(t, at, words, apart);
});

t.test('killed while programs of PostgreSQL are at work', async (t) => {
  const at = await place(t);
  const apart = await parted(at);
  const words = rejoinWords(at, apart.standby, true);
  for (let round = 0; round < 6; round += 1) {
    const env = { ...process.env, NODE_OPTIONS: '' };
    const child = spawn(process.execPath, [CHILD, JSON.stringify(words)], { env, stdio: 'ignore' });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    await sleep(350 + round * 260);
    child.kill('SIGKILL');
    await ended;
  }
  let answer = goOn(words, null);
  // What outlived its caller works in the data directory, and is waited for.
  for (let tries = 0; answer.code === 'running' && tries < 50; tries += 1) {
    await sleep(200);
    answer = goOn(words, null);
  }
  t.equal(answer.code, undefined, answer.why ?? 'no error');
  await isArchived(t, at, words, apart.divergent.length);
  await isHome(t, at, words, apart);
});

t.test('the old primary comes back by itself in the middle', async (t) => {
  const at = await place(t);
  const { primary } = at;
  const apart = await parted(at);
  const words = rejoinWords(at, apart.standby, true);
  // Cut off as soon as it is archived.
  t.ok(goOn(words, { records: 1 }).signal);
  t.equal((await readRecord(words.recordFile))?.step, 'archived');
  const first = (await readRecord(words.recordFile))?.archive ?? '';

  await startPostgres(primary, quiet);
  t.match(goOn(words, null), { code: 'running' }, 'as long as it runs, nothing is done');
  await query(primary, "insert into app.writes (id, region) values ('stray', 'a')", [], 'app');
  await killPostgres(primary);
  t.match(goOn(words, null), { method: 'rewind' });
  t.ok((await readRecord(words.recordFile))?.archive !== first, 'what it took then has an archive too');
  await isArchived(t, at, words, apart.divergent.length + 1);
  await isHome(t, at, words, apart);
});

t.test('nothing goes on without the archive', async (t) => {
  const at = await place(t);
  const apart = await parted(at);
  const words = rejoinWords(at, apart.standby, true);
  t.ok(goOn(words, { records: 1 }).signal);
  const folder = (await readRecord(words.recordFile))?.archive ?? '';
  const [name = ''] = (await readdir(folder)).filter((each) => /^[0-9A-F]{24}$/.test(each));
  const kept = await readFile(path.join(folder, name));
  const before = await readFile(path.join(words.dataDir, 'global', 'pg_control'));
  const changed = Buffer.from(kept);
  changed[4242] = (changed[4242] ?? 0) ^ 1;
  await writeFile(path.join(folder, name), changed);
  t.match(goOn(words, null), { code: 'checksum' });
  await writeFile(path.join(folder, name), kept);
  const manifest = JSON.parse(await readFile(path.join(folder, 'manifest.json'), 'utf8'));
  await writeFile(
    path.join(folder, 'manifest.json'),
    JSON.stringify({ ...manifest, missing: ['0000000100000000000000FF'] }),
  );
  t.match(goOn(words, null), { code: 'not-archived' });
  t.same(await readFile(path.join(words.dataDir, 'global', 'pg_control')), before, 'nothing was changed');
  t.match(goOn({ ...words, acceptMissing: true }, null), { method: 'rewind' }, 'a person may say that it goes on');
});

t.test('what can be wrong with the new primary', async (t) => {
  const at = await place(t);
  const apart = await parted(at);
  const words = rejoinWords(at, apart.standby, true);
  const to = ({ socketDir, port }: PostgresInstance) => ({
    socketDir,
    port,
    conninfo: `host=${socketDir} port=${port} user=postgres dbname=postgres`,
  });
  await stopPostgres(apart.standby, 'fast');
  t.match(goOn(words, null).code, /ENOENT|ECONNREFUSED|connect/);
  await startPostgres(at.primary, quiet);
  t.match(
    goOn({ ...words, dataDir: apart.standby.dataDir, ...to(at.primary) }, null),
    { method: 'rewind' },
    'the other way round',
  );
  await stopPostgres(at.primary, 'fast');
});
