/**
 * The schema as it speaks of one value: every union replaced by the member the value claims to be, every mapping by its
 * keys. A validator given this says each thing once, where for the union it would say it once per member. Keys that are
 * not known are found on the way.
 */
import type { KeyPath } from './problem.ts';
import { isMapping, kindsOf, mappingOf, memberFor, type Schema } from './schema.ts';

/** JSON Schema as the validator takes it. */
type Plain = Readonly<Record<string, unknown>>;
export type UnknownKey = { readonly path: KeyPath; readonly key: string; readonly schema: Schema };
export type Specialised = { readonly schema: Plain; readonly unknown: readonly UnknownKey[] };

export function specialise(schema: Schema, value: unknown): Specialised {
  const unknown: UnknownKey[] = [];
  return { schema: speakOf(schema, value, [], unknown), unknown };
}

function speakOf(schema: Schema, value: unknown, path: KeyPath, unknown: UnknownKey[]): Plain {
  if (schema.anyOf !== undefined) return speakOfUnion(schema, schema.anyOf, value, path, unknown);
  if (Array.isArray(value) && schema.items !== undefined) {
    const { items, ...rest } = schema;
    return { ...rest, prefixItems: value.map((inner, index) => speakOf(items, inner, [...path, index], unknown)) };
  }
  if (!isMapping(value) || schema.type !== 'object') return { ...schema };
  const { patternProperties: _, ...rest } = schema;
  const inside = Object.entries(value).flatMap(([key, inner]): [string, Plain][] => {
    const child = childFor(schema, key);
    if (child !== null) return [[key, speakOf(child, inner, [...path, key], unknown)]];
    unknown.push({ path, key, schema });
    return [];
  });
  return { ...rest, properties: Object.fromEntries(inside), additionalProperties: true };
}

function childFor(schema: Schema, key: string): Schema | null {
  if (schema.properties !== undefined && Object.hasOwn(schema.properties, key)) return schema.properties[key] ?? null;
  const named = Object.entries(schema.patternProperties ?? {}).find(([pattern]) => new RegExp(pattern, 'u').test(key));
  return named?.[1] ?? null;
}

function speakOfUnion(
  union: Schema,
  members: readonly Schema[],
  value: unknown,
  path: KeyPath,
  unknown: UnknownKey[],
): Plain {
  const key = union['x-discriminator'];
  // A choice among plain values, such as the tier, and it may be a mapping instead.
  if (key === undefined) {
    const mapping = isMapping(value) ? mappingOf(union) : undefined;
    if (mapping !== undefined) return speakOf(mapping, value, path, unknown);
    return { enum: members.flatMap((member) => (member.const === undefined ? [] : [member.const])) };
  }
  const member = memberFor(union, value);
  if (member !== null) return speakOf(member, value, path, unknown);
  return { type: 'object', required: [key], properties: { [key]: { enum: kindsOf(union) } } };
}
