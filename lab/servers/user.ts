import { chmod, stat } from 'node:fs/promises';
import path from 'node:path';
import { LabError } from './errors.ts';

/** The numeric user a server runs as. */
export interface ServerUser {
  readonly uid: number;
  readonly gid: number;
}

/** `nobody` on every Linux: has no files of its own, so nothing of the machine is within a lab server's reach. */
const NOBODY: ServerUser = { uid: 65_534, gid: 65_534 };

/** PostgreSQL refuses to run as root; everyone else runs it as themselves (undefined). */
export function serverUser(): ServerUser | undefined {
  return process.getuid?.() === 0 ? NOBODY : undefined;
}

/** The first folder on the way to `target` that the server user may not pass through; undefined when the way is free. */
export async function blockedAt(target: string, user: ServerUser | undefined): Promise<string | undefined> {
  if (user === undefined) return undefined;
  const parts = path.resolve(target).split(path.sep);
  for (let length = 1; length <= parts.length; length += 1) {
    const folder = parts.slice(0, length).join(path.sep) || path.sep;
    const { mode, uid } = await stat(folder);
    const passable = uid === user.uid ? (mode & 0o100) !== 0 : (mode & 0o001) !== 0;
    if (!passable) return folder;
  }
  return undefined;
}

/**
 * Make a folder of the lab passable for the server user. Only that folder is changed (0711: pass, don't list); a parent
 * that blocks the way belongs to somebody else, and is named instead.
 */
export async function makePassable(folder: string, user: ServerUser | undefined): Promise<void> {
  if (user === undefined) return;
  await chmod(folder, 0o711);
  const blocked = await blockedAt(folder, user);
  if (blocked === undefined) return;
  throw new LabError(
    'not-traversable',
    `as root, PostgreSQL runs as uid ${user.uid}, which may not pass ${blocked}`,
    `put the lab under a folder others may pass, such as ${path.join('/tmp', 'failoverd-lab')}`,
  );
}
