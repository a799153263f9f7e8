/**
 * Starts a program that is put into its control group before it runs a single line: a shell waits to be moved there, and
 * then becomes the program. Whatever it forks later is born in that group.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export type GateOptions = {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** File for its output and its errors. */
  readonly log: number;
  /** Folder of the group (cgroup v2), made where it isn't there; null = that of this process. */
  readonly cgroup: string | null;
  readonly user?: { readonly uid: number; readonly gid: number } | null;
  /** Kills it, as the end of this time does. */
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
};

/** In a session of its own, so that no signal to our group reaches it. Its errors also come through `stderr`, where `heard`. */
export function throughGate(argv: readonly string[], options: GateOptions & { readonly heard: boolean }): ChildProcess {
  const { cwd, env, log, cgroup, user, signal, timeoutMs, heard } = options;
  const child = spawn('/bin/sh', ['-c', 'read -r go && exec "$@"', 'sh', ...argv], {
    cwd,
    env: { ...env },
    detached: true,
    stdio: ['pipe', log, heard ? 'pipe' : log],
    killSignal: 'SIGKILL',
    ...(signal === undefined ? {} : { signal }),
    ...(timeoutMs === undefined ? {} : { timeout: Math.max(1, Math.ceil(timeoutMs)) }),
    ...(user ?? {}),
  });
  // A shell that ended before it was told to go says so by its end.
  child.stdin?.on('error', () => undefined);
  if (child.pid === undefined) return child;
  try {
    if (cgroup !== null) enter(cgroup, child.pid);
    child.stdin?.end('go\n');
  } catch (error) {
    child.kill('SIGKILL');
    queueMicrotask(() => child.emit('error', new Error(`it can't be put into ${cgroup}`, { cause: error })));
  }
  return child;
}

function enter(cgroup: string, pid: number): void {
  mkdirSync(cgroup, { recursive: true });
  writeFileSync(join(cgroup, 'cgroup.procs'), String(pid));
}
