/**
 * Values made fit to be shown: short, on one line, and never a secret (invariant 24). A value counts as secret where the
 * schema says so, where its key sounds like it, and where it looks like one.
 */
import { REDACTED } from '../secret.ts';
import type { Source } from './document.ts';
import { escaped } from './escape.ts';
import type { KeyPath } from './problem.ts';
import { own, schemaAt } from './schema.ts';

const MOST_SHOWN = 80;
const SECRET_KEY = /pass|token|secret|bearer|credential|private|(?:api|access)[-_]?key/i;
/** Longer texts are not looked through for credentials, so they are not shown either. */
const MOST_SEARCHED = 2000;

export function short(text: string): string {
  if (text.length > MOST_SEARCHED) return `a text of ${text.length} characters`;
  const clean = withoutCredentials(text);
  return escaped(clean.length <= MOST_SHOWN ? clean : `${clean.slice(0, MOST_SHOWN)}…`);
}

/** A key, which may be anything that YAML takes for one. Never empty. */
export const shownKey = (key: string): string => (key === '' ? 'an empty key' : short(key));

/** `user:password@` in an address, with or without a scheme. */
function withoutCredentials(text: string): string {
  const end = text.lastIndexOf('@');
  if (end < 0) return text;
  const scheme = text.indexOf('://');
  const start = scheme >= 0 && scheme < end ? scheme + 3 : text.slice(0, end).search(/[^\s/"'=]*$/);
  return text.slice(start, end).includes(':') ? `${text.slice(0, start)}${REDACTED}${text.slice(end)}` : text;
}

function shapeOf(value: unknown): string | null {
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : `a list of ${value.length}`;
  if (typeof value !== 'object' || value === null) return null;
  const keys = Object.keys(value).length;
  return keys === 0 ? 'an empty mapping' : `a mapping of ${keys}`;
}

const REFERENCE = /^\$\{(?:env|file):[^{}]*\}$/;
const lastKey = (path: KeyPath): string => path.findLast((key) => typeof key === 'string') ?? '';

/** What kind of value stands at a path, where the value itself says nothing or may be a secret out of place. */
export function kindOf(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  if (typeof value === 'string') return value === '' ? 'an empty text' : 'a text';
  return shapeOf(value) ?? (typeof value === 'number' ? 'a number' : 'true or false');
}

export function valueAt(root: unknown, path: KeyPath): unknown {
  let value = root;
  for (const key of path) value = own(value, key);
  return value;
}

/** What stands at a path, for people. Never empty. */
export function shownAt(source: Source, path: KeyPath): string {
  const value = valueAt(source.value, path);
  const written = source.written(path);
  if (written === null || written === '') return kindOf(value);
  const secret = schemaAt(path, source.value, source.schema)?.['x-secret'] === true || SECRET_KEY.test(lastKey(path));
  if (secret && !REFERENCE.test(written)) return REDACTED;
  return short(written);
}
