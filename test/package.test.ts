// The published package is a bundle, which no other test runs: here it is built, packed, put beside nothing but the
// libraries that stay outside of it, and used.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import t from 'tap';
import { writeFirstHourConfig } from '../bench/first-hour.ts';
import { freePort } from '../lab/servers/ports.ts';
import { until } from '../lab/servers/wait.ts';
import { build, OUTSIDE } from '../scripts/build.ts';
import { repositoryRoot as root } from './support/repository.ts';

const limitMs = 120_000;
const home = mkdtempSync(join(tmpdir(), 'failoverd-package-'));
t.teardown(() => rmSync(home, { recursive: true, force: true }));

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const installed = join(home, 'node_modules/failoverd');
const launcher = join(installed, 'bin/failoverd.mjs');

function succeed(command: string, args: readonly string[], cwd: string): string {
  const ran = spawnSync(command, args, { cwd, encoding: 'utf8', timeout: limitMs });
  if (ran.status !== 0) throw new Error(`${command} ended with ${ran.status ?? ran.error?.message}: ${ran.stderr}`);
  return ran.stdout;
}

/** Where the tarball lies. */
const packed = (): string => join(home, readdirSync(home).find((name) => name.endsWith('.tgz')) ?? '');

/** Packs the checkout as npm would publish it, with a build of its own, and unpacks that where an install would. */
async function install(): Promise<void> {
  const staged = join(home, 'staged');
  const shipped = manifest.files.map((path: string) => path.split('/*')[0]);
  for (const path of new Set(['package.json', 'LICENSE', 'README.md', 'tools/node', ...shipped])) {
    if (path !== 'dist') cpSync(join(root, path), join(staged, path), { recursive: true });
  }
  await build(join(staged, 'dist'));
  succeed('npm', ['pack', '--ignore-scripts', '--offline', '--pack-destination', home], staged);
  mkdirSync(installed, { recursive: true });
  succeed('tar', ['-xzf', packed(), '-C', installed, '--strip-components=1'], home);
  for (const name of OUTSIDE) {
    mkdirSync(dirname(join(home, 'node_modules', name)), { recursive: true });
    symlinkSync(join(root, 'node_modules', name), join(home, 'node_modules', name));
  }
}

const environment = (more: Readonly<Record<string, string>> = {}) => ({
  PATH: process.env['PATH'],
  HOME: join(home, 'somebody'),
  FAILOVERD_PG_PASSWORD: 'none',
  ...more,
});
const failoverd = (...args: string[]) =>
  spawnSync(process.execPath, [launcher, ...args], {
    cwd: home,
    encoding: 'utf8',
    timeout: limitMs,
    env: environment(),
  });

type Daemon = { readonly child: ChildProcess; readonly url: string; readonly log: () => string };

