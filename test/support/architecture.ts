// The house rules of the sources as a function over a set of files, so that the rules themselves can be tried on files
// that break them. Source of the rules: design §3.
import { posix } from 'node:path';
import { lineAt, readSource, type Source } from './source-text.ts';

/** Path from the repository's root, with forward slashes, to the file's text. */
export type Files = ReadonlyMap<string, string>;

export type Violation = {
  readonly rule: 'folder' | 'import' | 'package' | 'cycle' | 'ambient' | 'words';
  readonly file: string;
  readonly line: number;
  readonly message: string;
};

/** Every folder that src/ may have. */
const FOLDERS = [
  'model',
  'policies',
  'probes',
  'actions',
  'journal',
  'engine',
  'guard',
  'notify',
  'evidence',
  'sim',
  'backtest',
  'runtime',
  'daemon',
  'cli',
] as const;
type Folder = (typeof FOLDERS)[number];

/**
 * What a file is, as far as imports go. A fold and a contract (the type of a port, kept beside its implementations) are
 * as pure as the model they import; `machine` is the guard's judgement and the arithmetic of its lease; `inner` is what a daemon is made of besides its composition root.
 */
type Part =
  | 'model'
  | 'policies'
  | 'fold'
  | 'contract'
  | 'machine'
  | 'engine'
  | 'adapter'
  | 'runtime'
  | 'sim'
  | 'inner'
  | 'root';

const ROOTS =
  /^src\/(?:daemon\/(?:app|parts|witness)\.ts|guard\/app\.ts|sim\/(?:.+\/)?(?:world|worlds|worker|main|catalogue)\.ts|cli\/.+)$/;
const MACHINE = /^src\/guard\/(?:machine(?:\/.+)?|timings(?:\/.+)?)\.ts$/;
const CONTRACTS = new Set(['src/engine/ports.ts', 'src/journal/store.ts', 'src/journal/chain.ts']);

function folderOf(path: string): Folder | undefined {
  return FOLDERS.find((folder) => path.startsWith(`src/${folder}/`));
}

function partOf(path: string): Part | undefined {
  if (ROOTS.test(path)) return 'root';
  if (CONTRACTS.has(path)) return 'contract';
  if (MACHINE.test(path)) return 'machine';
  if (/\/(?:.+-)?fold\.ts$/.test(path)) return 'fold';
  const folder = folderOf(path);
  switch (folder) {
    case undefined:
      return undefined;
    case 'model':
    case 'policies':
    case 'engine':
    case 'runtime':
    case 'sim':
      return folder;
    case 'daemon':
    case 'backtest':
      return 'inner';
    case 'probes':
    case 'actions':
    case 'journal':
    case 'guard':
    case 'notify':
    case 'evidence':
      return 'adapter';
    case 'cli':
      return 'root';
    default:
      return folder satisfies never;
  }
}

/** What every file is. What a fold imports from its own folder is a piece of the fold, and held to the same rule. */
function partsOf(sources: ReadonlyMap<string, Source>): ReadonlyMap<string, Part> {
  const parts = new Map<string, Part>();
  for (const file of sources.keys()) {
    const part = partOf(file);
    if (part !== undefined) parts.set(file, part);
  }
  const pieces = [...parts].filter(([, part]) => part === 'fold').map(([file]) => file);
  for (let file = pieces.pop(); file !== undefined; file = pieces.pop()) {
    for (const { specifier } of sources.get(file)?.imports ?? []) {
      const target = resolve(file, specifier);
      if (target === undefined || folderOf(target) !== folderOf(file) || parts.get(target) !== 'adapter') continue;
      parts.set(target, 'fold');
      pieces.push(target);
    }
  }
  return parts;
}

/** Parts that a file of the part on the left may import from other folders. Its own folder is judged in `mayImport`. */
const MAY_IMPORT: Readonly<Record<Exclude<Part, 'root'>, readonly Part[]>> = {
  model: [],
  policies: ['model'],
  fold: ['model'],
  contract: ['model'],
  machine: ['model'],
  engine: ['model', 'policies', 'fold', 'contract'],
  adapter: ['model', 'runtime'],
  runtime: ['model'],
  sim: ['model', 'policies', 'fold', 'contract', 'machine', 'engine', 'adapter', 'runtime'],
  inner: ['model', 'policies', 'fold', 'contract', 'machine', 'engine', 'runtime'],
};

