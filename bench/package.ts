import { cp, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from '../scripts/build.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** The package as it is published, of the sources as they stand. */
export interface BenchPackage {
  readonly home: string;
  readonly launcher: string;
  readonly remove: () => Promise<void>;
}

export async function makePackage(): Promise<BenchPackage> {
  const home = await mkdtemp(path.join(tmpdir(), 'failoverd-bench-'));
  await build(path.join(home, 'dist'));
  for (const name of ['bin', 'config', 'package.json']) {
    await cp(path.join(ROOT, name), path.join(home, name), { recursive: true });
  }
  await symlink(path.join(ROOT, 'node_modules'), path.join(home, 'node_modules'));
  return {
    home,
    launcher: path.join(home, 'bin', 'failoverd.mjs'),
    remove: async () => await rm(home, { recursive: true, force: true }),
  };
}
