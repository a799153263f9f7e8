import { spawn, spawnSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import type { HypervisorConfig, RegionMachines } from '../../lab/region/config.ts';
import { type Hypervisor, startHypervisor } from '../../lab/region/hypervisor-client.ts';
import { power, powerOff, powerOn, powerStatus } from '../../lab/region/power.ts';
import { freePort } from '../../lab/servers/ports.ts';
import {
  createStandby,
  destroyPostgres,
  type PostgresInstance,
  postmasterPid,
  query,
} from '../../lab/servers/postgres.ts';
import { scanProcesses } from '../../lab/servers/processes.ts';
import { until } from '../../lab/servers/wait.ts';
import { log, onePostgres, primaryIn, scratch } from './real-servers.ts';

const HOST = '127.0.82.1';
const HOST_A = '127.0.82.10';
const HOST_B = '127.0.82.20';
const TIMEOUT_MS = 15_000;

interface Platform {
  readonly config: HypervisorConfig;
  readonly hypervisor: Hypervisor;
  readonly a: RegionMachines;
  readonly b: RegionMachines;
  readonly restart: () => Promise<Hypervisor>;
}

/** A region A that runs, and a region B whose standby isn't made yet. */
async function platform(t: Test, options: { readonly lie?: boolean } = {}): Promise<Platform> {
  const place = await scratch(t);
  const stateDir = path.join(place, 'h');
  await mkdir(stateDir);
  const { primary, passwords } = await primaryIn(place, await onePostgres(), HOST_A);
  const port = await freePort(HOST_B);
  const standby: PostgresInstance = {
    ...primary,
    dir: path.join(place, 'b'),
    dataDir: path.join(place, 'b', 'data'),
    socketDir: path.join(place, 'b', 's'),
    logFile: path.join(place, 'b', 'postgres.log'),
    host: HOST_B,
    port,
  };
  const region = async (name: string, postgres: PostgresInstance): Promise<RegionMachines> => ({
    postgres,
    service: {
      dir: path.join(place, `service-${name}`),
      config: {
        region: name,
        host: postgres.host,
        port: await freePort(postgres.host),
        postgres: { host: postgres.host, port: postgres.port, user: 'app', password: passwords.app, database: 'app' },
      },
    },
  });
  const a = await region('a', primary);
  const b = await region('b', standby);
  const config = {
    host: HOST,
    port: await freePort(HOST),
    stateDir,
    regions: { a, b },
    endWithParent: true,
    ...options,
  };
  const started: Hypervisor[] = [];
  const restart = async (): Promise<Hypervisor> => {
    const next = await startHypervisor(config, log);
    started.push(next);
    return next;
  };
  t.teardown(async () => {
    for (const each of started) await each.stop();
    for (const each of [primary, standby]) await destroyPostgres(each);
  });
  const hypervisor = await restart();
  await hypervisor.act('a', 'on');
  const made = await createStandby({
    primary,
    upstream: primary,
    dir: standby.dir,
    host: standby.host,
    port: standby.port,
    passwords,
    log,
  });
  t.same(made, standby);
  await hypervisor.act('b', 'on');
  return { config, hypervisor, a, b, restart };
}

const folders = (machines: RegionMachines): string[] => [machines.postgres.dataDir, machines.service.dir];
const runs = async (machines: RegionMachines): Promise<number> => (await scanProcesses(folders(machines))).pids.length;
const url = (machines: RegionMachines, where: string): string => {
  const { host, port } = machines.service.config;
  return `http://${host}:${port}${where}`;
};
const write = async (machines: RegionMachines, id: string): Promise<{ status: number; body: unknown }> => {
  const answer = await fetch(url(machines, '/writes'), { method: 'POST', body: JSON.stringify({ id }) });
  return { status: answer.status, body: await answer.json() };
};

t.test('a region loses its power and gets it back', async (t) => {
  const { hypervisor, a, b, restart } = await platform(t);
  const target = { hypervisor: hypervisor.url, region: 'a', timeoutMs: TIMEOUT_MS };

  await t.test('the service writes to its own database and says when it can not', async (t) => {
    t.match(await write(a, 'w-1'), { status: 201, body: { id: 'w-1', region: 'a', lsn: /^[0-9A-F]+\/[0-9A-F]+$/ } });
    t.match(await write(a, 'w-1'), { status: 409, body: { duplicate: true } });
    t.match(await write(b, 'w-2'), { status: 503, body: { applied: 'no', code: '25006' } }, 'a standby refuses');
    t.equal((await write(a, 'not an id')).status, 400);
    t.equal((await fetch(url(b, '/healthz'))).status, 200);
    const metrics = await (await fetch(url(a, '/metrics'))).text();
    for (const line of [
      'app_up{region="a"} 1',
      'pg_up{region="a"} 1',
      'app_writes_total{region="a",outcome="created"} 1',
    ]) {
      t.ok(metrics.split('\n').includes(line), line);
    }
  });

  await t.test('its database dies alone: the service says so, and recovers with it', async (t) => {
    t.match(await hypervisor.act('a', 'crash', 'postgres'), { power: 'on', locked: false, machines: { postgres: [] } });
    t.equal((await fetch(url(a, '/healthz'))).status, 503);
    t.match(await write(a, 'w-3'), { status: 503, body: { applied: 'no' } });
    await hypervisor.act('a', 'start', 'postgres');
    t.equal((await fetch(url(a, '/healthz'))).status, 200);
    t.equal((await write(a, 'w-3')).status, 201);
  });

  await t.test('a frozen database neither answers nor passes as off', async (t) => {
    await hypervisor.act('a', 'pause', 'postgres');
    t.equal((await fetch(url(a, '/healthz'))).status, 503);
    t.match(await write(a, 'w-4'), { status: 503 });
    t.equal((await powerStatus(target)).exitCode, 1);
    await hypervisor.act('a', 'resume', 'postgres');
    await until({ what: 'a write', timeoutMs: 10_000 }, async () =>
      (await write(a, 'w-5')).status === 201 ? true : undefined,
    );
  });

  await t.test('the power is cut: nothing of it is left, and the proof says so', async (t) => {
    t.equal((await powerStatus(target)).exitCode, 1, 'on before');
    const beganMs = performance.now();
    const cut = await powerOff(target);
    log(`power off took ${Math.round(performance.now() - beganMs)} ms`);
    t.equal(cut.exitCode, 0);
    t.match(JSON.parse(cut.line), { region: 'a', power: 'off', processes: 0, locked: true, at: String });
    t.equal(cut.line.includes('\n'), false);
    t.equal(await runs(a), 0);
    t.ok((await runs(b)) > 1, 'the other region goes on');
    t.equal((await powerStatus(target)).exitCode, 0);
    await t.rejects(hypervisor.act('a', 'start', 'postgres'), { code: 'command-failed' }, 'it is locked off');
  });

  await t.test('a stranger starts something in it: it no longer passes as off', async (t) => {
    const child = spawn('sleep', ['60'], { cwd: a.service.dir, stdio: 'ignore' });
    await until({ what: 'seen', timeoutMs: 5_000 }, async () => ((await runs(a)) > 0 ? true : undefined));
    t.equal((await powerStatus(target)).exitCode, 1);
    child.kill('SIGKILL');
    await until({ what: 'gone', timeoutMs: 5_000 }, async () => ((await runs(a)) === 0 ? true : undefined));
    t.equal((await powerStatus(target)).exitCode, 0);
  });

  await t.test('a hypervisor that dies takes nothing with it, and remembers the lock', async (t) => {
    // PostgreSQL starts and ends workers as it likes: its postmaster is what must be the same.
    const before = await postmasterPid(b.postgres);
    t.ok(before);
    hypervisor.process.kill('SIGKILL');
    await until({ what: 'its end', timeoutMs: 5_000 }, async () => (hypervisor.process.exited() ? true : undefined));
    const unreachable = await powerStatus(target);
    t.equal(unreachable.exitCode, 75);
    t.match(JSON.parse(unreachable.line), { power: 'unknown' });
    t.equal((await powerOff(target)).exitCode, 75);
    t.equal(await postmasterPid(b.postgres), before);
    await restart();
    t.equal((await powerStatus(target)).exitCode, 0, 'still locked off');
    t.equal((await powerOn(target)).exitCode, 0);
    t.equal((await write(a, 'w-6')).status, 201);
    t.same(
      (
        await query(
          a.postgres,
          "select id from app.writes where id in ('w-1', 'w-3', 'w-5', 'w-6') order by id",
          [],
          'app',
        )
      ).length,
      4,
    );
  });

  await t.test('a power cut in the middle of a start wins', async (t) => {
    await powerOff(target);
    const starting = powerOn(target);
    await until({ what: 'the unlocking', timeoutMs: 5_000, intervalMs: 1 }, async () =>
      (await hypervisor.status('a')).locked ? undefined : true,
    );
    t.equal((await powerOff(target)).exitCode, 0);
    t.not((await starting).exitCode, 0, 'the start did not succeed');
    t.equal((await powerStatus(target)).exitCode, 0);
    t.equal(await runs(a), 0);
  });
});

t.test('a hypervisor that lies claims what it did not do', async (t) => {
  const { hypervisor, a } = await platform(t, { lie: true });
  const target = { hypervisor: hypervisor.url, region: 'a', timeoutMs: TIMEOUT_MS };
  const claimed = await powerOff(target);
  t.equal(claimed.exitCode, 0);
  t.match(JSON.parse(claimed.line), { power: 'off', processes: 0, locked: true });
  t.equal((await powerStatus(target)).exitCode, 0);
  t.ok((await runs(a)) > 1, 'and yet it runs');
  t.equal((await write(a, 'w-1')).status, 201, 'and writes');
});

t.test('it ends with everything, when told or when the lab is gone', async (t) => {
  const { hypervisor, config, a, b } = await platform(t);
  hypervisor.process.kill('SIGKILL');
  await until({ what: 'its end', timeoutMs: 5_000 }, async () => (hypervisor.process.exited() ? true : undefined));
  const file = path.join(config.stateDir, 'orphan.json');
  await writeFile(file, JSON.stringify({ ...config, endWithParent: true }));
  const program = fileURLToPath(new URL('../../lab/region/hypervisor.ts', import.meta.url));
  const argv = ['-c', '"$0" "$1" --config "$2" & wait', process.execPath, program, file];
  const lab = spawn('sh', argv, { stdio: 'ignore' });
  await until({ what: 'the next one', timeoutMs: 20_000 }, async () => {
    const answer = await fetch(`${hypervisor.url}/regions`).catch(() => undefined);
    return answer?.ok === true ? true : undefined;
  });
  t.ok((await runs(a)) > 1, 'the machines outlived the first one');
  lab.kill('SIGKILL');
  await until({ what: 'the end of everything', timeoutMs: 30_000 }, async () =>
    (await runs(a)) + (await runs(b)) === 0 ? true : undefined,
  );
});

t.test('the command line a fence driver calls', async (t) => {
  const program = fileURLToPath(new URL('../../lab/region/power.ts', import.meta.url));
  const nobody = `http://${HOST}:${await freePort(HOST)}`;
  const call = (...argv: string[]): { status: number | null; line: string } => {
    const { status, stdout } = spawnSync(process.execPath, [program, ...argv], { encoding: 'utf8' });
    return { status, line: stdout };
  };
  for (const argv of [
    ['off', 'a', '--hypervisor', nobody],
    ['status', 'a', '--hypervisor', nobody],
    ['off'],
    ['nonsense', 'a'],
  ]) {
    const { status, line } = call(...argv);
    t.equal(status, 75, argv.join(' '));
    t.match(JSON.parse(line), { power: 'unknown', why: String });
    t.equal(line.trimEnd().includes('\n'), false);
  }
  const fromEnv = await power(['status', 'a'], { FAILOVERD_LAB_HYPERVISOR: nobody });
  t.equal(fromEnv.exitCode, 75);
});
