// Compiles all mutants in one go: beside each file that a mutant changes, a copy with the change in it, in a folder of its own.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { edited, editsOf, type NamedMutant } from '../../src/sim/mutants/mutant.ts';

const ROOT = join(import.meta.dirname, '../..');
const LIMIT_MS = 240_000;

/** The file as a mutant makes it; edits of one file are made one after the other. */
export function mutatedFiles(mutant: NamedMutant): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (const edit of editsOf(mutant))
    files.set(edit.file, edited(files.get(edit.file) ?? readFileSync(join(ROOT, edit.file), 'utf8'), edit));
  return files;
}

/**
 * What the compiler has to say of the mutants. What became unused by a change is no error here: it is what leaving a
 * check out looks like, and runs.
 */
export function complaintsOf(mutants: readonly NamedMutant[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'failoverd-mutants-'));
  try {
    for (const name of ['package.json', 'tsconfig.json']) cpSync(join(ROOT, name), join(folder, name));
    cpSync(join(ROOT, 'src'), join(folder, 'src'), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    for (const mutant of mutants)
      for (const [file, text] of mutatedFiles(mutant))
        writeFileSync(join(folder, file.replace(/\.ts$/, `.mutant-${mutant.number}.ts`)), text);
    const loose = ['--noUnusedLocals', 'false', '--noUnusedParameters', 'false'];
    const run = spawnSync(join(ROOT, 'node_modules/.bin/tsc'), ['--noEmit', '--pretty', 'false', ...loose], {
      cwd: folder,
      encoding: 'utf8',
      timeout: LIMIT_MS,
    });
    if (run.error !== undefined) return run.error.message;
    return run.status === 0 ? '' : `${run.stdout}${run.stderr}` || `tsc ended with ${run.status ?? run.signal}`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
