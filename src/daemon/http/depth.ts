/**
 * How deep JSON nests. Parsers and validators that recurse die of a text that nests
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

/** The same of what was built: quicker, since texts are not walked through. Goes no deeper than `limit` itself. */
export function isDeeper(value: unknown, limit: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (limit === 0) return true;
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index += 1) if (isDeeper(value[index], limit - 1)) return true;
    return false;
  }
  const record = value as Readonly<Record<string, unknown>>;
  for (const key of Object.keys(record)) if (isDeeper(record[key], limit - 1)) return true;
  return false;
}