function mayImport(from: string, to: string, parts: ReadonlyMap<string, Part>): boolean {
  const [fromPart, toPart] = [parts.get(from), parts.get(to)];
  if (fromPart === undefined || toPart === undefined) return false;
  const [fromFolder, toFolder] = [folderOf(from), folderOf(to)];
  if (toFolder === 'cli') return fromFolder === 'cli';
  if (toFolder === 'daemon') return fromFolder === 'cli' || fromFolder === 'daemon';
  if (fromPart === 'root') return true;
  // These stay pure in their own folder too.
  if (fromPart === 'fold' || fromPart === 'contract' || fromPart === 'machine')
    return toPart === fromPart || MAY_IMPORT[fromPart].includes(toPart);
  // Worlds are roots, and what runs, lists and mutates them stands beside them.
  if (fromPart === 'sim' && toFolder === 'sim') return true;
  if (fromFolder === toFolder) return toPart !== 'root';
  if (fromPart === 'sim' && toPart === 'adapter') return toFolder === 'journal' || toFolder === 'actions';
  return MAY_IMPORT[fromPart].includes(toPart);
}

/** The pure parts compute: what they may take from outside does no input or output. */
const PURE_PARTS: ReadonlySet<Part> = new Set(['model', 'policies', 'fold', 'contract', 'machine', 'engine']);
const PURE_PACKAGES =
  /^(?:typebox(?:\/.+)?|canonicalize|fastest-levenshtein|pure-rand(?:\/.+)?|p-limit|node:crypto|@marcbachmann\/cel-js|@prometheus-io\/lezer-promql)$/;

