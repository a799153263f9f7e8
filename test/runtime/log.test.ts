import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { inspect } from 'node:util';
import fc from 'fast-check';
import fastify from 'fastify';
import t from 'tap';
import { createLog, type Log, type LogOptions } from '../../src/runtime/log.ts';
import { SecretValue } from '../../src/runtime/secret.ts';

function listen(options: Partial<LogOptions> = {}) {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  const log = createLog({ level: 'debug', destination, ...options });
  const last = (): Record<string, unknown> => JSON.parse(lines.at(-1) ?? '{}');
  return { log, lines, last, all: () => lines.join('\n') };
}

t.test('a line is one JSON object with level, time, message and fields', async (t) => {
  const clock = { wall: () => Date.UTC(2026, 0, 2, 3, 4, 5, 6), mono: () => 0 };
  const { log, last, lines } = listen({ clock, fields: { vantage: 'daemon' } });
  log.info({ group: 'shop', seq: 7, held: true, none: null }, 'a decision');
  t.same(last(), {
    level: 'info',
    time: '2026-01-02T03:04:05.006Z',
    vantage: 'daemon',
    group: 'shop',
    seq: 7,
    held: true,
    none: null,
    msg: 'a decision',
  });
  log.info({}, 'two\nlines');
  t.equal(lines.at(-1)?.includes('\n'), false);
});

t.test('lines below the level are not written', async (t) => {
  const { log, lines } = listen({ level: 'warn' });
  log.info({}, 'no');
  log.warn({}, 'yes');
  t.equal(lines.length, 1);
});

t.test('an error keeps its message, stack, code and cause', async (t) => {
  const { log, last } = listen();
  const cause = new Error('the disk is full');
  log.error({ err: Object.assign(new Error('append failed', { cause }), { code: 'full' }) }, 'the journal failed');
  t.match(last(), { err: { message: /append failed/, code: 'full', stack: /log\.test\.ts/ } });
  t.match(JSON.stringify(last()), /the disk is full/);
});

const SECRET = 'kX9-swordfish/7';

t.test('fields that are secrets by their name are taken out at any depth, and no others', async (t) => {
  const { log, last, all } = listen();
  log.info(
    {
      password: SECRET,
      deep: { list: [{ config: { pager: { secret: SECRET, url: 'http://pager' } } }] },
      headers: { authorization: SECRET, Cookie: SECRET, 'set-cookie': [SECRET], 'X-Api-Key': SECRET, host: 'a' },
      sessionToken: SECRET,
      aws_secret_access_key: { value: SECRET },
      tokens: 3,
      password_set: true,
      token: null,
    },
    'config',
  );
  t.notMatch(all(), SECRET);
  t.match(last(), {
    password: '[redacted]',
    deep: { list: [{ config: { pager: { secret: '[redacted]', url: 'http://pager' } } }] },
    headers: { authorization: '[redacted]', host: 'a' },
    tokens: 3,
    password_set: true,
    token: null,
  });
});

t.test('a protected value is taken out wherever it stands', async (t) => {
  const { log, all, lines, last } = listen();
  log.protect(new SecretValue(SECRET));
  log.protect('12345678');
  const error = Object.assign(new Error(`login with ${SECRET} refused`), { detail: [{ sent: SECRET }] });
  log.info({}, `msg ${SECRET}`);
  log.info({ list: [`<${SECRET}>`], [SECRET]: 'as a key' }, 'fields');
  log.error({ err: error }, 'an error');
  log.error(error);
  log.child({ given: SECRET }).info({}, 'bindings');
  log.info({ url: `http://host/?key=${encodeURIComponent(SECRET)}` }, 'encoded');
  log.info({ sent: Buffer.from(SECRET).toString('base64') }, 'base64');
  log.info({ toJSON: () => ({ made: SECRET }) }, 'made while written');
  log.info({ map: inspect(new Map([['x', SECRET]])) }, 'inspected');
  log.info({ pin: 12345678 }, 'a number');
  t.notMatch(all(), SECRET);
  t.notMatch(all(), 'swordfish');
  t.notMatch(all(), Buffer.from(SECRET).toString('base64'));
  t.notMatch(all(), '12345678');
  t.equal(last()['pin'], '[redacted]');
  t.ok(lines.every((line) => JSON.parse(line).level !== undefined));
});

t.test('each line of a private key is taken out, also where the key was escaped', async (t) => {
  const { log, all } = listen();
  const body = ['MIIEvQIBADANBgkqhkiG9w0BAQEFAASC', 'BKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj'];
  const key = ['-----BEGIN PRIVATE KEY-----', ...body, '-----END PRIVATE KEY-----', ''].join('\n');
  log.protect(key);
  log.info({ key, escaped: JSON.stringify({ key }) }, `could not read ${body[1]}`);
  for (const line of body) t.notMatch(all(), line);
});

