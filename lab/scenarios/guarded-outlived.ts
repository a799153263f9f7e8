import { LabError } from '../servers/errors.ts';
import { guardStatus, processesOf } from '../servers/guard.ts';
import { postmasterPid } from '../servers/postgres-process.ts';
import { signalAll } from '../servers/processes.ts';
import { waitFor } from '../servers/wait.ts';
import { guarded, guardsOf, pauseFor, signalPart, untilFailedOver } from './guarded.ts';

const ORPHANED = 'commits acknowledged by a backend without a postmaster, before anybody looked';
const LEFT = 'processes of A’s PostgreSQL when its lease was given back';
/** Long enough for some commits, and far from H. */
const UNSEEN_MS = 1_500;

/** Sees through a proof of stop that is none: with `--sabotage group-kill` it must fail. */
export const backendOutlivesPostmaster = guarded({
  name: 'backend-outlives-postmaster',
  says: 'the postmaster of A and its process group are killed while a backend commits on: it is killed before the lease is given back',
  expects: 'failover',
  guarded: { onCrash: 'release' },
  wants: [
    { kind: 'measured', name: ORPHANED, least: 3 },
    { kind: 'measured', name: LEFT, most: 0 },
  ],
  act: async (platform, tell) => {
    const { a } = guardsOf(platform);
    const busy = await platform.clients.busy('busy');
    tell(`backend ${busy.pid} commits on and on`);
    // The guard would be quicker than a look at the backend: it is let go on once the backend has shown that it lives.
    await signalPart(a, 'guard', 'SIGSTOP');
    const pid = await postmasterPid(platform.regions.postgres.a);
    if (pid === undefined) throw new LabError('not-running', 'A has no postmaster');
    killWithGroup(pid);
    const before = busy.acked();
    await pauseFor(UNSEEN_MS);
    const orphaned = busy.acked() - before;
    tell(`the postmaster (${pid}) and its group are killed -9; its backend committed ${orphaned} times since`);
    await signalPart(a, 'guard', 'SIGCONT');
    let left = -1;
    await waitFor('the lease is given back', 60_000, async () => {
      if ((await guardStatus(a))?.holds !== null) return false;
      left = (await processesOf(a, 'postgres')).length;
      return true;
    });
    tell(`the lease is given back; ${left} processes of A’s PostgreSQL are left`);
    await untilFailedOver(platform, tell);
    return { [ORPHANED]: orphaned, [LEFT]: left };
  },
});

function killWithGroup(postmaster: number): void {
  signalAll([-postmaster, postmaster], 'SIGKILL');
}
