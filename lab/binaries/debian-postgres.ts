import path from 'node:path';
import { LabError, textOf } from '../servers/errors.ts';
import type { ServerUser } from '../servers/user.ts';
import { exists, installOnce, passableCacheDir } from './cache.ts';
import { unpackDebian } from './debian.ts';
import type { Log, Missing } from './missing.ts';

const MAJOR = '15';

/** The server with its tools, and the libraries that a Debian with apt but little else doesn't have. */
const PACKAGES: readonly string[] = [
  `postgresql-${MAJOR}`,
  `postgresql-client-${MAJOR}`,
  'libcom-err2',
  'libgssapi-krb5-2',
  'libicu72',
  'libk5crypto3',
  'libkeyutils1',
  'libkrb5-3',
  'libkrb5support0',
  'libldap-2.5-0',
  'libpq5',
  'libsasl2-2',
  'libssl3',
  'libxml2',
];

/** Debian's names for the folders of libraries. */
const MULTIARCH: Readonly<Record<string, string>> = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' };

export interface DebianPostgresFolder {
  readonly kind: 'folder';
  readonly binDir: string;
  /** For LD_LIBRARY_PATH. */
  readonly libDir: string;
}

/**
 * Debian's PostgreSQL 15, unpacked in the cache: the one with every tool (`pg_basebackup`, `pg_rewind`, `pg_waldump`),
 * where the machine has none installed. Without `fetch` only what an earlier run left there.
 */
export async function debianPostgres(options: {
  readonly user: ServerUser | undefined;
  readonly env: NodeJS.ProcessEnv;
  readonly fetch: boolean;
  readonly log: Log;
}): Promise<DebianPostgresFolder | Missing | undefined> {
  const { user, env, log } = options;
  const folder = path.join(await passableCacheDir(user, env), `debian-bookworm-${process.arch}`, `postgresql-${MAJOR}`);
  if (options.fetch) {
    const missing = await fetchInto(folder, log);
    if (missing !== undefined) return missing;
  }
  if (!(await exists(folder))) return undefined;
  const libraries = MULTIARCH[process.arch] ?? process.arch;
  return {
    kind: 'folder',
    binDir: path.join(folder, 'usr', 'lib', 'postgresql', MAJOR, 'bin'),
    libDir: [path.join(folder, 'usr', 'lib', libraries), path.join(folder, 'lib', libraries)].join(':'),
  };
}

async function fetchInto(folder: string, log: Log): Promise<Missing | undefined> {
  const name = `PostgreSQL ${MAJOR}`;
  let missing: Missing | undefined;
  try {
    await installOnce(folder, async (scratch) => {
      missing = await unpackDebian({ name, packages: PACKAGES, into: scratch, log });
      if (missing !== undefined) throw new LabError('command-failed', missing.why);
    });
    return undefined;
  } catch (error) {
    const remedy = `Install Debian's postgresql-${MAJOR}, or let this machine reach a Debian mirror.`;
    return missing ?? { kind: 'missing', missing: name, why: textOf(error), remedy };
  }
}
