/** The manifest of archived divergent log: what is there, and how to tell that it is whole. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import Type, { type Static } from 'typebox';
import Value from 'typebox/value';
import { Lsn } from '../../model/primitives.ts';
import { digestOf, writeWhole } from './durable.ts';
import { systemCodeOf, textOf, WalError } from './errors.ts';

export const MANIFEST = 'manifest.json';

export const ArchiveManifest = Type.Object(
  {
    version: Type.Literal(1),
    systemIdentifier: Type.String({ pattern: '^\\d{1,20}$' }),
    /** Where the two histories part: on this timeline, at this position. */
    forkTimeline: Type.Integer({ minimum: 1 }),
    forkLsn: Lsn,
    /** Where the valid log of the old side ends. */
    endTimeline: Type.Integer({ minimum: 1 }),
    endLsn: Lsn,
    segmentBytes: Type.Integer({ minimum: 1 }),
    /** Segments that the server had recycled before they could be archived: what they held is in its data files alone. */
    missing: Type.Array(Type.String()),
    files: Type.Array(
      Type.Object(
        {
          name: Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]*$' }),
          bytes: Type.Integer({ minimum: 0 }),
          sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
        },
        { additionalProperties: false },
      ),
    ),
  },
  { additionalProperties: false },
);
export type ArchiveManifest = Static<typeof ArchiveManifest>;

/** Written last: an archive without one is unfinished, whatever else is in it. */
export async function writeManifest(folder: string, manifest: ArchiveManifest): Promise<void> {
  await writeWhole(join(folder, MANIFEST), async (handle) => {
    await handle.writeFile(`${JSON.stringify(manifest, null, 2)}\n`);
  });
}

/**
 * The manifest of an archive; null while there is none.
 * @throws WalError `not-archived` for one that can't be read
 */
export async function readManifest(folder: string): Promise<ArchiveManifest | null> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(join(folder, MANIFEST), 'utf8'));
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return null;
    throw new WalError('not-archived', `${join(folder, MANIFEST)} can't be read: ${textOf(error)}`);
  }
  if (Value.Check(ArchiveManifest, value)) return value;
  const [first] = Value.Errors(ArchiveManifest, value);
  throw new WalError(
    'not-archived',
    `${join(folder, MANIFEST)} is no manifest: ${first?.instancePath ?? ''} ${first?.message ?? ''}`,
  );
}

/**
 * Reads every file of the archive again, and returns its manifest.
 * @throws WalError `not-archived` without a manifest or a file, `checksum` where one is not what was copied, `aborted`
 */
export async function verifyArchive(folder: string, signal: AbortSignal): Promise<ArchiveManifest> {
  const manifest = await readManifest(folder);
  if (manifest === null) throw new WalError('not-archived', `${folder} has no manifest: its archive is unfinished`);
  for (const { name, bytes, sha256 } of manifest.files) {
    const found = await digestOf(join(folder, name), signal).catch((error: unknown) => {
      if (error instanceof WalError) throw error;
      throw new WalError('not-archived', `${name} can't be read from ${folder}: ${textOf(error)}`);
    });
    if (found.bytes !== bytes || found.sha256 !== sha256)
      throw new WalError(
        'checksum',
        `${join(folder, name)} is not what was archived`,
        'keep it, and archive again into another folder',
      );
  }
  return manifest;
}