t.test('a short secret is taken out as a word and leaves other words alone', async (t) => {
  const { log, last } = listen();
  log.protect('abc');
  log.protect('');
  log.info({ one: 'abc', two: 'is abc.', three: 'abcess' }, 'short');
  t.match(last(), { one: '[redacted]', two: 'is [redacted].', three: 'abcess' });
  // Facts of a step pass this gate too, and a run is judged by its timeline.
  log.protect('2');
  log.info({ timeline: 2, text: 'on 2' }, 'small');
  t.match(last(), { timeline: 2, text: 'on [redacted]' });
});

t.test('a secret that reads like a level takes nothing away from the line', async (t) => {
  const { log, last } = listen();
  log.protect('info');
  log.info({}, 'some info');
  t.match(last(), { level: 'info', msg: 'some [redacted]' });
});

t.test('texts that look like secrets are taken out unasked', async (t) => {
  const { log, all, last } = listen();
  log.info(
    {
      url: `postgres://failoverd:${SECRET.replace('/', '')}@db:5432/shop`,
      header: `Authorization: Bearer ${'a1B2'.repeat(8)}`,
      basic: `Basic ${Buffer.from(`user:${SECRET}`).toString('base64')}`,
      conninfo: `host=db user=x password='${SECRET}' dbname=shop`,
      query: `/hook?token=${encodeURIComponent(SECRET)}&x=1`,
      plain: 'Basic authentication failed for http://db:5432/',
    },
    'looks',
  );
  t.notMatch(all(), 'swordfish');
  t.notMatch(all(), 'a1B2');
  t.notMatch(all(), Buffer.from(`user:${SECRET}`).toString('base64'));
  t.match(last(), {
    url: 'postgres://failoverd:[redacted]@db:5432/shop',
    conninfo: 'host=db user=x password=[redacted] dbname=shop',
    query: '/hook?token=[redacted]&x=1',
    plain: 'Basic authentication failed for http://db:5432/',
  });
});

t.test('a secret value shows nothing of itself, whatever it is turned into', async (t) => {
  const secret = new SecretValue(SECRET);
  const { log, all } = listen();
  log.info({ secret, other: { nested: secret } }, `it is ${secret}`);
  const shown = [String(secret), JSON.stringify({ secret }), inspect({ secret }, { showHidden: true }), all()];
  for (const text of shown) t.notMatch(text, 'swordfish');
  t.equal(secret.reveal(), SECRET);
});

t.test('no protected value comes through, in whatever field, text or key it stands', async (t) => {
  const secrets = fc.string({ minLength: 4, maxLength: 30, unit: 'grapheme' });
  // A value that stands in the line's own words (`msg`, `[redacted]`, a digit of the time) proves nothing.
  const frame = 'level info time 0123456789-:.TZ msg x redacted key deep';
  const held = fc.check(
    fc.property(secrets, fc.string(), fc.string(), (secret, before, after) => {
      fc.pre(secret.trim().length >= 4 && !frame.includes(secret.trim()));
      const { log, lines } = listen();
      log.protect(secret);
      const text = `${before}${secret}${after}`;
      log.info({ key: text, deep: [{ [text]: { deep: [text] } }] }, `${before.replaceAll('%', '')}${secret}${after}`);
      const seen: string[] = [];
      JSON.parse(lines[0] ?? '', (name, value) => {
        seen.push(name, String(value));
        return value;
      });
      // Taking one occurrence out may put another together from what stood around it, with our placeholder between.
      return seen.every((each) => !each.includes(secret) || '[redacted]'.includes(secret));
    }),
    { numRuns: 300 },
  );
  t.notOk(held.failed, fc.defaultReportMessage(held) ?? '');
});

t.test('texts and depth that a stranger chose do not make a line endless', async (t) => {
  const { log, lines } = listen();
  let deep: object = { end: true };
  for (let i = 0; i < 5000; i++) deep = { deep };
  log.info({ text: 'x'.repeat(1_000_000), deep }, 'big');
  t.ok((lines[0] ?? '').length < 20_000, `${lines[0]?.length}`);
  const hostile = ['a-'.repeat(500_000), 'a://'.repeat(250_000), 'token='.repeat(150_000), 'Bearer '.repeat(150_000)];
  const startedMono = performance.now();
  for (const text of hostile) log.info({ text }, 'hostile');
  t.ok(performance.now() - startedMono < 2000, 'and none makes it slow');
});

