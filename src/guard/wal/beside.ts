/** What a clone needs beside the data directory: a folder for the copy, and one for the old files until that has proven itself. */
import { readdir, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { systemCodeOf, WalError } from './errors.ts';

/** Copies of the new primary, and the old files that one took the place of; all beside the data directory. */
const COPY = '.rejoin-';
export const oldFilesOf = (dataDir: string): string => `${dataDir}.before-rejoin`;

export const isThere = async (path: string): Promise<boolean> =>
  await stat(path).then(
    () => true,
    (error: unknown) => {
      if (systemCodeOf(error) === 'ENOENT') return false;
      throw error;
    },
  );

const copiesOf = async (dataDir: string): Promise<readonly string[]> =>
  (await readdir(dirname(dataDir)))
    .filter((name) => name.startsWith(`${basename(dataDir)}${COPY}`))
    .map((name) => join(dirname(dataDir), name));

/**
 * A name that no copy has had yet: a program that outlived its caller may still write into the one before, which is removed as
 * far as that lets it be.
 */
export async function newCopy(dataDir: string): Promise<string> {
  const earlier = await copiesOf(dataDir);
  const highest = Math.max(0, ...earlier.map((path) => Number(path.slice(path.lastIndexOf('-') + 1)) || 0));
  const failed = await Promise.allSettled(
    earlier.map(async (path) => await rm(path, { recursive: true, force: true })),
  );
  for (const end of failed) {
    if (end.status === 'rejected' && systemCodeOf(end.reason) !== 'ENOTEMPTY') throw end.reason;
  }
  return `${dataDir}${COPY}${highest + 1}`;
}

/** What a clone leaves beside the data directory: the old files, and copies that were cut off. */
export async function removeLeftovers(dataDir: string): Promise<void> {
  for (const path of [oldFilesOf(dataDir), ...(await copiesOf(dataDir))])
    await rm(path, { recursive: true, force: true });
}

/** A copy would put them where those of the old files are. */
export async function insistNoTablespaces(dataDir: string): Promise<void> {
  const spaces = await readdir(join(dataDir, 'pg_tblspc'));
  if (spaces.length === 0) return;
  throw new WalError(
    'tool-failed',
    `${dataDir} has ${spaces.length} tablespaces: it can't be cloned beside itself`,
    'let it be rewound, or copy it by hand',
  );
}
