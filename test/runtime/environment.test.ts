import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t from 'tap';
import { processEnvironment } from '../../src/runtime/environment.ts';

const url = pathToFileURL(join(import.meta.dirname, '../../src/runtime/environment.ts')).href;
const run = (text: string, env: Record<string, string> = {}) =>
  spawnSync(process.execPath, ['--input-type=module', '-e', `import { processEnvironment } from '${url}';\n${text}`], {
    encoding: 'utf8',
    env,
    timeout: 30_000,
  });

t.test('a variable that is empty is set, and one that is not set is undefined', async (t) => {
  const text = `const { variable, print } = processEnvironment();
    print(JSON.stringify([variable('FULL'), variable('EMPTY'), String(variable('NONE'))]));`;
  t.same(JSON.parse(run(text, { FULL: 'x', EMPTY: '' }).stdout), ['x', '', 'undefined']);
});

t.test('answers go to standard output, complaints to standard error, and the code to whoever asked', async (t) => {
  const { stdout, stderr, status } = run(
    `const own = processEnvironment(); own.print('answer'); own.complain('complaint'); own.endWith(3);`,
  );
  t.same([stdout, stderr, status], ['answer', 'complaint', 3]);
  t.equal(run(`processEnvironment().exit(2); console.log('went on');`).stdout, '');
  t.equal(run('processEnvironment().exit(2);').status, 2);
});

t.test('it tells of this process', async (t) => {
  const own = processEnvironment();
  t.equal(own.pid, process.pid);
  t.equal(own.workingDirectory, process.cwd());
});
