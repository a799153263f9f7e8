import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import t from 'tap';
import { cacheDir, installOnce, passableCacheDir } from '../../lab/binaries/cache.ts';
import { describeMissing, isMissing } from '../../lab/binaries/missing.ts';
import { findPatroni } from '../../lab/binaries/patroni.ts';
import { findPostgres } from '../../lab/binaries/postgres.ts';
import { findTool } from '../../lab/binaries/tools.ts';
import { run } from '../../lab/servers/command.ts';
import { blockedAt, serverUser } from '../../lab/servers/user.ts';
import { log, onePostgres, scratch } from './real-servers.ts';

async function program(file: string, text: string): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, `#!/bin/sh\n${text}\n`);
  await chmod(file, 0o755);
}

t.test('the cache is where the environment says, else with the other caches of the user', async (t) => {
  t.equal(cacheDir({ FAILOVERD_LAB_CACHE: '/var/x', XDG_CACHE_HOME: '/var/y' }), '/var/x');
  t.equal(cacheDir({ XDG_CACHE_HOME: '/var/y' }), '/var/y/failoverd-lab');
  t.match(cacheDir({}), /\/\.cache\/failoverd-lab$/);
});

t.test('what many ask for at once is there once, whole', async (t) => {
  const place = await scratch(t);
  const dir = path.join(place, 'cache', 'thing');
  const make = async (scratchDir: string): Promise<void> => {
    await writeFile(path.join(scratchDir, 'first'), '1');
    await writeFile(path.join(scratchDir, 'second'), '2');
  };
  await Promise.all(Array.from({ length: 8 }, async () => await installOnce(dir, make)));
  t.same((await readdir(dir)).sort(), ['first', 'second']);
  t.same(await readdir(path.dirname(dir)), ['thing'], 'and no leavings');
  await t.rejects(
    installOnce(path.join(place, 'cache', 'other'), async (scratchDir) => {
      await make(scratchDir);
      throw new Error('half way');
    }),
  );
  t.same(await readdir(path.dirname(dir)), ['thing'], 'a failure leaves nothing to be taken for whole');
});

t.test('a tool is looked for on PATH, then in the environment, then in the cache', async (t) => {
  const place = await scratch(t);
  const at = (name: string): string => path.join(place, name);
  await program(at('bin/prometheus'), 'echo "prometheus, version 1.0.0 (x)"');
  await program(at('named/prom'), 'echo "prometheus, version 2.0.0 (x)" >&2');
  await program(
    at(`cache/debian-bookworm-${process.arch}/prometheus/usr/bin/prometheus`),
    'echo "prometheus, version 3.0.0"',
  );
  const usual = process.env['PATH'] ?? '';
  const look = async (env: NodeJS.ProcessEnv) => {
    const found = await findTool('prometheus', { fetch: false, log, env: { FAILOVERD_LAB_CACHE: at('none'), ...env } });
    return isMissing(found) ? found : [found.source, found.version];
  };
  const all = { FAILOVERD_LAB_PROMETHEUS: at('named/prom'), FAILOVERD_LAB_CACHE: at('cache') };
  t.same(await look({ ...all, PATH: `${at('bin')}:${usual}` }), ['path', '1.0.0']);
  t.same(await look({ ...all, PATH: '/nowhere' }), ['env', '2.0.0']);
  t.same(await look({ FAILOVERD_LAB_CACHE: at('cache'), PATH: '/nowhere' }), ['cache', '3.0.0']);
  await program(at('broken/prometheus'), 'exit 3');
  const missing = await look({ PATH: at('broken') });
  t.match(
    missing,
    { kind: 'missing', missing: 'prometheus', remedy: /FAILOVERD_LAB_PROMETHEUS/ },
    'a broken one is none',
  );
});

t.test('a machine without apt is told what it lacks, and how to get it', async (t) => {
  const place = await scratch(t);
  const { PATH } = process.env;
  process.env['PATH'] = '/nowhere';
  t.teardown(() => {
    process.env['PATH'] = PATH;
  });
  const found = await findTool('alertmanager', {
    fetch: true,
    log,
    env: { FAILOVERD_LAB_CACHE: place, PATH: '/nowhere' },
  });
  if (!isMissing(found)) return t.fail('found one');
  t.match(found, { missing: 'alertmanager', why: /apt-get/ });
  t.equal(describeMissing(found).includes('\n'), false, 'in one line');
  return undefined;
});

