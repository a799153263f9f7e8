import { chmod, lstat, mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { codeOf, LabError } from '../servers/errors.ts';
import { blockedAt, type ServerUser } from '../servers/user.ts';

/** An unfinished installation older than this belongs to a process that was killed. */
const STALE_AFTER_MS = 3_600_000;

/** Where the lab keeps what it fetched or prepared: FAILOVERD_LAB_CACHE, else `failoverd-lab` in the user's cache. */
export function cacheDir(env: NodeJS.ProcessEnv = process.env): string {
  const own = env['FAILOVERD_LAB_CACHE'];
  if (own !== undefined && own !== '') return path.resolve(own);
  const xdg = env['XDG_CACHE_HOME'];
  return path.join(xdg !== undefined && path.isAbsolute(xdg) ? xdg : path.join(homedir(), '.cache'), 'failoverd-lab');
}

/**
 * A cache the server user can read from. Root's home is closed to others on most machines; what `nobody` must execute
 * then goes to /var/tmp, in a folder that only we can write to (a folder of that name made by another is refused).
 */
export async function passableCacheDir(
  user: ServerUser | undefined,
  env: NodeJS.ProcessEnv = process.env,
): Promise<string> {
  const usual = cacheDir(env);
  await mkdir(usual, { recursive: true, mode: 0o711 });
  if ((await blockedAt(usual, user)) === undefined) return usual;
  const ownUid = process.getuid?.() ?? 0;
  const shared = path.join('/var/tmp', `failoverd-lab-${ownUid}`);
  await mkdir(shared, { mode: 0o711 }).catch((error: unknown) => {
    if (codeOf(error) !== 'EEXIST') throw error;
  });
  const found = await lstat(shared);
  const ours = found.isDirectory() && found.uid === ownUid && (found.mode & 0o022) === 0;
  // A strict umask takes the passing bit away again.
  if (ours) await chmod(shared, 0o711);
  if (ours && (await blockedAt(shared, user)) === undefined) return shared;
  throw new LabError(
    'not-traversable',
    `${shared} is not a folder of our own`,
    'set FAILOVERD_LAB_CACHE to a folder others may pass',
  );
}

/**
 * Have `dir`, made by `make` if it isn't there. Safe with any number of processes at once and with a kill at any
 * moment: each makes its own copy beside it and renames it into place; who comes second throws its copy away.
 */
export async function installOnce(dir: string, make: (scratch: string) => Promise<void>): Promise<void> {
  if (await exists(dir)) return;
  const parent = path.dirname(dir);
  await mkdir(parent, { recursive: true, mode: 0o711 });
  await removeStale(parent);
  const scratch = await mkdtemp(path.join(parent, '.unfinished-'));
  try {
    const inner = path.join(scratch, 'content');
    await mkdir(inner, { mode: 0o711 });
    await make(inner);
    await rename(inner, dir).catch((error: unknown) => {
      const code = codeOf(error);
      if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

export async function exists(target: string): Promise<boolean> {
  return await stat(target).then(
    () => true,
    () => false,
  );
}

async function removeStale(parent: string): Promise<void> {
  const names = (await readdir(parent)).filter((name) => name.startsWith('.unfinished-'));
  for (const name of names) {
    const scratch = path.join(parent, name);
    const age = await stat(scratch).then(
      (found) => Date.now() - found.mtimeMs,
      () => 0,
    );
    if (age > STALE_AFTER_MS) await rm(scratch, { recursive: true, force: true });
  }
}
