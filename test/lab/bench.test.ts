// The benches on real servers, with the fewest rounds. What they measure here is asserted nowhere: only that they do.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { scanProcesses } from '../../lab/servers/processes.ts';
import { repositoryRoot } from '../support/repository.ts';

const limitMs = 300_000;
const bench = join(repositoryRoot, 'bench/main.ts');
const results = join(repositoryRoot, 'bench/RESULTS.md');

t.setTimeout(600_000);

/** Short: PostgreSQL's socket lies below it. */
function folder(t: Test): string {
  const made = mkdtempSync(join(tmpdir(), 'fbt-'));
  // PostgreSQL runs as another user where the tests run as root, and has to pass through.
  chmodSync(made, 0o711);
  t.teardown(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

t.test('each bench measures its bounds, says within or over of each, and leaves nothing behind', async (t) => {
  const scratch = folder(t);
  const before = readFileSync(results, 'utf8');
  const ran = spawnSync(process.execPath, [bench, '--rounds', '1', '--json'], {
    encoding: 'utf8',
    timeout: limitMs,
    env: { ...process.env, TMPDIR: scratch },
  });
  t.equal(ran.status, 0, ran.stderr);
  const said = JSON.parse(ran.stdout);
  t.same(
    said.results.map(({ bench }: { bench: string }) => bench),
    ['failover', 'start', 'webhooks', 'step', 'probes', 'backtest', 'simulator'],
  );
  for (const { findings } of said.results) {
    t.ok(findings.length > 0);
    for (const { verdict, measured } of findings) {
      t.match(verdict, /^(?:within|over)$/);
      t.ok(measured.median > 0);
    }
  }
  t.equal(readFileSync(results, 'utf8'), before, 'a short run is not what the results are made of');
  t.same(readdirSync(scratch), []);
});

t.test('a bench that is interrupted takes its servers down', async (t) => {
  const scratch = folder(t);
  const child = spawn(process.execPath, [bench, '--only', 'failover', '--rounds', '5'], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, TMPDIR: scratch },
    timeout: limitMs,
  });
  const ended = once(child, 'exit');
  let said = '';
  let told = false;
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString('utf8');
    // Once: a second one asks it to end without taking anything down.
    if (!told && said.includes('warm-up')) told = child.kill('SIGINT');
  });
  t.same(await ended, [1, null], said);
  t.same((await scanProcesses([scratch])).pids, []);
  t.same(readdirSync(scratch), []);
});
