/**
 * What to tell people of a value that its schema refuses: one remedy per form of text, one per kind of constraint.
 */
import { distance } from 'fastest-levenshtein';
import type { Form } from '../../model/forms.ts';
import type { ProblemCode } from './problem.ts';
import type { Schema } from './schema.ts';

type Words = { readonly code: ProblemCode; readonly message: string; readonly remedy: string };

export const FORMS: Readonly<Record<Form, Words>> = {
  expression: {
    code: 'bad-expression',
    message: 'this is no expression',
    remedy: 'write it in CEL, such as bad(active.reachable)',
  },
  name: {
    code: 'bad-name',
    message: 'names are made of lower-case letters, digits and dashes, 63 at most, and none is constructor',
    remedy: 'rename it, such as us-east-1',
  },
  duration: {
    code: 'bad-duration',
    message: 'this is no span of time',
    remedy: 'write numbers with their units, such as 250ms, 10s, 5m or 1h30m',
  },
  'host-port': {
    code: 'bad-host-port',
    message: 'this is no address of the form host:port',
    remedy: 'write it as db.example.com:5432, 10.0.0.5:5432 or [2001:db8::5]:5432',
  },
  url: {
    code: 'bad-url',
    message: 'this is no http or https URL',
    remedy: 'write it as https://host/path, without blanks',
  },
  'control-target': {
    code: 'bad-control-target',
    message: 'this is no control target',
    remedy: 'write it as tcp://host:port, or as an http or https URL',
  },
  secret: {
    code: 'plain-secret',
    message: 'a secret must not stand in the file',
    remedy: 'put it into an environment variable and write ${env:NAME}, or into a file and write ${file:PATH}',
  },
  'time-of-day': {
    code: 'bad-time',
    message: 'this is no time of day',
    remedy: 'write it as HH:MM, from 00:00 to 23:59, such as 09:00',
  },
  'end-of-hours': {
    code: 'bad-time',
    message: 'this is no time of day',
    remedy: 'write it as HH:MM, from 00:00 to 24:00, such as 18:00',
  },
  instant: {
    code: 'bad-instant',
    message: 'this is no instant with a time zone',
    remedy: 'write it as 2026-12-05T22:00:00+01:00, or with Z for UTC',
  },
  cause: {
    code: 'bad-cause',
    message: 'this is nothing that maintenance may suppress',
    remedy: 'write partial, restart, speak-up, or a row by its number, such as row 80',
  },
  date: { code: 'bad-date', message: 'this is no day', remedy: 'write it as YYYY-MM-DD, such as 2026-12-25' },
  matcher: {
    code: 'bad-matcher',
    message: 'this is no matcher by equality',
    remedy: 'write it as label="value" or label!="value"; regular expressions (=~) are not taken',
  },
  digits: {
    code: 'bad-digits',
    message: 'this is no identifier of 10 to 20 digits',
    remedy: 'take it from: select system_identifier from pg_control_system(); and put it in quotes',
  },
  file: {
    code: 'bad-file',
    message: 'this is no path of a file',
    remedy: 'write the path itself, relative to this file',
  },
  comparison: {
    code: 'bad-comparison',
    message: 'this says not which numbers are meant',
    remedy: 'write a comparison with a number, in quotes, such as "> 0.05" or "== 0"',
  },
  'fact-name': {
    code: 'bad-name',
    message:
      'names of facts are made of lower-case letters, digits and underscores, and begin with a letter; 63 at most',
    remedy: 'rename it, such as error_ratio',
  },
  'absolute-path': {
    code: 'bad-path',
    message: 'this is no path from the root of the file system',
    remedy: 'begin it with a slash, such as /var/lib/postgresql/15/main',
  },
  path: { code: 'bad-path', message: 'this is no path', remedy: 'begin it with a slash, without blanks' },
};

export const BAD_REFERENCE: Words = {
  code: 'bad-reference',
  message: 'this is no reference to a secret',
  remedy: 'write ${env:NAME} or ${file:PATH}, and nothing before or after it',
};

/** The likeliest of the words that somebody meant, or null where none is near. */
export function meant(word: string, known: readonly string[]): string | null {
  let best: string | null = null;
  let least = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const candidate of known) {
    const far = distance(word.slice(0, 80).toLowerCase(), candidate.toLowerCase());
    // Something of the word must be left in it.
    if (far < least && far < word.length) {
      least = far;
      best = candidate;
    }
  }
  return best;
}

export const listed = (words: readonly string[]): string =>
  words.length < 2 ? (words[0] ?? 'nothing') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;

/** How to choose among known words, with the likeliest one first. */
export function choose(word: string, known: readonly string[]): string {
  const near = meant(word, known);
  if (known.length === 0) return 'leave it out';
  return near === null ? `write ${listed(known)}` : `did you mean ${near}? Known: ${known.join(', ')}`;
}

const TYPES: Readonly<Record<string, string>> = {
  object: 'a mapping of keys to values',
  array: 'a list',
  string: 'a text',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
};
export const typeText = (schema: Schema): string => TYPES[schema.type ?? ''] ?? 'another value';

/** How to write a value of the type that is expected. */
export function typeRemedy(schema: Schema, value: unknown): string {
  if (schema['x-form'] === 'secret') return FORMS.secret.remedy;
  if (schema.type === 'string' && (typeof value === 'number' || typeof value === 'boolean'))
    return schema['x-form'] === 'duration' ? FORMS.duration.remedy : 'put it in quotes';
  if (value === null) return 'write a value after the colon, or leave the key out';
  if (schema.type === 'array') return 'write each element in a line of its own, after a dash';
  if (schema.type === 'object') return 'write its keys indented in the lines below';
  return `write ${typeText(schema)}`;
}
