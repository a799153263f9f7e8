// Secrets and certificates are read again: what is right is taken over, what is not leaves the ones of before in force.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type Authority, createAuthority } from '../../lab/pki.ts';
import { loadConfig } from '../../src/runtime/config/load.ts';
import { resolveSecrets, type Secrets, type SecretsResult, secretSources } from '../../src/runtime/config/secrets.ts';
import { createLog } from '../../src/runtime/log.ts';
import { redactingLive } from '../../src/runtime/redact.ts';
import { keepRenewing } from '../../src/runtime/renewal.ts';
import { createTimers } from '../../src/runtime/timers.ts';
import { createCertificates } from '../../src/runtime/tls.ts';
import { FIXTURES } from './support.ts';

const CA: Authority = await createAuthority('Private CA');
const [FIRST, SECOND] = [await CA.issue({ commonName: 'one' }), await CA.issue({ commonName: 'two' })];

const CONFIG = readFileSync(join(FIXTURES, 'valid.yaml'), 'utf8')
  .replace('stateDir: state }', 'stateDir: state, tls: { cert: own.pem, key: "${file:own.key}", clientCa: ca.pem } }')
  .replace('${env:PG_PASSWORD}', '${file:pg}')
  .replace('"${env:TOKEN_ADA}"', '"${file:ada}"')
  .replace('"${env:TOKEN_GRACE}"', '"${file:grace}"')
  .replace(
    '        database: app',
    '        database: app\n        ca: ca.pem\n        cert: own.pem\n        key: ${file:own.key}',
  );
const FILES = {
  'failover.yaml': CONFIG,
  'ca.pem': CA.certificate,
  'own.pem': FIRST.certificate,
  'own.key': FIRST.key,
  'pager.key': 'pager',
  pg: 'sesame-one\n',
  ada: 'token-of-ada\n',
  grace: 'token-of-grace\n',
};
const ENVIRONMENT: Readonly<Record<string, string>> = { ALERTMANAGER_TOKEN: 'am', AWS_KEY_ID: 'id', AWS_KEY: 'key' };

async function resolved(folder: string): Promise<SecretsResult> {
  const loaded = await loadConfig('failover.yaml', folder);
  if (loaded.kind === 'refused') throw new Error(loaded.problems[0]?.message);
  return await resolveSecrets(loaded, secretSources({ variable: (name) => ENVIRONMENT[name] }));
}

async function begun(
  t: Test,
): Promise<{ secrets: Secrets; write(name: string, text: string): void; remove(name: string): void }> {
  const folder = t.testdir(FILES);
  const result = await resolved(folder);
  if (result.kind === 'refused') throw new Error(JSON.stringify(result.problems));
  return {
    secrets: result.secrets,
    write: (name, text) => writeFileSync(join(folder, name), text),
    remove: (name) => rmSync(join(folder, name)),
  };
}

t.test(
  'a secret that was renewed is revealed by whoever holds it, and kept out of texts like the one of before',
  async (t) => {
    const { secrets, write } = await begun(t);
    const password = secrets.of('${file:pg}');
    const redact = redactingLive(secrets);
    t.same(await secrets.renew(), { renewed: [], problems: [] }, 'nothing has changed');
    write('pg', 'sesame-two\n');
    t.same((await secrets.renew()).renewed, ['groups.main.components.db.password']);
    t.equal(password.reveal(), 'sesame-two');
    t.notMatch(redact('sesame-one or sesame-two'), /sesame/);
  },
);

t.test('a file that is gone or empty leaves what was there before in force, and is told of', async (t) => {
  const { secrets, write, remove } = await begun(t);
  write('pg', '');
  remove('ca.pem');
  const { renewed, problems } = await secrets.renew();
  t.same(renewed, []);
  t.same(
    problems.map(({ code }) => code).sort(),
    ['pem-unreadable', 'pem-unreadable', 'secret-empty'],
    'at each place',
  );
  t.equal(secrets.of('${file:pg}').reveal(), 'sesame-one');
  t.equal(secrets.file('ca.pem'), CA.certificate);
});

t.test('a certificate and its key are taken over together', async (t) => {
  const { secrets, write } = await begun(t);
  const certificates = createCertificates(secrets)({ ca: 'ca.pem', cert: 'own.pem', key: '${file:own.key}' });
  const before = certificates?.secureContext();
  t.equal(certificates?.secureContext(), before, 'made once');
  write('own.pem', SECOND.certificate);
  const half = await secrets.renew();
  t.same(half.renewed, []);
  t.ok(half.problems.every(({ code }) => code === 'pem-pair') && half.problems.length > 0);
  t.equal(secrets.file('own.pem'), FIRST.certificate);
  t.equal(certificates?.secureContext(), before);
  write('own.key', SECOND.key);
  const whole = await secrets.renew();
  t.same(whole.problems, []);
  t.same(whole.renewed, [
    'daemon.tls.cert',
    'daemon.tls.key',
    'groups.main.components.db.cert',
    'groups.main.components.db.key',
  ]);
  t.equal(secrets.file('own.pem'), SECOND.certificate);
  t.not(certificates?.secureContext(), before);
  write('ca.pem', 'not a certificate');
  t.same((await secrets.renew()).problems[0]?.code, 'pem-bad');
  t.equal(secrets.file('ca.pem'), CA.certificate);
});

