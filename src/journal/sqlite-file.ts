/**
 * The journal in one SQLite file. Synchronous: it runs in a worker thread (`sqlite-worker.ts`), where a stalled disk
 * stalls nobody else.
 *
 * - WAL and `synchronous=FULL`: a commit is on disk before it returns; a crash during it leaves all or none.
 * - `application_id` and `user_version` say that the file is a journal and of which version, before anything is written.
 */
import { chmodSync, closeSync, fsyncSync, mkdirSync, openSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { JournalEntry } from '../model/events.ts';
import { firstBreak } from './chain.ts';
import { takeInstanceLock } from './lock.ts';
import { BEGINNING, type Place, type Row, refusal, toEntry } from './row.ts';
import { storeError } from './sqlite-error.ts';
import { StoreError } from './store.ts';

/** "fovd" in ASCII; `file journal.db` shows it. */
const APPLICATION_ID = 0x666f7664;
const VERSION = 1;
/** A backup or a curious person may hold the file for a moment. */
const BUSY_TIMEOUT_MS = 5000;

const SCHEMA = `
  create table entries (
    seq integer primary key,
    previous text not null,
    hash text not null,
    body text not null
  ) strict`;

const KEEP_IT = 'keep the folder as it is for the audit, and put a backup in its place';

export type JournalFile = {
  /** The connection, for whoever inspects or limits it. */
  readonly database: DatabaseSync;
  /** Throws `corrupt` with the place where the chain breaks. */
  load(): readonly JournalEntry[];
  /** All or none. After `io` every later call throws `io` too: what is on disk is unknown until it is opened again. */
  append(rows: readonly Row[]): void;
  /** Gives the lock back. */
  close(): void;
};

/** Throws a {@link StoreError}: `locked`, `corrupt` (no journal of ours), `full` or `io`. */
export function openJournalFile(folder: string): JournalFile {
  const path = join(folder, 'journal.db');
  const doing = `the journal ${path} can't be opened`;
  try {
    prepareFolder(resolve(folder));
  } catch (error) {
    throw storeError(error, doing);
  }
  const lock = takeInstanceLock(folder);
  let database: DatabaseSync | null = null;
  try {
    database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
    chmodSync(path, 0o600);
    prepareDatabase(database, path);
    return journalFile(database, path, lock.release);
  } catch (error) {
    database?.close();
    lock.release();
    throw storeError(error, doing);
  }
}

/** Creates the folder for us alone. One that is there keeps its mode, unless anybody could swap the files in it. */
function prepareFolder(folder: string): void {
  const created = mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (created !== undefined) {
    // A new name is durable once its parent is: every folder that was made, and the one it was made in.
    for (let at = folder; at !== dirname(created); at = dirname(at)) syncFolder(at);
    syncFolder(dirname(created));
  }
  if ((statSync(folder).mode & 0o002) !== 0) {
    throw new StoreError('io', `everybody may write to ${folder}; remedy: chmod 700 ${folder}`);
  }
}

function syncFolder(folder: string): void {
  const fd = openSync(folder, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

const pragma = (database: DatabaseSync, name: string): unknown => database.prepare(`pragma ${name}`).get()?.[name];

function prepareDatabase(database: DatabaseSync, path: string): void {
  const [application, version] = [pragma(database, 'application_id'), pragma(database, 'user_version')];
  const isNew =
    application === 0 && version === 0 && database.prepare('select 1 from sqlite_schema').get() === undefined;
  if (!isNew && application !== APPLICATION_ID) {
    throw new StoreError('corrupt', `${path} is not a journal of failoverd; give failoverd a folder of its own`);
  }
  if (!isNew && version !== VERSION) {
    const remedy = 'start the version that wrote it';
    throw new StoreError('corrupt', `${path} has version ${version} and this failoverd reads ${VERSION}: ${remedy}`);
  }
  if (database.prepare('pragma journal_mode = wal').get()?.['journal_mode'] !== 'wal') {
    throw new StoreError('io', `${path} can't be put into WAL mode on this file system`);
  }
  database.exec('pragma synchronous = full');
  if (!isNew) return;
  database.exec(`begin immediate; ${SCHEMA};
    pragma application_id = ${APPLICATION_ID}; pragma user_version = ${VERSION}; commit`);
}

function journalFile(database: DatabaseSync, path: string, release: () => void): JournalFile {
  const all = database.prepare('select seq, previous, hash, body from entries order by seq');
  const last = database.prepare('select seq, hash from entries order by seq desc limit 1');
  const insert = database.prepare('insert into entries (seq, previous, hash, body) values (?, ?, ?, ?)');
  let broken: StoreError | null = null;
  let open = true;

  const lost = (error: unknown, doing: string): StoreError => {
    const failure = storeError(error, doing);
    // These leave the file as it was before; after anything else nobody can tell.
    if (failure.code !== 'full' && failure.code !== 'locked') broken = failure;
    return failure;
  };

  return {
    database,
    load() {
      if (broken !== null) throw broken;
      try {
        const entries = [...all.iterate()].map((row) => toEntry(row as Row));
        const found = firstBreak(entries);
        if (found === null) return entries;
        throw new StoreError('corrupt', found.why);
      } catch (error) {
        const { code, message } = storeError(error, 'the journal could not be read');
        throw new StoreError(code, code === 'corrupt' ? `${path}: ${message}; ${KEEP_IT}` : message, { cause: error });
      }
    },
    append(rows) {
      if (broken !== null) throw broken;
      if (rows.length === 0) return;
      try {
        database.exec('begin immediate');
        const refused = refusal(placeOf(last), rows);
        if (refused === null) {
          for (const { seq, previous, hash, body } of rows) insert.run(seq, previous, hash, body);
          database.exec('commit');
          return;
        }
        database.exec('rollback');
        throw refused;
      } catch (error) {
        if (error instanceof StoreError) throw error;
        const failure = lost(error, `the journal ${path} could not be written`);
        try {
          if (database.isTransaction) database.exec('rollback');
        } catch (second) {
          throw lost(second, `${failure.message}; nor could it be undone`);
        }
        throw failure;
      }
    },
    close() {
      if (!open) return;
      open = false;
      try {
        database.close();
      } finally {
        release();
      }
    },
  };
}

const placeOf = (last: StatementSync): Place => (last.get() as Place | undefined) ?? BEGINNING;
