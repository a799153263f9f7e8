/**
 * How deep a JSON text nests, found without building it. Parsers and validators that recurse die of a text that nests
 * a hundred thousand times; nothing we take nests more than a handful.
 */
export const DEEPEST = 32;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** True once more than `limit` arrays and objects stand open at one place. */
export function nestsDeeper(json: string, limit: number): boolean {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < json.length; i += 1) {
    const c = json.charCodeAt(i);
    if (inString) {
      if (c === BACKSLASH) i += 1;
      else if (c === QUOTE) inString = false;
    } else if (c === QUOTE) inString = true;
    else if (c === 0x5b || c === 0x7b) {
      depth += 1;
      if (depth > limit) return true;
    } else if (c === 0x5d || c === 0x7d) depth -= 1;
  }
  return false;
}
