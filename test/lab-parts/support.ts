import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describeMissing, isMissing } from '../../lab/binaries/missing.ts';
import { findPostgres, type PostgresInstall, type PostgresSource } from '../../lab/binaries/postgres.ts';
import { freePort } from '../../lab/servers/ports.ts';
import {
  createPrimary,
  generatePasswords,
  type LabPasswords,
  type PostgresInstance,
} from '../../lab/servers/postgres.ts';
import { scanProcesses } from '../../lab/servers/processes.ts';

/** What the tests of the lab's parts print goes to nobody, unless a person asks to see it. */
export const log = (line: string): void => {
  if (process.env['FAILOVERD_LAB_VERBOSE'] !== undefined) console.error(line);
};

export interface Scratch {
  readonly dir: string;
  /** Removes it, and says which processes were still at work in it. */
  readonly remove: () => Promise<readonly number[]>;
}

export async function scratch(): Promise<Scratch> {
  const dir = await mkdtemp(path.join(tmpdir(), 'fl-'));
  await chmod(dir, 0o711);
  const remove = async (): Promise<readonly number[]> => {
    const { pids } = await scanProcesses([dir]);
    await rm(dir, { recursive: true, force: true });
    return pids;
  };
  return { dir, remove };
}

/** Every PostgreSQL this machine has: the installed one and the one of the npm registry behave alike, or should. */
export async function everyPostgres(): Promise<PostgresInstall[]> {
  const sources: readonly PostgresSource[] = ['path', 'embedded'];
  const found = await Promise.all(sources.map(async (prefer) => await findPostgres({ prefer, log })));
  const installs = found.flatMap((each) => (isMissing(each) ? [] : [each]));
  if (installs.length === 0)
    throw new Error(found.flatMap((each) => (isMissing(each) ? [describeMissing(each)] : [])).join('\n'));
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
): Promise<{ primary: PostgresInstance; passwords: LabPasswords }> {
  const passwords = generatePasswords();
  const port = await freePort(host);
  const primary = await createPrimary({ install, dir: path.join(dir, 'a'), host, port, passwords, log });
  return { primary, passwords };
}
