// Secrets are fetched where they are needed, and shown nowhere.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import t from 'tap';
import { type Loaded, loadConfig } from '../../src/runtime/config/load.ts';
import { resolveSecrets, secretSources } from '../../src/runtime/config/secrets.ts';
import { callCheck, FIXTURES, reportFor } from './support.ts';

const ENVIRONMENT = {
  ALERTMANAGER_TOKEN: 'sesame-alertmanager',
  TOKEN_ADA: 'sesame-ada',
  TOKEN_GRACE: 'sesame-grace',
  PG_PASSWORD: 'sesame-pg',
  AWS_KEY_ID: 'sesame-key-id',
  AWS_KEY: 'sesame-key',
};
const SESAME = /sesame/;

const folderWith = (t: Tap, key: string | null): string =>
  t.testdir({
    'failover.yaml': readFileSync(join(FIXTURES, 'valid.yaml'), 'utf8'),
    ...(key === null ? {} : { 'pager.key': key }),
  });
type Tap = { testdir(files: Record<string, string>): string };

async function loaded(folder: string): Promise<Loaded> {
  const result = await loadConfig('failover.yaml', folder);
  if (result.kind === 'refused') throw new Error(result.problems[0]?.message);
  return result;
}
const sources = (environment: Readonly<Record<string, string>>) =>
  secretSources({ variable: (name) => environment[name] });

t.test('every reference leads to its value, and printing it shows nothing', async (t) => {
  const config = await loaded(folderWith(t, 'sesame-pager\n'));
  const result = await resolveSecrets(config, sources(ENVIRONMENT));
  if (result.kind === 'refused') throw new Error('refused');
  t.equal(result.count, 7);
  const { secrets } = result;
  t.equal(secrets.of('${env:PG_PASSWORD}').reveal(), 'sesame-pg');
  t.equal(secrets.of('${file:pager.key}').reveal(), 'sesame-pager', 'the line end is no part of it');
  const secret = secrets.of('${env:PG_PASSWORD}');
  for (const text of [
    String(secret),
    `${secret}`,
    JSON.stringify({ secret }),
    inspect({ secret }, { showHidden: true }),
  ])
    t.notMatch(text, SESAME);
  t.notMatch(inspect(result, { depth: 9, showHidden: true }), SESAME);
  t.notMatch(JSON.stringify(config.config), SESAME, 'the configuration holds references alone');
  t.throws(() => secrets.of('${env:HOME}'), RangeError, 'what the file does not name is not handed out');
});

t.test('a check does not need them, and with --secrets tells every one that is missing', async (t) => {
  const folder = folderWith(t, null);
  t.equal((await reportFor(['failover.yaml'], folder)).code, 0);
  const { PG_PASSWORD: _, ...without } = ENVIRONMENT;
  const report = await reportFor(['failover.yaml', '--secrets'], folder, { ...without, AWS_KEY: '' });
  t.equal(report.code, 2);
  t.match(report.problems, [
    { code: 'secret-unreadable', path: 'pager.secret', value: '${file:pager.key}', line: 29, column: 11 },
    { code: 'secret-unset', path: 'groups.main.components.db.password', value: '${env:PG_PASSWORD}' },
    { code: 'secret-empty', path: 'groups.main.components.dns.secretAccessKey' },
  ]);
  t.ok(report.problems.every((problem) => problem.remedy !== ''));
});

t.test('where all are there, the check says how many and shows none', async (t) => {
  const folder = folderWith(t, 'sesame-pager');
  const { code, stdout, stderr } = await callCheck(['failover.yaml', '--secrets'], folder, ENVIRONMENT);
  t.equal(code, 0);
  t.match(stdout, /7 fetched/);
  t.notMatch(stdout + stderr, SESAME);
});

t.test('an empty file, a folder and a file too large are no secrets', async (t) => {
  for (const [key, code] of [
    ['\n', 'secret-empty'],
    ['x'.repeat(70_000), 'secret-unreadable'],
  ] as const) {
    const report = await reportFor(['failover.yaml', '--secrets'], folderWith(t, key), ENVIRONMENT);
    t.match(report.problems, [{ code }]);
  }
});