/** Clock, chance, timers and environment, and the ways around their plain names. */
const AMBIENT: readonly { readonly name: string; readonly pattern: RegExp }[] = [
  { name: 'the clock (Date.now)', pattern: /\bDate\s*(?:(?:\?\.|\.)\s*now\b|\[)|\}\s*=\s*Date\b/g },
  { name: 'the clock (new Date without a time)', pattern: /\bnew\s+Date\b(?!\s*\(\s*[^\s)])/g },
  { name: 'the clock (Date as a function)', pattern: /(?<!\bnew\s+)(?<![.\w$])Date\s*\(/g },
  { name: 'the clock (Temporal)', pattern: /\bTemporal\s*\.\s*Now\b/g },
  { name: 'the clock (performance)', pattern: /(?<![.\w$])performance\s*\./g },
  { name: 'the clock or environment of the process', pattern: /\bprocess\s*(?:\.\s*(?:env|hrtime|uptime)\b|\[)/g },
  { name: 'the environment (destructured)', pattern: /\{[^{}]*\b(?:env|hrtime|uptime)\b[^{}]*\}\s*=\s*process\b/g },
  { name: 'chance (Math.random)', pattern: /\bMath\s*(?:\.\s*random\b|\[)|\}\s*=\s*Math\b/g },
  { name: 'chance (crypto)', pattern: /(?<![\w$])(?:randomUUID|randomBytes|randomInt|randomFill|getRandomValues)\b/g },
  { name: 'a timer', pattern: /(?<![.\w$])(?:setTimeout|setInterval|setImmediate)\b/g },
  { name: 'a timer (AbortSignal.timeout)', pattern: /\bAbortSignal\s*\.\s*timeout\b/g },
  { name: 'whatever is global', pattern: /(?<![.\w$])(?:globalThis|global\s*[.[])/g },
];
const AMBIENT_MODULES = /^(?:node:)?(?:timers(?:\/promises)?|perf_hooks|process)$/;

/** Words that don't belong into a repository: notes to self, silenced checks, paths of one machine, registries. */
const WORDS: readonly { readonly name: string; readonly pattern: RegExp; readonly only?: RegExp }[] = [
  { name: 'a note to self', pattern: /\b(?:TODO|FIXME|XXX|HACK)\b/g },
  { name: 'a silenced check', pattern: /@ts-(?:ignore|expect-error|nocheck)\b|\bas any\b/g },
  { name: 'a silenced lint rule', pattern: /\bbiome-ignore\b/g, only: /^src\// },
  { name: 'a path of one machine', pattern: /(?<![A-Za-z0-9_.}])\/(?:tmp|root|home|work|Users)\/[A-Za-z]/g },
  { name: 'a package registry', pattern: /\bregistry\.[a-z]+(?:js)?\.(?:org|com)\b/g },
];

function folderViolations(files: Files): readonly Violation[] {
  return [...files.keys()]
    .filter((file) => file.startsWith('src/') && folderOf(file) === undefined)
    .map((file) => ({
      rule: 'folder',
      file,
      line: 1,
      message: `src/ holds these folders only: ${FOLDERS.join(', ')}`,
    }));
}

function resolve(from: string, specifier: string): string | undefined {
  return specifier.startsWith('.') ? posix.normalize(posix.join(posix.dirname(from), specifier)) : undefined;
}

function importViolations(
  file: string,
  source: Source,
  parts: ReadonlyMap<string, Part>,
  files: Files,
): readonly Violation[] {
  const part = parts.get(file);
  const found: Violation[] = [];
  for (const { specifier, line } of source.imports) {
    const report = (rule: Violation['rule'], message: string) => found.push({ rule, file, line, message });
    if (specifier === '') {
      if (part !== 'root') report('import', 'names a module by an expression; nobody can tell what it imports');
      continue;
    }
    const target = resolve(file, specifier);
    if (target === undefined) {
      if (part !== undefined && PURE_PARTS.has(part) && !PURE_PACKAGES.test(specifier)) {
        report('package', `${part} is pure and may not import ${specifier}`);
      }
      if (AMBIENT_MODULES.test(specifier) && part !== 'runtime') {
        report('ambient', `imports ${specifier}; what it gives comes as a parameter from src/runtime`);
      }
    } else if (!target.startsWith('src/')) {
      report('import', `imports ${target} from outside src/`);
    } else if (!files.has(target)) {
      report('import', `imports ${target}, which does not exist`);
    } else if (!mayImport(file, target, parts)) {
      report('import', `a file of ${part} may not import ${target}, which is of ${parts.get(target)}`);
    }
  }
  return found;
}

function ambientViolations(file: string, source: Source): readonly Violation[] {
  if (folderOf(file) === 'runtime') return [];
  return AMBIENT.flatMap(({ name, pattern }) =>
    [...source.code.matchAll(pattern)].map((match) => ({
      rule: 'ambient' as const,
      file,
      line: lineAt(source.code, match.index),
      message: `uses ${name}; outside src/runtime it is a parameter`,
    })),
  );
}

/** Cycles among the folders of src/, each reported once with the import that closes it. */
function cycleViolations(sources: ReadonlyMap<string, Source>): readonly Violation[] {
  const edges = new Map<string, Map<string, Violation>>();
  for (const [file, source] of sources) {
    for (const { specifier, line } of source.imports) {
      const target = resolve(file, specifier);
      const [from, to] = [folderOf(file), target === undefined ? undefined : folderOf(target)];
      if (from === undefined || to === undefined || from === to) continue;
      const out = edges.get(from) ?? new Map<string, Violation>();
      edges.set(from, out);
      if (!out.has(to)) out.set(to, { rule: 'cycle', file, line, message: '' });
    }
  }
  const found: Violation[] = [];
  const done = new Set<string>();
  const visit = (folder: string, path: readonly string[]): void => {
    for (const [next, edge] of edges.get(folder) ?? []) {
      const since = path.indexOf(next);
      if (since >= 0) {
        found.push({ ...edge, message: `closes a circle of folders: ${[...path.slice(since), next].join(' -> ')}` });
      } else if (!done.has(next)) {
        visit(next, [...path, next]);
      }
    }
    done.add(folder);
  };
  for (const folder of edges.keys()) if (!done.has(folder)) visit(folder, [folder]);
  return found;
}

/** What breaks the rules among the TypeScript files of src/. Other files in the set are ignored. */
export function sourceViolations(files: Files): readonly Violation[] {
  const sources = new Map<string, Source>();
  for (const [file, text] of files) {
    if (file.startsWith('src/') && file.endsWith('.ts')) sources.set(file, readSource(text));
  }
  const parts = partsOf(sources);
  return [
    ...folderViolations(files),
    ...[...sources].flatMap(([file, source]) => [
      ...importViolations(file, source, parts, files),
      ...ambientViolations(file, source),
    ]),
    ...cycleViolations(sources),
  ];
}

/** Words in any text file of the repository that don't belong there. */
export function wordViolations(files: Files): readonly Violation[] {
  return [...files].flatMap(([file, text]) =>
    WORDS.filter(({ only }) => only === undefined || only.test(file)).flatMap(({ name, pattern }) =>
      [...text.matchAll(pattern)].map((match) => ({
        rule: 'words' as const,
        file,
        line: lineAt(text, match.index),
        message: `holds ${name}: ${match[0]}`,
      })),
    ),
  );
}

export const toText = ({ file, line, rule, message }: Violation): string => `${file}:${line} ${rule}: ${message}`;
