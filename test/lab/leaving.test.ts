// Whatever becomes of a lab, nothing of it is left: no process, no folder, no secret.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { reportOf } from '../../lab/run.ts';
import { regionDownAuto } from '../../lab/scenarios/index.ts';
import type { Scenario } from '../../lab/scenarios/scenario.ts';
import { scanProcesses } from '../../lab/servers/processes.ts';

const LAB = fileURLToPath(new URL('../../lab/main.ts', import.meta.url));
const log = (line: string): void => {
  if (process.env['FAILOVERD_LAB_VERBOSE'] !== undefined) console.error(line);
};

t.setTimeout(120_000);

/** A folder that the servers' user may pass, in which a lab makes its own. */
async function place(t: { readonly teardown: (fn: () => Promise<void>) => void }): Promise<string> {
  const dir = await mkdtemp(path.join(tmpdir(), 'fk-'));
  await chmod(dir, 0o711);
  t.teardown(async () => await rm(dir, { recursive: true, force: true }));
  return dir;
}

/** Beside them lies what Node.js compiled. */
const labsIn = async (dir: string): Promise<string[]> => (await readdir(dir)).filter((name) => name.startsWith('fl-'));

// While PostgreSQL stands alone, and while everything does.
for (const until of ['is ready after', 'dies:']) {
  t.test(`interrupted at "${until}", a demo ends and leaves nothing`, async (t) => {
    const dir = await place(t);
    const env = { ...process.env, TMPDIR: dir };
    const child = spawn(process.execPath, [LAB, 'demo'], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    child.stderr.on('data', (text: Buffer) => log(text.toString()));
    let told = false;
    for await (const line of createInterface({ input: child.stdout })) {
      log(line);
      if (!told && line.includes(until)) child.kill('SIGINT');
      told ||= line.includes(until);
    }
    if (child.exitCode === null) await once(child, 'exit');
    t.ok(told, 'it came that far');
    t.equal(child.exitCode, 130);
    t.strictSame(await labsIn(dir), []);
    t.strictSame((await scanProcesses([dir])).pids, []);
  });
}

t.test('a scenario whose failoverd does not start is a report that has not passed, and leaves nothing', async (t) => {
  let folder = '';
  const scenario = {
    ...regionDownAuto,
    options: {
      daemonNode: ({ dir }: { readonly dir: string }) => {
        folder = dir;
        return { argv: ['--no-such-word'], env: {} };
      },
    },
  };
  const report = await reportOf(scenario, { keep: 'reports', monitoring: 'none', log });
  t.match(report, { scenario: 'region-down-auto', expects: 'failover', passed: false, error: /no-such-word/ });
  t.not(folder, '');
  await t.rejects(readdir(folder), { code: 'ENOENT' });
  t.strictSame((await scanProcesses([folder])).pids, []);
});

t.test('a scenario that throws is a report that has not passed', async (t) => {
  const scenario = {
    ...regionDownAuto,
    act: async () => {
      throw new Error('the sky fell');
    },
  };
  const report = await reportOf(scenario, { keep: 'nothing', monitoring: 'none', log });
  t.match(report, { passed: false, error: 'the sky fell', sabotage: null });
});

t.test('what a report names is kept, and nothing else; no secret is in it', async (t) => {
  const secrets: string[] = [];
  const scenario: Scenario = {
    ...regionDownAuto,
    act: async ({ folder, regions }) => {
      for (const name of await readdir(folder.at('secrets'))) {
        secrets.push(await readFile(folder.at('secrets', name), 'utf8'));
      }
      secrets.push(...Object.values(regions.passwords));
    },
  };
  const report = await reportOf(scenario, { keep: 'reports', monitoring: 'none', log });
  if ('error' in report) throw new Error(report.error);
  const { ledgers, dumps, journal, logs } = report;
  const out = path.dirname(logs.failoverd);
  t.teardown(async () => await rm(path.dirname(out), { recursive: true, force: true }));
  t.strictSame(await readdir(path.dirname(out)), ['out']);
  const named = [...ledgers, dumps.a.path, dumps.b.path, journal ?? 'no journal', logs.failoverd, logs.witness];
  t.strictSame((await readdir(out)).sort(), named.map((file) => path.basename(file)).sort());
  t.ok(secrets.length > 8);
  for (const file of named) {
    const text = await readFile(file, 'latin1');
    t.notOk(
      secrets.some((secret) => text.includes(secret)),
      `no secret in ${path.basename(file)}`,
    );
  }
});
