/** Values that nobody meant well with, and real ones with something of that in them. */
import fc from 'fast-check';

/** Names by which a careless merge or look-up leaves the object. */
export const PROTOTYPE_NAMES = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  'valueOf',
] as const;

/** Each would be seen at once if it was ever taken for markup, a template, a path or an expression. */
export const SCRIPTS = [
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  "'><svg/onload=alert(1)>",
  '</title></style></script><iframe srcdoc="<script>alert(1)</script>">',
  '<a href="javascript:alert(1)">x</a>',
  '&lt;b&gt;&#60;i&#62;&amp;',
  '<!--><plaintext>',
  ']]><textarea>',
  '${env:HOME} {{7*7}} <%= 7 %>',
  '../../../../etc/passwd',
  '\u202egnp.exe\u2066',
  '\u0000\u0001\u001b[31m',
  '\ud800 half a pair',
  '%00%0d%0aSet-Cookie: x=1',
  'a\r\nInjected: header',
] as const;

const SPECIAL = [
  null,
  true,
  0,
  -0,
  -1,
  1e308,
  Number.MAX_SAFE_INTEGER + 1,
  '',
  ' ',
  '0001-01-01T00:00:00Z',
  '9999-12-31T23:59:59Z',
  '2026-02-31T00:00:00Z',
  'firing',
  [],
  {},
] as const;

export const hostileText = fc.oneof(
  fc.constantFrom(...SCRIPTS),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom(...PROTOTYPE_NAMES),
  fc.integer({ min: 1, max: 20_000 }).map((length) => 'x'.repeat(length)),
);

const nested = (depth: number, list: boolean): unknown => {
  let value: unknown = 1;
  for (let i = 0; i < depth; i += 1) value = list ? [value] : { a: value };
  return value;
};

export const hostileValue: fc.Arbitrary<unknown> = fc.oneof(
  hostileText,
  fc.constantFrom(...SPECIAL),
  fc.tuple(fc.integer({ min: 1, max: 60 }), fc.boolean()).map(([depth, list]) => nested(depth, list)),
  fc.jsonValue({ maxDepth: 3 }),
);

/** One change of a JSON text, at a place that the numbers choose. */
export type Change = {
  readonly at: number;
  readonly how: 'replace' | 'remove' | 'rename' | 'add' | 'double';
  readonly value: unknown;
  readonly name: string;
};

export const change: fc.Arbitrary<Change> = fc.record({
  at: fc.nat({ max: 10_000 }),
  how: fc.constantFrom('replace', 'remove', 'rename', 'add', 'double'),
  value: hostileValue,
  name: fc.oneof(fc.constantFrom(...PROTOTYPE_NAMES), hostileText),
});

type Place = { readonly holder: Record<string, unknown> | unknown[]; readonly key: string | number };

function placesIn(value: unknown, places: Place[] = []): Place[] {
  if (typeof value !== 'object' || value === null) return places;
  for (const [key, inner] of Object.entries(value)) {
    places.push({ holder: value as Place['holder'], key: Array.isArray(value) ? Number(key) : key });
    placesIn(inner, places);
  }
  return places;
}

/** A key as JSON has it: `__proto__` is one like any other. */
const put = (holder: Place['holder'], key: string | number, value: unknown): void =>
  void Object.defineProperty(holder, key, { value, enumerable: true, configurable: true, writable: true });

/** The value with all changes made, as JSON. */
export function changed(original: unknown, changes: readonly Change[]): string {
  const value: { whole: unknown } = { whole: structuredClone(original) };
  for (const { at, how, value: other, name } of changes) {
    const places = placesIn(value);
    const { holder, key }: Place = places[at % places.length] ?? { holder: value, key: 'whole' };
    const inner = (holder as Record<string | number, unknown>)[key];
    if (how === 'replace') put(holder, key, structuredClone(other));
    else if (how === 'add' && typeof inner === 'object' && inner !== null && !Array.isArray(inner))
      put(inner as Record<string, unknown>, name, structuredClone(other));
    else if (Array.isArray(holder)) {
      if (how === 'remove') holder.splice(Number(key), 1);
      else if (how === 'double' && holder.length < 200) holder.push(structuredClone(inner));
    } else if (holder !== value) {
      if (how === 'remove' || how === 'rename') delete holder[key];
      if (how === 'rename') put(holder, name, inner);
    }
  }
  return JSON.stringify(value.whole) ?? 'null';
}

/** Bytes of a text with something broken in them. */
export const brokenBytes = (text: fc.Arbitrary<string>): fc.Arbitrary<Buffer> =>
  fc
    .tuple(
      text,
      fc.nat({ max: 100_000 }),
      fc.constantFrom('cut', 'flip', 'insert', 'none'),
      fc.uint8Array({ maxLength: 8 }),
    )
    .map(([whole, at, how, bytes]) => {
      const buffer = Buffer.from(whole);
      const place = buffer.length === 0 ? 0 : at % buffer.length;
      if (how === 'cut') return buffer.subarray(0, place);
      if (how === 'insert') return Buffer.concat([buffer.subarray(0, place), bytes, buffer.subarray(place)]);
      if (how === 'flip' && buffer.length > 0) buffer[place] = (buffer[place] ?? 0) ^ 0x80;
      return buffer;
    });
