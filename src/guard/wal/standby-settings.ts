/** What makes a stopped data directory a standby of another server, in the files that PostgreSQL reads last. */
import { type FileHandle, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { writeWhole } from './durable.ts';
import { systemCodeOf, WalError } from './errors.ts';

const AUTO_CONF = 'postgresql.auto.conf';

/** Where a standby streams from. */
export type Upstream = {
  /** As libpq reads it. A password does not belong here but in a password file that it names (invariant 24). */
  readonly conninfo: string;
  /** A physical slot on the upstream; null = none, and `wal_keep_size` has to bridge a cut. */
  readonly slot: string | null;
};

const quoted = (value: string): string => `'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
const nameOf = (line: string): string => /^\s*([A-Za-z_][\w.]*)/.exec(line)?.[1]?.toLowerCase() ?? '';

/** Writes a file for the server's user, whole. */
export async function writeOwned(
  dataDir: string,
  name: string,
  fill: (handle: FileHandle) => Promise<void>,
): Promise<void> {
  const { uid, gid } = await stat(dataDir);
  await writeWhole(join(dataDir, name), async (handle) => {
    await fill(handle);
    await handle.chown(uid, gid);
  });
}

/** First the signal: whoever starts it from then on gets a standby. */
export async function writeStandby(dataDir: string, { conninfo, slot }: Upstream): Promise<void> {
  await writeOwned(dataDir, 'standby.signal', async () => undefined);
  const ours = { primary_conninfo: conninfo, primary_slot_name: slot ?? '', recovery_target_timeline: 'latest' };
  const before = await readFile(join(dataDir, AUTO_CONF), 'utf8').catch((error: unknown) => {
    if (systemCodeOf(error) === 'ENOENT') return '';
    throw error;
  });
  const kept = before.split('\n').filter((line) => line.trim() !== '' && !Object.hasOwn(ours, nameOf(line)));
  const lines = [...kept, ...Object.entries(ours).map(([name, value]) => `${name} = ${quoted(value)}`)];
  await writeOwned(dataDir, AUTO_CONF, async (handle) => await handle.writeFile(`${lines.join('\n')}\n`));
}

/**
 * The server's own configuration, which a rewind or a copy replaces by the other server's: the `.conf` files at the top of the
 * data directory, and what else is named. Relative to it.
 * @throws WalError `not-this-cluster` for a name that leads out of it
 */
export async function ownFiles(dataDir: string, also: readonly string[]): Promise<ReadonlyMap<string, Buffer>> {
  const names = (await readdir(dataDir, { withFileTypes: true }))
    .filter((entry) => entry.isFile() && entry.name.endsWith('.conf'))
    .map((entry) => entry.name);
  const files = new Map<string, Buffer>();
  for (const name of [...names, ...also]) {
    if (name.includes('/') || name === '..')
      throw new WalError('not-this-cluster', `${name} is no file at the top of the data directory`);
    const bytes = await readFile(join(dataDir, name)).catch((error: unknown) => {
      if (systemCodeOf(error) === 'ENOENT' && also.includes(name)) return null;
      throw error;
    });
    if (bytes !== null) files.set(name, bytes);
  }
  return files;
}