t.test('a token that another holds already is not taken over (invariant 22)', async (t) => {
  const { secrets, write } = await begun(t);
  write('ada', 'token-of-grace\n');
  const { renewed, problems } = await secrets.renew();
  t.same(renewed, []);
  t.same(
    problems.map(({ code }) => code),
    ['token-twice'],
  );
  t.equal(secrets.of('${file:ada}').reveal(), 'token-of-ada');
  write('grace', 'token-of-ada-before\n');
  t.same((await secrets.renew()).problems, []);
  t.equal(secrets.of('${file:ada}').reveal(), 'token-of-grace', 'once the other has given it up it is');
});

t.test('at the start, what is wrong with certificates is told with its place and its remedy', async (t) => {
  const cases: readonly [file: keyof typeof FILES, text: string | null, code: string, path: string][] = [
    ['ca.pem', null, 'pem-unreadable', 'daemon.tls.clientCa'],
    ['ca.pem', 'x', 'pem-bad', 'daemon.tls.clientCa'],
    ['ca.pem', CA.certificate.replace(/\n(.{10})/, '\nAAAAAAAAAA'), 'pem-bad', 'daemon.tls.clientCa'],
    ['own.key', 'sesame', 'pem-bad', 'daemon.tls.key'],
    ['own.key', SECOND.key, 'pem-pair', 'daemon.tls.key'],
    ['own.pem', FIRST.key, 'pem-bad', 'daemon.tls.cert'],
  ];
  for (const [index, [file, text, code, path]] of cases.entries()) {
    const { [file]: _, ...others } = FILES;
    const folder = t.testdir({ [`${index}`]: text === null ? others : { ...others, [file]: text } });
    const result = await resolved(join(folder, `${index}`));
    if (result.kind !== 'refused') throw new Error(`${code} was not refused`);
    const found = result.problems.find((problem) => problem.path === path);
    t.equal(found?.code, code, `${file}: ${found?.message}`);
    t.ok((found?.line ?? 0) > 0 && found?.remedy !== '');
    t.notMatch(JSON.stringify(result.problems), /sesame|PRIVATE KEY-----\\n/);
  }
});

t.test('it looks again and again, and tells of one trouble once', async (t) => {
  const lines: string[] = [];
  const log = createLog({ level: 'info', destination: { write: (line) => void lines.push(line) } });
  let looks = 0;
  const problem = {
    file: 'f',
    line: 1,
    column: 1,
    path: 'p',
    value: 'v',
    message: 'm',
    remedy: 'r',
    code: 'pem-bad',
  } as const;
  const { promise, resolve } = Promise.withResolvers<void>();
  const renewing = keepRenewing({
    secrets: {
      renew: async () => {
        looks += 1;
        if (looks === 5) resolve();
        return { renewed: looks === 4 ? ['pager.secret'] : [], problems: looks < 4 ? [problem] : [] };
      },
    },
    timers: createTimers(),
    log,
    everyMs: 1,
  });
  await promise;
  await renewing.stop();
  const after = looks;
  t.equal(lines.filter((line) => line.includes('stays in force')).length, 1);
  t.equal(lines.filter((line) => line.includes('pager.secret')).length, 1);
  await new Promise((resolve) => setImmediate(resolve));
  t.equal(looks, after, 'stopped is stopped');
});

t.test('a token that is taken back is not left with whom it was given to', async (t) => {
  const { secrets, write } = await begun(t);
  const told: string[][] = [];
  const tokens = (): string[] => ['${file:ada}', '${file:grace}'].map((reference) => secrets.of(reference).reveal());
  secrets.onRenewed(() => told.push(tokens()));
  // Grace gets what Alertmanager presents, so hers is taken back; and Ada was to have it from now on.
  write('ada', 'token-of-grace\n');
  write('grace', 'am\n');
  const { renewed, problems } = await secrets.renew();
  t.same(tokens(), ['token-of-ada', 'token-of-grace']);
  t.same([renewed, told], [[], []]);
  t.ok(problems.every(({ code }) => code === 'token-twice'));
  write('grace', 'token-of-hers\n');
  await secrets.renew();
  t.same(tokens(), ['token-of-grace', 'token-of-hers'], 'what is right in the end is taken');
});
