// What a guard keeps on disk, and the lock that keeps a second one away.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { lockFolder } from '../../src/guard/folder-lock.ts';
import { createStateFile, StateRefused } from '../../src/guard/state-file.ts';
import { FRESH_DURABLE } from '../../src/model/guard.ts';

const ME = { group: 'platform', component: 'postgres', region: 'a' };
const DURABLE = { ...FRESH_DURABLE, obeyed: 7, holds: 7, promisedTo: { holder: 'b', epoch: 6 } };

t.test('what was written is read, and nothing is fresh', async (t) => {
  const file = createStateFile(path.join(t.testdir(), 'state'), ME);
  t.same(await file.read(), { durable: FRESH_DURABLE, fresh: true });
  await file.write(DURABLE);
  t.same(await file.read(), { durable: DURABLE, fresh: false });
  await file.write({ ...DURABLE, obeyed: 8 });
  t.equal((await file.read()).durable.obeyed, 8);
});

t.test('a write that was cut off leaves the state of before', async (t) => {
  const file = createStateFile(t.testdir(), ME);
  await file.write(DURABLE);
  writeFileSync(`${file.path}.new`, '{"of":');
  t.same(await file.read(), { durable: DURABLE, fresh: false });
});

t.test('torn, damaged or foreign, it is refused with words', async (t) => {
  const file = createStateFile(t.testdir(), ME);
  await file.write(DURABLE);
  const good = readFileSync(file.path, 'utf8');
  const refused = async (text: string, why: RegExp): Promise<void> => {
    writeFileSync(file.path, text);
    await t.rejects(file.read(), { name: 'StateRefused', message: why, remedy: /\w/ });
  };
  await refused('', /torn/);
  await refused(good.slice(0, 60), /torn/);
  await refused(good.replace('"obeyed": 7', '"obeyed": 6'), /damaged/);
  await refused(good.replace('"obeyed"', '"obeys"'), /not what this version writes/);
  await refused(good.replace('"version": 1', '"version": 2'), /not what this version writes/);
  writeFileSync(file.path, good);
  await t.rejects(createStateFile(path.dirname(file.path), { ...ME, region: 'b' }).read(), {
    message: /in a, and this is/,
  });
});

t.test('a disk that takes nothing is told, and not taken for done', async (t) => {
  const dir = t.testdir({ state: 'a file where the folder should be' });
  await t.rejects(createStateFile(path.join(dir, 'state'), ME).write(DURABLE));
});

t.test('a folder has one guard, until that one is gone', async (t) => {
  const dir = path.join(t.testdir(), 'data');
  mkdirSync(dir);
  const holder = spawn(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `const { lockFolder } = await import(process.argv[1]);
       lockFolder(process.argv[2]); console.log('locked'); setInterval(() => {}, 1000);`,
      path.join(import.meta.dirname, '../../src/guard/folder-lock.ts'),
      dir,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  t.teardown(() => holder.kill('SIGKILL'));
  await once(holder.stdout, 'data');
  t.throws(() => lockFolder(dir), { name: 'StateRefused', message: /another guard/ });
  holder.kill('SIGSTOP');
  t.throws(() => lockFolder(dir), { message: /another guard/ }, 'also while it is frozen');
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  const lock = lockFolder(dir);
  t.throws(() => lockFolder(dir), { message: /another guard/ });
  lock.release();
  lockFolder(dir).release();
  t.throws(() => lockFolder(path.join(dir, 'not-there')), StateRefused);
  t.throws(() => lockFolder(dir, 'no-such-program'), { message: /can't be locked/ });
});
