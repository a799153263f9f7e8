// Keeps design §3: who may import whom, and where clock, chance, timers and environment may be touched. The second half
// breaks each rule in files made up for it: a rule that can't fail keeps nothing.
import t from 'tap';
import { sourceViolations, toText, type Violation, wordViolations } from './support/architecture.ts';
import { repositoryFiles } from './support/repository.ts';

/** These name the words they forbid. */
const RULES_THEMSELVES = new Set(['test/support/architecture.ts', 'test/architecture.test.ts']);

t.test(
  'the sources keep the import rule, and only src/runtime touches clock, chance, timers, environment',
  async (t) => {
    const files = repositoryFiles();
    t.ok(
      [...files.keys()].some((file) => file.startsWith('src/model/')),
      'the sources were found',
    );
    t.same(sourceViolations(files).map(toText), []);
  },
);

t.test('no file holds a note to self, a silenced check, a path of one machine, or a package registry', async (t) => {
  const files = new Map([...repositoryFiles()].filter(([file]) => !RULES_THEMSELVES.has(file)));
  t.same(wordViolations(files).map(toText), []);
});

/** A small tree that keeps every rule; each case below adds or replaces one file. */
const GOOD: Readonly<Record<string, string>> = {
  'src/model/facts.ts': `import Type from 'typebox';\nexport const Fact = Type.String();\n`,
  'src/policies/view.ts': `import { Fact } from '../model/facts.ts';\nexport const view = [Fact];\n`,
  'src/journal/store.ts': `import type { Fact } from '../model/facts.ts';\nexport type Store = typeof Fact;\n`,
  'src/journal/fold.ts': `import '../model/facts.ts';\nexport const fold = 1;\n`,
  'src/journal/sqlite.ts': `import { DatabaseSync } from 'node:sqlite';\nimport { clock } from '../runtime/clock.ts';\nimport './fold.ts';\nimport type { Store } from './store.ts';\nexport const open = (s: Store) => [DatabaseSync, clock, s];\n`,
  'src/engine/loop.ts': `import { fold } from '../journal/fold.ts';\nimport type { Store } from '../journal/store.ts';\nimport { view } from '../policies/view.ts';\nexport const loop = (s: Store) => [fold, view, s];\n`,
  'src/probes/http.ts': `import '../model/facts.ts';\nimport '../runtime/clock.ts';\nexport const probe = (at: number) => new Date(at);\n`,
  'src/actions/dns.ts': `import type { Socket } from 'node:net';\nimport '../model/facts.ts';\nexport const idle = (socket: Socket) => socket.setTimeout(1);\n`,
  'src/runtime/clock.ts': `export const clock = () => [Date.now(), new Date(), process.env['TZ'], setTimeout, Math.random()];\n`,
  'src/sim/world.ts': `import '../engine/loop.ts';\nimport '../journal/sqlite.ts';\nexport const world = 1;\n`,
  'src/daemon/app.ts': `import '../engine/loop.ts';\nimport '../journal/sqlite.ts';\nimport '../probes/http.ts';\nimport '../actions/dns.ts';\nimport './http/status.ts';\n`,
  'src/daemon/http/status.ts': `import '../../policies/view.ts';\nexport const status = 'Date.now() and process.env in a string are words'; // so is setTimeout here\n`,
  'src/cli/run.ts': `import '../daemon/app.ts';\nimport '../sim/world.ts';\n`,
};

const withFiles = (changed: Readonly<Record<string, string>>): ReadonlyMap<string, string> =>
  new Map(Object.entries({ ...GOOD, ...changed }));

const briefly = (violations: readonly Violation[]): readonly string[] => [
  ...new Set(violations.map(({ rule, file, line }) => `${rule} ${file}:${line}`)),
];

t.test('a tree that keeps the rules is left in peace', async (t) => {
  t.same(sourceViolations(withFiles({})).map(toText), []);
});

