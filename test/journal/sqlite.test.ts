import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import type { Worker } from 'node:worker_threads';
import t from 'tap';
import { toEntry, toRow } from '../../src/journal/row.ts';
import { openSqliteJournal, startJournalWorker, storeOver } from '../../src/journal/sqlite.ts';
import { openJournalFile } from '../../src/journal/sqlite-file.ts';
import { type JournalStore, StoreError } from '../../src/journal/store.ts';
import type { JournalEntry } from '../../src/model/events.ts';
import { holdsTheContract } from './contract.ts';
import { batchOf, behind } from './entries.ts';

const LIMIT_MS = 60_000;
const root = mkdtempSync(join(tmpdir(), 'failoverd-journal-'));
t.teardown(() => rmSync(root, { recursive: true, force: true }));
/** A store that a failed test left open would keep this process alive. */
const opened: JournalStore[] = [];
t.teardown(() => Promise.all(opened.map((store) => store.close())));
async function open(dir: string): Promise<JournalStore> {
  const store = await openSqliteJournal({ dir });
  opened.push(store);
  return store;
}
let folders = 0;
const newFolder = (): string => {
  folders += 1;
  return join(root, `${folders}`);
};

t.test('the journal in SQLite', async (t) => {
  holdsTheContract(t, 25, async () => {
    const dir = newFolder();
    const workers = new Map<JournalStore, Worker>();
    return {
      async open() {
        const worker = startJournalWorker({ dir });
        const store = await storeOver(worker);
        workers.set(store, worker);
        return store;
      },
      tamper(edit) {
        using database = new DatabaseSync(join(dir, 'journal.db'));
        const rows = database.prepare('select * from entries order by seq').all() as unknown as Parameters<
          typeof toEntry
        >[0][];
        database.exec('delete from entries');
        const insert = database.prepare('insert into entries (seq, previous, hash, body) values (?, ?, ?, ?)');
        for (const { seq, previous, hash, body } of edit(rows.map(toEntry)).map(toRow)) {
          insert.run(seq, previous, hash, body);
        }
      },
      async crash(store) {
        await workers.get(store)?.terminate();
      },
      async end() {
        await Promise.all([...workers.values()].map((worker) => worker.terminate()));
        rmSync(dir, { recursive: true, force: true });
      },
    };
  });
});

const entries = behind([], batchOf(0, 3));

async function failureOf(call: Promise<unknown>): Promise<StoreError> {
  const outcome = await call.then(
    () => null,
    (error: unknown) => error,
  );
  if (!(outcome instanceof StoreError)) throw new Error('a StoreError expected', { cause: outcome });
  return outcome;
}

t.test('nobody else may read the journal', async (t) => {
  const dir = join(newFolder(), 'made', 'here');
  const store = await open(dir);
  await store.append(entries);
  t.equal(statSync(dir).mode & 0o777, 0o700);
  const names = readdirSync(dir).sort();
  t.same(names, ['instance.lock', 'journal.db', 'journal.db-shm', 'journal.db-wal']);
  for (const name of names) t.equal(statSync(join(dir, name)).mode & 0o777, 0o600, name);
  await store.close();
  t.same(readdirSync(dir).sort(), ['instance.lock', 'journal.db'], 'closed, it is one file');
});

t.test('a folder that is there already keeps its mode', async (t) => {
  const dir = newFolder();
  mkdirSync(dir);
  chmodSync(dir, 0o750);
  await (await open(dir)).close();
  t.equal(statSync(dir).mode & 0o777, 0o750);
});

t.test('a folder where anybody could swap the files is refused with the remedy', async (t) => {
  const dir = newFolder();
  mkdirSync(dir);
  chmodSync(dir, 0o1777);
  const { code, message } = await failureOf(open(dir));
  t.equal(code, 'io');
  t.match(message, `chmod 700 ${dir}`);
  t.same(readdirSync(dir), []);
});

t.test('a path that can not be a folder is named', async (t) => {
  const dir = newFolder();
  writeFileSync(dir, '');
  for (const path of [dir, join(dir, 'below')]) {
    const { code, message } = await failureOf(open(path));
    t.equal(code, 'io');
    t.match(message, path);
  }
});

t.test('whoever finds the folder in use is told which it is and how to go on', async (t) => {
  const dir = newFolder();
  const store = await open(dir);
  const { code, message } = await failureOf(open(dir));
  t.equal(code, 'locked');
  t.match(message, dir);
  t.match(message, 'instance.lock');
  await store.close();
});

