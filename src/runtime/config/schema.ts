/**
 * A schema beside a value: which part of it speaks of which part of the value. Unions are resolved
 * by the key they are told apart by (`x-discriminator`), so that what is said of a value is said of the kind it claims.
 */
import { Config } from '../../model/config.ts';
import type { Form } from '../../model/forms.ts';
import { GuardConfig } from '../../model/guard-config.ts';
import type { KeyPath } from './problem.ts';

/** JSON Schema, as far as the configuration uses it. */
export type Schema = {
  readonly type?: string;
  readonly title?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly 'x-form'?: Form;
  /** The form of names that people choose in a mapping; without it `name`. */
  readonly 'x-key-form'?: Form;
  readonly 'x-secret'?: boolean;
  /** A PEM file that is read as such. */
  readonly 'x-file'?: boolean;
  readonly 'x-discriminator'?: string;
};

/** The published form: plain JSON. */
export const CONFIG_SCHEMA: Schema = JSON.parse(JSON.stringify(Config));
export const GUARD_SCHEMA: Schema = JSON.parse(JSON.stringify(GuardConfig));

/** What a file is written in, and the one to begin with. */
export type Format = { readonly schema: Schema; readonly example: string };
export const CONFIG_FORMAT: Format = { schema: CONFIG_SCHEMA, example: 'config/minimal.yaml' };
export const GUARD_FORMAT: Format = { schema: GUARD_SCHEMA, example: 'config/guard.yaml' };

export const isMapping = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
export const own = (value: unknown, key: string | number): unknown => {
  if (Array.isArray(value)) return typeof key === 'number' ? value[key] : undefined;
  return isMapping(value) && Object.hasOwn(value, key) ? value[key] : undefined;
};

/** Values that tell the members of a union apart, in their order. */
export const kindsOf = (union: Schema): string[] => {
  const key = union['x-discriminator'] ?? '';
  return (union.anyOf ?? []).map((member) => String(member.properties?.[key]?.const));
};

/** The one member of a union of plain words and a mapping that is the mapping; undefined in any other union. */
export const mappingOf = (union: Schema): Schema | undefined =>
  union['x-discriminator'] === undefined ? union.anyOf?.find((member) => member.type === 'object') : undefined;

/** The member of a union that a value claims to be; the schema itself where it is no union; null = none. */
export function memberFor(schema: Schema, value: unknown): Schema | null {
  const key = schema['x-discriminator'];
  if (schema.anyOf === undefined) return schema;
  if (key === undefined) return (isMapping(value) ? mappingOf(schema) : undefined) ?? schema;
  const claimed = own(value, key);
  return schema.anyOf.find((member) => member.properties?.[key]?.const === claimed) ?? null;
}

export function childSchema(schema: Schema, key: string | number): Schema | null {
  if (typeof key === 'number') return schema.items ?? null;
  if (schema.properties !== undefined && Object.hasOwn(schema.properties, key)) return schema.properties[key] ?? null;
  return Object.values(schema.patternProperties ?? {})[0] ?? null;
}

/** The schema of what stands, or should stand, at a path; unions on the way are resolved, the last one is not. */
export function schemaAt(path: KeyPath, root: unknown, of: Schema): Schema | null {
  let schema: Schema | null = of;
  let value = root;
  for (const key of path) {
    const member: Schema | null = schema === null ? null : memberFor(schema, value);
    schema = member === null ? null : childSchema(member, key);
    value = own(value, key);
  }
  return schema;
}

export type Leaf = { readonly path: KeyPath; readonly schema: Schema; readonly value: string | number | boolean };

/** Every scalar of a valid value with its schema, in the order of the file. */
export function* leavesOf(value: unknown, schema: Schema, path: KeyPath = []): Generator<Leaf> {
  const member = memberFor(schema, value);
  if (member === null) return;
  if (Array.isArray(value) || isMapping(value)) {
    const entries = Array.isArray(value) ? [...value.entries()] : Object.entries(value);
    for (const [key, inner] of entries) {
      const child = childSchema(member, key);
      if (child !== null) yield* leavesOf(inner, child, [...path, key]);
    }
  } else if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
    yield { path, schema: member, value };
}
