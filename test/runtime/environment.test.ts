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

t.test('a reader that closes its end early is no failure of ours', async (t) => {
  const text = `const own = processEnvironment(); for (let i = 0; i < 5000; i += 1) own.print('a line of an answer\\n');`;
  const script = `"$NODE" --input-type=module -e "$TEXT" | head -n 1; exit \${PIPESTATUS[0]}`;
  const { stdout, stderr, status } = spawnSync('bash', ['--norc', '-c', script], {
    encoding: 'utf8',
    env: {
      PATH: '/usr/bin:/bin',
      NODE: process.execPath,
      TEXT: `import { processEnvironment } from '${url}';\n${text}`,
    },
    timeout: 30_000,
  });
  t.same([stdout, stderr, status], ['a line of an answer\n', '', 0]);
});

t.test('an answer that could not be written is a failure', async (t) => {
  const script = `"$NODE" --input-type=module -e "$TEXT" > /dev/full`;
  const text = `import { processEnvironment } from '${url}';\nprocessEnvironment().print('answer');`;
  const { stderr, status } = spawnSync('bash', ['--norc', '-c', script], {
    encoding: 'utf8',
    env: { PATH: '/usr/bin:/bin', NODE: process.execPath, TEXT: text },
    timeout: 30_000,
  });
  t.same([stderr, status], ['failoverd: the answer could not be written (ENOSPC)\n', 1]);
});

t.test('it tells of this process', async (t) => {
  const own = processEnvironment();
  t.equal(own.pid, process.pid);
  t.equal(own.workingDirectory, process.cwd());
});
