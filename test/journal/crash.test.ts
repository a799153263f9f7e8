// A daemon that dies at any instant: what was acknowledged is there, what wasn't is there whole or not at all, the chain
// holds, and the lock is free. Real processes, killed with SIGKILL; for the loss of power, a WAL that ends anywhere.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, statSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { openSqliteJournal } from '../../src/journal/sqlite.ts';
import type { JournalEntry } from '../../src/model/events.ts';
import { batchOf, behind, endsWhole } from './entries.ts';

const ROUNDS = 15;
const LIMIT_MS = 30_000;
const APPENDER = join(import.meta.dirname, 'appender.ts');

const folder = mkdtempSync(join(tmpdir(), 'failoverd-crash-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));

async function load(dir: string): Promise<readonly JournalEntry[]> {
  const store = await openSqliteJournal({ dir });
  try {
    return await store.load();
  } finally {
    await store.close();
  }
}

function start(dir: string): { child: ChildProcess; output: () => string; says: (text: string) => Promise<void> } {
  const child = spawn(process.execPath, [APPENDER, dir], { stdio: ['ignore', 'pipe', 'inherit'], timeout: LIMIT_MS });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    output += chunk;
  });
  const says = async (text: string): Promise<void> => {
    while (!output.includes(text)) await once(child.stdout, 'data', { signal: AbortSignal.timeout(LIMIT_MS) });
  };
  return { child, output: () => output, says };
}

async function kill(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  await once(child, 'close', { signal: AbortSignal.timeout(LIMIT_MS) });
}

const acknowledged = (output: string): number =>
  Math.max(0, ...[...output.matchAll(/^ack (\d+)$/gm)].map((match) => Number(match[1])));

t.test(`a process killed ${ROUNDS} times at any instant loses nothing it acknowledged`, async (t) => {
  const dir = join(folder, 'killed');
  let before = 0;
  let appended = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const { child, output, says } = start(dir);
    // Every third one is killed while it starts and opens; the others at work, after a wait of any length.
    if (round % 3 !== 0) await says('ack');
    await new Promise((resolve) => setTimeout(resolve, Math.random() * (round % 3 === 0 ? 400 : 60)));
    await kill(child);
    const entries = await load(dir);
    const acked = acknowledged(output());
    t.notMatch(output(), /failed/, `round ${round}`);
    t.ok(entries.length >= Math.max(acked, before), `round ${round}: ${acked} acknowledged, ${entries.length} there`);
    t.ok(endsWhole(entries), `round ${round}: no batch is torn`);
    before = entries.length;
    if (acked > 0) appended += 1;
  }
  t.ok(appended >= 5, `${appended} of ${ROUNDS} rounds appended`);
});

t.test('a process that is stopped keeps its lock, and one that is killed loses it', async (t) => {
  const dir = join(folder, 'stopped');
  const { child, says } = start(dir);
  await says('ack');
  child.kill('SIGSTOP');
  await t.rejects(load(dir), { code: 'locked', message: dir });
  await kill(child);
  t.ok((await load(dir)).length > 0);
});

t.test('a WAL that ends anywhere gives a journal that ended earlier, whole', async (t) => {
  const dir = join(folder, 'source');
  const store = await openSqliteJournal({ dir });
  t.teardown(() => store.close());
  let entries: JournalEntry[] = [];
  for (let batch = 0; batch < 40; batch++) {
    const next = behind(entries, batchOf(batch, 1 + (batch % 5)));
    await store.append(next);
    entries = [...entries, ...next];
  }
  const walBytes = statSync(join(dir, 'journal.db-wal')).size;
  const lengths = new Set<number>();
  for (let cut = 0; cut <= 20; cut++) {
    const copy = join(folder, `cut-${cut}`);
    mkdirSync(copy);
    for (const name of ['journal.db', 'journal.db-wal']) copyFileSync(join(dir, name), join(copy, name));
    truncateSync(join(copy, 'journal.db-wal'), cut === 20 ? walBytes : Math.floor(Math.random() * walBytes));
    const found = await load(copy).catch((error: unknown) => error);
    if (!Array.isArray(found)) throw new Error(`cut ${cut} does not load`, { cause: found });
    t.same(found, entries.slice(0, found.length), `cut ${cut}: a beginning of the history`);
    t.ok(endsWhole(found), `cut ${cut}: no batch is torn`);
    lengths.add(found.length);
    if (cut === 20) t.equal(found.length, entries.length, 'nothing cut, nothing missing');
  }
  t.ok(lengths.size > 3, 'the cuts fell in different places');
});
