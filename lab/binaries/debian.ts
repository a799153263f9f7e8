import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { mustRun, run, tail } from '../servers/command.ts';
import { textOf } from '../servers/errors.ts';
import { exists } from './cache.ts';
import type { Log, Missing } from './missing.ts';

/** The release the lab's servers come from: its Prometheus and Alertmanager need nothing but libc. */
const USUAL_SUITE = 'bookworm';
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const UPDATE_TIMEOUT_MS = 120_000;
const DOWNLOAD_TIMEOUT_MS = 180_000;

export interface DebianRequest {
  /** What is wanted, for the message when it can't be had. */
  readonly name: string;
  readonly packages: readonly string[];
  /** Another release than the usual one, for a program that needs nothing but libc. */
  readonly suite?: 'sid';
  /** An empty folder that receives the unpacked files (`usr/bin/...`). */
  readonly into: string;
  readonly log: Log;
}

/**
 * Unpack Debian packages into a folder without installing anything: `apt-get download` with lists, cache and sources
 * of our own, then `dpkg -x`. Needs no root and leaves the machine as it was; proxies set up for apt are honoured,
 * hooks set up for apt are not run.
 */
export async function unpackDebian(request: DebianRequest): Promise<Missing | undefined> {
  const lacking = await lackingTool();
  if (lacking !== undefined) return cannot(request, lacking);
  const known = await mirrors();
  if (known.length === 0) return cannot(request, 'no Debian mirror stands in the sources of apt on this machine');
  const reasons: string[] = [];
  for (const mirror of known) {
    try {
      await unpackFrom(mirror, request);
      return undefined;
    } catch (error) {
      reasons.push(`${mirror}: ${textOf(error)}`);
    }
  }
  return cannot(request, reasons.join('; '));
}

async function unpackFrom(mirror: string, request: DebianRequest): Promise<void> {
  const scratch = path.join(request.into, '.apt');
  const suite = request.suite ?? USUAL_SUITE;
  const options = await writeAptConfig(scratch, mirror, suite);
  request.log(`fetching ${request.name} (${request.packages.join(', ')}) from Debian ${suite}, without installing it`);
  await mustRun(['apt-get', ...options, 'update'], { cwd: scratch, timeoutMs: UPDATE_TIMEOUT_MS });
  await mustRun(['apt-get', ...options, 'download', ...request.packages], {
    cwd: scratch,
    timeoutMs: DOWNLOAD_TIMEOUT_MS,
  });
  const debs = (await readdir(scratch)).filter((name) => name.endsWith('.deb'));
  for (const deb of debs) {
    await mustRun(['dpkg', '-x', path.join(scratch, deb), request.into], { timeoutMs: DOWNLOAD_TIMEOUT_MS });
  }
  await mustRun(['rm', '-rf', scratch], { timeoutMs: DOWNLOAD_TIMEOUT_MS });
}

async function writeAptConfig(scratch: string, mirror: string, suite: string): Promise<string[]> {
  await mustRun(['rm', '-rf', scratch], { timeoutMs: DOWNLOAD_TIMEOUT_MS });
  await mkdir(path.join(scratch, 'lists', 'partial'), { recursive: true });
  await mkdir(path.join(scratch, 'cache', 'archives', 'partial'), { recursive: true });
  await writeFile(path.join(scratch, 'sources.list'), `deb [signed-by=${KEYRING}] ${mirror} ${suite} main\n`);
  const config = path.join(scratch, 'apt.conf');
  const lines = [
    `Dir::Etc::sourcelist "${path.join(scratch, 'sources.list')}";`,
    'Dir::Etc::sourceparts "-";',
    `Dir::State::lists "${path.join(scratch, 'lists')}";`,
    `Dir::Cache "${path.join(scratch, 'cache')}";`,
    'Acquire::Languages "none";',
    'Acquire::Retries "1";',
    'Acquire::http::Timeout "20";',
    'Acquire::https::Timeout "20";',
    // As root apt would hand the download to its own user, who may not enter our folder.
    `APT::Sandbox::User "${process.getuid?.() === 0 ? 'root' : ''}";`,
    ...['APT::Update::Pre-Invoke', 'APT::Update::Post-Invoke', 'APT::Update::Post-Invoke-Success'].map(
      (hook) => `#clear ${hook};`,
    ),
  ];
  await writeFile(config, `${lines.join('\n')}\n`);
  return ['-q', '-c', config];
}

async function lackingTool(): Promise<string | undefined> {
  for (const tool of ['apt-get', 'dpkg']) {
    const found = await run([tool, '--version'], { timeoutMs: 10_000 }).catch(() => undefined);
    if (found?.exitCode !== 0)
      return `no ${tool} on this machine${found === undefined ? '' : `: ${tail(found.stderr)}`}`;
  }
  return (await exists(KEYRING)) ? undefined : `no ${KEYRING} to check Debian's signature with`;
}

/** The mirrors this machine already uses for Debian: behind a firewall they are the only ones it reaches. */
async function mirrors(): Promise<string[]> {
  const found = new Set<string>();
  for (const file of await sourceFiles()) {
    const text = await readFile(file, 'utf8').catch(() => '');
    for (const [uri] of text.matchAll(/^(?!\s*#).*?(?<=\s)https?:\/\/\S+\/debian\/?(?=\s|$)/gm)) {
      found.add(uri.slice(uri.search(/https?:/)).replace(/\/$/, ''));
    }
  }
  return [...found].slice(0, 3);
}

async function sourceFiles(): Promise<string[]> {
  const folder = '/etc/apt/sources.list.d';
  const names = await readdir(folder).catch(() => []);
  const parts = names.filter((name) => name.endsWith('.list') || name.endsWith('.sources'));
  return ['/etc/apt/sources.list', ...parts.map((name) => path.join(folder, name))];
}

function cannot(request: DebianRequest, why: string): Missing {
  const { name, packages } = request;
  return {
    kind: 'missing',
    missing: name,
    why,
    remedy: `Install it (on Debian: apt-get install ${packages.join(' ')}), or let this machine reach a Debian mirror.`,
  };
}
