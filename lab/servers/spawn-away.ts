import { spawn } from 'node:child_process';
import type { FileHandle } from 'node:fs/promises';
import { LabError, textOf } from './errors.ts';
import { serverUser } from './user.ts';

/** Start a server of the lab as the servers' user, in a session of its own, so that it outlives who started it. Closes the log. */
export async function spawnAway(
  argv: readonly [string, ...string[]],
  options: { readonly cwd: string; readonly env: NodeJS.ProcessEnv; readonly log: FileHandle },
): Promise<{ readonly ended: () => string | undefined }> {
  const [file, ...args] = argv;
  const { fd } = options.log;
  try {
    const child = spawn(file, args, {
      cwd: options.cwd,
      env: options.env,
      detached: true,
      stdio: ['ignore', fd, fd],
      ...serverUser(),
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    child.unref();
    return {
      ended: () =>
        child.exitCode === null && child.signalCode === null
          ? undefined
          : `it ended (${child.exitCode ?? child.signalCode})`,
    };
  } catch (error) {
    throw new LabError('start-failed', `${file}: ${textOf(error)}`);
  } finally {
    await options.log.close();
  }
}
