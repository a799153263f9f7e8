#!/usr/bin/env node
// The launcher. Plain JavaScript that Node.js 20 can read, so that a machine with an old Node.js gets an answer and not
// a syntax error. In a checkout it runs the sources, in the published package the compiled form.
import { existsSync, lstatSync, mkdirSync } from 'node:fs';
import module from 'node:module';
import { constants } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const OLDEST_NODE = 24;
const EXIT_USAGE = 2;
/** How long a finished command may wait for what still holds the process open. */
const LINGER_MS = 2_000;
const PASSED_ON = ['SIGTERM', 'SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGUSR2'];
/** A terminal sends these to the whole foreground group, so the child has them already. */
const FROM_TERMINAL = ['SIGINT', 'SIGQUIT'];

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const source = here('../src/cli/main.ts');
const compiled = here('../dist/lib/main.cjs');
const inCheckout = existsSync(source);

function refuse(what, remedy) {
  process.stderr.write(`failoverd: ${what}: ${remedy}\n`);
  process.exit(EXIT_USAGE);
}

/** Runs the same command under another Node.js and is, to whoever started us, that process: signals in, ending out. */
async function become(node) {
  const { spawn } = await import('node:child_process');
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' });
  for (const signal of PASSED_ON) {
    process.on(signal, () => {
      if (!(process.stdin.isTTY && FROM_TERMINAL.includes(signal))) child.kill(signal);
    });
  }
  child.once('error', (error) =>
    refuse(`${node} could not be started (${error.code})`, 'run `npm ci` in the checkout'),
  );
  child.once('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
    // A signal that is ignored or kept from us must still not look like success.
    setTimeout(() => process.exit(128 + constants.signals[signal]), 100);
  });
}

/**
 * A folder of this user's own to keep compiled code in between starts: the checkout's, or what systemd gives
 * (CacheDirectory=), or $XDG_CACHE_HOME, or ~/.cache. Never one that somebody else may write to, since what lies there is
 * run: so not the temporary folder, which is the default of Node.js. Null where there is none: a start is a bit slower.
 */
function cacheFolder() {
  const { CACHE_DIRECTORY, XDG_CACHE_HOME, HOME } = process.env;
  const own = CACHE_DIRECTORY?.split(':')[0] || XDG_CACHE_HOME || (HOME && join(HOME, '.cache'));
  const base = inCheckout ? here('../node_modules/.cache') : own;
  if (!base?.startsWith('/')) return null;
  const folder = join(base, 'failoverd');
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const found = lstatSync(folder);
    return found.isDirectory() && found.uid === process.getuid?.() && (found.mode & 0o022) === 0 ? folder : null;
  } catch {
    // A read-only or foreign home: nothing is kept.
    return null;
  }
}

async function start() {
  // Whoever sets NODE_COMPILE_CACHE has chosen a folder, and Node.js has heard it; NODE_DISABLE_COMPILE_CACHE counts too.
  const cache = process.env.NODE_COMPILE_CACHE ? null : cacheFolder();
  if (cache !== null) module.enableCompileCache?.(cache);
  const { main } = await import(inCheckout ? source : compiled);
  process.exitCode = await main(process.argv.slice(2));
  setTimeout(() => process.exit(), LINGER_MS).unref();
}

if (Number(process.versions.node.split('.')[0]) >= OLDEST_NODE) {
  if (inCheckout && !existsSync(here('../node_modules'))) {
    refuse('the dependencies are not installed', 'run `npm run bootstrap` in the checkout');
  }
  await start();
} else {
  const node = here('../node_modules/.bin/node');
  const tooOld = `needs Node.js ${OLDEST_NODE} or newer, this is ${process.versions.node}`;
  if (!inCheckout) refuse(tooOld, 'install a newer Node.js and run it with that');
  if (!existsSync(node)) refuse(tooOld, 'run `npm run bootstrap` in the checkout, which brings one along');
  await become(node);
}
