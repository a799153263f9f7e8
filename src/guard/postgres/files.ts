/**
 * The files by which PostgreSQL is told what it is, written so that a crash leaves the old one or the new one. What a stranger
 * starts reads these alone: read-only, and out of everybody's reach (safety.md, "The guard").
 */
import {
  chownSync,
  closeSync,
  constants,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { Lsn } from '../../model/primitives.ts';

const codeOf = (error: unknown): unknown => (error instanceof Error && 'code' in error ? error.code : undefined);

export function syncFolder(folder: string): void {
  const fd = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Written beside, synced, renamed, and the folder synced. It belongs to whom the folder belongs to, where we may say so. */
export function replaceFile(path: string, text: string, mode = 0o600): void {
  const folder = dirname(path);
  const beside = `${path}.new`;
  const fd = openSync(beside, constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC, mode);
  try {
    writeSync(fd, text);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  giveToOwnerOf(folder, beside);
  renameSync(beside, path);
  syncFolder(folder);
}

/** As root we write for the server's user. */
export function giveToOwnerOf(folder: string, path: string): void {
  if (process.geteuid?.() !== 0) return;
  const { uid, gid } = statSync(folder);
  chownSync(path, uid, gid);
}

export function isThere(path: string): boolean {
  try {
    statSync(path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
}

const standbySignal = (dataDir: string): string => join(dataDir, 'standby.signal');
export const hasStandbySignal = (dataDir: string): boolean => isThere(standbySignal(dataDir));

/** From now on whoever starts it gets a standby. Promotion takes the file away, so it is written again and again. */
export function writeStandbySignal(dataDir: string): void {
  if (!hasStandbySignal(dataDir)) replaceFile(standbySignal(dataDir), '');
}

/** For our own start as primary and nothing else. */
export const removeStandbySignal = (dataDir: string): void => remove(standbySignal(dataDir));

/**
 * Once the stop is proven: what a killed postmaster leaves names a process that is dead, and where nobody waits for dead
 * processes (a container without an init) it would keep every start away. Its socket is locked by a file of the same kind.
 */
export function removeLocks(dataDir: string, socketPath: string): void {
  remove(join(dataDir, 'postmaster.pid'));
  if (isThere(dirname(socketPath))) remove(`${socketPath}.lock`);
}

function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
  syncFolder(dirname(path));
}

/** With it a start ends in a promotion to a new timeline, standby.signal or none. */
export const hasRecoverySignal = (dataDir: string): boolean => isThere(join(dataDir, 'recovery.signal'));

/** Where the replay of a frozen standby ends. */
export type Stop = { readonly lsn: Lsn };

/**
 * What whoever starts it finds, in `postgresql.auto.conf`: PostgreSQL reads that one last, always, and whichever
 * `postgresql.conf` it was told to use, so that no line of another file undoes it. Our own command line is stronger still.
 */
const ALWAYS: Readonly<Record<string, string>> = { listen_addresses: '', restart_after_crash: 'off' };
const FREEZE_NAMES = [
  'recovery_target',
  'recovery_target_action',
  'recovery_target_inclusive',
  'recovery_target_lsn',
  'recovery_target_name',
  'recovery_target_time',
  'recovery_target_timeline',
  'recovery_target_xid',
];
/** The others stand in the way of a freeze; following the newest timeline is what every standby does. */
const OURS = new Set([...Object.keys(ALWAYS), ...FREEZE_NAMES.filter((name) => name !== 'recovery_target_timeline')]);

/** Exclusive: the record that begins there isn't replayed, so the standby stays where it was when it was frozen. */
const frozenAt = ({ lsn }: Stop): Readonly<Record<string, string>> => ({
  recovery_target_lsn: lsn,
  recovery_target_inclusive: 'off',
  recovery_target_action: 'pause',
});

const autoConf = (dataDir: string): string => join(dataDir, 'postgresql.auto.conf');
const quoted = (value: string): string => `'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
const nameOf = (line: string): string => /^\s*([A-Za-z_][\w.]*)/.exec(line)?.[1]?.toLowerCase() ?? '';

/** Only while PostgreSQL is stopped: a running one writes the same file at ALTER SYSTEM. */
export function writeBootSettings(dataDir: string, freeze: Stop | null): void {
  const path = autoConf(dataDir);
  const before = isThere(path)
    ? readFileSync(path, 'utf8')
    : '# Read last by PostgreSQL; ALTER SYSTEM writes it too.\n';
  const kept = before.split('\n').filter((line) => !OURS.has(nameOf(line)) && line.trim() !== '');
  const ours = Object.entries({ ...ALWAYS, ...(freeze === null ? {} : frozenAt(freeze)) });
  const after = `${[...kept, ...ours.map(([name, value]) => `${name} = ${quoted(value)}`)].join('\n')}\n`;
  if (after !== before) replaceFile(path, after);
}

/** Where the replay is to end, as the file says; null = nowhere. */
export function freezeOnDisk(dataDir: string): Stop | null {
  const path = autoConf(dataDir);
  if (!isThere(path)) return null;
  const lines = readFileSync(path, 'utf8').split('\n');
  const line = lines.findLast((one) => nameOf(one) === 'recovery_target_lsn');
  const lsn = /=\s*'?([0-9A-Fa-f]{1,8}\/[0-9A-Fa-f]{1,8})'?/.exec(line ?? '')?.[1];
  return lsn === undefined ? null : { lsn };
}
