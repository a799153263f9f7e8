// What the tests that start real servers share: a place to run in, and the servers this machine has.
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Test } from 'tap';
import { describeMissing, isMissing, type Missing } from '../../lab/binaries/missing.ts';
import { findPostgres, type PostgresInstall, type PostgresSource } from '../../lab/binaries/postgres.ts';
import { freePort } from '../../lab/servers/ports.ts';
import {
  createPrimary,
  generatePasswords,
  type LabPasswords,
  type PostgresInstance,
} from '../../lab/servers/postgres.ts';

/** What the lab's parts print during a test goes to nobody, unless a person asks to see it. */
export const log = (line: string): void => {
  if (process.env['FAILOVERD_LAB_VERBOSE'] !== undefined) console.error(line);
};

/** A short-named folder (a socket's path has a limit) that the servers' user may pass, gone when the test is over. */
export async function scratch(t: Pick<Test, 'teardown'>): Promise<string> {
  const dir = await mkdtemp(path.join(tmpdir(), 'fl-'));
  t.teardown(async () => await rm(dir, { recursive: true, force: true }));
  await chmod(dir, 0o711);
  return dir;
}

/** Every PostgreSQL this machine has: the installed one and the one of the npm registry behave alike, or should. */
export async function everyPostgres(): Promise<PostgresInstall[]> {
  const sources: readonly PostgresSource[] = ['path', 'env', 'debian', 'embedded'];
  const found: (Missing | PostgresInstall)[] = [];
  for (const prefer of sources) {
    const has = (each: Missing | PostgresInstall): boolean =>
      !isMissing(each) && each.tools.pg_basebackup !== undefined;
    // Debian's is fetched only when no other brings the tools that the one of the npm registry lacks.
    if (prefer !== 'debian' || !found.some(has)) found.push(await findPostgres({ prefer, fetch: true, log }));
  }
  const installs = found.flatMap((each) => (isMissing(each) ? [] : [each]));
  if (installs.length === 0) {
    throw new Error(found.flatMap((each) => (isMissing(each) ? [describeMissing(each)] : [])).join('\n'));
  }
  return installs;
}

export async function onePostgres(): Promise<PostgresInstall> {
  const found = await findPostgres({ log });
  if (isMissing(found)) throw new Error(describeMissing(found));
  return found;
}

export async function primaryIn(
  dir: string,
  install: PostgresInstall,
  host: string,
): Promise<{ readonly primary: PostgresInstance; readonly passwords: LabPasswords }> {
  const passwords = generatePasswords();
  const port = await freePort(host);
  const primary = await createPrimary({ install, dir: path.join(dir, 'a'), host, port, passwords, log });
  return { primary, passwords };
}
