/**
 * Files made from the sources. Run with `--check`, a script only says whether its file is what it would write.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

export const ROOT = join(import.meta.dirname, '..');

const stands = (path: string): string | null => {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
};

/** Writes the file, or compares it; the exit code says which of the two went wrong. */
export function generate(path: string, text: string, script: string): void {
  const name = relative(ROOT, path);
  if (stands(path) === text) {
    console.log(`${name} is up to date`);
    return;
  }
  if (process.argv.includes('--check')) {
    console.error(`${name} is not what the sources say: run node ${script}`);
    process.exitCode = 1;
    return;
  }
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  console.log(`${name} written`);
}