t.test('two persons whose references lead to one token are refused', async (t) => {
  const folder = folderWith(t, 'sesame-pager');
  const report = await reportFor(['failover.yaml', '--secrets'], folder, {
    ...ENVIRONMENT,
    TOKEN_GRACE: ENVIRONMENT.TOKEN_ADA,
  });
  t.match(report.problems, [{ code: 'token-twice', path: 'people.grace.token' }]);
  t.notMatch(JSON.stringify(report), SESAME);
});

t.test('a token that nobody could ever present is refused at the start, and not shown', async (t) => {
  const folder = folderWith(t, 'sesame-pager');
  for (const token of [
    'sesame ada',
    'sesame-ada ',
    'sesame-ada\r',
    'sesame@ada',
    'sesame-ada\nsecond line',
    '=sesame',
  ]) {
    const report = await reportFor(['failover.yaml', '--secrets'], folder, { ...ENVIRONMENT, TOKEN_ADA: token });
    t.match(report.problems, [{ code: 'token-form', path: 'people.ada.token' }], JSON.stringify(token));
    t.notMatch(JSON.stringify(report), SESAME);
  }
  const bearer = await reportFor(['failover.yaml', '--secrets'], folder, { ...ENVIRONMENT, ALERTMANAGER_TOKEN: 'ü' });
  t.match(bearer.problems, [{ code: 'token-form', path: 'alertmanager.bearer' }]);
  const odd = { ...ENVIRONMENT, PG_PASSWORD: 'sesame with spaces', TOKEN_ADA: 'c2VzYW1l+/-._~==' };
  t.equal((await reportFor(['failover.yaml', '--secrets'], folder, odd)).code, 0, 'passwords are free');
});

t.test('a secret that is changed on disk is read anew', async (t) => {
  const folder = folderWith(t, 'sesame-one');
  const config = await loaded(folder);
  const first = await resolveSecrets(config, sources(ENVIRONMENT));
  writeFileSync(join(folder, 'pager.key'), 'sesame-two');
  const second = await resolveSecrets(config, sources(ENVIRONMENT));
  const value = (result: typeof first): string =>
    result.kind === 'resolved' ? result.secrets.of('${file:pager.key}').reveal() : result.kind;
  t.same([value(first), value(second)], ['sesame-one', 'sesame-two']);
});

t.test('a guard shows a token that nobody else has, in the group’s file and in its own', async (t) => {
  const here = (name: string) =>
    t.testdir({ 'guard.yaml': readFileSync(join(FIXTURES, name), 'utf8'), 'pager.key': 'k' });
  const tokens = { ...ENVIRONMENT, GUARD_US: 'sesame-us', GUARD_EU: 'sesame-eu', REPLICATOR: 'sesame-replicator' };
  const problems = async (name: string, changed: Readonly<Record<string, string>>) =>
    (await reportFor(['guard.yaml', '--secrets'], here(name), { ...tokens, ...changed })).problems;
  t.same(await problems('valid-guard.yaml', {}), []);
  t.match(await problems('valid-guard.yaml', { GUARD_EU: 'sesame-us' }), [
    { code: 'token-twice', path: 'groups.main.components.db.guards.eu-central-1.token' },
  ]);
  t.match(await problems('valid-guard.yaml', { GUARD_EU: 'sesame-ada' }), [{ code: 'token-twice' }]);
  t.match(await problems('valid-guard.yaml', { GUARD_EU: 'two words' }), [{ code: 'token-form' }]);
  t.same(await problems('valid-guard-file.yaml', {}), []);
  t.match(await problems('valid-guard-file.yaml', { GUARD_EU: 'sesame-us' }), [
    { code: 'token-twice', path: 'peers.eu-central-1.token' },
  ]);
  const own = await reportFor(['guard.yaml', '--secrets'], here('valid-guard-file.yaml'), tokens);
  t.equal(own.secrets, 3);
});
