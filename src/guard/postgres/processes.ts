/**
 * Which processes of a PostgreSQL are there, from the kernel alone (safety.md, "Proof of stop").
 *
 * A PostgreSQL process stands in its data directory for life, and every backend is a session of its own: neither the
 * process group, nor the postmaster's file, nor its port tells whether one is left. Directories are compared by device and
 * inode, so that a bind mount, a renamed folder or another mount namespace is seen through. All of it is synchronous: between
 * the look at a process and the signal to it nothing else of ours runs.
 */
import { readdirSync, readFileSync, readlinkSync, type Stats, statSync } from 'node:fs';
import { join } from 'node:path';

export type Kill = (pid: number, signal: NodeJS.Signals | 0) => void;

/** What a scan needs of the system; the defaults are the system's own. */
export type Machine = { readonly proc: string; readonly kill: Kill };
export const THIS_MACHINE: Machine = { proc: '/proc', kill: (pid, signal) => void process.kill(pid, signal) };

/** Names a directory whatever path leads to it. */
export type Place = { readonly dev: number; readonly ino: number; readonly uid: number; readonly gid: number };

export type Scan = {
  /** At work in the directory, and not dead. */
  readonly pids: readonly number[];
  /** Could be at work there: the kernel does not let us look. With one of these nobody can claim that nothing runs. */
  readonly unreadable: readonly number[];
};

