/**
 * Proof of stop, and the kill that leads to it (safety.md, "Stopping means"). Used by the guard and, when there is no guard
 * any more, by its dead-man: both end PostgreSQL by this and by nothing weaker.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../runtime/clock.ts';
import type { Timers } from '../../runtime/timers.ts';
import {
  attachedTo,
  type Machine,
  type Place,
  placeOf,
  postmasterFile,
  scan,
  signalAll,
  THIS_MACHINE,
} from './processes.ts';

/** The PostgreSQL in question. */
export type Target = {
  readonly dataDir: string;
  /** Folder of the control group (version 2) that PostgreSQL alone is in; null = it has none of its own. */
  readonly cgroup: string | null;
};

export type Proof =
  | { readonly kind: 'stopped' }
  | { readonly kind: 'running'; readonly pids: readonly number[] }
  /** Neither can be claimed. Never taken for stopped. */
  | { readonly kind: 'unknown'; readonly why: string };

export type Prover = {
  readonly target: Target;
  prove(): Proof;
  /**
   * SIGKILL until nothing is left, for at most so long; what it ends with is a proof or says what is missing. `times` says how
   * often to try; it waits a little in between.
   */
  kill(withinMs: number): Promise<Proof>;
};

export type ProverPorts = { readonly clock: Clock; readonly timers: Timers; readonly machine?: Machine };

/** A killed process is gone within a millisecond unless the kernel holds it. */
const AGAIN_AFTER_MS = 5;

/** Keeps in mind which shared memory was seen, since whoever removes `postmaster.pid` doesn't end who is attached. */
export function createProver(target: Target, { clock, timers, machine = THIS_MACHINE }: ProverPorts): Prover {
  const seenShmids = new Set<number>();

  const prove = (): Proof => {
    try {
      return proveBy(target, placeOf(target.dataDir), seenShmids, machine);
    } catch (error) {
      return { kind: 'unknown', why: `the system can't be asked: ${textOf(error)}` };
    }
  };

  const killOnce = (): readonly string[] => {
    const place = placeOf(target.dataDir);
    const { pids } = scan(place, machine);
    // Stopped first, all of them: none forks another while the rest is being killed.
    const failures = [...signalAll(pids, 'SIGSTOP', machine)];
    if (target.cgroup !== null) failures.push(...killGroup(target.cgroup));
    failures.push(...signalAll(pids, 'SIGKILL', machine));
    return failures;
  };

  return {
    target,
    prove,
    async kill(withinMs) {
      const deadlineMono = clock.mono() + withinMs;
      for (;;) {
        const before = prove();
        if (before.kind === 'stopped') return before;
        let failures: readonly string[];
        try {
          failures = killOnce();
        } catch (error) {
          failures = [textOf(error)];
        }
        const after = prove();
        if (after.kind === 'stopped' || clock.mono() >= deadlineMono) return withFailures(after, failures);
        await new Promise<void>((resolve) => timers.after(AGAIN_AFTER_MS, resolve));
      }
    },
  };
}

function withFailures(proof: Proof, failures: readonly string[]): Proof {
  if (proof.kind === 'stopped' || failures.length === 0) return proof;
  const left = proof.kind === 'running' ? `processes ${proof.pids.join(', ')} are left` : proof.why;
  return { kind: 'unknown', why: `${left}; ${failures.slice(0, 3).join('; ')}` };
}

function proveBy(target: Target, place: Place, seenShmids: Set<number>, machine: Machine): Proof {
  const file = postmasterFile(target.dataDir);
  if (file?.shmid != null) seenShmids.add(file.shmid);
  // Twice: a process that was forked while the first list was read, by one that ended then, stands in neither half of it.
  for (let time = 0; time < 2; time += 1) {
    const { pids, unreadable } = scan(place, machine);
    if (pids.length > 0) return { kind: 'running', pids };
    if (unreadable.length > 0)
      return {
        kind: 'unknown',
        why: `the kernel does not say whether process ${unreadable.slice(0, 5).join(', ')} works in ${target.dataDir}; run the guard as the user of PostgreSQL`,
      };
  }
  for (const shmid of seenShmids) {
    const attached = attachedTo(shmid, machine);
    if (attached > 0) return { kind: 'unknown', why: `${attached} processes are attached to shared memory ${shmid}` };
  }
  if (target.cgroup !== null && isPopulated(target.cgroup))
    return { kind: 'unknown', why: `processes are left in ${target.cgroup}` };
  return { kind: 'stopped' };
}

const isPopulated = (cgroup: string): boolean =>
  /^populated 1$/m.test(readFileSync(join(cgroup, 'cgroup.events'), 'latin1'));

/** Kills what the group holds, also below it (cgroup v2, Linux 5.14). It may not be there: then the signals do it alone. */
function killGroup(cgroup: string): readonly string[] {
  try {
    writeFileSync(join(cgroup, 'cgroup.kill'), '1');
    return [];
  } catch (error) {
    return [`cgroup.kill in ${cgroup}: ${textOf(error)}`];
  }
}

export const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