t.test('a database of somebody else is refused and left as it was', async (t) => {
  const dir = newFolder();
  mkdirSync(dir);
  const path = join(dir, 'journal.db');
  {
    using database = new DatabaseSync(path);
    database.exec('create table theirs (x); insert into theirs values (1)');
  }
  const before = readFileSync(path);
  const { code, message } = await failureOf(open(dir));
  t.equal(code, 'corrupt');
  t.match(message, path);
  t.same(readFileSync(path), before);
});

t.test('a journal of another version is refused and left as it was', async (t) => {
  const dir = newFolder();
  const path = join(dir, 'journal.db');
  await (await open(dir)).close();
  {
    using database = new DatabaseSync(path);
    database.exec('pragma user_version = 2');
  }
  const before = readFileSync(path);
  const { code, message } = await failureOf(open(dir));
  t.equal(code, 'corrupt');
  t.match(message, /version 2\b/);
  t.same(readFileSync(path), before);
});

t.test('a file that is no database is refused and left as it was', async (t) => {
  const dir = newFolder();
  mkdirSync(dir);
  const path = join(dir, 'journal.db');
  writeFileSync(path, 'a file of notes, long enough to have a header of its own'.repeat(50));
  const before = readFileSync(path);
  t.equal((await failureOf(open(dir))).code, 'corrupt');
  t.same(readFileSync(path), before);
});

t.test('a page of the file that was overwritten is noticed', async (t) => {
  const dir = newFolder();
  const path = join(dir, 'journal.db');
  const store = await open(dir);
  await store.append(behind([], batchOf(0, 200)));
  await store.close();
  const bytes = readFileSync(path);
  bytes.fill(0xff, 8192, 12288);
  writeFileSync(path, bytes);
  const again = await open(dir);
  t.equal((await failureOf(again.load())).code, 'corrupt');
  await again.close();
});

t.test('a stranger that wrote into the file makes the next append fail', async (t) => {
  const dir = newFolder();
  const store = await open(dir);
  await store.append(entries);
  const [next] = behind(entries, batchOf(1, 1)) as [JournalEntry];
  {
    using database = new DatabaseSync(join(dir, 'journal.db'));
    const { seq, previous, hash, body } = toRow(next);
    database.prepare('insert into entries values (?, ?, ?, ?)').run(seq, previous, hash, body);
  }
  t.equal((await failureOf(store.append([next]))).code, 'out-of-order');
  await store.close();
});

t.test('after an error that leaves the file unknown, nothing more is written', async (t) => {
  const dir = newFolder();
  const store = await open(dir);
  {
    using database = new DatabaseSync(join(dir, 'journal.db'));
    database.exec('alter table entries rename to elsewhere');
  }
  t.equal((await failureOf(store.append(entries))).code, 'io');
  {
    using database = new DatabaseSync(join(dir, 'journal.db'));
    database.exec('alter table elsewhere rename to entries');
  }
  t.equal((await failureOf(store.append(entries))).code, 'io');
  t.equal((await failureOf(store.load())).code, 'io');
  await store.close();
  const again = await open(dir);
  t.same(await again.load(), []);
  await again.close();
});

t.test('a commit is on disk before it returns: every one is synced, in WAL mode', async (t) => {
  const folder = newFolder();
  const file = openJournalFile(folder);
  t.teardown(() => file.close());
  const pragma = (name: string): unknown => file.database.prepare(`pragma ${name}`).get()?.[name];
  t.equal(pragma('synchronous'), 2, 'full: in WAL mode anything less syncs at checkpoints alone');
  t.equal(pragma('journal_mode'), 'wal');
});

t.test('a database that may grow no more refuses, writes nothing, and goes on once it may', async (t) => {
  const file = openJournalFile(newFolder());
  file.append(entries.map(toRow));
  file.database.exec('pragma max_page_count = 4');
  const big = behind(entries, batchOf(1, 2000));
  t.throws(() => file.append(big.map(toRow)), { code: 'full' });
  t.same(file.load(), entries);
  file.database.exec('pragma max_page_count = 100000');
  file.append(big.map(toRow));
  t.same(file.load(), [...entries, ...big]);
  file.close();
  file.close();
});

/** A mount of its own in a user namespace of its own: needs no root where the kernel lets people have one. */
const SMALL_DISK = `mount -t tmpfs -o size=256k,mode=700 none "$1" && shift && exec "$@"`;
const mountPoint = newFolder();
mkdirSync(mountPoint);
const onSmallDisk = (command: readonly string[]) =>
  spawnSync('unshare', ['--user', '--map-root-user', '--mount', 'sh', '-c', SMALL_DISK, 'sh', mountPoint, ...command], {
    encoding: 'utf8',
    timeout: LIMIT_MS,
  });
const cannotMount = onSmallDisk(['true']).status !== 0;
const why = 'needs user namespaces (unshare --user --mount) to mount a small disk';

