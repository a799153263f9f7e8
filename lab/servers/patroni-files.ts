import { rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { codeOf } from './errors.ts';

/** Patroni sets `postgresql.conf` aside and writes one of its own: a copy that runs without it gets the first one back. */
export async function forgetPatroni(dataDir: string): Promise<void> {
  const at = (name: string): string => path.join(dataDir, name);
  await rename(at('postgresql.base.conf'), at('postgresql.conf')).catch((error: unknown) => {
    if (codeOf(error) !== 'ENOENT') throw error;
  });
  await rm(at('patroni.dynamic.json'), { force: true });
}
