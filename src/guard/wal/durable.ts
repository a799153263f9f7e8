/** Files that are there whole or not at all, also after a power cut: written aside, fsynced, renamed, folder fsynced. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { goOn, orDiskFull } from './errors.ts';

/** The end of the name of a file that is not finished. Such a file counts for nothing. */
export const UNFINISHED = '.unfinished';
const CHUNK_BYTES = 1_048_576;

export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes the folder, and makes it last: each new one is fsynced into the one that holds it. */
export async function makeFolder(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  for (let made = folder; made.length >= first.length; made = dirname(made)) await syncFolder(dirname(made));
}

/**
 * Writes a file as a whole: what `fill` writes is under the name `path` only once it is on the disk.
 * @throws WalError `disk-full`; nothing of the file is left then
 */
export async function writeWhole(
  path: string,
  fill: (handle: FileHandle) => Promise<void>,
  mode = 0o600,
): Promise<void> {
  const aside = `${path}${UNFINISHED}`;
  try {
    const handle = await open(aside, 'w', mode);
    try {
      await fill(handle);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(aside, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await rm(aside, { force: true });
    throw orDiskFull(error, `writing ${path}`);
  }
}

export type Digest = { readonly bytes: number; readonly sha256: string };

/** Copies a file as a whole, and says what was read. @throws WalError `disk-full`, `aborted` */
export async function copyWhole(from: string, to: string, signal: AbortSignal): Promise<Digest> {
  const hash = createHash('sha256');
  let bytes = 0;
  await writeWhole(to, async (handle) => {
    for await (const chunk of createReadStream(from, { highWaterMark: CHUNK_BYTES })) {
      goOn(signal, `copying ${from}`);
      hash.update(chunk);
      bytes += chunk.length;
      await handle.writeFile(chunk);
    }
  });
  return { bytes, sha256: hash.digest('hex') };
}

/** Reads a file through. @throws WalError `aborted` */
export async function digestOf(path: string, signal: AbortSignal): Promise<Digest> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES })) {
    goOn(signal, `reading ${path}`);
    hash.update(chunk);
    bytes += chunk.length;
  }
  return { bytes, sha256: hash.digest('hex') };
}
