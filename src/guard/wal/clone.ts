/** Ways to bring the files of the new primary: rewound where that is possible, else copied whole. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { WalError } from './errors.ts';
import { type Programs, runTool } from './tool.ts';

/** Copies the new primary into a folder that is there, empty, and the server's user's. */
export type Clone = (into: string, signal: AbortSignal) => Promise<void>;

/** By `pg_basebackup`. `env` is for a password, such as PGPASSFILE: a command line is read by everybody. */
export function baseBackup(programs: Programs, conninfo: string, env: Readonly<Record<string, string>>): Clone {
  return async (into, signal) => {
    const args = ['-d', conninfo, '-D', into, '-X', 'stream', '-c', 'fast', '-w'];
    const { exit, complaint } = await runTool('pg_basebackup', args, programs, signal, { env, cwd: into });
    if (exit === 0) return;
    const full = /No space left on device/.test(complaint);
    throw new WalError(
      full ? 'disk-full' : 'tool-failed',
      `pg_basebackup ended with ${exit ?? 'a signal'}: ${complaint}`,
    );
  };
}

/** A role that may read the files of the new primary (`pg_rewind`'s manual names the functions). */
export type RewindFrom = {
  readonly conninfo: string;
  /** For a password, such as PGPASSFILE. */
  readonly env: Readonly<Record<string, string>>;
  /** Where `postgresql.conf` is, if not in the data directory; null = it is there. */
  readonly configFile: string | null;
};

/** Undoes, in place, what the old side has and the new one has not. Its archive must be there before. */
export async function rewind(
  dataDir: string,
  programs: Programs,
  { conninfo, env, configFile }: RewindFrom,
  signal: AbortSignal,
): Promise<{ readonly rewound: boolean; readonly why: string }> {
  const where = configFile === null ? [] : ['--config-file', configFile];
  const args = ['-D', dataDir, '--source-server', conninfo, ...where];
  const { exit, complaint } = await runTool('pg_rewind', args, programs, signal, { env, cwd: dataDir });
  return {
    rewound: exit === 0,
    why: exit === 0 ? 'rewound' : `pg_rewind ended with ${exit ?? 'a signal'}: ${complaint}`,
  };
}

export const hasTool = async (programs: Programs, tool: 'pg_rewind' | 'pg_basebackup'): Promise<boolean> =>
  await stat(join(programs.binDir, tool)).then(
    () => true,
    () => false,
  );
