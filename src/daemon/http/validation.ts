/**
 * Bodies, parameters and queries against their schemas. Nothing is coerced, defaulted or dropped. A schema is compiled
 * when the first request needs it, so that the start of the daemon doesn't pay for it.
 */
import { distance } from 'fastest-levenshtein';
import type { FastifySchemaCompiler } from 'fastify';
import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import type { ProblemDetails } from './problem.ts';

const SIMILAR_WITHIN = 3;

type Fault = {
  readonly keyword: string;
  readonly instancePath: string;
  readonly params: object;
  readonly message: string;
};

/** What was sent does not fit; `details` name the field, the value and the way out. */
export class InvalidInput extends Error {
  readonly details: ProblemDetails & { readonly field: string };
  readonly keyword: string;
  constructor(fault: Fault, value: unknown, known: readonly string[]) {
    const details = explain(fault, value, known);
    super(details.detail ?? 'invalid');
    this.name = 'InvalidInput';
    this.details = details;
    this.keyword = fault.keyword;
  }
}

/** Gives Fastify the validator of each schema. */
export const validatorCompiler: FastifySchemaCompiler<TSchema> = ({ schema }) => {
  let validator: ReturnType<typeof Compile> | null = null;
  return (data: unknown) => {
    validator ??= Compile(schema);
    if (validator.Check(data)) return { value: data };
    const properties: object = 'properties' in schema ? (schema.properties as object) : {};
    return { error: new InvalidInput(worst(validator.Errors(data)), data, Object.keys(properties)) };
  };
};

/** The fault that explains the others: another version has another shape, and a misspelt key leaves its own missing. */
function worst(faults: readonly Fault[]): Fault {
  const order = (fault: Fault): number =>
    fault.instancePath === '/version'
      ? 0
      : fault.keyword === 'additionalProperties'
        ? 1
        : fault.keyword === 'boolean'
          ? 3
          : 2;
  const [first] = [...faults].sort((a, b) => order(a) - order(b));
  return first ?? { keyword: 'type', instancePath: '', params: {}, message: 'does not fit the schema' };
}

const escaped = (key: string): string => key.replaceAll('~', '~0').replaceAll('/', '~1');
const texts = (params: object, key: string): readonly string[] => {
  const value: unknown = (params as Record<string, unknown>)[key];
  return Array.isArray(value) ? value.map(String) : [];
};

/** What a JSON pointer leads to. */
function valueAt(body: unknown, pointer: string): unknown {
  let value = body;
  for (const part of pointer.split('/').slice(1)) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<string, unknown>)[part.replaceAll('~1', '/').replaceAll('~0', '~')];
  }
  return value;
}

/** `known` are the keys the schema has, for a suggestion where one was misspelt. */
function explain(fault: Fault, body: unknown, known: readonly string[]): ProblemDetails & { readonly field: string } {
  const { instancePath, keyword, params, message } = fault;
  const value = valueAt(body, instancePath);
  const here = instancePath === '' ? '/' : instancePath;
  switch (keyword) {
    case 'required': {
      const field = `${instancePath}/${escaped(texts(params, 'requiredProperties')[0] ?? '')}`;
      return { field, detail: `${field} is missing`, remedy: 'add it' };
    }
    case 'additionalProperties': {
      const key = texts(params, 'additionalProperties')[0] ?? '';
      const field = `${instancePath}/${escaped(key)}`;
      return { field, detail: `${field} is not known here`, value: key, remedy: suggestion(key, known) };
    }
    case 'enum': {
      const allowed = texts(params, 'allowedValues').join(', ');
      return { field: here, detail: `${here} must be one of ${allowed}`, value };
    }
    default:
      return { field: here, detail: `${here} ${message}`, value };
  }
}

function suggestion(key: string, known: readonly string[]): string {
  const near = known
    .map((candidate) => ({ candidate, apart: distance(key.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ apart }) => apart <= SIMILAR_WITHIN)
    .sort((a, b) => a.apart - b.apart)[0];
  if (near !== undefined) return `did you mean ${near.candidate}?`;
  return known.length === 0 ? 'remove it' : `remove it; known are ${known.join(', ')}`;
}
