/** Writes docs/configuration.md and docs/guard-configuration.md from the same schemas that check the files. */
import { join } from 'node:path';
import { COMPONENT_KINDS } from '../src/model/components.ts';
import { FACTS } from '../src/model/facts.ts';
import type { Form } from '../src/model/forms.ts';
import { ROW_FACTS, type RowFactSpec } from '../src/model/row-facts.ts';
import { PROBLEMS } from '../src/runtime/config/problem.ts';
import { CONFIG_SCHEMA, GUARD_SCHEMA, mappingOf, type Schema } from '../src/runtime/config/schema.ts';
import { generate, ROOT } from './generated.ts';

export const REFERENCE_FILE = join(ROOT, 'docs/configuration.md');
export const GUARD_REFERENCE_FILE = join(ROOT, 'docs/guard-configuration.md');

const FORM_NAMES: Readonly<Record<Form, string>> = {
  name: 'name',
  duration: 'duration',
  'host-port': 'host:port',
  url: 'URL',
  'control-target': 'control target',
  secret: 'secret',
  'time-of-day': 'HH:MM',
  'end-of-hours': 'HH:MM, or 24:00',
  instant: 'instant',
  cause: 'cause',
  date: 'YYYY-MM-DD',
  matcher: 'matcher',
  digits: 'digits',
  expression: 'expression',
  comparison: 'comparison',
  'fact-name': 'name of a fact',
  path: 'path',
  'absolute-path': 'absolute path',
  file: 'PEM file',
};

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
const row = (...cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`;
const table = (head: readonly string[], rows: readonly (readonly string[])[]): string[] => [
  row(...head),
  row(...head.map(() => '---')),
  ...rows.map((cells) => row(...cells)),
];
const code = (text: string): string => `\`${text}\``;
const oneOf = (values: readonly unknown[]): string => values.map((value) => code(String(value))).join(', ');

/** Mappings have a section of their own; so do lists of mappings and each kind of a union. */
type Section = { readonly path: string; readonly schema: Schema };

const entryOf = (schema: Schema): Schema | undefined => Object.values(schema.patternProperties ?? {})[0];

/** A choice among plain values, and it may be a mapping instead. */
function plainOf(members: readonly Schema[]): string {
  const plain = members.flatMap((member) => (member.const === undefined ? [] : [member.const]));
  return plain.length === members.length ? oneOf(plain) : `${oneOf(plain)}, or a mapping`;
}

function typeOf(schema: Schema): string {
  const form = schema['x-form'];
  const entry = entryOf(schema);
  if (schema.const !== undefined) return code(String(schema.const));
  if (schema.enum !== undefined) return oneOf(schema.enum);
  if (form !== undefined) return FORM_NAMES[form];
  if (entry !== undefined) return `${typeOf(entry)}, by name`;
  if (schema.anyOf !== undefined) return schema['x-discriminator'] === undefined ? plainOf(schema.anyOf) : 'mapping';
  if (schema.items !== undefined) return `list of ${typeOf(schema.items)}`;
  if (schema.properties !== undefined) return 'mapping';
  return { string: 'text', integer: 'whole number', boolean: 'true or false' }[schema.type ?? ''] ?? 'value';
}

function sectionsIn(path: string, schema: Schema, kind = ''): Section[] {
  const entry = entryOf(schema);
  if (entry !== undefined) return sectionsIn(`${path}.NAME`, entry);
  if (schema.items !== undefined) return sectionsIn(`${path}[]`, schema.items);
  const key = schema['x-discriminator'];
  if (schema.anyOf !== undefined && key !== undefined)
    return schema.anyOf.flatMap((member) =>
      sectionsIn(path, member, ` (${key}: ${String(member.properties?.[key]?.const)})`),
    );
  const mapping = mappingOf(schema);
  if (mapping !== undefined) return sectionsIn(path, mapping);
  if (schema.properties === undefined) return [];
  const inside = Object.entries(schema.properties).flatMap(([key, property]) =>
    sectionsIn(path === '' ? key : `${path}.${key}`, property),
  );
  return [{ path: `${path}${kind}`, schema }, ...inside];
}

/** What several kinds of component have in common is told once. */
function told(sections: readonly Section[]): Section[] {
  const byPath = new Map<string, Section>();
  for (const section of sections) {
    const same = byPath.get(section.path);
    if (same !== undefined && JSON.stringify(same.schema) !== JSON.stringify(section.schema))
      throw new Error(`${section.path} means two things: name its kinds apart`);
    if (same === undefined) byPath.set(section.path, section);
  }
  return [...byPath.values()];
}

function fallbackOf(key: string, property: Schema, parent: Schema): string {
  if (parent.required?.includes(key)) return 'required';
  if (property.default === undefined) return '';
  return code(typeof property.default === 'string' ? property.default : JSON.stringify(property.default));
}

function sectionLines({ path, schema }: Section): string[] {
  const rows = Object.entries(schema.properties ?? {}).map(([key, property]) => [
    code(key),
    typeOf(property),
    fallbackOf(key, property, schema),
    property.description ?? '',
  ]);
  return [
    '',
    path === '' ? '## The file' : `### ${code(path)}`,
    '',
    ...(schema.description === undefined ? [] : [`${schema.description}.`, '']),
    ...table(['key', 'value', 'default', 'meaning'], rows),
  ];
}

const FORMS = [
  ['duration', 'Numbers with their units: `250ms`, `10s`, `5m`, `1h30m`. At most `400d`.'],
  ['host:port', '`db.example.com:5432`, `10.0.0.5:5432`, `[2001:db8::5]:5432`.'],
  ['control target', '`tcp://host:port`, which must accept a connection, or a URL, which must answer at all.'],
  ['matcher', 'By equality alone: `label="value"` or `label!="value"`. No regular expressions.'],
  ['comparison', 'Which numbers are meant, in quotes: `"> 0.05"`, `"== 0"`; also `>=`, `<`, `<=`, `!=`.'],
  ['name of a fact', 'Lower-case letters, digits and underscores, beginning with a letter; 63 at most.'],
  ['instant', 'RFC 3339 with its zone: `2026-12-05T22:00:00+01:00`, `2026-12-05T21:00Z`.'],
  ['cause', '`partial`, `restart`, `speak-up`, or a row by its number: `row 80`.'],
  ['name', 'Lower-case letters, digits and dashes; 63 at most.'],
  ['secret', 'Exactly one reference: `${env:NAME}` or `${file:PATH}`, relative to the file. Never the secret itself.'],
] as const;

function matrixLines(): string[] {
  const rows = ROW_FACTS.map(({ name, type, unit, from, says, scopes }: RowFactSpec) => [
    code(name),
    unit === null ? type : `${type}, ${unit}`,
    from,
    scopes === undefined ? 'any' : scopes.length === COMPONENT_KINDS.length ? 'any component' : scopes.join(', '),
    says,
  ]);
  return [
    '',
    '## What rows read',
    '',
    'An expression is made of `ok(fact)`, `bad(fact)`, `unknown(fact)`, comparisons of numbers (`fact > 300`), `&&`, `||` and',
    'brackets; nothing else of CEL, and no negation, by which unknown would pass for well. What is unknown makes the row one',
    'that can’t tell, unless the rest decides alone. Any fact may be unknown.',
    '',
    'A row with a `scope` is judged for each component of that kind on its own, in holds and decisions of its own, and reads the',
    'facts of that component beside those of the group. The first deciding row that matches wins in its scope; a row of the',
    'group that matches takes the turn of every component behind it.',
    '',
    ...table(
      ['fact', 'type', 'from', 'in rows of', 'meaning'],
      [
        ...rows,
        [
          code('metrics.NAME'),
          'number or verdict',
          'metrics',
          'any',
          'a fact that the group names under `facts`, from one value of PromQL; unknown unless Prometheus gave exactly one fresh value',
        ],
      ],
    ),
  ];
}

function factLines(): string[] {
  const rows = FACTS.map((fact) => [code(fact.name), fact.subject, fact.type, fact.unit ?? '', fact.expiry, fact.says]);
  const head = ['fact', 'of', 'type', 'unit', 'counts for', 'meaning'];
  return [
    '',
    '## Facts',
    '',
    'What is known at one instant. Each may be unknown, and unknown is never good enough to act on.',
    '',
    ...table(head, rows),
  ];
}

const problemLines = (): string[] => [
  '',
  '## What `failoverd check` may find',
  '',
  'Each with its place in the file, the value, and a remedy. The codes are stable.',
  '',
  ...table(
    ['code', 'meaning'],
    Object.entries(PROBLEMS).map(([name, says]) => [code(name), says]),
  ),
];

export const referenceText = (): string =>
  `${[
    '# Configuration',
    '',
    'Made from the schema by `node scripts/reference.ts`; do not edit it. `failoverd check FILE` tells what is wrong with a',
    'file and what it will do; `config/failover.schema.json` tells an editor. `config/minimal.yaml` is where to begin,',
    '`config/failover.yaml` a whole strategy.',
    '',
    'The file is YAML 1.2 in UTF-8. Unknown keys are errors, and nothing is coerced. Relative paths are relative to the file.',
    '',
    '## Forms of text',
    '',
    ...table(
      ['form', 'how it is written'],
      FORMS.map((form) => [...form]),
    ),
    ...told(sectionsIn('', CONFIG_SCHEMA)).flatMap(sectionLines),
    ...matrixLines(),
    ...factLines(),
    ...problemLines(),
  ].join('\n')}\n`;

export const guardReferenceText = (): string =>
  `${[
    '# Configuration of a guard',
    '',
    'Made from the schema by `node scripts/reference.ts`; do not edit it. `failoverd check FILE` knows a guard’s file by its keys,',
    'and `config/guard.schema.json` tells an editor. `config/guard.yaml` is where to begin; how to choose its lease is in',
    '[timings](timings.md). Forms of text are those of [the configuration](configuration.md#forms-of-text), where what `check`',
    'may find is listed too; an absolute path begins with a slash.',
    ...told(sectionsIn('', GUARD_SCHEMA)).flatMap(sectionLines),
  ].join('\n')}\n`;

if (import.meta.main) {
  generate(REFERENCE_FILE, referenceText(), 'scripts/reference.ts');
  generate(GUARD_REFERENCE_FILE, guardReferenceText(), 'scripts/reference.ts');
}
