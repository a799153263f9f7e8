// The fence by programs of the configuration: real programs, told by their exit codes, and never trusted further.
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { until } from '../lab-parts/waiting.ts';
import { A, actorOf, ask, configOf, EPOCH, gist, RUN, type Tap } from './world.ts';

const node = process.execPath;
const script = (code: string): string[] => [node, '-e', code];
const exits = (code: number): string[] => script(`process.exit(${code})`);

function fencing(test: Tap, programs: { fence?: string[]; verify?: string[]; timeout?: string }) {
  const { fence = exits(0), verify = exits(0), timeout = '20s' } = programs;
  return actorOf(test, configOf({}, { driver: 'command', fence, verify, timeout }));
}

/** A process that has ended and that its parent has not asked after yet is not alive. */
const alive = async (pid: number): Promise<boolean> => {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  return stat !== null && !/\) [ZX] /.test(stat);
};

async function scratch(test: Tap): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'ff-'));
  test.teardown(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

t.test('only exit 0 is off, 1 is not off, and everything else says nothing', async (t) => {
  for (const [exit, done] of [
    [0, 'ok'],
    [1, 'no not-off'],
    [2, 'unknown exit-other'],
    [75, 'unknown exit-75'],
  ] as const) {
    const actor = fencing(t, { fence: exits(exit), verify: exits(exit) });
    t.equal(gist(await ask(actor, { stepKind: 'fence', operation: 'do' })), done, `do, exit ${exit}`);
    t.equal(gist(await ask(actor, { stepKind: 'fence', operation: 'verify' })), done, `verify, exit ${exit}`);
  }
});

t.test('what the program is told: region, group, epoch and run, as arguments and in a small environment', async (t) => {
  process.env['FAILOVERD_TEST_LEAK'] = 'everything else stays here';
  t.teardown(() => delete process.env['FAILOVERD_TEST_LEAK']);
  const tell = [...script('console.log(JSON.stringify({ argv: process.argv.slice(1), env: process.env }))'), '--'];
  const actor = fencing(t, { verify: [...tell, '${REGION}', 'g=${GROUP}', '${EPOCH}/${RUN}', '${OTHER}', '$(id); x'] });
  const result = await ask(actor, { stepKind: 'fence', operation: 'verify' });
  t.equal(gist(result), 'ok');
  const { argv, env } = result.facts['output'] as { argv: string[]; env: Record<string, string> };
  t.same(argv, [A, 'g=platform', `${EPOCH}/${RUN}`, '${OTHER}', '$(id); x'], 'no shell looked at it');
  t.match(env, {
    FAILOVERD_OPERATION: 'verify',
    FAILOVERD_REGION: A,
    FAILOVERD_GROUP: 'platform',
    FAILOVERD_EPOCH: String(EPOCH),
    FAILOVERD_RUN: RUN,
    PATH: String,
  });
  const allowed = new Set(['PATH', 'HOME', 'LANG']);
  t.same(
    Object.keys(env).filter((name) => !allowed.has(name) && !name.startsWith('FAILOVERD_')),
    [],
  );
  t.notOk('FAILOVERD_TEST_LEAK' in env);
});

t.test('the proof says who confirmed what, and when', async (t) => {
  const before = Date.now();
  const say = script(`console.log('{"instances":0,"host":"a1"}'); console.log('more')`);
  const result = await ask(fencing(t, { verify: say }), { stepKind: 'fence', operation: 'verify' });
  t.match(result.facts, { driver: 'command', operation: 'verify', program: node, region: A, exit: 0 });
  t.same(result.facts['output'], { instances: 0, host: 'a1' });
  t.ok(Number(result.facts['at']) >= before);
  const plain = await ask(fencing(t, { verify: script(`console.log('powered off')`) }), {
    stepKind: 'fence',
    operation: 'verify',
  });
  t.equal(plain.facts['output'], 'powered off');
  const beyond = await ask(fencing(t, { verify: script(`console.log('{"load":1e999,"least":[-1e999]}')`) }), {
    stepKind: 'fence',
    operation: 'verify',
  });
  t.same(beyond.facts['output'], { load: 'Infinity', least: ['-Infinity'] }, 'what the journal can hold');
});

t.test(
  'a program that hangs, ignores SIGTERM and has children is gone with all of them when its time is up',
  async (t) => {
    const dir = await scratch(t);
    const child = `process.on('SIGTERM', () => {}); setInterval(() => {}, 1000)`;
    const hang = script(
      `process.on('SIGTERM', () => {});
     const child = require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(child)}], { stdio: 'inherit' });
     require('node:fs').writeFileSync(${JSON.stringify(join(dir, 'pids'))}, process.pid + ' ' + child.pid);
     setInterval(() => {}, 1000)`,
    );
    const actor = fencing(t, { fence: hang, timeout: '1s' });
    const startedMs = performance.now();
    t.equal(gist(await ask(actor, { stepKind: 'fence', operation: 'do' })), 'unknown timeout');
    t.ok(performance.now() - startedMs < 3000, 'it did not wait for the children');
    const pids = (await readFile(join(dir, 'pids'), 'utf8')).split(' ').map(Number);
    t.equal(pids.length, 2);
    await until('both processes gone', async () => !(await Promise.all(pids.map(alive))).includes(true));
  },
);

t.test('a program that left the group with the pipes open does not hold up the answer', async (t) => {
  const dir = await scratch(t);
  const away = script(
    `const child = require('node:child_process').spawn(process.execPath, ['-e', 'setTimeout(() => {}, 20000)'], { stdio: 'inherit', detached: true });
     require('node:fs').writeFileSync(${JSON.stringify(join(dir, 'pid'))}, String(child.pid));
     console.log('off'); child.unref(); process.exitCode = 0`,
  );
  const startedMs = performance.now();
  const result = await ask(fencing(t, { fence: away }), { stepKind: 'fence', operation: 'do' });
  t.equal(gist(result), 'ok');
  t.equal(result.facts['output'], 'off');
  t.ok(performance.now() - startedMs < 5000);
  process.kill(Number(await readFile(join(dir, 'pid'), 'utf8')), 'SIGKILL');
});

t.test('children that a program leaves in its group end with it', async (t) => {
  const dir = await scratch(t);
  const leave = script(
    `const child = require('node:child_process').spawn(process.execPath, ['-e', 'setTimeout(() => {}, 20000)'], { stdio: 'ignore' });
     require('node:fs').writeFileSync(${JSON.stringify(join(dir, 'pid'))}, String(child.pid));
     child.unref()`,
  );
  t.equal(gist(await ask(fencing(t, { fence: leave }), { stepKind: 'fence', operation: 'do' })), 'ok');
  const pid = Number(await readFile(join(dir, 'pid'), 'utf8'));
  await until('the child gone', async () => !(await alive(pid)));
});

t.test('a program that floods its output is read to the end and remembered in part', async (t) => {
  const flood = script(`for (let i = 0; i < 64; i++) process.stdout.write('x'.repeat(65536)); process.exitCode = 75`);
  const result = await ask(fencing(t, { verify: flood }), { stepKind: 'fence', operation: 'verify' });
  t.equal(gist(result), 'unknown exit-75');
  t.ok(JSON.stringify(result).length < 8000, `${JSON.stringify(result).length} characters`);
});

t.test('a program ended by a signal says nothing', async (t) => {
  const dies = script(`process.kill(process.pid, 'SIGTERM'); setInterval(() => {}, 1000)`);
  const actor = fencing(t, { fence: dies, verify: dies });
  t.equal(gist(await ask(actor, { stepKind: 'fence', operation: 'do' })), 'unknown signal');
  t.equal(gist(await ask(actor, { stepKind: 'fence', operation: 'verify' })), 'unknown signal');
});

t.test('a program that is not there did nothing, and proves nothing', async (t) => {
  const dir = await scratch(t);
  const missing = [join(dir, 'no-such-program')];
  const actor = fencing(t, { fence: missing, verify: missing });
  t.equal(gist(await ask(actor, { stepKind: 'fence', operation: 'check' })), 'no not-found');
  t.equal(gist(await ask(actor, { stepKind: 'fence', operation: 'do' })), 'no not-found');
  t.equal(gist(await ask(actor, { stepKind: 'fence', operation: 'verify' })), 'unknown not-found');

  const file = join(dir, 'plain');
  await writeFile(file, '#!/bin/sh\nexit 0\n');
  await chmod(file, 0o644);
  const plain = fencing(t, { fence: [file] });
  t.equal(gist(await ask(plain, { stepKind: 'fence', operation: 'check' })), 'no not-executable');
  t.equal(gist(await ask(plain, { stepKind: 'fence', operation: 'do' })), 'no not-executable');
  await chmod(file, 0o755);
  t.equal(gist(await ask(plain, { stepKind: 'fence', operation: 'check' })), 'ok');
});

t.test('a program is found on the path, as the system finds it', async (t) => {
  t.equal(
    gist(await ask(fencing(t, { fence: ['true'], verify: ['true'] }), { stepKind: 'fence', operation: 'check' })),
    'ok',
  );
  t.equal(
    gist(
      await ask(fencing(t, { fence: ['true'], verify: ['no-such-program-at-all'] }), {
        stepKind: 'fence',
        operation: 'check',
      }),
    ),
    'no not-found',
    'the one that reads back must be there too',
  );
});

t.test('without a driver nothing is fenced, and nothing read back', async (t) => {
  const actor = actorOf(t, configOf({}));
  t.equal(gist(await ask(actor, { stepKind: 'fence', operation: 'do' })), 'no unsupported');
  t.equal(gist(await ask(actor, { stepKind: 'fence', operation: 'verify' })), 'unknown unsupported');
});

t.test('closing the actor ends what runs, and says that nothing is known', async (t) => {
  const dir = await scratch(t);
  const hang = script(
    `require('node:fs').writeFileSync(${JSON.stringify(join(dir, 'pid'))}, String(process.pid)); setInterval(() => {}, 1000)`,
  );
  const actor = fencing(t, { fence: hang });
  const running = ask(actor, { stepKind: 'fence', operation: 'do', timeoutMs: 20_000 });
  const pid = await until('the program runs', () => readFile(join(dir, 'pid'), 'utf8').catch(() => ''));
  await actor.close();
  t.match(await running, { kind: 'unknown' });
  await until('the program gone', async () => !(await alive(Number(pid))));
});
