/**
 * YAML text to plain values, each with its place in the file.
 *
 * The text is a stranger's until it is checked: nesting, aliases and size are bounded before anything is built, and no
 * message of the parser is passed on, since those quote the text, which may be a secret.
 */
import { Composer, type Document, isAlias, isMap, isScalar, isSeq, Lexer, LineCounter, Parser } from 'yaml';
import type { KeyPath, Position, Problem, ProblemCode } from './problem.ts';
import { pathText } from './problem.ts';
import type { Format, Schema } from './schema.ts';
import { shownKey } from './show.ts';
import { syntaxProblem } from './syntax.ts';

/** Deepest nesting; a configuration needs nine. */
export const MOST_DEPTH = 64;
/** Most values once aliases are followed; a thousand groups need some hundred thousand. */
export const MOST_VALUES = 500_000;

/** A value, where it stands, and the same of what is in it. */
type Place = {
  readonly value: unknown;
  /** A scalar as it was written: a number of twenty digits is no longer itself once it is a number. */
  readonly written: string | null;
  readonly at: Position;
  readonly keyAt: Position | null;
  readonly inside: ReadonlyMap<string, Place>;
};

export type Source = {
  readonly file: string;
  /** What the file is to be written in. */
  readonly schema: Schema;
  readonly value: unknown;
  /** Where the value stands; for one that is missing, the key of what should hold it. */
  valueAt(path: KeyPath): Position;
  /** Where the key of the value stands; for an element of a list, the element. */
  keyAt(path: KeyPath): Position;
  /** The scalar as it was written; null for what is no scalar, or missing. */
  written(path: KeyPath): string | null;
};

export type Reading =
  | { readonly kind: 'read'; readonly source: Source }
  | { readonly kind: 'refused'; readonly problems: readonly Problem[] };

class Refusal extends Error {
  readonly code: ProblemCode;
  readonly offset: number;
  readonly path: KeyPath;
  readonly shown: string;
  readonly remedy: string;

  constructor(code: ProblemCode, offset: number, path: KeyPath, message: string, shown: string, remedy: string) {
    super(message);
    this.code = code;
    this.offset = offset;
    this.path = path;
    this.shown = shown;
    this.remedy = remedy;
  }
}

/** Reads the text of a file. Never throws: what is wrong with the text is in the result. */
export function readYaml(file: string, text: string, format: Format): Reading {
  const lines = linesOf(text);
  const at = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  try {
    refuseDeepLines(text);
    // Unique keys are seen to below, where the key is known by its path.
    const composer = new Composer({ uniqueKeys: false, prettyErrors: false, logLevel: 'silent' });
    const documents = [...composer.compose(new Parser().parse(text), false, text.length)];
    for (const document of documents) {
      const problem = syntaxProblem(file, document, at);
      if (problem !== null) return { kind: 'refused', problems: [problem] };
    }
    refuseDocuments(documents);
    return build(file, documents[0], at, format);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { kind: 'refused', problems: [refused(file, error, at)] };
  }
}

function linesOf(text: string): LineCounter {
  const lines = new LineCounter();
  lines.addNewLine(0);
  for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', end + 1)) lines.addNewLine(end + 1);
  return lines;
}

const tooDeep = (offset: number, path: KeyPath): Refusal =>
  new Refusal(
    'yaml-too-deep',
    offset,
    path.slice(0, 8),
    'values are nested too deeply',
    `more than ${MOST_DEPTH} levels`,
    `nest at most ${MOST_DEPTH} levels`,
  );

function refused(file: string, refusal: Refusal, at: (offset: number) => Position): Problem {
  const { code, path, message, shown, remedy } = refusal;
  return { file, ...at(refusal.offset), code, path: pathText(path), value: shown, message, remedy };
}

const ZERO_WIDTH = new Set(['\u0002', '\u0018', '\u001f']);
/** What opens a level without indentation is counted before the parser builds anything of it: a level is one byte. */
function refuseDeepLines(text: string): void {
  let depth = 0;
  let inLine = 0;
  let offset = 0;
  for (const lexeme of new Lexer().lex(text)) {
    if (ZERO_WIDTH.has(lexeme)) continue;
    if (lexeme === '[' || lexeme === '{') depth += 1;
    else if (lexeme === ']' || lexeme === '}') depth = Math.max(0, depth - 1);
    else if (lexeme === '-' || lexeme === '?') inLine += 1;
    else if (lexeme.includes('\n')) inLine = 0;
    if (depth > MOST_DEPTH || inLine > MOST_DEPTH) throw tooDeep(offset, []);
    offset += lexeme.length;
  }
}

function refuseDocuments(documents: readonly Document.Parsed[]): void {
  const [first, second] = documents;
  if (second !== undefined)
    throw new Refusal(
      'yaml-documents',
      second.range[0],
      [],
      'a second document begins here',
      `${documents.length} documents`,
      'keep one document in the file, without --- between its parts',
    );
  const version = first?.directives?.yaml;
  if (version?.explicit === true && version.version !== '1.2')
    throw new Refusal(
      'yaml-version',
      0,
      [],
      'the file asks for another version of YAML, in which words such as yes and no mean something else',
      `%YAML ${version.version}`,
      'leave the %YAML line out',
    );
}

type Node = unknown;
type Walk = {
  readonly at: (offset: number) => Position;
  readonly anchors: Map<string, Node>;
  /** Nodes that are being read: an alias that leads to one of them holds itself. */
  readonly open: Set<Node>;
  /** The alias in the text that is being followed; what it leads to may hold others. */
  alias: { readonly offset: number; readonly path: KeyPath } | null;
  values: number;
};

