/**
 * The schema's complaints, each told once, with its place, the value, and a remedy.
 */
import Validate from 'typebox/schema';
import { Settings } from 'typebox/system';
import type { Source } from './document.ts';
import { type KeyPath, type Problem, type ProblemCode, pathText } from './problem.ts';
import { isMapping, kindsOf, mappingOf, memberFor, own, type Schema, schemaAt } from './schema.ts';
import { kindOf, shownAt, shownKey, valueAt } from './show.ts';
import { specialise, type UnknownKey } from './specialise.ts';
import { BAD_REFERENCE, choose, FORMS, listed, meant, typeRemedy, typeText } from './words.ts';

/** Bounds the work on a file in which everything is wrong; people mend the first ones first. */
const MOST_ERRORS = 10_000;

type Telling = {
  readonly code: ProblemCode;
  readonly message: string;
  readonly remedy: string;
  readonly value?: string;
  readonly on?: 'key' | 'value';
};

/** Everything in a value that the schema refuses; the value must be one that it refuses. */
export function shapeProblems(source: Source): Problem[] {
  const { schema, unknown } = specialise(source.schema, source.value);
  const misspelt = new Set<string>();
  const problems: Problem[] = [];
  for (const { path, key, schema: of } of unknown.slice(0, MOST_ERRORS)) {
    const near = nearestKey(key, of, valueAt(source.value, path));
    if (near !== null) misspelt.add(pathText([...path, near]));
    problems.push(problemAt(source, [...path, key], unknownKey(key, of, near)));
  }
  for (const error of errorsOf(schema, source.value)) {
    const path = pathOf(error.instancePath, source.value);
    for (const [at, telling] of tellingsOf(error, path, source)) {
      // A misspelt key that must be there is one mistake: the key that is missing is what its remedy names.
      if (telling.code === 'missing-key' && misspelt.has(pathText(at))) continue;
      problems.push(problemAt(source, at, telling));
    }
  }
  return problems;
}

function problemAt(source: Source, path: KeyPath, { on = 'value', value, ...words }: Telling): Problem {
  const place = on === 'key' ? source.keyAt(path) : source.valueAt(path);
  return { file: source.file, ...place, path: pathText(path), value: value ?? shownAt(source, path), ...words };
}

type SchemaError = ReturnType<typeof Validate.Errors>[1][number];

function errorsOf(schema: Readonly<Record<string, unknown>>, value: unknown): readonly SchemaError[] {
  // The limit is a setting of the whole process; it is put back before anybody else can see it.
  const { maxErrors } = Settings.Get();
  Settings.Set({ maxErrors: MOST_ERRORS });
  try {
    return Validate.Errors(schema, value)[1];
  } finally {
    Settings.Set({ maxErrors });
  }
}

/** A JSON Pointer, with the indexes of lists as numbers. */
function pathOf(pointer: string, root: unknown): KeyPath {
  const path: (string | number)[] = [];
  let value = root;
  for (const part of pointer.split('/').slice(1)) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
    const step = Array.isArray(value) ? Number(key) : key;
    path.push(step);
    value = own(value, step);
  }
  return path;
}

function tellingsOf(error: SchemaError, path: KeyPath, source: Source): readonly (readonly [KeyPath, Telling])[] {
  const value = valueAt(source.value, path);
  const written = schemaAt(path, source.value, source.schema) ?? {};
  const schema = memberFor(written, value) ?? written;
  switch (error.keyword) {
    case 'required':
      return error.params.requiredProperties.map((key) => [[...path, key], missingKey(key, schema)]);
    case 'type':
      return [[path, wrongType(schema, value)]];
    case 'enum':
      return [[path, notAllowed(error.params.allowedValues, value, mappingOf(written) !== undefined)]];
    case 'const':
      return [[path, notAllowed([error.params.allowedValue], value)]];
    case 'pattern':
      return [[path, badForm(schema, value)]];
    case 'minLength':
      return [[path, limit('empty-text', 'this may not be empty', schema)]];
    case 'maxLength':
      return [[path, tooLong(error.params.limit)]];
    case 'minItems':
      return [[path, limit('empty-list', 'this list may not be empty', schema)]];
    case 'maxItems':
      return [[path, tooMany(error.params.limit)]];
    case 'minProperties':
      return [[path, tooFew(error.params.limit, schema)]];
    case 'minimum':
    case 'maximum':
      return [[path, limit('out-of-range', `must be ${error.params.comparison} ${error.params.limit}`, schema)]];
    default:
      return [[path, limit('not-allowed', error.message, schema)]];
  }
}

