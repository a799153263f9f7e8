// The files of the repository as tests look at them.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const repositoryRoot = join(import.meta.dirname, '..', '..');

const NOT_OURS = new Set(['node_modules', '.git', '.tap', '.lab', 'dist', 'coverage']);
const TEXT = /(?:\.(?:[mc]?[jt]s|json|ya?ml|md|grit|txt|sql|html|css|sh)|\/(?:Dockerfile|LICENSE|run|\.[a-z]+))$/;

/** Every text file we wrote, by its path from the root. */
export function repositoryFiles(): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  const walk = (folder: string): void => {
    for (const entry of readdirSync(join(repositoryRoot, folder), { withFileTypes: true })) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      // In a worktree `.git` is a file.
      if (NOT_OURS.has(entry.name)) continue;
      if (entry.isDirectory()) walk(path);
      else if (entry.isFile() && path !== 'package-lock.json' && TEXT.test(`/${path}`)) {
        files.set(path, readFileSync(join(repositoryRoot, path), 'utf8'));
      }
    }
  };
  walk('');
  return files;
}
