// Finding the command, and being told what to do where it can't be understood.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { call, tooWide } from './terminal.ts';

const COMMANDS = [
  'check',
  'init',
  'doctor',
  'run',
  'witness',
  'guard',
  'status',
  'explain',
  'report',
  'approve',
  'abort',
];

t.test('help lists every command, and each has help of its own', async (t) => {
  const { code, out } = await call(['--help']);
  t.equal(code, 0);
  for (const command of COMMANDS) {
    t.match(out, new RegExp(`^  ${command} `, 'm'));
    for (const argv of [
      [command, '--help'],
      [command, '-h'],
      ['help', command],
    ]) {
      const help = await call(argv);
      t.equal(help.code, 0);
      t.match(help.out, new RegExp(`^failoverd ${command}`));
      t.match(help.out, /Exit codes/);
      t.strictSame(tooWide(help.out), []);
    }
  }
  t.strictSame(tooWide(out), []);
});

t.test('no command at all is wrong usage', async (t) => {
  const { code, out, err } = await call([]);
  t.equal(code, 2);
  t.equal(out, '');
  t.match(err, /COMMAND/);
});

t.test('the version is the package’s', async (t) => {
  const manifest = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8')) as {
    version: string;
  };
  t.equal((await call(['--version'])).out, `${manifest.version}\n`);
});

t.test('an unknown command is answered with the one that was meant', async (t) => {
  for (const [word, meant] of [
    ['chekc', 'check'],
    ['aprove', 'approve'],
    ['stauts', 'status'],
  ] as const) {
    const { code, err } = await call([word]);
    t.equal(code, 2);
    t.match(err, new RegExp(`did you mean ${meant}\\?`));
  }
  t.match(await call(['zzzzzz']), { code: 2, err: /--help/ });
  t.match(await call(['constructor']), { code: 2, err: /no command/ });
});

t.test('wrong arguments name what is wrong and what helps', async (t) => {
  const cases: readonly [argv: string[], err: RegExp][] = [
    [['status', '--tokn-file', 'x'], /did you mean --token-file\?/],
    [['status', 'a', 'b'], /one group/],
    [['status', '--url', 'ftp://x'], /--url http/],
    [['status', '--url'], /--url/],
    [['status', '--token-file', '/does/not/exist'], /ENOENT/],
    [['approve'], /one proposal, raise or run is needed/],
    [['approve', 'proposal-a-1', '--json'], /--yes/],
    [['abort', 'proposal-a-1'], /--reason/],
    [['abort', 'something', '--reason', 'why not'], /no proposal, run or raise/],
    [['run'], /--config FILE/],
    [['run', 'config.yaml'], /--config FILE/],
  ];
  for (const [argv, expected] of cases) {
    const { code, out, err } = await call(argv);
    t.equal(code, 2, argv.join(' '));
    t.equal(out, '', argv.join(' '));
    t.match(err.replace(/\s+/g, ' '), expected, argv.join(' '));
    t.strictSame(tooWide(err), [], argv.join(' '));
  }
});