/** The example for the first hour, on a free port and with nothing behind its addresses. */
async function startDaemon(
  more: Readonly<Record<string, string>> = {},
  [node, program]: readonly [string, string] = [process.execPath, launcher],
): Promise<Daemon> {
  const folder = mkdtempSync(join(home, 'daemon-'));
  const address = `127.0.0.1:${await freePort('127.0.0.1')}`;
  const config = await writeFirstHourConfig(installed, folder, address);
  const child = spawn(node, [program, 'run', '--config', config], {
    cwd: home,
    env: environment(more),
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => {
    log += chunk.toString('utf8');
  });
  const giveUp = (): string | undefined => (child.exitCode === null ? undefined : `ended: ${log}`);
  await until({ what: 'failoverd is ready', timeoutMs: limitMs, giveUp }, async () =>
    (await fetch(`http://${address}/-/ready`).catch(() => null))?.ok === true ? true : undefined,
  );
  return { child, url: `http://${address}`, log: () => log };
}

async function endDaemon({ child }: Daemon): Promise<number | null> {
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
  return child.exitCode;
}

const filesBelow = (folder: string): string[] => readdirSync(folder, { recursive: true, encoding: 'utf8' });

await install();

t.test('every library that the package leaves outside is one it asks npm for', async (t) => {
  for (const name of OUTSIDE) t.hasProp(manifest.dependencies, name);
});

t.test('the package holds no sources, and the licences of what was put into it', async (t) => {
  t.same(
    filesBelow(installed).filter((file) => file.endsWith('.ts')),
    [],
  );
  const licences = readFileSync(join(installed, 'dist/LICENSES.txt'), 'utf8');
  for (const name of ['typebox', 'yaml', 'preact', 'prom-client']) t.match(licences, new RegExp(`^${name} \\d`, 'm'));
});

t.test('the launcher starts the bundled command line and passes its exit code on', async (t) => {
  const asked = failoverd('--version');
  t.equal(asked.stdout, `${manifest.version}\n`, asked.stderr);
  t.equal(asked.status, 0);
  t.equal(failoverd('no-such-command').status, 2);
  const checked = failoverd('check', join(installed, 'config/failover.yaml'));
  t.equal(checked.status, 0, checked.stderr);
});

t.test('the daemon of the package keeps a journal, shows its pages, and ends in good order', async (t) => {
  const daemon = await startDaemon();
  const ready = await (await fetch(`${daemon.url}/-/ready`)).json();
  t.match(ready, { ready: true, engine: 'running' });
  t.ok(ready.journalEntries > 0, 'the journal’s thread has written');
  const read = async (path: string, accept = '*/*'): Promise<string> => {
    const answer = await fetch(`${daemon.url}${path}`, { headers: { accept } });
    t.equal(answer.status, 200, path);
    return await answer.text();
  };
  t.match(await read('/status', 'text/html'), /<html/);
  t.match(await read('/metrics'), /failoverd_build_info/);
  t.match(JSON.parse(await read('/api/v1/openapi.json')), { openapi: '3.1.0' });
  t.equal(failoverd('status', '--url', daemon.url).status, 0);
  const then = failoverd('explain', '--at', new Date().toISOString(), '--url', daemon.url);
  t.equal(then.status, 0, `the journal’s reader: ${then.stderr}`);
  t.equal(await endDaemon(daemon), 0, daemon.log());
  t.notMatch(daemon.log(), /"level":"(?:error|fatal)"/);
});

t.test('compiled code is kept for the next start, in a folder that nobody else may write to', async (t) => {
  const cache = join(home, 'cache');
  const killed = await startDaemon({ XDG_CACHE_HOME: cache });
  await until({ what: 'compiled code is kept', timeoutMs: limitMs }, async () =>
    filesBelow(join(cache, 'failoverd')).length > 2 ? true : undefined,
  );
  killed.child.kill('SIGKILL');
  t.equal(await endDaemon(await startDaemon({ XDG_CACHE_HOME: cache })), 0, 'and the next start runs from it');
});

t.test('a folder for compiled code that others may write to is not used, and the daemon starts', async (t) => {
  const cache = join(home, 'shared-cache');
  mkdirSync(join(cache, 'failoverd'), { recursive: true });
  chmodSync(join(cache, 'failoverd'), 0o777);
  t.equal(await endDaemon(await startDaemon({ XDG_CACHE_HOME: cache })), 0);
  t.same(filesBelow(join(cache, 'failoverd')), []);
});

/** Those it says it runs on, from the oldest: this test itself runs on the newest. */
const OLDEST_NODE = 24;

/** An installation by npm, from the tarball and the registry, with an older Node.js beside it; or why there is none. */
function installByNpm(): { readonly folder: string; readonly missing: string | null } {
  const folder = mkdtempSync(join(home, 'elsewhere-'));
  const node = `node-${process.platform}-${process.arch}@${OLDEST_NODE}`;
  writeFileSync(join(folder, 'package.json'), '{"private":true}');
  const args = ['install', '--prefer-offline', '--no-audit', '--no-fund', '--omit=optional', packed(), node];
  const ran = spawnSync('npm', args, { cwd: folder, encoding: 'utf8', timeout: limitMs });
  return { folder, missing: ran.status === 0 ? null : `npm could not install it: ${ran.stderr.slice(0, 500)}` };
}

const { folder: elsewhere, missing } = installByNpm();
const skip = missing !== null && process.env['CI'] === undefined ? missing : false;

t.test('installed by npm from its tarball, it observes on the oldest and the newest Node.js', { skip }, async (t) => {
  t.equal(missing, null);
  const oldest = join(elsewhere, `node_modules/node-${process.platform}-${process.arch}/bin/node`);
  const program = join(elsewhere, 'node_modules/failoverd/bin/failoverd.mjs');
  t.match(succeed(oldest, ['--version'], elsewhere), new RegExp(`^v${OLDEST_NODE}\\.`));
  await Promise.all(
    [oldest, process.execPath].map(async (node) => {
      t.equal(succeed(node, [program, '--version'], elsewhere), `${manifest.version}\n`);
      succeed(node, [program, 'check', join(elsewhere, 'node_modules/failoverd/config/failover.yaml')], elsewhere);
      const daemon = await startDaemon({}, [node, program]);
      const status = await (await fetch(`${daemon.url}/api/v1/status`)).json();
      t.match(status, { engine: 'running', groups: [{ group: 'main', autonomy: { inForce: 'observe' } }] });
      t.equal(await endDaemon(daemon), 0, daemon.log());
    }),
  );
});

t.test('the package has what an installation needs beside the program', async (t) => {
  const files = filesBelow(installed);
  for (const file of ['packaging/failoverd.service', 'docs/install.md', 'docs/runbooks/README.md', 'alert-rules'])
    t.ok(files.includes(file), file);
  t.same(
    files.filter((file) => file.startsWith('docs/images')),
    [],
    'and no pictures',
  );
});