t.test('PostgreSQL is found, of a version the lab knows, and runs as the server user', async (t) => {
  const install = await onePostgres();
  t.ok(install.version >= 15);
  const user = serverUser();
  const said = await run([install.tools.postgres, '--version'], { user, cwd: '/', timeoutMs: 10_000 });
  t.equal(said.exitCode, 0);
  t.ok(said.stdout.includes(install.versionText));
  const named = await findPostgres({
    prefer: 'env',
    log,
    env: { FAILOVERD_LAB_POSTGRES_BIN: path.dirname(install.tools.postgres) },
  });
  t.match(named, { kind: 'found', source: 'env', version: install.version });
});

t.test('no PostgreSQL of the asked kind is a value with a remedy', async (t) => {
  const place = await scratch(t);
  t.match(await findPostgres({ prefer: 'env', log, env: {} }), { kind: 'missing', remedy: /npm ci/ });
  for (const name of ['initdb', 'postgres', 'pg_ctl'])
    await program(path.join(place, name), 'echo "postgres (PostgreSQL) 12.3"');
  const old = await findPostgres({ prefer: 'env', log, env: { FAILOVERD_LAB_POSTGRES_BIN: place } });
  t.match(old, { kind: 'missing', why: /12\.3/ });
});

t.test('Patroni that is not there, or does not run, is a value that says so', async (t) => {
  const place = await scratch(t);
  const env = { FAILOVERD_LAB_CACHE: path.join(place, 'cache') };
  t.match(await findPatroni({ fetch: false, log, env }), {
    kind: 'missing',
    missing: 'Patroni with etcd',
    remedy: /Debian/,
  });
  const stable = path.join(place, 'cache', `debian-bookworm-${process.arch}`, 'patroni');
  const etcd = path.join(place, 'cache', `debian-sid-${process.arch}`, 'etcd-server', 'usr', 'bin', 'etcd');
  await program(path.join(stable, 'usr', 'bin', 'python3.11'), 'echo "no module named patroni" >&2; exit 1');
  await program(etcd, 'echo "etcd Version: 3.5.0"');
  t.match(await findPatroni({ fetch: false, log, env }), { kind: 'missing', why: /patroni doesn't run: no module/ });
  await program(path.join(stable, 'usr', 'bin', 'python3.11'), 'echo 3.0.2');
  await program(etcd, 'exit 1');
  t.match(await findPatroni({ fetch: false, log, env }), { kind: 'missing', why: /etcd doesn't run/ });
  await program(etcd, 'echo "etcd Version: 3.5.0"');
  t.match(await findPatroni({ fetch: false, log, env }), {
    kind: 'found',
    versions: { patroni: '3.0.2', etcd: '3.5.0' },
  });
});

t.test('PostgreSQL of the npm registry runs wherever the checkout lies', async (t) => {
  const place = await scratch(t);
  // As root a closed cache is passed over, which is where the copy for the server's user would have gone.
  await chmod(place, 0o700);
  const env = { FAILOVERD_LAB_CACHE: path.join(place, 'cache') };
  const user = serverUser();
  const folder = await passableCacheDir(user, env);
  t.equal(await blockedAt(folder, user), undefined);
  if (user !== undefined) t.equal((await stat(folder)).mode & 0o022, 0, 'nobody else can write there');
  const found = await findPostgres({ prefer: 'embedded', log });
  if (isMissing(found)) return t.fail(describeMissing(found));
  t.equal(await blockedAt(found.tools.postgres, user), undefined);
  return undefined;
});

t.test('fetching leaves the machine as it was', async (t) => {
  const lists = await readdir('/var/lib/apt/lists').catch(() => []);
  const status = await readFile('/var/lib/dpkg/status', 'utf8').catch(() => '');
  const found = await findTool('promtool', { fetch: true, log });
  if (isMissing(found)) {
    if (process.env['CI'] !== undefined) t.fail(describeMissing(found));
    else t.comment(describeMissing(found));
    return;
  }
  const check = await run([found.path, '--version'], { timeoutMs: 20_000 });
  t.equal(check.exitCode, 0);
  t.same(await readdir('/var/lib/apt/lists').catch(() => []), lists);
  t.equal(await readFile('/var/lib/dpkg/status', 'utf8').catch(() => ''), status);
});