/** What is put in, and what must be reported; every line is one way around the rule that must not work. */
const BROKEN: readonly [what: string, files: Readonly<Record<string, string>>, reported: readonly string[]][] = [
  [
    'the model imports a policy',
    { 'src/model/x.ts': `import '../policies/view.ts';` },
    ['import src/model/x.ts:1', 'cycle src/model/x.ts:1'],
  ],
  [
    'a policy imports an adapter',
    { 'src/policies/x.ts': `import { probe } from '../probes/http.ts';` },
    ['import src/policies/x.ts:1'],
  ],
  [
    'a policy imports a type of an adapter',
    { 'src/policies/x.ts': `\nimport type { Store } from '../journal/store.ts';` },
    ['import src/policies/x.ts:2'],
  ],
  [
    'a policy names an adapter in a type',
    { 'src/policies/x.ts': `export type P = typeof import('../probes/http.ts');` },
    ['import src/policies/x.ts:1'],
  ],
  [
    'a policy re-exports an adapter',
    { 'src/policies/x.ts': `export * from '../probes/http.ts';` },
    ['import src/policies/x.ts:1'],
  ],
  [
    'a policy loads an adapter late',
    { 'src/policies/x.ts': `export const p = () => import('../probes/http.ts');` },
    ['import src/policies/x.ts:1'],
  ],
  [
    'a policy hides what it loads',
    { 'src/policies/x.ts': 'export const p = (n: string) => import(`../${n}.ts`);' },
    ['import src/policies/x.ts:1'],
  ],
  [
    'a policy hides its import behind a comment',
    { 'src/policies/x.ts': `import /* ' */ {\n  probe,\n} from '../probes/http.ts';` },
    ['import src/policies/x.ts:1'],
  ],
  [
    'a policy reads files',
    { 'src/policies/x.ts': `import { readFileSync } from 'node:fs';` },
    ['package src/policies/x.ts:1'],
  ],
  [
    'a policy uses the runtime',
    { 'src/policies/x.ts': `import '../runtime/clock.ts';` },
    ['import src/policies/x.ts:1'],
  ],
  [
    'the guard’s machine imports its driver',
    {
      'src/guard/machine.ts': `import './machine/turn.ts';`,
      'src/guard/machine/turn.ts': `import '../driver.ts';`,
      'src/guard/driver.ts': `export const drive = 1;`,
    },
    ['import src/guard/machine/turn.ts:1'],
  ],
  [
    'a piece of a fold does more than fold',
    {
      'src/journal/fold.ts': `import './piece.ts';`,
      'src/journal/piece.ts': `import 'node:fs';\nimport '../runtime/clock.ts';`,
    },
    ['package src/journal/piece.ts:1', 'import src/journal/piece.ts:2'],
  ],
  [
    'a fold imports its store',
    { 'src/journal/fold.ts': `import './sqlite.ts';` },
    ['package src/journal/sqlite.ts:1', 'import src/journal/sqlite.ts:2', 'import src/journal/sqlite.ts:4'],
  ],
  [
    'a contract imports an implementation',
    { 'src/journal/store.ts': `import type { open } from './sqlite.ts';` },
    ['import src/journal/store.ts:1'],
  ],
  ['the engine imports a store', { 'src/engine/x.ts': `import '../journal/sqlite.ts';` }, ['import src/engine/x.ts:1']],
  [
    'the engine imports the runtime',
    { 'src/engine/x.ts': `import '../runtime/clock.ts';` },
    ['import src/engine/x.ts:1'],
  ],
  ['the engine talks to the network', { 'src/engine/x.ts': `import pg from 'pg';` }, ['package src/engine/x.ts:1']],
  [
    'an adapter imports a policy',
    { 'src/actions/x.ts': `import '../policies/view.ts';` },
    ['import src/actions/x.ts:1'],
  ],
  [
    'an adapter imports another adapter',
    { 'src/actions/x.ts': `import '../probes/http.ts';` },
    ['import src/actions/x.ts:1'],
  ],
  [
    'an adapter imports the engine',
    { 'src/actions/x.ts': `import '../engine/loop.ts';` },
    ['import src/actions/x.ts:1'],
  ],
  [
    'the daemon starts a worker from an adapter outside its root',
    { 'src/daemon/x.ts': `new Worker(new URL('../journal/sqlite.ts', import.meta.url));` },
    ['import src/daemon/x.ts:1'],
  ],
  ['an adapter imports the daemon', { 'src/notify/x.ts': `import '../daemon/app.ts';` }, ['import src/notify/x.ts:1']],
  [
    'the simulator imports the daemon',
    { 'src/sim/world.ts': `import '../daemon/app.ts';` },
    ['import src/sim/world.ts:1'],
  ],
  [
    'somebody imports the command line',
    { 'src/daemon/app.ts': `import '../cli/run.ts';` },
    ['import src/daemon/app.ts:1', 'cycle src/cli/run.ts:1'],
  ],
  [
    'two folders import each other',
    { 'src/runtime/x.ts': `import type { Store } from '../journal/store.ts';` },
    ['import src/runtime/x.ts:1', 'cycle src/runtime/x.ts:1'],
  ],
  ['the sources import the lab', { 'src/cli/x.ts': `import '../../lab/main.ts';` }, ['import src/cli/x.ts:1']],
  ['an import leads nowhere', { 'src/cli/x.ts': `import './gone.ts';` }, ['import src/cli/x.ts:1']],
  ['a folder is made up', { 'src/utils/x.ts': 'export const x = 1;' }, ['folder src/utils/x.ts:1']],
  ['a file stands outside the folders', { 'src/index.ts': 'export const x = 1;' }, ['folder src/index.ts:1']],
];

