/**
 * Small files, read whole. What is no regular file is not waited for, and what is too large is not read.
 */
import { Buffer } from 'node:buffer';
import { constants, type FileHandle, open } from 'node:fs/promises';

export type FileError = 'missing' | 'denied' | 'folder' | 'not-a-file' | 'too-large' | 'failed';
export type FileRead =
  | { readonly kind: 'read'; readonly bytes: Buffer }
  | { readonly kind: 'failed'; readonly code: FileError };

const CODES: Readonly<Record<string, FileError>> = {
  ENOENT: 'missing',
  ENOTDIR: 'missing',
  EACCES: 'denied',
  EPERM: 'denied',
  EISDIR: 'folder',
};

/** Never rejects: why a file could not be read is in the result. */
export async function readBounded(path: string, mostBytes: number): Promise<FileRead> {
  let handle: FileHandle | undefined;
  try {
    // Without O_NONBLOCK, opening a pipe waits until somebody writes to it.
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stat = await handle.stat();
    if (stat.isDirectory()) return { kind: 'failed', code: 'folder' };
    if (!stat.isFile()) return { kind: 'failed', code: 'not-a-file' };
    if (stat.size > mostBytes) return { kind: 'failed', code: 'too-large' };
    return await readAll(handle, mostBytes);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? CODES[String(error.code)] : undefined;
    return { kind: 'failed', code: code ?? 'failed' };
  } finally {
    await handle?.close();
  }
}

/** The file may have grown since its size was asked. */
async function readAll(handle: FileHandle, mostBytes: number): Promise<FileRead> {
  const buffer = Buffer.alloc(mostBytes + 1);
  let length = 0;
  while (length <= mostBytes) {
    const { bytesRead } = await handle.read(buffer, length, buffer.length - length, length);
    if (bytesRead === 0) return { kind: 'read', bytes: buffer.subarray(0, length) };
    length += bytesRead;
  }
  return { kind: 'failed', code: 'too-large' };
}
