/**
 * The embedded journal: SQLite in a thread of its own. SQLite's calls block their thread; on a disk that stalls, the
 * main thread goes on answering `/status` and the guard, and only those wait who asked for durability.
 */
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { JournalEntry } from '../model/events.ts';
import { toRow } from './row.ts';
import { type Answer, OPENED, type Request, type Start } from './sqlite-protocol.ts';
import { type JournalStore, StoreError } from './store.ts';

export type SqliteJournalOptions = {
  /** Folder of the journal; created for us alone when missing. Nothing else belongs there. */
  readonly dir: string;
};

/** The thread's module. The compiled package has it beside this one under the same extension as this one. */
function workerUrl(): URL {
  const url = new URL('./sqlite-worker.ts', import.meta.url);
  url.pathname = url.pathname.replace(/\.ts$/, extname(new URL(import.meta.url).pathname));
  return url;
}

/** The thread, before anybody talks to it. It needs nothing of this process's environment or flags. */
export function startJournalWorker({ dir }: SqliteJournalOptions): Worker {
  const start: Start = { folder: dir };
  return new Worker(workerUrl(), {
    name: 'journal',
    workerData: start,
    env: {},
    // node:sqlite announces itself as new on some versions of Node; people can do nothing about it.
    execArgv: ['--disable-warning=ExperimentalWarning'],
  });
}

/** Rejects with `locked` (another failoverd runs on this folder), `corrupt` (no journal of ours), `full` or `io`. */
export async function openSqliteJournal(options: SqliteJournalOptions): Promise<JournalStore> {
  return storeOver(startJournalWorker(options));
}

type Waiting = {
  readonly resolve: (entries: readonly JournalEntry[]) => void;
  readonly reject: (error: StoreError) => void;
};

/**
 * The store on the other side of a thread. When the thread dies, whatever was asked and not answered is `io`: it may or
 * may not be on disk.
 */
export async function storeOver(worker: Worker): Promise<JournalStore> {
  const waiting = new Map<number, Waiting>();
  const exited = Promise.withResolvers<void>();
  let lastId = OPENED;
  let dead: StoreError | null = null;
  let closed: Promise<void> | null = null;

  const die = (message: string, cause?: unknown): void => {
    dead ??= new StoreError('io', message, { cause });
    for (const { reject } of waiting.values()) reject(dead);
    waiting.clear();
  };
  worker.on('message', (answer: Answer) => {
    const asked = waiting.get(answer.id);
    waiting.delete(answer.id);
    if (answer.kind === 'done') asked?.resolve(answer.entries);
    else asked?.reject(new StoreError(answer.code, answer.message));
  });
  worker.on('messageerror', (error) => die('the journal’s thread was not understood', error));
  worker.on('error', (error) => die(`the journal’s thread failed: ${String(error)}`, error));
  worker.on('exit', (code) => {
    die(`the journal’s thread ended (code ${code})`);
    exited.resolve();
  });

  const answerTo = (id: number): Promise<readonly JournalEntry[]> =>
    new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
  const ask = (request: (id: number) => Request): Promise<readonly JournalEntry[]> => {
    if (closed !== null) return Promise.reject(new StoreError('closed', 'the journal is closed'));
    if (dead !== null) return Promise.reject(dead);
    lastId += 1;
    const answer = answerTo(lastId);
    worker.postMessage(request(lastId));
    return answer;
  };

  await answerTo(OPENED);

  return {
    load: () => ask((id) => ({ kind: 'load', id })),
    append: async (entries) => {
      const rows = entries.map(toRow);
      await ask((id) => ({ kind: 'append', id, rows }));
    },
    close() {
      closed ??= (async () => {
        const asked = dead === null ? ask((id) => ({ kind: 'close', id })) : Promise.resolve([]);
        // A close that fails still ends the thread, and with it the lock; what was acknowledged is in the WAL.
        await asked.catch(() => undefined);
        await exited.promise;
      })();
      return closed;
    },
  };
}