t.test(
  'a full disk is told as such, and what was acknowledged before is there',
  { skip: cannotMount && process.env['CI'] === undefined && why },
  async (t) => {
    const script = `"$0" "$1" "$2" 50; "$0" "$1" "$2" 1 0`;
    const { stdout, stderr } = onSmallDisk([
      'sh',
      '-c',
      script,
      process.execPath,
      join(import.meta.dirname, 'appender.ts'),
      mountPoint,
    ]);
    const acknowledged = [...stdout.matchAll(/^ack (\d+)$/gm)].map((match) => Number(match[1]));
    t.match(stdout, /^failed full /m, stderr);
    t.ok(acknowledged.length > 0);
    t.match(stdout, new RegExp(`^open ${acknowledged.at(-1)}\nclosed$`, 'm'), 'opened again, it holds exactly that');
  },
);

t.test('the main thread goes on while the disk does not', async (t) => {
  const dir = newFolder();
  const store = await open(dir);
  let state = 'waiting';
  using blocker = new DatabaseSync(join(dir, 'journal.db'));
  // The thread now waits inside SQLite, as it would inside a write that does not come back.
  blocker.exec('begin immediate');
  const appended = store.append(entries).then(() => {
    state = 'appended';
  });
  const startedMono = performance.now();
  let turns = 0;
  let longestMs = 0;
  let lastMono = startedMono;
  while (performance.now() - startedMono < 500) {
    await new Promise((resolve) => setImmediate(resolve));
    longestMs = Math.max(longestMs, performance.now() - lastMono);
    lastMono = performance.now();
    turns += 1;
  }
  t.equal(state, 'waiting');
  t.ok(turns > 100 && longestMs < 250, `${turns} turns, the longest took ${longestMs.toFixed(1)} ms`);
  blocker.exec('rollback');
  await appended;
  t.same(await store.load(), entries);
  await store.close();
});

t.test('when its thread dies, everything asked and everything to come fails as io', async (t) => {
  const dir = newFolder();
  const worker = startJournalWorker({ dir });
  const store = await storeOver(worker);
  await store.append(entries);
  using blocker = new DatabaseSync(join(dir, 'journal.db'));
  blocker.exec('begin immediate');
  const pending = [store.append(behind(entries, batchOf(1, 1))), store.load()].map(failureOf);
  blocker.exec('rollback');
  const dead = worker.terminate();
  const codes = (await Promise.all(pending.map((call) => call.catch(() => null)))).map(
    (error) => error?.code ?? 'answered',
  );
  await dead;
  t.ok(
    codes.every((code) => code === 'io' || code === 'answered'),
    codes.join(),
  );
  t.equal((await failureOf(store.append(behind(entries, batchOf(1, 1))))).code, 'io');
  t.equal((await failureOf(store.load())).code, 'io');
  await store.close();
  const again = await open(dir);
  t.same((await again.load()).slice(0, 3), entries, 'and the lock is free');
  await again.close();
});

t.test('a thread that fails while it answers is told as io with its reason', async (t) => {
  const { Worker } = await import('node:worker_threads');
  const worker = new Worker(
    `const { parentPort } = require('node:worker_threads');
     parentPort.postMessage({ id: 0, kind: 'done', entries: [] });
     parentPort.on('message', () => { throw new Error('out of luck'); });`,
    { eval: true },
  );
  const store = await storeOver(worker);
  const both = await Promise.all([store.load(), store.append(entries)].map(failureOf));
  t.same(
    both.map(({ code }) => code),
    ['io', 'io'],
  );
  t.match(both[0]?.message, 'out of luck');
  await store.close();
});

t.test('a process with an open journal ends when told to, and one that closed it ends by itself', async (t) => {
  const url = pathToFileURL(join(import.meta.dirname, '../../src/journal/sqlite.ts')).href;
  for (const end of ['process.exit(0)', 'await store.close()']) {
    const text = `import { openSqliteJournal } from '${url}';
      const store = await openSqliteJournal({ dir: ${JSON.stringify(newFolder())} }); ${end};`;
    const run = spawnSync(process.execPath, ['--input-type=module', '-e', text], {
      encoding: 'utf8',
      timeout: LIMIT_MS,
    });
    t.equal(run.status, 0, end);
    t.equal(run.stderr, '', 'and says nothing');
  }
});

t.test('a second process is kept out', async (t) => {
  const dir = newFolder();
  const store = await open(dir);
  const other = spawn(process.execPath, [join(import.meta.dirname, 'appender.ts'), dir, '1', '5'], {
    timeout: LIMIT_MS,
  });
  let output = '';
  for await (const chunk of other.stdout) output += chunk;
  t.match(output, /^failed locked /);
  await store.append(entries);
  await store.close();
});
