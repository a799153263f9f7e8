/**
 * One guard per data directory, and per state folder: the kernel's own lock on the folder itself (flock(2)).
 *
 * Node.js has no call for it, and `flock(1)` has: it locks the open file it inherits, which stays locked for as long as this
 * process keeps it open, however it ends. Nothing is written into the folder, so no copy, rewind or clean-up of the data
 * takes the lock away; it holds for every container and user of this machine, and while this process is frozen.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, constants, openSync } from 'node:fs';
import { StateRefused } from './state-file.ts';

export type FolderLock = { release(): void };

/** Of flock(1), where another has it. */
const TAKEN = 1;
const WITHIN_MS = 5_000;

/** Never waits. Throws {@link StateRefused} where another process has it, or nobody can say. */
export function lockFolder(folder: string, program = 'flock'): FolderLock {
  let fd: number;
  try {
    fd = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (error) {
    throw new StateRefused(`${folder} can't be opened`, 'make it, and let the user who runs the guard in', {
      cause: error,
    });
  }
  // The third file of the child is ours: the lock belongs to the open file, not to who asked for it.
  const { status, error, stderr } = spawnSync(program, ['--nonblock', '3'], {
    cwd: '/',
    stdio: ['ignore', 'ignore', 'pipe', fd],
    timeout: WITHIN_MS,
  });
  if (status === 0) return { release: () => closeSync(fd) };
  closeSync(fd);
  if (status === TAKEN)
    throw new StateRefused(
      `${folder} belongs to another guard that is running`,
      `stop that one first (lsof ${folder} names it); PostgreSQL stays up meanwhile`,
    );
  const why = error?.message ?? String(stderr).trim();
  throw new StateRefused(
    `${folder} can't be locked: ${why || `${program} ended with ${status}`}`,
    'install util-linux',
  );
}
