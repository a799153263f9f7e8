/** Whether the state folder can hold a journal, without making anything in it. */
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type Asked, type Finding, finding } from './report.ts';

export async function examineStateDir(
  folder: string,
): Promise<{ readonly asked: Asked; readonly findings: readonly Finding[] }> {
  const what = `state folder ${folder}`;
  const bad = (says: string, remedy: string) => ({
    asked: { what, verdict: 'bad', says, tookMs: null } as const,
    findings: [finding('stop', what, says, remedy)],
  });
  const fine = (says: string) => ({ asked: { what, verdict: 'ok', says, tookMs: null } as const, findings: [] });
  const there = await stat(folder).catch(codeOf);
  if (typeof there === 'string' && there !== 'ENOENT')
    return bad(`it can't be looked at (${there})`, 'let the user who runs failoverd into it');
  if (typeof there === 'string') {
    const parent = await nearest(dirname(folder));
    const refused = await access(parent, constants.W_OK | constants.X_OK).then(() => null, codeOf);
    return refused === null
      ? fine(`it is not there yet; ${parent} lets it be made`)
      : bad(
          `it is not there, and ${parent} does not let it be made (${refused})`,
          'make it, and give it to the user who runs failoverd',
        );
  }
  if (!there.isDirectory()) return bad('it is no folder', 'name a folder of its own in daemon.stateDir');
  if ((there.mode & 0o002) !== 0) return bad('everybody may write to it', `chmod 700 ${folder}`);
  const refused = await access(folder, constants.W_OK | constants.X_OK).then(() => null, codeOf);
  if (refused !== null) return bad(`it can't be written to (${refused})`, 'give it to the user who runs failoverd');
  return fine(
    (await isLocked(join(folder, 'instance.lock')))
      ? 'it is in use: a failoverd runs on it'
      : 'it can be written to, and no failoverd runs on it',
  );
}

/**
 * A failoverd holds SQLite's exclusive lock on this file: a read is refused then. Only for another process: in that of
 * the daemon itself, closing the file would drop its lock.
 */
async function isLocked(path: string): Promise<boolean> {
  if ((await stat(path).catch(codeOf)) === 'ENOENT') return false;
  const database = new DatabaseSync(path, { readOnly: true, timeout: 0 });
  try {
    database.prepare('select 1 from sqlite_schema').get();
    return false;
  } catch (error) {
    // SQLITE_BUSY and SQLITE_LOCKED; anything else is no lock of ours, and not swallowed.
    const code = (error as { errcode?: number }).errcode ?? 0;
    if ((code & 0xff) === 5 || (code & 0xff) === 6) return true;
    throw error;
  } finally {
    database.close();
  }
}

async function nearest(folder: string): Promise<string> {
  for (let at = folder; at !== dirname(at); at = dirname(at)) {
    const found = await stat(at).catch(codeOf);
    if (typeof found !== 'string') return at;
  }
  return '/';
}

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? String(error);