/** One line of code each; all of them read what must be a parameter. */
const AMBIENT = [
  'export const at = Date.now();',
  'export const now = Date.now;',
  "export const at = Date['now']();",
  'export const { now } = Date;',
  'export const at = new Date();',
  'export const at = new Date( /* now */ );',
  'export const at = new Date;',
  'export const at = Date();',
  'export const at = performance.now();',
  'export const at = process.hrtime.bigint();',
  'export const luck = Math.random();',
  'export const { random } = Math;',
  'export const id = crypto.randomUUID();',
  "import { randomBytes } from 'node:crypto';",
  "export const zone = process.env['TZ'];",
  'export const { env } = process;',
  "export const zone = process['env'];",
  "import { env } from 'node:process';",
  'setTimeout(() => {}, 1);',
  'export const later = globalThis.setTimeout;',
  "import { setTimeout as later } from 'node:timers/promises';",
  'export const signal = AbortSignal.timeout(1);',
  'export const text = `at ${Date.now()}`;',
  'export const re = /[\'"`]/; export const at = Date.now();',
];

for (const [what, files, reported] of BROKEN) {
  t.test(`it is reported when ${what}`, async (t) => {
    t.same(briefly(sourceViolations(withFiles(files))), reported);
  });
}

t.test(
  'a read of clock, chance, timers or environment is reported wherever it is put, except in src/runtime',
  async (t) => {
    for (const line of AMBIENT) {
      for (const folder of ['policies', 'probes', 'daemon', 'cli']) {
        const found = sourceViolations(withFiles({ [`src/${folder}/x.ts`]: `\n${line}\n` }));
        t.ok(briefly(found).includes(`ambient src/${folder}/x.ts:2`), `${folder}: ${line}`);
      }
      const allowed = sourceViolations(withFiles({ 'src/runtime/x.ts': `\n${line}\n` }));
      t.same(allowed.map(toText), [], `runtime: ${line}`);
    }
  },
);

t.test('words about these things, and times that are given, are left in peace', async (t) => {
  const lines = [
    "// Date.now() is the runtime's; so is process.env.",
    "export const help = 'set process.env or call Date.now()';",
    'export const help = `new Date() of ${1 + 1}`;',
    'export const re = /Date.now()/;',
    'export const at = (ms: number) => new Date(ms).toISOString();',
    'export const ms = Date.parse("2030-01-01");',
    'export type At = Date;',
    'export const half = (a: number, b: number) => a / b / 2;',
  ];
  t.same(sourceViolations(withFiles({ 'src/policies/x.ts': lines.join('\n') })).map(toText), []);
});

t.test('words that do not belong into the repository are reported', async (t) => {
  const files = new Map([
    ['docs/a.md', '/tmp/x is a path of one machine, /var/tmp/x and ~/tmp/x are not\n'],
    ['src/cli/b.ts', '// TODO later\nconst a = b as any;\n// biome-ignore lint: why not\n'],
    ['lab/c.ts', '// biome-ignore lint/some/rule: with its reason\n'],
  ]);
  t.same(briefly(wordViolations(files)), [
    'words docs/a.md:1',
    'words src/cli/b.ts:1',
    'words src/cli/b.ts:2',
    'words src/cli/b.ts:3',
  ]);
});
