import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { until } from '../../lab/servers/wait.ts';
import { generateKeys } from '../../src/probes/report.ts';
import { desk } from '../probes/desk.ts';
import { call } from './terminal.ts';

const HOST = '127.0.93.2';
const launcher = path.join(import.meta.dirname, '../../bin/failoverd.mjs');

const configText = (publicKey: string, target: string): string => `version: 1
daemon: { stateDir: state }
regions: { east: { role: primary }, west: { role: secondary }, far: { role: witness } }
vantages:
  daemon: { region: west, controlTargets: ['${target}'] }
  north: { region: far, controlTargets: ['${target}'], publicKey: '${publicKey}' }
people:
  ann: { roles: [sre], token: '\${env:TOKEN_OF_ANN}' }
groups:
  shop:
    primary: east
    secondary: west
    components:
      db:
        kind: postgres
        tier: 1
        database: app
        user: failoverd
        password: \${env:PG}
        tls: disable
        instances: { east: '127.0.93.3:1', west: '127.0.93.3:2' }
`;

t.test('a key is made for its owner alone, and never over another', async (t) => {
  const file = path.join(t.testdir(), 'north.pem');
  const made = await call(['witness', '--keygen', '--key', file]);
  t.equal(made.code, 0);
  t.match(made.out, /^publicKey: [A-Za-z0-9+/]{43}=\n$/);
  t.equal(statSync(file).mode & 0o777, 0o600);
  const text = readFileSync(file, 'utf8');
  t.match(text, /BEGIN PRIVATE KEY/);
  t.notOk(`${made.out}${made.err}`.includes(text.split('\n')[1] ?? ''), 'the private key is not printed');
  const again = await call(['witness', '--keygen', '--key', file]);
  t.equal(again.code, 2);
  t.equal(readFileSync(file, 'utf8'), text);
});

t.test('what can’t work is said before anything starts', async (t) => {
  const keys = generateKeys();
  const dir = t.testdir({
    'ok.yaml': configText(keys.publicKey, 'tcp://192.0.2.1:53'),
    'key.pem': keys.privateKeyPem,
    'other.pem': generateKeys().privateKeyPem,
    'not-a-key.pem': 'hunter2',
    'bad.yaml': 'version: 2\n',
  });
  for (const key of ['key.pem', 'other.pem', 'not-a-key.pem']) chmodSync(path.join(dir, key), 0o600);
  const at = (name: string): string => path.join(dir, name);
  const good = { config: at('ok.yaml'), vantage: 'north', key: at('key.pem'), daemon: 'http://127.0.93.2:1' };
  const told = async (over: Partial<Record<keyof typeof good, string | null>>): Promise<string> => {
    const args = Object.entries({ ...good, ...over }).flatMap(([name, value]) =>
      value === null ? [] : [`--${name}`, value],
    );
    const { code, err, out } = await call(['witness', ...args]);
    t.equal(code, 2, err);
    t.equal(out, '');
    return err;
  };
  for (const name of ['config', 'vantage', 'key', 'daemon'] as const)
    t.match(await told({ [name]: null }), new RegExp(name));
  t.match(await told({ vantage: 'nroth' }), /did you mean north/);
  t.match(await told({ vantage: 'daemon' }), /no witness named daemon/);
  t.match(await told({ daemon: 'localhost:8080' }), /no http or https address/);
  t.match(await told({ config: at('none.yaml') }), /none\.yaml/);
  t.match(await told({ config: at('bad.yaml') }), /bad\.yaml:1:/);
  t.match(await told({ key: at('none.pem') }), /none\.pem/);
  t.notMatch(await told({ key: at('not-a-key.pem') }), /hunter2/);
  t.match(await told({ key: at('other.pem') }), /not the one of this vantage/);
  const unset = await told({});
  t.match(unset, /PG/, 'a database password that isn’t set');
  t.notMatch(unset, /TOKEN_OF_ANN/, 'a witness has no use for anybody’s token');
});

t.test('it runs until a signal, and ends in good order', async (t) => {
  const keys = generateKeys();
  const at = await desk(t, HOST, keys.publicKey);
  const dir = t.testdir({ 'config.yaml': configText(keys.publicKey, at.url.href), 'key.pem': keys.privateKeyPem });
  chmodSync(path.join(dir, 'key.pem'), 0o600);
  writeFileSync(path.join(dir, 'err.txt'), '');
  const args = ['--config', 'config.yaml', '--vantage', 'north', '--key', 'key.pem', '--daemon', at.url.href];
  const child = spawn(process.execPath, [launcher, 'witness', ...args], {
    cwd: dir,
    env: { PATH: process.env['PATH'], PG: 'hunter2' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
  await until({ what: 'reports', timeoutMs: 20_000 }, async () => at.taken.length >= 2 || undefined);
  const seen = at.taken.flatMap((report) => report.observations);
  t.match(
    seen.find((each) => each.kind === 'postgres'),
    { verdict: 'bad', code: 'refused', facts: null },
  );
  t.match(
    seen.find((each) => each.kind === 'control'),
    { verdict: 'ok', vantage: 'north' },
  );
  child.kill('SIGTERM');
  const [code, signal] = await once(child, 'exit');
  t.same([code, signal], [0, null], text);
  t.notMatch(`${text}${JSON.stringify(seen)}`, /hunter2/);
});
