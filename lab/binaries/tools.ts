import { access, constants, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { run } from '../servers/command.ts';
import { LabError, textOf } from '../servers/errors.ts';
import { cacheDir, exists, installOnce } from './cache.ts';
import { unpackDebian } from './debian.ts';
import type { Log, Missing } from './missing.ts';

export type ToolName = 'prometheus' | 'promtool' | 'alertmanager' | 'amtool' | 'blackbox_exporter';

export interface Tool {
  readonly kind: 'found';
  readonly name: ToolName;
  readonly path: string;
  /** As the tool itself says it, such as `2.42.0+ds`. */
  readonly version: string;
  readonly source: 'path' | 'env' | 'cache' | 'debian';
  /** Where the tool has to be started, when it looks for files of its own beside it. */
  readonly cwd?: string;
}

export interface FindToolOptions {
  /** May the network be used when the machine has none? Some 30 MB, seconds on a good line; once. */
  readonly fetch: boolean;
  readonly log: Log;
  readonly env?: NodeJS.ProcessEnv;
}

interface Bundle {
  readonly debianPackage: string;
  /** The names the program goes by: upstream's, and Debian's. */
  readonly names: readonly string[];
  readonly prepare?: (folder: string) => Promise<void>;
  /** The program has to be started from the bundle's folder (see `relocateAssets`). */
  readonly startInFolder?: boolean;
}

const BUNDLES: Record<ToolName, Bundle> = {
  prometheus: { debianPackage: 'prometheus', names: ['prometheus'] },
  promtool: { debianPackage: 'prometheus', names: ['promtool'] },
  alertmanager: {
    debianPackage: 'prometheus-alertmanager',
    names: ['alertmanager', 'prometheus-alertmanager'],
    prepare: relocateAssets,
    startInFolder: true,
  },
  blackbox_exporter: {
    debianPackage: 'prometheus-blackbox-exporter',
    names: ['blackbox_exporter', 'prometheus-blackbox-exporter'],
  },
  amtool: { debianPackage: 'prometheus-alertmanager', names: ['amtool'], prepare: relocateAssets },
};

/** Find a monitoring tool: PATH, then FAILOVERD_LAB_<NAME>, then the lab's cache, then (if asked) Debian's packages. */
export async function findTool(name: ToolName, options: FindToolOptions): Promise<Tool | Missing> {
  const env = options.env ?? process.env;
  const local = (await onPath(name, env)) ?? (await fromEnv(name, env));
  if (local !== undefined) return local;
  const bundle = BUNDLES[name];
  const folder = path.join(cacheDir(env), `debian-bookworm-${process.arch}`, bundle.debianPackage);
  const cached = await fromFolder(name, folder, 'cache');
  if (cached !== undefined) return cached;
  if (!options.fetch) return notHere(name, bundle, 'looked on PATH, in the environment and in the cache');
  return (
    (await fetchBundle(name, bundle, folder, options.log)) ??
    notHere(name, bundle, `what lies in ${folder} doesn't run: delete that folder`)
  );
}

async function fetchBundle(
  name: ToolName,
  bundle: Bundle,
  folder: string,
  log: Log,
): Promise<Tool | Missing | undefined> {
  let missing: Missing | undefined;
  try {
    await installOnce(folder, async (scratch) => {
      missing = await unpackDebian({ name, packages: [bundle.debianPackage], into: scratch, log });
      if (missing !== undefined) throw new LabError('command-failed', missing.why);
      await bundle.prepare?.(scratch);
    });
  } catch (error) {
    return missing ?? notHere(name, bundle, textOf(error));
  }
  return await fromFolder(name, folder, 'debian');
}

async function onPath(name: ToolName, env: NodeJS.ProcessEnv): Promise<Tool | undefined> {
  for (const folder of (env['PATH'] ?? '').split(path.delimiter).filter((part) => path.isAbsolute(part))) {
    for (const program of BUNDLES[name].names) {
      const tool = await asTool(name, path.join(folder, program), 'path');
      if (tool !== undefined) return tool;
    }
  }
  return undefined;
}

async function fromEnv(name: ToolName, env: NodeJS.ProcessEnv): Promise<Tool | undefined> {
  const program = env[`FAILOVERD_LAB_${name.toUpperCase()}`];
  return program === undefined || program === '' ? undefined : await asTool(name, path.resolve(program), 'env');
}

async function fromFolder(name: ToolName, folder: string, source: Tool['source']): Promise<Tool | undefined> {
  for (const program of BUNDLES[name].names) {
    const tool = await asTool(name, path.join(folder, 'usr', 'bin', program), source);
    if (tool !== undefined) return BUNDLES[name].startInFolder === true ? { ...tool, cwd: folder } : tool;
  }
  return undefined;
}

/** A program counts as found when it runs and says its version; a broken one is as good as none. */
async function asTool(name: ToolName, program: string, source: Tool['source']): Promise<Tool | undefined> {
  const executable = await access(program, constants.X_OK).then(
    () => true,
    () => false,
  );
  if (!executable) return undefined;
  const said = await run([program, '--version'], { timeoutMs: 20_000 }).catch(() => undefined);
  const version = said?.exitCode === 0 ? /version (\S+)/.exec(said.stdout + said.stderr)?.[1] : undefined;
  return version === undefined ? undefined : { kind: 'found', name, path: program, version, source };
}

function notHere(name: ToolName, bundle: Bundle, why: string): Missing {
  return {
    kind: 'missing',
    missing: name,
    why,
    remedy: `Install Debian's ${bundle.debianPackage}, or name the program in FAILOVERD_LAB_${name.toUpperCase()}.`,
  };
}

/** Debian builds Alertmanager to read its templates from here, compiled in, instead of carrying them inside. */
const ASSETS_BUILT_IN = '/usr/share/prometheus/alertmanager';
/** The same number of bytes, found wherever the program is started. */
const ASSETS_RELOCATED = '/proc/self/cwd/alertmanager-assets';

/**
 * Make an unpacked Alertmanager run where it lies: the folder compiled into it is replaced by one of the same length
 * below its working directory. A mount namespace would do as well, but containers and hardened machines refuse those.
 * Nothing else of the program changes, and an Alertmanager that carries its templates inside is left alone.
 */
async function relocateAssets(folder: string): Promise<void> {
  const program = path.join(folder, 'usr', 'bin', 'prometheus-alertmanager');
  const assets = path.join('usr', 'share', 'prometheus', 'alertmanager');
  if (!(await exists(path.join(folder, assets)))) return;
  const bytes = await readFile(program);
  const from = Buffer.from(ASSETS_BUILT_IN);
  const to = Buffer.from(ASSETS_RELOCATED);
  if (from.length !== to.length)
    throw new LabError('bad-input', 'the relocated folder must be as long as the built-in one');
  for (let at = bytes.indexOf(from); at !== -1; at = bytes.indexOf(from, at + from.length)) to.copy(bytes, at);
  await writeFile(program, bytes);
  await symlink(assets, path.join(folder, path.basename(ASSETS_RELOCATED)));
}