t.test('what JSON can not hold is written as far as it goes', async (t) => {
  const { log, lines } = listen();
  const loop: Record<string, unknown> = { name: 'loop' };
  loop['self'] = loop;
  log.info({ loop, big: 10n, none: undefined }, 'odd');
  t.equal(lines.length, 1);
  t.match(JSON.parse(lines[0] ?? ''), { msg: 'odd', loop: { name: 'loop' } });
});

t.test('for people a line is short, and no text of a stranger moves their cursor', async (t) => {
  const { log, lines } = listen({ pretty: true });
  log.protect(SECRET);
  log.warn({ group: 'shop', label: 'a\u001b[2Jb', list: [1] }, `alert \u001b]0;x\u0007 ${SECRET}`);
  log.error({ err: new Error('broken') }, 'no');
  t.match(
    lines[0],
    /^\d\d:\d\d:\d\d\.\d{3} WARN {2}alert \\x1b\]0;x\\x07 \[redacted\] group=shop label=.* list=\[1\]$/,
  );
  t.notMatch(lines[0], /\p{Cc}/u);
  t.match(lines[1], /ERROR no\n {2}Error: broken\n {2} +at /);
});

t.test('it is a log as the parts of failoverd ask for it, and as Fastify does', async (t) => {
  const { log, all } = listen();
  const ours: Log = log;
  ours.child({ part: 'http' }).info({}, 'x');
  const app = fastify({ loggerInstance: log });
  app.get('/hook', async (request) => {
    request.log.info({ headers: request.headers }, 'took');
    return {};
  });
  log.protect(SECRET);
  const answer = await app.inject({
    url: `/hook?key=${encodeURIComponent(SECRET)}`,
    headers: { authorization: 'Bearer x', cookie: 'session=1' },
  });
  await app.close();
  t.equal(answer.statusCode, 200);
  t.match(all(), /"reqId":"req-1"/);
  t.notMatch(all(), 'swordfish');
  t.notMatch(all(), 'session=1');
});

const logUrl = pathToFileURL(join(import.meta.dirname, '../../src/runtime/log.ts')).href;
const script = (text: string): string => `import { createLog } from '${logUrl}';\n${text}`;
const limitMs = 30_000;

t.test('by default lines go to standard error, all of them, before the process ends by itself', async (t) => {
  const text = script(
    `const log = createLog({ level: 'info' }); for (let i = 0; i < 5000; i++) log.info({ i }, 'x'.repeat(100));`,
  );
  const run = spawnSync(process.execPath, ['--input-type=module', '-e', text], { encoding: 'utf8', timeout: limitMs });
  t.equal(run.status, 0, run.stderr.slice(0, 500));
  t.equal(run.stdout, '');
  const lines = run.stderr.trimEnd().split('\n');
  t.equal(lines.length, 5000);
  t.equal(JSON.parse(lines.at(-1) ?? '').i, 4999);
});

t.test('a disk that is full loses lines and nothing else', async (t) => {
  const text = script(
    `const log = createLog({ level: 'info' });
     for (let i = 0; i < 100; i++) { log.info({ i }, 'x'); if (i % 10 === 0) await log.flush(1000); }
     console.log('alive', await log.flush(1000));`,
  );
  const run = spawnSync('sh', ['-c', 'exec "$0" --input-type=module -e "$1" 2>/dev/full', process.execPath, text], {
    encoding: 'utf8',
    timeout: limitMs,
  });
  t.equal(run.status, 0);
  t.equal(run.stdout, 'alive true\n');
});

t.test('a reader that went away loses lines and nothing else', async (t) => {
  const text = script(
    `const log = createLog({ level: 'info' });
     for (let i = 0; i < 100; i++) { log.info({ i }, 'x'); await log.flush(1000); }
     console.log('alive');`,
  );
  const run = spawnSync(
    'sh',
    ['-c', '{ "$0" --input-type=module -e "$1" 2>&1 >&3 | true; } 3>&1', process.execPath, text],
    { encoding: 'utf8', timeout: limitMs },
  );
  t.equal(run.stdout, 'alive\n');
});

t.test('a reader that stalls stops neither the work nor the end', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'failoverd-log-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  // Opened for both sides, so that it has a reader, which never reads.
  const fd = openSync(pipe, 'r+');
  t.teardown(() => closeSync(fd));
  const text = script(
    `const log = createLog({ level: 'info' });
     for (let i = 0; i < 20000; i++) log.info({ i }, 'x'.repeat(500));
     console.log('worked', await log.flush(200));
     log.flushNow();
     process.exit(0);`,
  );
  const run = spawnSync(process.execPath, ['--input-type=module', '-e', text], {
    encoding: 'utf8',
    timeout: limitMs,
    stdio: ['ignore', 'pipe', fd],
  });
  t.equal(run.stdout, 'worked false\n');
  t.equal(run.status, 0);
});
