// The published package is compiled JavaScript, which no other test runs: here it is built, looked through, and started.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import t from 'tap';
import { repositoryRoot as root } from './support/repository.ts';
import { readSource } from './support/source-text.ts';

const limitMs = 120_000;
const home = mkdtempSync(join(tmpdir(), 'failoverd-package-'));
t.teardown(() => rmSync(home, { recursive: true, force: true }));

const run = (args: readonly string[]) =>
  spawnSync(process.execPath, args, { cwd: home, encoding: 'utf8', timeout: limitMs });

const build = run([
  join(root, 'node_modules/typescript/bin/tsc'),
  '-p',
  join(root, 'tsconfig.build.json'),
  '--outDir',
  join(home, 'dist'),
]);
cpSync(join(root, 'bin'), join(home, 'bin'), { recursive: true });
cpSync(join(root, 'package.json'), join(home, 'package.json'));
symlinkSync(join(root, 'node_modules'), join(home, 'node_modules'));
const launcher = join(home, 'bin/failoverd.mjs');

t.test('the sources compile into the package', async (t) => {
  t.equal(build.stdout + build.stderr, '');
  t.equal(build.status, 0);
});

t.test('every module that a compiled file names is in the package', async (t) => {
  const files = readdirSync(join(home, 'dist'), { recursive: true, encoding: 'utf8' }).filter((f) => f.endsWith('.js'));
  t.ok(files.length > 0, 'the build wrote files');
  for (const file of files) {
    const { imports } = readSource(readFileSync(join(home, 'dist', file), 'utf8'));
    const missing = imports
      .map(({ specifier }) => specifier)
      .filter((specifier) => specifier.startsWith('.'))
      // A worker's module keeps its name of the sources in the text; the extension is settled when it starts.
      .filter((specifier) => !existsSync(join(home, 'dist', dirname(file), specifier.replace(/\.ts$/, '.js'))));
    t.same(missing, [], file);
  }
});

t.test('the launcher of the package starts the compiled command line and passes its exit code on', async (t) => {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const asked = run([launcher, '--version']);
  t.equal(asked.stdout, `${version}\n`, asked.stderr);
  t.equal(asked.status, 0);
  t.equal(run([launcher, 'no-such-command']).status, 2);
});

t.test('the journal of the package starts its thread', async (t) => {
  const script = `
    const { openSqliteJournal } = await import('./dist/journal/sqlite.js');
    const journal = await openSqliteJournal({ dir: './state' });
    const entries = await journal.load();
    await journal.close();
    process.stdout.write(String(entries.length));
  `;
  const started = run(['--input-type=module', '--eval', script]);
  t.equal(started.stdout, '0', started.stderr);
  t.equal(started.status, 0);
});
