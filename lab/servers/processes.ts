import { readdir, readFile, readlink, realpath, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { run } from './command.ts';
import { codeOf, LabError } from './errors.ts';
import { serverUser } from './user.ts';

/** What the kernel says about the processes that have one of some folders (or a folder below) as working directory. */
export interface ProcessScan {
  readonly pids: readonly number[];
  /**
   * PostgreSQL processes whose folder the kernel would not tell. They may be ours or not: with one of these, nobody
   * can claim that nothing runs.
   */
  readonly unreadable: readonly number[];
}

/**
 * Every process at work in these folders, read from /proc.
 *
 * A PostgreSQL process stands in its data directory for life, and each backend is a session of its own, so neither
 * the process group nor the postmaster's port tells whether one is left (safety.md, "Proof of stop"). Only this does.
 */
export async function scanProcesses(folders: readonly string[]): Promise<ProcessScan> {
  const roots = await Promise.all(folders.map(async (folder) => await realpath(folder).catch(() => folder)));
  const pids: number[] = [];
  const refused: number[] = [];
  for (const pid of await allPids()) {
    const cwd = await workingDirectory(pid);
    if (cwd === 'refused') refused.push(pid);
    else if (cwd !== undefined && isBelow(cwd, roots)) pids.push(pid);
  }
  const second = await askAsServerUser(await onlySuspects(refused));
  for (const [pid, cwd] of second.answers) if (isBelow(cwd, roots)) pids.push(pid);
  return { pids: pids.sort((left, right) => left - right), unreadable: second.unreadable };
}

/** Send a signal to all of them; the number that took it. */
export function signalAll(pids: readonly number[], signal: NodeJS.Signals): number {
  let taken = 0;
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
      taken += 1;
    } catch (error) {
      if (codeOf(error) !== 'ESRCH') throw error;
    }
  }
  return taken;
}

/**
 * SIGKILL everything at work in these folders until the kernel shows nothing twice in a row: a backend forked while
 * the list was read would be missing from the first list.
 */
export async function killAll(folders: readonly string[], timeoutMs: number): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  for (let emptyScans = 0; emptyScans < 2; ) {
    const { pids } = await scanProcesses(folders);
    signalAll(pids, 'SIGKILL');
    emptyScans = pids.length === 0 ? emptyScans + 1 : 0;
    if (emptyScans < 2 && performance.now() > deadlineMs) {
      throw new LabError('stop-timeout', `${pids.length} processes survive SIGKILL: ${pids.join(', ')}`);
    }
    if (pids.length > 0) await sleep(5);
  }
}

async function allPids(): Promise<number[]> {
  return (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
}

/** The folder, `refused` when the kernel won't say, undefined when the process is gone (a zombie is). */
async function workingDirectory(pid: number): Promise<string | undefined> {
  try {
    return withoutMark(await readlink(`/proc/${pid}/cwd`));
  } catch (error) {
    const code = codeOf(error);
    return code === 'EACCES' || code === 'EPERM' ? 'refused' : undefined;
  }
}

/** How the kernel calls what runs in the lab as the servers' user: PostgreSQL, and Patroni with its etcd. */
const OURS = ['postgres', 'patroni', 'python3', 'etcd'] as const;

/** Of the refused ones, those that could be ours: a server of the user our servers run as. */
async function onlySuspects(pids: readonly number[]): Promise<number[]> {
  const uids = new Set([process.getuid?.(), serverUser()?.uid]);
  const suspects: number[] = [];
  for (const pid of pids) {
    const owner = await stat(`/proc/${pid}`).catch(() => undefined);
    const name = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '');
    const ours = owner !== undefined && uids.has(owner.uid) && OURS.some((each) => name.startsWith(each));
    if (ours && (await isAlive(pid))) suspects.push(pid);
  }
  return suspects;
}

/**
 * In a container root often lacks CAP_SYS_PTRACE and may not look at another user's processes; the user they run as
 * may. `find` prints a link's target, so one short process answers for all of them.
 */
async function askAsServerUser(
  pids: readonly number[],
): Promise<{ answers: ReadonlyMap<number, string>; unreadable: readonly number[] }> {
  const answers = new Map<number, string>();
  if (pids.length === 0) return { answers, unreadable: [] };
  const links = pids.map((pid) => `/proc/${pid}/cwd`);
  const told = await run(['find', ...links, '-maxdepth', '0', '-printf', '%p %l\\n'], {
    user: serverUser(),
    cwd: '/',
    timeoutMs: 10_000,
  });
  for (const [, pid, cwd] of told.stdout.matchAll(/^\/proc\/(\d+)\/cwd (.+)$/gm)) {
    if (pid !== undefined && cwd !== undefined) answers.set(Number(pid), withoutMark(cwd));
  }
  const unreadable: number[] = [];
  for (const pid of pids) {
    const refused = !answers.has(pid) && (await workingDirectory(pid)) === 'refused';
    if (refused && (await isAlive(pid))) unreadable.push(pid);
  }
  return { answers, unreadable };
}

/** A dead process stays in the list until its parent takes note of its end, and its folder is refused meanwhile. */
async function isAlive(pid: number): Promise<boolean> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // The state stands behind the name, which stands in brackets and may hold any character.
  const state = text.slice(text.lastIndexOf(')') + 2).charAt(0);
  return state !== '' && state !== 'Z' && state !== 'X';
}

/** The kernel marks a folder that was removed under a living process; the process lives all the same. */
function withoutMark(cwd: string): string {
  return cwd.endsWith(' (deleted)') ? cwd.slice(0, -' (deleted)'.length) : cwd;
}

function isBelow(cwd: string, roots: readonly string[]): boolean {
  return roots.some((root) => cwd === root || cwd.startsWith(`${root}/`));
}