const remedyFrom = (schema: Schema): string =>
  schema.description === undefined ? `write ${typeText(schema)}` : `it means: ${schema.description}`;

const limit = (code: ProblemCode, message: string, schema: Schema): Telling => ({
  code,
  message,
  remedy: remedyFrom(schema),
});

const tooFew = (least: number | bigint, schema: Schema): Telling => ({
  code: 'too-few',
  on: 'key',
  message: `at least ${least} must be declared`,
  remedy: `declare ${least} or more: ${schema.description ?? 'entries'}`,
});

const tooMany = (most: number | bigint): Telling => ({
  code: 'too-many',
  message: `this list may hold ${most} at most`,
  remedy: `keep the ${most} that matter most`,
});

const tooLong = (most: number | bigint): Telling => ({
  code: 'out-of-range',
  message: `this text may hold ${most} characters at most`,
  remedy: 'shorten it',
});

/** What is there already can't be what was meant. */
function nearestKey(key: string, schema: Schema, value: unknown): string | null {
  const free = Object.keys(schema.properties ?? {}).filter((name) => !isMapping(value) || !Object.hasOwn(value, name));
  return meant(key, free);
}

function unknownKey(key: UnknownKey['key'], schema: Schema, near: string | null): Telling {
  // Names that people choose are refused for their letters, not for being unknown.
  if (schema.patternProperties !== undefined)
    return { ...FORMS[schema['x-key-form'] ?? 'name'], on: 'key', value: shownKey(key) };
  const known = Object.keys(schema.properties ?? {}).join(', ');
  return {
    code: 'unknown-key',
    on: 'key',
    value: shownKey(key),
    message: 'there is no such key here',
    remedy: near === null ? `known here: ${known}` : `did you mean ${near}? Known here: ${known}`,
  };
}

function missingKey(key: string, schema: Schema): Telling {
  const words = { code: 'missing-key', value: 'missing', message: `${key} must be here` } as const;
  if (schema['x-discriminator'] === key) return { ...words, remedy: `add ${key}: ${listed(kindsOf(schema))}` };
  const what = schema.properties?.[key]?.description;
  return { ...words, remedy: what === undefined ? `add ${key}` : `add ${key}: ${what}` };
}

function wrongType(schema: Schema, value: unknown): Telling {
  const kind = schema['x-discriminator'];
  if (kind !== undefined)
    return {
      code: 'wrong-type',
      message: `must be a mapping with ${kind}`,
      value: kindOf(value),
      remedy: `write its keys indented in the lines below, ${kind} first: ${listed(kindsOf(schema))}`,
    };
  const words = {
    code: 'wrong-type',
    message: `must be ${typeText(schema)}`,
    remedy: typeRemedy(schema, value),
  } as const;
  // A scalar where a mapping belongs may be a secret in short hand, such as "people: { ada: hunter2 }".
  return schema.type === 'object' || schema.type === 'array' ? { ...words, value: kindOf(value) } : words;
}

function notAllowed(allowed: readonly unknown[], value: unknown, orMapping = false): Telling {
  const known = allowed.map(String);
  const word = typeof value === 'string' ? value : '';
  const taken = orMapping ? [...known, 'a mapping'] : known;
  return { code: 'not-allowed', message: `must be ${listed(taken)}`, remedy: choose(word, known) };
}

function badForm(schema: Schema, value: unknown): Telling {
  const form = schema['x-form'];
  if (form === undefined) return limit('not-allowed', 'is not written as it must be', schema);
  if (form === 'secret' && typeof value === 'string' && value.startsWith('${')) return BAD_REFERENCE;
  return FORMS[form];
}
