/**
 * Reads what the journal of a running failoverd keeps of one group, on a connection and in a thread of its own: whoever
 * asks about the past must hold up neither what is appended nor what is answered meanwhile. It writes nothing, takes no
 * lock, and checks no chain (the daemon did when it started).
 */
import { extname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Worker } from 'node:worker_threads';
import type { KeptEvents } from '../model/explanation.ts';
import { storeError } from './sqlite-error.ts';
import { StoreError, type StoreErrorCode } from './store.ts';

/** What is asked for: events of one group, and every start of the daemon. */
export type ReadRequest = { readonly folder: string; readonly group: string; readonly until: number | null };
export type ReadAnswer =
  | { readonly kind: 'read'; readonly kept: KeptEvents }
  | { readonly kind: 'failed'; readonly code: StoreErrorCode; readonly message: string };

/** The thread's module; the compiled package has it beside this one under the same extension as this one. */
function workerUrl(): URL {
  const url = new URL('./reader-worker.ts', import.meta.url);
  url.pathname = url.pathname.replace(/\.ts$/, extname(new URL(import.meta.url).pathname));
  return url;
}

/** Rejects with a {@link StoreError} when the journal can't be read. `at` bounds `lastAt`; events after it are told too. */
export function readGroupEvents(folder: string, group: string, at: number | null): Promise<KeptEvents> {
  const request: ReadRequest = { folder, group, until: at };
  return new Promise((resolve, reject) => {
    const worker = new Worker(workerUrl(), {
      name: 'journal-reader',
      workerData: request,
      env: {},
      execArgv: ['--disable-warning=ExperimentalWarning'],
    });
    worker.once('message', (answer: ReadAnswer) => {
      if (answer.kind === 'read') resolve(answer.kept);
      else reject(new StoreError(answer.code, answer.message));
    });
    worker.once('error', (error) =>
      reject(new StoreError('io', `the journal’s reader failed: ${String(error)}`, { cause: error })),
    );
    worker.once('exit', (code) =>
      reject(new StoreError('io', `the journal’s reader ended without an answer (code ${code})`)),
    );
  });
}

/** Groups that the journal in this folder speaks of. For a command, which may wait. Throws a {@link StoreError}. */
export function groupsInJournal(folder: string): readonly string[] {
  const path = join(folder, 'journal.db');
  try {
    const database = new DatabaseSync(path, { readOnly: true, timeout: 5_000 });
    try {
      const named = `select distinct json_extract(body, '$.group') as name from entries order by name`;
      return database
        .prepare(named)
        .all()
        .flatMap(({ name }) => (typeof name === 'string' ? [name] : []));
    } finally {
      database.close();
    }
  } catch (error) {
    throw storeError(error, `the journal ${path} can't be read`);
  }
}
