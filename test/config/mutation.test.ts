// Whatever people, editors and templates do to a file: it is answered, and no secret is.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { type Document, isMap, isScalar, isSeq, parseDocument, visit } from 'yaml';
import { refusedReport, reportOf } from '../../src/cli/check-report.ts';
import { problemLines, reportLines } from '../../src/cli/check-text.ts';
import { painter } from '../../src/cli/terminal.ts';
import { type LoadResult, parseConfig } from '../../src/runtime/config/load.ts';
import { resolveSecrets } from '../../src/runtime/config/secrets.ts';
import { ROOT } from './support.ts';

const TEXT = readFileSync(join(ROOT, 'config/failover.yaml'), 'utf8');
const SECRET = 'sesame-open-wide';
const paint = painter(false);

const printed = (result: LoadResult): string => {
  const report = reportOf(result);
  const lines = report.ok ? reportLines(report, paint) : problemLines(report, paint);
  return `${lines.join('\n')}\n${JSON.stringify(report)}`;
};

/** Judges a text, and everything that may be said of it: nothing throws, every problem has a place in the file. */
function judged(text: string): LoadResult {
  const result = parseConfig('failover.yaml', '/etc/failoverd', text);
  const lines = text.split('\n');
  if (result.kind === 'loaded') return result;
  if (result.problems.length === 0) throw new Error('refused without a reason');
  for (const problem of [...result.problems, ...result.warnings]) {
    const line = lines[problem.line - 1];
    if (line === undefined || problem.column < 1 || problem.column > line.length + 1)
      throw new Error(`${problem.line}:${problem.column} is not in the file`);
    if (problem.value === '' || problem.remedy === '' || problem.message === '')
      throw new Error('something is not said');
  }
  return result;
}

const sources = {
  variable: (name: string) => (name.length % 5 === 0 ? undefined : `${SECRET}-${name}`),
  readFile: async () => ({ kind: 'read', bytes: Buffer.from(`${SECRET}-file\n`) }) as const,
};

/** One change of the text, as a slip of the hand makes it. */
const slip = fc.record({
  at: fc.nat({ max: TEXT.length }),
  cut: fc.nat({ max: 40 }),
  put: fc.oneof(
    fc.constantFrom(
      '',
      ' ',
      '\n',
      '\t',
      ':',
      ': ',
      '- ',
      '[',
      ']',
      '{',
      '}',
      '"',
      "'",
      '&a ',
      '*a',
      '!x ',
      '#',
      '|',
      '%',
      '\\',
    ),
    fc.string({ unit: 'binary', maxLength: 6 }),
    fc.constantFrom('__proto__: 1\n', 'null', '-1', '1e400', '.nan', '5m', '${env:HOME}', '<<: *a', '? ', '---\n'),
  ),
});

t.test('a slip of the hand never crashes the check, nor brings a secret out', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(slip, { minLength: 1, maxLength: 3 }), async (slips) => {
      const text = slips.reduce((text, { at, cut, put }) => text.slice(0, at) + put + text.slice(at + cut), TEXT);
      const result = judged(text);
      let said = printed(result);
      if (result.kind === 'loaded') {
        const secrets = await resolveSecrets(result, sources);
        if (secrets.kind === 'refused')
          said += problemLines(refusedReport('failover.yaml', secrets.problems, []), paint).join('\n');
      }
      if (said.includes(SECRET)) throw new Error('a secret was printed');
    }),
    { numRuns: 250 },
  );
  t.pass();
});

type Change =
  | { readonly kind: 'drop'; readonly pick: number }
  | { readonly kind: 'misspell'; readonly pick: number; readonly letter: string }
  | { readonly kind: 'set'; readonly pick: number; readonly value: unknown }
  | { readonly kind: 'wrap'; readonly pick: number; readonly list: boolean }
  | { readonly kind: 'flatten'; readonly pick: number };

const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ kind: fc.constant('drop' as const), pick: fc.nat() }),
  fc.record({ kind: fc.constant('misspell' as const), pick: fc.nat(), letter: fc.constantFrom('x', '_', 'é', '.') }),
  fc.record({
    kind: fc.constant('set' as const),
    pick: fc.nat(),
    value: fc.oneof(
      fc.constantFrom(null, true, 0, -1, 1.5, 1e21, '', '0s', '999d', 'us-east-1', 'constructor', '__proto__', 'auto'),
      fc.json().map((text): unknown => JSON.parse(text)),
    ),
  }),
  fc.record({ kind: fc.constant('wrap' as const), pick: fc.nat(), list: fc.boolean() }),
  fc.record({ kind: fc.constant('flatten' as const), pick: fc.nat() }),
);

/** Mappings and lists as the file has them: a secret may stand in the place of one by a slip of the hand. */
function collectionsOf(document: Document.Parsed): ReadonlySet<unknown> {
  const found = new Set<unknown>();
  visit(document, { Collection: (_, node) => void found.add(node) });
  return found;
}

/** Changes one entry of the document that holds plain secrets where there were references. */
function apply(document: Document.Parsed, own: ReadonlySet<unknown>, change: Change): void {
  const places: { entries: { key?: unknown; value?: unknown }[] | unknown[]; index: number }[] = [];
  visit(document, {
    Collection: (_, node) => {
      if (isMap(node) || isSeq(node))
        for (const index of node.items.keys()) places.push({ entries: node.items, index });
    },
  });
  const place = places[change.pick % Math.max(1, places.length)];
  if (place === undefined) return;
  const { entries, index } = place;
  const entry = entries[index];
  const pair = entry !== null && typeof entry === 'object' && 'key' in entry && 'value' in entry ? entry : null;
  const replace = (value: unknown): void => {
    if (pair === null) entries[index] = value;
    else pair.value = value;
  };
  const present = pair === null ? entry : pair.value;
  if (change.kind === 'flatten') {
    // A secret in the place of the mapping that should hold it; not in the place of a plain word that an earlier change
    // wrapped, whose value `check` rightly shows.
    if (own.has(present)) replace(document.createNode(SECRET));
  } else if (change.kind === 'drop') entries.splice(index, 1);
  else if (change.kind === 'set') replace(document.createNode(change.value));
  else if (change.kind === 'wrap') replace(document.createNode(change.list ? [present] : { inner: present }));
  else if (pair !== null && isScalar(pair.key)) pair.key.value = `${String(pair.key.value)}${change.letter}`;
}

t.test('nor does any change of what a file with plain secrets holds', async (t) => {
  const plain = TEXT.replace(/\$\{(?:env|file):[^}]*\}/g, SECRET);
  t.ok(plain.split(SECRET).length > 10);
  fc.assert(
    fc.property(fc.array(change, { minLength: 0, maxLength: 4 }), (changes) => {
      const document = parseDocument(plain);
      const own = collectionsOf(document);
      for (const one of changes) apply(document, own, one);
      if (printed(judged(document.toString())).includes(SECRET)) throw new Error('a secret was printed');
    }),
    { numRuns: 200 },
  );
  t.pass();
});
