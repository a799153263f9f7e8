/**
 * One daemon per folder: a lock that is held for life and that the operating system takes back from a process that
 * died, however it died.
 */
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { storeError } from './sqlite-error.ts';
import { StoreError } from './store.ts';

export type InstanceLock = {
  release(): void;
};

/**
 * Throws `locked` when another process holds it; never waits. The lock is SQLite's exclusive one on a database of its
 * own: the journal's would be given back between two transactions. It survives SIGSTOP and ends with SIGKILL. Locks of
 * this kind belong to the process, and closing *any* descriptor of the file drops them: nothing else in this process may
 * open it, not even to copy it.
 */
export function takeInstanceLock(folder: string): InstanceLock {
  const path = join(folder, 'instance.lock');
  let database: DatabaseSync | null = null;
  try {
    database = new DatabaseSync(path, { timeout: 0 });
    // Nothing is ever written, so nothing has to be undone after a crash: no second file.
    database.exec('pragma journal_mode = memory; begin exclusive');
    chmodSync(path, 0o600);
  } catch (error) {
    database?.close();
    const failure = storeError(error, `the lock ${path} can't be taken`);
    if (failure.code !== 'locked') throw failure;
    const remedy = `stop the other one (fuser ${path} names it), or give this one a folder of its own`;
    throw new StoreError('locked', `${folder} belongs to another failoverd that is running: ${remedy}`, {
      cause: error,
    });
  }
  const held = database;
  return { release: () => held.close() };
}
