import path from 'node:path';
import { run } from '../servers/command.ts';
import { LabError, textOf } from '../servers/errors.ts';
import { serverUser } from '../servers/user.ts';
import { exists, installOnce, passableCacheDir } from './cache.ts';
import { unpackDebian } from './debian.ts';
import type { Log, Missing } from './missing.ts';

/** Debian's Patroni is built for the Python of its own release, which comes along: a machine's other one won't do. */
const PATRONI_PACKAGES: readonly string[] = [
  'patroni',
  'libexpat1',
  'libffi8',
  'libpq5',
  'libpython3.11-minimal',
  'libpython3.11-stdlib',
  'libyaml-0-2',
  'python3-cdiff',
  'python3-certifi',
  'python3-click',
  'python3-colorama',
  'python3-dateutil',
  'python3-dnspython',
  'python3-etcd',
  'python3-pkg-resources',
  'python3-prettytable',
  'python3-psutil',
  'python3-psycopg2',
  'python3-six',
  'python3-urllib3',
  'python3-wcwidth',
  'python3-yaml',
  'python3.11',
  'python3.11-minimal',
];
/** What psycopg2's libpq needs beyond a bare Debian. */
const LIBRARIES: readonly string[] = [
  'libcom-err2',
  'libgssapi-krb5-2',
  'libk5crypto3',
  'libkeyutils1',
  'libkrb5-3',
  'libkrb5support0',
  'libldap-2.5-0',
  'libsasl2-2',
  'libssl3',
];
const MULTIARCH: Readonly<Record<string, string>> = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' };
const ASK_TIMEOUT_MS = 20_000;

/** Patroni and the etcd it keeps its word in. Plain data: it goes into the hypervisor's configuration as it is. */
export interface PatroniInstall {
  readonly kind: 'found';
  readonly python: string;
  /** For PYTHONPATH. */
  readonly modules: string;
  /** For LD_LIBRARY_PATH. */
  readonly libDir: string;
  readonly etcd: string;
  readonly versions: { readonly patroni: string; readonly etcd: string };
}

export interface FindPatroniOptions {
  /** May Debian's packages be fetched into the cache (some 30 MB, once)? Otherwise only what is there already counts. */
  readonly fetch: boolean;
  readonly log: Log;
  readonly env?: NodeJS.ProcessEnv;
}

/** Patroni of Debian's stable release and etcd 3.5 of sid, unpacked in the cache, where the servers' user may run them. */
export async function findPatroni(options: FindPatroniOptions): Promise<PatroniInstall | Missing> {
  const { fetch, log, env = process.env } = options;
  const root = await passableCacheDir(serverUser(), env);
  const stable = path.join(root, `debian-bookworm-${process.arch}`, 'patroni');
  const sid = path.join(root, `debian-sid-${process.arch}`, 'etcd-server');
  try {
    if (fetch) {
      const packages = [...PATRONI_PACKAGES, ...LIBRARIES];
      await installOnce(stable, async (into) => await unpack({ name: 'Patroni', packages, into, log }));
      await installOnce(sid, async (into) => {
        await unpack({ name: 'etcd', packages: ['etcd-server'], suite: 'sid', into, log });
      });
    }
    if (!(await exists(stable)) || !(await exists(sid))) return missing(`neither on this machine nor in ${root}`);
    return await inspect(stable, path.join(sid, 'usr', 'bin', 'etcd'));
  } catch (error) {
    return missing(textOf(error));
  }
}

async function unpack(request: Parameters<typeof unpackDebian>[0]): Promise<void> {
  const lacking = await unpackDebian(request);
  if (lacking !== undefined) throw new LabError('command-failed', lacking.why);
}

async function inspect(stable: string, etcd: string): Promise<PatroniInstall> {
  const libraries = MULTIARCH[process.arch] ?? process.arch;
  const found = {
    kind: 'found',
    python: path.join(stable, 'usr', 'bin', 'python3.11'),
    modules: path.join(stable, 'usr', 'lib', 'python3', 'dist-packages'),
    libDir: [path.join(stable, 'usr', 'lib', libraries), path.join(stable, 'lib', libraries)].join(':'),
    etcd,
  } as const;
  const options = { env: patroniEnv(found), user: serverUser(), cwd: '/', timeoutMs: ASK_TIMEOUT_MS };
  // What it imports in use as well: a module that is not there would be found out only by the server.
  const ask =
    'import psycopg2, etcd, patroni.api, patroni.ha, patroni.dcs.etcd3; from patroni.version import __version__';
  const said = await run([found.python, '-c', `${ask}; print(__version__)`], options);
  const etcdSaid = await run([etcd, '--version'], options);
  const versions = {
    patroni: /^(\d+\.\S+)/m.exec(said.stdout)?.[1],
    etcd: /etcd Version: (\S+)/.exec(etcdSaid.stdout)?.[1],
  };
  if (versions.patroni === undefined) throw new LabError('command-failed', `${stable} doesn't run: ${said.stderr}`);
  if (versions.etcd === undefined) throw new LabError('command-failed', `${etcd} doesn't run: ${etcdSaid.stderr}`);
  return { ...found, versions: { patroni: versions.patroni, etcd: versions.etcd } };
}

/** Nothing of the caller's environment: PATRONI_ variables there would change what it does. */
export const patroniEnv = ({ modules, libDir }: Pick<PatroniInstall, 'modules' | 'libDir'>): NodeJS.ProcessEnv => ({
  PATH: '/usr/local/bin:/usr/bin:/bin',
  LC_ALL: 'C.UTF-8',
  TZ: 'UTC',
  PYTHONPATH: modules,
  PYTHONNOUSERSITE: '1',
  PYTHONDONTWRITEBYTECODE: '1',
  LD_LIBRARY_PATH: libDir,
});

const missing = (why: string): Missing => ({
  kind: 'missing',
  missing: 'Patroni with etcd',
  why,
  remedy: 'Let this machine reach a Debian mirror once: the lab unpacks both into its cache and installs nothing.',
});