/** Throws what `stat` throws. */
export function placeOf(directory: string): Place {
  const { dev, ino, uid, gid } = statSync(directory);
  return { dev, ino, uid, gid };
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';

/** Every living process that has the directory as its working directory. Throws where `/proc` itself can't be read. */
export function scan(place: Place, { proc }: Machine = THIS_MACHINE): Scan {
  const pids: number[] = [];
  const unreadable: number[] = [];
  for (const name of readdirSync(proc)) {
    if (!/^\d+$/.test(name)) continue;
    const pid = Number(name);
    const found = look(pid, place, proc);
    if (found === 'ours') pids.push(pid);
    else if (found === 'unreadable') unreadable.push(pid);
  }
  return { pids, unreadable };
}

function look(pid: number, place: Place, proc: string): 'ours' | 'other' | 'unreadable' {
  let cwd: Stats;
  try {
    cwd = statSync(join(proc, String(pid), 'cwd'));
  } catch (error) {
    // Gone, or a kernel thread, which has no working directory; a dead process that nobody has waited for looks alike.
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ESRCH') return 'other';
    return couldBeOurs(pid, place, proc) ? 'unreadable' : 'other';
  }
  if (cwd.dev !== place.dev || cwd.ino !== place.ino) return 'other';
  return isDead(pid, proc) ? 'other' : 'ours';
}

/** A process that we may not look at is of interest where it belongs to the owner of the data, or is called postgres. */
function couldBeOurs(pid: number, place: Place, proc: string): boolean {
  if (isDead(pid, proc)) return false;
  try {
    if (statSync(join(proc, String(pid))).uid === place.uid) return true;
    return readFileSync(join(proc, String(pid), 'comm'), 'utf8').startsWith('postgres');
  } catch (error) {
    return codeOf(error) !== 'ENOENT' && codeOf(error) !== 'ESRCH';
  }
}

/** The state stands behind the name, which stands in brackets and may hold any character (proc(5)). */
export function statOf(
  pid: number,
  proc = THIS_MACHINE.proc,
): { readonly state: string; readonly startedAt: string } | null {
  try {
    const text = readFileSync(join(proc, String(pid), 'stat'), 'latin1');
    const rest = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { state: rest[0] ?? '', startedAt: rest[19] ?? '' };
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ESRCH') return null;
    throw error;
  }
}

function isDead(pid: number, proc: string): boolean {
  const found = statOf(pid, proc);
  return found === null || found.state === 'Z' || found.state === 'X';
}

export const isAlive = (pid: number, { proc }: Machine = THIS_MACHINE): boolean => !isDead(pid, proc);

/** The words of a process's command line; empty where it is gone or hidden. */
export function commandOf(pid: number, { proc }: Machine = THIS_MACHINE): readonly string[] {
  try {
    return readFileSync(join(proc, String(pid), 'cmdline'), 'utf8')
      .split('\0')
      .slice(0, -1);
  } catch (error) {
    if (['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].includes(codeOf(error))) return [];
    throw error;
  }
}

/** What the kernel calls it; empty where it is gone or hidden. */
export function nameOf(pid: number, { proc }: Machine = THIS_MACHINE): string {
  try {
    return readFileSync(join(proc, String(pid), 'comm'), 'utf8').trim();
  } catch (error) {
    if (['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].includes(codeOf(error))) return '';
    throw error;
  }
}

/** Path of a process in the unified hierarchy of control groups, and the namespace it is told in; null = not to be had. */
export function cgroupOf(
  pid: number | 'self',
  { proc }: Machine = THIS_MACHINE,
): { readonly path: string; readonly namespace: string } | null {
  try {
    const line = /^0::(.*)$/m.exec(readFileSync(join(proc, String(pid), 'cgroup'), 'utf8'));
    if (line === null) return null;
    return { path: line[1] ?? '', namespace: readlinkSync(join(proc, String(pid), 'ns/cgroup')) };
  } catch {
    // Gone or hidden: whoever asks has to take it for unknown, which null says.
    return null;
  }
}

/** Signals each; one that ended meanwhile has what we want. Other errors are told, none stops the rest. */
export function signalAll(
  pids: readonly number[],
  signal: NodeJS.Signals,
  { kill }: Machine = THIS_MACHINE,
): readonly string[] {
  const failures: string[] = [];
  for (const pid of pids) {
    try {
      kill(pid, signal);
    } catch (error) {
      if (codeOf(error) !== 'ESRCH') failures.push(`${signal} to ${pid}: ${codeOf(error) || String(error)}`);
    }
  }
  return failures;
}

/** What the postmaster wrote of itself (`postmaster.pid`, PostgreSQL's miscadmin.h), as far as it is there. */
export type PostmasterFile = {
  readonly pid: number;
  readonly port: number | null;
  /** Of its shared memory, which every backend is attached to. */
  readonly shmid: number | null;
  /** `starting`, `stopping`, `ready` or `standby`. */
  readonly status: string | null;
};

/** Null where there is none, or none that can be understood. Throws where it is there and can't be read. */
export function postmasterFile(dataDir: string): PostmasterFile | null {
  let lines: readonly string[];
  try {
    lines = readFileSync(join(dataDir, 'postmaster.pid'), 'utf8').split('\n');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  }
  // A standalone backend writes its pid with a minus.
  const pid = Math.abs(Number(lines[0]?.trim() || Number.NaN));
  if (!Number.isSafeInteger(pid) || pid === 0) return null;
  const port = Number(lines[3]?.trim() || Number.NaN);
  const shmid = /^\s*\d+\s+(\d+)\s*$/.exec(lines[6] ?? '')?.[1];
  return {
    pid,
    port: Number.isSafeInteger(port) ? port : null,
    shmid: shmid === undefined ? null : Number(shmid),
    status: lines[7]?.trim() || null,
  };
}

/** How many are attached to that System V shared memory; 0 where it is gone. Throws where the kernel doesn't say. */
export function attachedTo(shmid: number, { proc }: Machine = THIS_MACHINE): number {
  const [head = '', ...rows] = readFileSync(join(proc, 'sysvipc/shm'), 'latin1').split('\n');
  const names = head.trim().split(/\s+/);
  const [idAt, attachedAt] = [names.indexOf('shmid'), names.indexOf('nattch')];
  if (idAt === -1 || attachedAt === -1) throw new Error(`${proc}/sysvipc/shm has another form`);
  const row = rows.map((line) => line.trim().split(/\s+/)).find((cells) => Number(cells[idAt]) === shmid);
  return row === undefined ? 0 : Number(row[attachedAt]);
}
