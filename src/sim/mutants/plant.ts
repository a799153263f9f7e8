/**
 * Puts a mutant into the modules that this thread loads from now on. No file is written, and what is mutated does not know
 * of it. Source of the way: `module.registerHooks` of Node.js, whose hooks run in the thread that registers them.
 */
import { registerHooks } from 'node:module';
import { type Edit, edited, editsOf, type Mutant } from './mutant.ts';

export const ROOT = new URL('../../../', import.meta.url);

/** Returns the edits that were not made so far, since their file was not loaded. */
export function plant(mutant: Mutant): () => readonly Edit[] {
  const waiting = new Map<string, Edit[]>();
  for (const edit of editsOf(mutant)) {
    const { href } = new URL(edit.file, ROOT);
    waiting.set(href, [...(waiting.get(href) ?? []), edit]);
  }
  const left = new Map(waiting);
  registerHooks({
    load(url, context, next) {
      const loaded = next(url, context);
      const edits = waiting.get(url);
      if (edits === undefined || loaded.source === null || loaded.source === undefined) return loaded;
      left.delete(url);
      const text =
        typeof loaded.source === 'string' ? loaded.source : Buffer.from(loaded.source as Uint8Array).toString();
      return { ...loaded, source: edits.reduce(edited, text) };
    },
  });
  return () => [...left.values()].flat();
}
