/** How far a rejoin has got, on disk: written before each step that changes the data directory, so that a crash is understood. */
import { readFile, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import Type, { type Static } from 'typebox';
import Value from 'typebox/value';
import { syncFolder, writeWhole } from './durable.ts';
import { systemCodeOf, textOf, WalError } from './errors.ts';

/**
 * - `archived`: the divergent log is in the archive; the data directory is as it was found.
 * - `rewinding`: `pg_rewind` may have begun. What a crash leaves then is of no use: it is cloned.
 * - `cloning`: a copy of the new primary is made beside it. `placing`: the copy takes its place.
 * - `placed`: the files are of the new primary's history, and the configuration is the other server's.
 * - `configured`: its own configuration is back, and it is a standby. It may be started.
 */
export const RejoinStep = Type.Enum(['archived', 'rewinding', 'cloning', 'placing', 'placed', 'configured']);
export type RejoinStep = 'archived' | 'rewinding' | 'cloning' | 'placing' | 'placed' | 'configured';

export const RejoinRecord = Type.Object(
  {
    version: Type.Literal(1),
    dataDir: Type.String(),
    step: RejoinStep,
    /** The whole copy that takes the place of the data directory. */
    copy: Type.Union([Type.String(), Type.Null()]),
    /** The archive without which nothing goes on. */
    archive: Type.String(),
    method: Type.Union([Type.Literal('rewind'), Type.Literal('clone'), Type.Null()]),
    /** The control file at the end of the step, as `pg_controldata` prints it: a server that was started since changed it. */
    control: Type.String(),
    /** The server's own configuration, by name, in base64. */
    files: Type.Record(Type.String(), Type.String()),
    newTimeline: Type.Integer({ minimum: 1 }),
  },
  { additionalProperties: false },
);
export type RejoinRecord = Static<typeof RejoinRecord>;

export async function writeRecord(path: string, record: RejoinRecord): Promise<void> {
  await writeWhole(path, async (handle) => await handle.writeFile(`${JSON.stringify(record)}\n`));
}

/** @throws WalError `not-archived` for one that can't be read: what was done before is not known then */
export async function readRecord(path: string): Promise<RejoinRecord | null> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return null;
    throw new WalError('not-archived', `${path} can't be read: ${textOf(error)}`);
  }
  if (Value.Check(RejoinRecord, value)) return value;
  throw new WalError(
    'not-archived',
    `${path} is no record of a rejoin`,
    'look at the archives, then remove it: the rejoin begins anew',
  );
}

export async function removeRecord(path: string): Promise<void> {
  await rm(path, { force: true });
  await syncFolder(dirname(path));
}
