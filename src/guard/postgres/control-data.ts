/** The control file of a stopped PostgreSQL, by its own `pg_controldata`. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { Lsn } from '../../model/primitives.ts';
import { type ProgramOptions, runProgram } from './program.ts';

export type ControlData = {
  readonly systemIdentifier: string | null;
  /** `shut down`, `shut down in recovery`, `in production`, `in archive recovery`, ... */
  readonly state: string | null;
  readonly timeline: number | null;
  /** Of a clean shutdown: where its last record begins. Nothing that anybody was told of comes after. */
  readonly checkpointLsn: Lsn | null;
  /** A standby is consistent from here on; null = it was none. */
  readonly minRecoveryLsn: Lsn | null;
};

export type ReadControlData = (options: ProgramOptions) => Promise<ControlData | null>;

/** Asks again only where the file is another one: a stopped PostgreSQL doesn't change it. */
export function createControlData(binDir: string, dataDir: string): ReadControlData {
  let last: { readonly of: string; readonly data: ControlData } | null = null;
  return async (options) => {
    const of = versionOf(dataDir);
    if (of !== null && last?.of === of) return last.data;
    const end = await runProgram([join(binDir, 'pg_controldata'), '-D', dataDir], options);
    if (end.exit !== 0) return null;
    const data = parseControlData(end.stdout);
    if (of !== null && of === versionOf(dataDir)) last = { of, data };
    return data;
  };
}

function versionOf(dataDir: string): string | null {
  try {
    const { ino, size, mtimeNs } = statSync(join(dataDir, 'global/pg_control'), { bigint: true });
    return `${ino} ${size} ${mtimeNs}`;
  } catch {
    // Not there, or not to be looked at: pg_controldata says which.
    return null;
  }
}

export function parseControlData(text: string): ControlData {
  const lines = new Map<string, string>();
  for (const line of text.split('\n')) {
    const at = line.indexOf(':');
    if (at > 0) lines.set(line.slice(0, at).trim(), line.slice(at + 1).trim());
  }
  const lsn = (name: string): Lsn | null => {
    const value = lines.get(name) ?? '';
    return /^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/i.test(value) && value !== '0/0' ? value : null;
  };
  const timeline = Number(lines.get("Latest checkpoint's TimeLineID") ?? Number.NaN);
  return {
    systemIdentifier: lines.get('Database system identifier') ?? null,
    state: lines.get('Database cluster state') ?? null,
    timeline: Number.isSafeInteger(timeline) ? timeline : null,
    checkpointLsn: lsn('Latest checkpoint location'),
    minRecoveryLsn: lsn('Minimum recovery ending location'),
  };
}
