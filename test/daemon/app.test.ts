// The whole daemon as people start it: the launcher, a real config file, a real journal on disk, signals.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { StatusDocument } from '../../src/daemon/status-document.ts';
import { seal } from '../../src/journal/chain.ts';
import { openSqliteJournal } from '../../src/journal/sqlite.ts';
import { type EventBody, GENESIS_HASH } from '../../src/model/events.ts';
import { generateKeys } from '../../src/probes/report.ts';
import { settingsWith } from '../support/group.ts';
import { History, succeed } from '../support/histories.ts';
import { alert, bearer, payload } from './http/harness.ts';

const ROOT = join(import.meta.dirname, '../..');
const LAUNCHER = join(ROOT, 'bin/failoverd.mjs');
const SECRETS = {
  AM_TOKEN: 'token-of-alertmanager',
  ANN_TOKEN: 'token-of-ann',
  VERA_TOKEN: 'token-of-vera',
  PAGER_SECRET: 'secret-of-the-pager',
};
const WITHIN_MS = 30_000;

async function freePort(): Promise<number> {
  const server = createTcpServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function until<T>(what: string, look: () => Promise<T | null>): Promise<T> {
  const end = performance.now() + WITHIN_MS;
  for (;;) {
    const found = await look().catch(() => null);
    if (found !== null) return found;
    if (performance.now() > end) throw new Error(`did not come: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

type Place = { readonly folder: string; readonly file: string; readonly url: string; readonly port: number };

/** A folder with a config in it; two services that answer nowhere, and one control target that does. */
async function place(t: Test, change: (text: string) => string = (text) => text): Promise<Place> {
  const folder = mkdtempSync(join(tmpdir(), 'failoverd-app-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const control = createTcpServer((socket) => socket.end());
  control.listen(0, '127.0.0.1');
  await once(control, 'listening');
  t.teardown(() => void control.close());
  const [port, dead] = [await freePort(), await freePort()];
  const file = join(folder, 'failover.yaml');
  const config = `
version: 1
daemon: { stateDir: state, listen: '127.0.0.1:${port}' }
regions:
  a: { role: primary }
  b: { role: secondary }
vantages:
  daemon: { region: b, controlTargets: ['tcp://127.0.0.1:${(control.address() as AddressInfo).port}'] }
alertmanager:
  region: b
  bearer: \${env:AM_TOKEN}
  facts: [{ match: ['alertname="RegionDown"'], fact: region-unreachable, group: shop, region: a }]
people:
  ann: { roles: [sre], token: '\${env:ANN_TOKEN}' }
  vera: { roles: [vp], token: '\${env:VERA_TOKEN}' }
groups:
  shop:
    primary: a
    secondary: b
    components:
      api: { kind: http, tier: 1, instances: { a: 'http://127.0.0.1:${dead}/', b: 'http://127.0.0.1:${port}/-/healthy' } }
`;
  writeFileSync(file, change(config));
  return { folder, file, port, url: `http://127.0.0.1:${port}` };
}

type Running = { readonly child: ChildProcess; readonly said: () => string };

function start(t: Test, { file }: Place, env: Record<string, string> = SECRETS): Running {
  const { NODE_OPTIONS: _ours, ...outer } = process.env;
  const child = spawn(process.execPath, [LAUNCHER, 'run', '--config', file], { env: { ...outer, ...env } });
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (part: string) => (text += part));
  t.teardown(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
  return { child, said: () => text };
}

async function ready({ url }: Place, { child, said }: Running): Promise<void> {
  await until('ready', async () => {
    if (child.exitCode !== null) return 'ended';
    return (await fetch(`${url}/-/ready`)).status === 200 ? 'ready' : null;
  });
  if (child.exitCode !== null) throw new Error(`it ended instead: ${said()}`);
}

async function ended({ child }: Running): Promise<number | null> {
  if (child.exitCode === null) await once(child, 'exit');
  return child.exitCode;
}

const status = async ({ url }: Place): Promise<StatusDocument> =>
  (await (await fetch(`${url}/api/v1/status`)).json()) as StatusDocument;

t.test('Prometheus is asked for the facts of the config, and at once when an alert fires', async (t) => {
  const presented = new Set<string>();
  let errors = ['0.25'];
  const prometheus = createServer((request, response) => {
    presented.add(request.headers.authorization ?? '');
    const asked = new URL(request.url ?? '', 'http://x').searchParams;
    const query = asked.get('query') ?? '';
    const now = Date.now() / 1000;
    const values = query.startsWith('min(timestamp(') ? [String(Number(asked.get('time')) - 5)] : errors;
    const result = values.map((value, index) => ({ metric: { i: String(index) }, value: [now, value] }));
    response.end(JSON.stringify({ status: 'success', data: { resultType: 'vector', result } }));
  });
  prometheus.listen(0, '127.0.0.1');
  await once(prometheus, 'listening');
  t.teardown(() => void prometheus.close());
  const { port } = prometheus.address() as AddressInfo;
  const at = await place(t, (text) =>
    text
      .replace(
        'people:',
        `prometheus:
  main: { url: 'http://127.0.0.1:${port}/', region: b, bearer: '\${env:PROMETHEUS_TOKEN}' }
people:`,
      )
      // So seldom that whatever is asked a second time was asked for by the alert.
      .replace(
        '    components:',
        "    facts: { errors: { promql: 'sum(errors)', unit: ratio, every: 1h, fresh: 2h } }\n    components:",
      ),
  );
  const running = start(t, at, { ...SECRETS, PROMETHEUS_TOKEN: 'token-of-prometheus' });
  await ready(at, running);
  const metric = async (what: string, holds: (one: StatusDocument['groups'][0]['metrics'][0]) => boolean) =>
    await until(what, async () => {
      const one = (await status(at)).groups[0]?.metrics[0];
      return one !== undefined && holds(one) ? one : null;
    });
  const known = await metric('the value', ({ value }) => value !== null);
  t.match(known, { fact: 'metrics.errors', value: 0.25, unit: 'ratio', server: 'main', path: 'b->a', rows: [] });
  t.ok((known.ageMs ?? 0) >= 5_000, 'as old as its sample');
  errors = ['1', '2'];
  const hook = await fetch(`${at.url}/webhooks/alertmanager`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${SECRETS.AM_TOKEN}` },
    body: JSON.stringify(payload([alert()])),
  });
  t.equal(hook.status, 200);
  const unknown = await metric('the new answer', ({ value }) => value === null);
  t.match(unknown, { verdict: 'unknown', why: /2 series where one value is meant/ });
  const watched = await until(
    'the server itself',
    async () => (await status(at)).monitors.find((one) => one.ageMs !== null) ?? null,
  );
  t.match(watched, { fact: 'prometheus.scraping', subject: 'main in b' });
  t.strictSame([...presented], ['Bearer token-of-prometheus']);
  const text = await (await fetch(`${at.url}/metrics`)).text();
  t.match(text, 'failoverd_metric_fact_known{group="shop",fact="errors"} 0');
  running.child.kill('SIGTERM');
  t.equal(await ended(running), 0, running.said());
  t.notMatch(running.said(), /token-of-prometheus/);
});

t.test('what fired while it was away is found at the start, by the API and credentials of the config', async (t) => {
  const presented = new Set<string>();
  const manager = createServer((request, response) => {
    presented.add(request.headers.authorization ?? '');
    const { status: _webhook, ...one } = alert();
    const alerts = [{ ...one, status: { state: 'active', silencedBy: [], inhibitedBy: [] } }];
    const answers = { alerts, silences: [], status: { uptime: '2026-01-01T00:00:00Z' } };
    const [, asked = ''] = /^\/api\/v2\/(\w+)/.exec(request.url ?? '') ?? [];
    response.end(JSON.stringify(answers[asked as keyof typeof answers] ?? null));
  });
  manager.listen(0, '127.0.0.1');
  await once(manager, 'listening');
  t.teardown(() => void manager.close());
  const { port } = manager.address() as AddressInfo;
  const proof = 'bearer: ${env:AM_TOKEN}';
  const at = await place(t, (text) =>
    text.replace(
      proof,
      `basic: { user: am, password: '\${env:AM_TOKEN}' }
  apis: ['http://127.0.0.1:${port}']
  apiBasic: { user: failoverd, password: '\${env:AM_API_PASSWORD}' }`,
    ),
  );
  const running = start(t, at, { ...SECRETS, AM_API_PASSWORD: 'password-of-the-api' });
  await ready(at, running);
  const seen = await until('the alert', async () => {
    const alerts = (await status(at)).groups[0]?.alerts ?? [];
    return alerts.length > 0 ? alerts : null;
  });
  t.match(seen, [{ name: 'RegionDown' }]);
  t.strictSame([...presented], [`Basic ${Buffer.from('failoverd:password-of-the-api').toString('base64')}`]);
  const text = await (await fetch(`${at.url}/metrics`)).text();
  t.match(text, /failoverd_alertmanager_reconciliations_total\{outcome="ok"\} 1/);
  const hook = await fetch(`${at.url}/webhooks/alertmanager`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: `Basic ${Buffer.from(`am:${SECRETS.AM_TOKEN}`).toString('base64')}`,
    },
    body: JSON.stringify(payload([alert()])),
  });
  t.equal(hook.status, 200, 'and its own webhooks are taken with the user and password of the config');
  running.child.kill('SIGTERM');
  t.equal(await ended(running), 0, running.said());
  t.notMatch(running.said(), /password-of-the-api|token-of-alertmanager/);
});

t.test('what was acknowledged is there after a kill, and a signal ends it in good order', async (t) => {
  const at = await place(t);
  const first = start(t, at);
  await ready(at, first);
  const hook = (body: unknown) =>
    fetch(`${at.url}/webhooks/alertmanager`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...bearer(SECRETS.AM_TOKEN) },
      body: JSON.stringify(body),
    });
  t.equal((await hook(payload([alert()]))).status, 200);
  first.child.kill('SIGKILL');
  await once(first.child, 'exit');

  const second = start(t, at);
  await ready(at, second);
  const seen = await until('the alert and the probes', async () => {
    const found = (await status(at)).groups[0];
    const verdict = (subject: string) => found?.facts.find((fact) => fact.subject === subject)?.verdict;
    return found !== undefined && verdict('api in a') === 'bad' && verdict('api in b') === 'ok' ? found : null;
  });
  t.match(seen.alerts, [{ name: 'RegionDown' }]);
  t.match(seen.vantages, [{ id: 'daemon', connected: 'ok' }]);
  second.child.kill('SIGTERM');
  t.equal(await ended(second), 0, second.said());
  for (const secret of Object.values(SECRETS)) t.notMatch(first.said() + second.said(), secret);
  for (const file of readdirSync(join(at.folder, 'state')))
    for (const secret of Object.values(SECRETS))
      t.notOk(readFileSync(join(at.folder, 'state', file)).includes(secret), `no secret in ${file}`);
});

t.test('a second daemon on the same state is refused, and says what to do', async (t) => {
  const at = await place(t);
  await ready(at, start(t, at));
  const other = { ...at, file: join(at.folder, 'other.yaml') };
  writeFileSync(
    other.file,
    readFileSync(at.file, 'utf8').replace(`127.0.0.1:${at.port}'`, `127.0.0.1:${await freePort()}'`),
  );
  const second = start(t, other);
  t.equal(await ended(second), 1);
  t.match(second.said(), /another failoverd/);
  t.notMatch(second.said(), /\n\s+at /, 'no stack');
});

t.test('a journal that says what this version does not know is no ground to start on', async (t) => {
  const at = await place(t);
  const store = await openSqliteJournal({ dir: join(at.folder, 'state') });
  // Well sealed: only what it says is from another time.
  const later = { kind: 'lease.taken', at: 1, group: 'main' } as unknown as EventBody;
  await store.append(seal(0, GENESIS_HASH, [later]));
  await store.close();
  const refused = start(t, at);
  t.equal(await ended(refused), 1);
  t.match(refused.said(), /lease\.taken/);
  t.match(refused.said(), /help: start the version that wrote it/);
  t.notMatch(refused.said(), /\.ts:\d/, 'no stack');
});

t.test('a run under way is not forgotten because its group left the config', async (t) => {
  const at = await place(t);
  const history = new History(settingsWith());
  history.answer = (operation) => (operation.stepKind === 'fence' ? null : succeed(operation));
  history.pass(3_000);
  history.loseActive();
  history.pass(15_000);
  const run = history.group.run?.id;
  if (run === undefined) throw new Error('no run was opened');
  const store = await openSqliteJournal({ dir: join(at.folder, 'state') });
  await store.append(history.entries);
  await store.close();
  const refused = start(t, at);
  t.equal(await ended(refused), 1);
  t.match(refused.said(), new RegExp(`${run} is open, and the config has no group platform`));
  t.match(refused.said(), /help: put the group back/);
});

t.test('an address in use is refused, and says what to do', async (t) => {
  const at = await place(t);
  const holder = createServer();
  holder.listen(at.port, '127.0.0.1');
  await once(holder, 'listening');
  t.teardown(() => void holder.close());
  const refused = start(t, at);
  t.equal(await ended(refused), 1);
  t.match(refused.said(), /EADDRINUSE/);
  t.match(refused.said(), /daemon\.listen/);
});

t.test('of two daemons on one address the first goes on, and the second leaves nothing behind', async (t) => {
  const at = await place(t);
  const first = start(t, at);
  await ready(at, first);
  const other = { ...at, file: join(at.folder, 'other.yaml') };
  writeFileSync(other.file, readFileSync(at.file, 'utf8').replace('stateDir: state', 'stateDir: other'));
  const second = start(t, other);
  t.equal(await ended(second), 1);
  t.match(second.said(), /EADDRINUSE/);
  t.equal((await fetch(`${at.url}/-/ready`)).status, 200);
  const third = start(t, { ...other, file: other.file });
  t.equal(await ended(third), 1, 'its state folder was given back: the address is what is in the way again');
  t.match(third.said(), /EADDRINUSE/);
});

t.test('a config that is wrong, or secrets that are missing, never start', async (t) => {
  const wrong = await place(t, (text) => text.replace('stateDir:', 'stateDri:'));
  const first = start(t, wrong);
  t.equal(await ended(first), 2);
  t.match(first.said(), /failover\.yaml:3:\d+.*stateDri/);
  const at = await place(t);
  const second = start(t, at, { AM_TOKEN: SECRETS.AM_TOKEN, VERA_TOKEN: SECRETS.VERA_TOKEN });
  t.equal(await ended(second), 2);
  t.match(second.said(), /ANN_TOKEN/);
});

t.test('a witness that is started beside it becomes a vantage, and stays one over a restart', async (t) => {
  const keys = generateKeys();
  const at = await place(t, (text) =>
    text
      .replace('  b: { role: secondary }', '  b: { role: secondary }\n  c: { role: witness }')
      .replace(
        /( {2}daemon: \{ region: b, controlTargets: (\[.*\]) \})/,
        `$1\n  third: { region: c, controlTargets: $2, publicKey: '${keys.publicKey}' }`,
      ),
  );
  const key = join(at.folder, 'key.pem');
  writeFileSync(key, keys.privateKeyPem, { mode: 0o600 });
  const first = start(t, at);
  await ready(at, first);
  const { NODE_OPTIONS: _ours, ...env } = process.env;
  const witness = spawn(
    process.execPath,
    [LAUNCHER, 'witness', '--config', at.file, '--vantage', 'third', '--key', key, '--daemon', at.url],
    { env, stdio: 'ignore' },
  );
  t.teardown(async () => {
    witness.kill('SIGTERM');
    if (witness.exitCode === null) await once(witness, 'exit');
  });
  const connected = () =>
    until('the witness', async () => {
      const found = (await status(at)).groups[0]?.vantages.find((vantage) => vantage.id === 'third');
      return found?.connected === 'ok' ? found : null;
    });
  await connected();
  first.child.kill('SIGKILL');
  await once(first.child, 'exit');
  await ready(at, start(t, at));
  t.match(await connected(), { region: 'c' });
});

t.test('pages reach the pager, signed', async (t) => {
  const got: { readonly path: string; readonly headers: IncomingMessage['headers']; readonly body: string }[] = [];
  const receiver = createServer(async (request, response) => {
    let body = '';
    for await (const part of request) body += String(part);
    got.push({ path: request.url ?? '', headers: request.headers, body });
    response.statusCode = got.length === 1 ? 500 : 204;
    // A receiver may repeat anything it knows of us.
    response.end(`what is ${SECRETS.ANN_TOKEN} to me`);
  });
  receiver.listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  t.teardown(() => void receiver.close());
  const { port } = receiver.address() as AddressInfo;
  const at = await place(t, (text) =>
    text
      .replace('people:', `pager: { url: 'http://127.0.0.1:${port}/hook', secret: '\${env:PAGER_SECRET}' }\npeople:`)
      .replace('fact: region-unreachable', 'fact: workload-degraded')
      .replace(
        '    primary: a',
        '    autonomy: gated\n    matrix: [{ id: 80, kind: decide, when: bad(workloads.healthy), for: 100ms, action: speak-up }]\n    primary: a',
      ),
  );
  mkdirSync(join(at.folder, 'state'), { mode: 0o700 });
  const daemon = start(t, at);
  await ready(at, daemon);
  await fetch(`${at.url}/webhooks/alertmanager`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...bearer(SECRETS.AM_TOKEN) },
    body: JSON.stringify(payload([alert()])),
  });
  await until('the page, again after a refusal', async () => (got.length >= 2 ? got : null));
  t.equal(got[0]?.headers['idempotency-key'], got[1]?.headers['idempotency-key']);
  t.match(got[1]?.headers['failoverd-signature'], /^v1=[0-9a-f]{64}$/);
  await until('no page is left', async () =>
    (await status(at)).pages.every((page) => page.deliveredAt !== null) ? true : null,
  );
  t.match(daemon.said(), /answered 500: what is \[redacted\] to me/);
  t.notMatch(daemon.said(), SECRETS.ANN_TOKEN);
});

t.test(
  'a config is read anew by order and by signal: people, pager, probes and rotated secrets follow it',
  async (t) => {
    const pages: string[] = [];
    const pager = createServer((request, response) => {
      pages.push(request.url ?? '');
      response.end();
    });
    pager.listen(0, '127.0.0.1');
    await once(pager, 'listening');
    t.teardown(() => void pager.close());
    const at = await place(t, (text) => text.replace("'${env:ANN_TOKEN}'", "'${file:ann.token}'"));
    writeFileSync(join(at.folder, 'ann.token'), 'first-token-of-ann\n');
    const running = start(t, at);
    await ready(at, running);
    const reload = (token: string) => fetch(`${at.url}/-/reload`, { method: 'POST', headers: bearer(token) });
    t.equal((await reload('first-token-of-ann')).status, 200);

    // A secret that was rotated is read again.
    writeFileSync(join(at.folder, 'ann.token'), 'second-token-of-ann\n');
    running.child.kill('SIGHUP');
    await until('the new token', async () => ((await reload('second-token-of-ann')).status === 200 ? true : null));
    t.equal((await reload('first-token-of-ann')).status, 401, 'the old one is nobody’s');

    // A bad config is refused, by signal too, and the one in force goes on.
    const text = readFileSync(at.file, 'utf8');
    writeFileSync(at.file, text.replace('primary: a', 'primary: nowhere'));
    t.equal((await reload('second-token-of-ann')).status, 422);
    running.child.kill('SIGHUP');
    const refused = await until('the refusal', async () => {
      const { config } = await status(at);
      return config.refused?.by === 'SIGHUP' ? config.refused : null;
    });
    t.match(refused.problems, [/failover\.yaml:\d+:\d+ /]);

    // Probes of a new component run, and a page goes to a pager that was not there before.
    writeFileSync(
      at.file,
      text
        .replace(
          'components:\n',
          `components:\n      web: { kind: http, tier: 1, instances: { a: '${at.url}/-/healthy', b: '${at.url}/metrics' } }\n`,
        )
        .replace(
          'people:',
          `pager: { url: 'http://127.0.0.1:${(pager.address() as AddressInfo).port}/hook', secret: '\${env:PAGER_SECRET}' }\npeople:`,
        ),
    );
    const answer = await reload('second-token-of-ann');
    const said = await answer.json();
    t.match(said, { restartNeeded: [], raises: [] }, JSON.stringify(said));
    await until('a probe of the new component', async () => {
      const facts = (await status(at)).groups[0]?.facts ?? [];
      return facts.some((fact) => fact.subject === 'web in a' && fact.verdict === 'ok') ? true : null;
    });
    const flag = await fetch(`${at.url}/api/v1/groups/shop/reports`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...bearer('second-token-of-ann') },
      body: JSON.stringify({ report: 'corruption', what: 'a test of the pager' }),
    });
    t.equal(flag.status, 200, await flag.text());
    await until('the page', async () => (pages.length > 0 ? true : null));
    t.strictSame([...new Set(pages)], ['/hook']);
    running.child.kill('SIGTERM');
    t.equal(await ended(running), 0, running.said());
    t.notMatch(running.said(), /(?:first|second)-token-of-ann|secret-of-the-pager/);
  },
);

t.test('a restart is no way around the two people: autonomy that was raised meanwhile waits', async (t) => {
  const at = await place(t, (text) => `${text}    fence: { driver: command, fence: ['true'], verify: ['true'] }\n`);
  const first = start(t, at);
  await ready(at, first);
  first.child.kill('SIGTERM');
  await ended(first);
  const text = readFileSync(at.file, 'utf8');
  writeFileSync(
    at.file,
    text
      .replace('primary: a\n', 'primary: a\n    autonomy: gated\n')
      .replace(
        'components:\n',
        "components:\n      db: { kind: postgres, tier: 1, database: app, user: failoverd, instances: { a: '127.0.0.1:1', b: '127.0.0.1:2' } }\n",
      )
      .replace('people:', "pager: { url: 'http://127.0.0.1:1/', secret: '${env:PAGER_SECRET}' }\npeople:"),
  );
  const second = start(t, at);
  await ready(at, second);
  const [group] = (await status(at)).groups;
  t.match(group, { autonomy: { declared: 'gated', inForce: 'observe' }, raise: { missing: ['sre', 'vp'] } });
  second.child.kill('SIGTERM');
  t.equal(await ended(second), 0, second.said());
});
