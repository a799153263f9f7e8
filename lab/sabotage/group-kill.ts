/**
 * The sabotage `group-kill`: a stop that kills the postmaster's process group and calls that the proof. Every backend is a
 * session of its own, so a busy one lives on, and goes on committing, while the guard believes that nothing is left.
 */

import { commandOf, postmasterFile } from '../../src/guard/postgres/processes.ts';
import {
  createProver as createHonest,
  type Proof,
  type Prover,
  type ProverPorts,
  type Target,
} from '../../src/guard/postgres/proof.ts';

export type { Proof, Prover, ProverPorts, Target } from '../../src/guard/postgres/proof.ts';
export { textOf } from '../../src/guard/postgres/proof.ts';

const AGAIN_AFTER_MS = 20;

export function createProver(target: Target, ports: ProverPorts): Prover {
  const { clock, timers } = ports;
  const honest = createHonest(target, ports);
  const leader = (): number | null => {
    const pid = postmasterFile(target.dataDir)?.pid ?? null;
    // By now the number may be somebody else's.
    return pid !== null && commandOf(pid).some((word) => word.includes('postgres')) ? pid : null;
  };
  const prove = (): Proof => {
    const proof = honest.prove();
    // One that is being started has no file yet; one that was killed leaves its own.
    const wasThere = postmasterFile(target.dataDir) !== null;
    return proof.kind !== 'stopped' && wasThere && leader() === null ? { kind: 'stopped' } : proof;
  };
  return {
    target,
    prove,
    async kill(withinMs) {
      const deadlineMono = clock.mono() + withinMs;
      for (;;) {
        const pid = leader();
        if (pid === null) return { kind: 'stopped' };
        killGroup(pid);
        if (clock.mono() >= deadlineMono) return prove();
        await new Promise<void>((resolve) => timers.after(AGAIN_AFTER_MS, resolve));
      }
    },
  };
}

function killGroup(leader: number): void {
  for (const pid of [-leader, leader]) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // No such group, or gone: then there is nothing to kill, and that is all this proof asks.
    }
  }
}
