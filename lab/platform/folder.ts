import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { killAll } from '../servers/processes.ts';

const KILL_TIMEOUT_MS = 10_000;

/** The one folder of a lab: every process of it works inside, and every file of it lies inside. */
export interface LabFolder {
  readonly dir: string;
  /** A path in it. */
  readonly at: (...names: string[]) => string;
  /** What a report may name: ledgers, dumps, journal, logs. No secret is ever put here. */
  readonly out: (name: string) => string;
  /** Write a secret that only we can read; its path. */
  readonly secret: (name: string, value: string) => Promise<string>;
  /**
   * Kill whatever still works in it, then remove it: all of it, or all but what a report names. Secrets, databases and
   * configurations never outlive their lab.
   */
  readonly clear: (keep: 'nothing' | 'reports') => Promise<void>;
}

export async function createFolder(): Promise<LabFolder> {
  const dir = await mkdtemp(path.join(tmpdir(), 'fl-'));
  // The servers' user passes; it can't list.
  await chmod(dir, 0o711);
  for (const name of ['pg', 'hv', 'a', 'b', 'secrets', 'out']) await mkdir(path.join(dir, name));
  await chmod(path.join(dir, 'secrets'), 0o700);
  await chmod(path.join(dir, 'pg'), 0o711);
  const at = (...names: string[]): string => path.join(dir, ...names);
  return {
    dir,
    at,
    out: (name) => at('out', name),
    secret: async (name, value) => {
      await writeFile(at('secrets', name), value, { mode: 0o600 });
      return at('secrets', name);
    },
    clear: async (keep) => {
      await killAll([dir], KILL_TIMEOUT_MS);
      if (keep === 'nothing') {
        await rm(dir, { recursive: true, force: true });
        return;
      }
      for (const name of await readdir(dir)) {
        if (name !== 'out') await rm(path.join(dir, name), { recursive: true, force: true });
      }
    },
  };
}