function build(
  file: string,
  document: Document.Parsed | undefined,
  at: (offset: number) => Position,
  { schema, example }: Format,
): Reading {
  const contents = document?.contents ?? null;
  if (contents === null || (isScalar(contents) && contents.value === null))
    throw new Refusal('empty', 0, [], 'the file holds no configuration', 'nothing', `begin with ${example}`);
  const walk: Walk = { at, anchors: new Map(), open: new Set(), alias: null, values: 0 };
  const root = placeOf(walk, contents, null, [], contents.range[0]);
  if (!isMap(contents))
    throw new Refusal(
      'not-a-mapping',
      contents.range[0],
      [],
      'the file must be a mapping of keys to values',
      isSeq(contents) ? 'a list' : 'a single value',
      `begin with ${example}`,
    );
  return { kind: 'read', source: sourceOf(file, schema, root) };
}

function placeOf(walk: Walk, node: Node, keyAt: Position | null, path: KeyPath, offset: number): Place {
  walk.values += 1;
  if (walk.values > MOST_VALUES)
    throw new Refusal(
      'yaml-alias-bomb',
      walk.alias?.offset ?? offset,
      walk.alias?.path ?? path,
      'there are too many values once aliases are followed',
      `more than ${MOST_VALUES}`,
      'write the values out, or split the file into daemons of their own',
    );
  if (path.length > MOST_DEPTH) throw tooDeep(offset, path);
  if (isAlias(node)) return aliased(walk, node.source, keyAt, path, node.range?.[0] ?? offset);
  if (hasAnchor(node) && walk.alias === null) walk.anchors.set(node.anchor, node);
  if (isMap(node) || isSeq(node)) {
    const start = node.range?.[0] ?? offset;
    walk.open.add(node);
    const place = isMap(node)
      ? mappingOf(walk, node.items, keyAt, path, start)
      : listOf(walk, node.items, keyAt, path, start);
    walk.open.delete(node);
    return place;
  }
  if (!isScalar(node)) return { value: null, written: '', at: keyAt ?? walk.at(offset), keyAt, inside: new Map() };
  const nothing = node.value === null && (node.source ?? '') === '';
  return {
    value: node.value,
    written: node.source ?? String(node.value),
    at: nothing ? (keyAt ?? walk.at(offset)) : walk.at(node.range?.[0] ?? offset),
    keyAt,
    inside: new Map(),
  };
}

const hasAnchor = (node: Node): node is { anchor: string } =>
  typeof node === 'object' && node !== null && 'anchor' in node && typeof node.anchor === 'string';

function aliased(walk: Walk, name: string, keyAt: Position | null, path: KeyPath, offset: number): Place {
  const target = walk.anchors.get(name);
  if (target === undefined || walk.open.has(target))
    throw new Refusal(
      'yaml-alias',
      offset,
      path,
      target === undefined
        ? 'the alias names no anchor that stands before it'
        : 'the alias stands inside its own anchor',
      'an alias',
      'put the anchor (&name) before its first alias (*name), or write the value out',
    );
  const outer = walk.alias;
  walk.alias ??= { offset, path };
  const place = placeOf(walk, target, keyAt, path, offset);
  walk.alias = outer;
  return place;
}

type Pair = { readonly key: unknown; readonly value: unknown };
function mappingOf(walk: Walk, items: readonly Pair[], keyAt: Position | null, path: KeyPath, offset: number): Place {
  const inside = new Map<string, Place>();
  const value: Record<string, unknown> = {};
  for (const { key, value: node } of items) {
    const start = isScalar(key) || isMap(key) || isSeq(key) || isAlias(key) ? (key.range?.[0] ?? offset) : offset;
    if (!isScalar(key))
      throw new Refusal(
        'yaml-key',
        start,
        path,
        'a key must be plain text',
        'another kind of key',
        'write the key as one word',
      );
    const name = typeof key.value === 'string' ? key.value : (key.source ?? String(key.value));
    const at = walk.at(start);
    const first = inside.get(name)?.keyAt;
    if (first)
      throw new Refusal(
        'duplicate-key',
        start,
        [...path, name],
        `this key is written twice; first on line ${first.line}`,
        shownKey(name),
        'keep one of the two',
      );
    const place = placeOf(walk, node, at, [...path, name], start);
    inside.set(name, place);
    // A plain assignment to __proto__ would set the prototype.
    Object.defineProperty(value, name, { value: place.value, enumerable: true, writable: true, configurable: true });
  }
  return { value, written: null, at: walk.at(offset), keyAt, inside };
}

function listOf(walk: Walk, items: readonly unknown[], keyAt: Position | null, path: KeyPath, offset: number): Place {
  const places = items.map((node, index) => placeOf(walk, node, null, [...path, index], offset));
  return {
    value: places.map((place) => place.value),
    written: null,
    at: walk.at(offset),
    keyAt,
    inside: new Map(places.map((place, index) => [String(index), place])),
  };
}

function sourceOf(file: string, schema: Schema, root: Place): Source {
  const find = (path: KeyPath): { place: Place; whole: boolean } => {
    let place = root;
    for (const part of path) {
      const next = place.inside.get(String(part));
      if (next === undefined) return { place, whole: false };
      place = next;
    }
    return { place, whole: true };
  };
  const nearest = (path: KeyPath): Position => {
    const { place, whole } = find(path);
    if (place === root && !whole) return { line: 1, column: 1 };
    return whole ? place.at : (place.keyAt ?? place.at);
  };
  return {
    file,
    schema,
    value: root.value,
    valueAt: nearest,
    keyAt: (path) => {
      const { place, whole } = find(path);
      return whole ? (place.keyAt ?? place.at) : nearest(path);
    },
    written: (path) => {
      const { place, whole } = find(path);
      return whole ? place.written : null;
    },
  };
}
