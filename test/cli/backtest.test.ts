// What `failoverd backtest` refuses, before or after it has asked, and how it says so.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { freePort } from '../../lab/servers/ports.ts';
import { backtestLines } from '../../src/cli/backtest-text.ts';
import { painter } from '../../src/cli/terminal.ts';
import { call, tooWide } from './terminal.ts';

const CONFIG = join(import.meta.dirname, '../../config/failover.yaml');
const RANGE = ['--from', '2026-01-01T00:00:00Z', '--to', '2026-01-01T00:10:00Z'];
const words = (text: string): string => text.replace(/\s+/g, ' ');

async function folder(t: Pick<Test, 'teardown'>): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'backtest-'));
  t.teardown(async () => await rm(dir, { recursive: true, force: true }));
  return dir;
}

/** A server that answers every question alike. */
async function answering(t: Pick<Test, 'teardown'>, status: number, body: string): Promise<string> {
  const server = createServer((request, response) => {
    request.resume().on('end', () => response.writeHead(status).end(body));
  });
  await new Promise<void>((listens) => server.listen(0, '127.0.0.1', listens));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

t.test('arguments that can’t be understood end in 2, with a way out', async (t) => {
  const source = ['--prometheus', 'http://127.0.0.1:1'];
  for (const [args, says] of [
    [[...RANGE, ...source], 'no config is named'],
    [['-c', CONFIG, ...source], 'where the history begins is not said'],
    [['-c', CONFIG, ...RANGE], 'one source of history is needed'],
    [['-c', CONFIG, ...RANGE, ...source, '--blocks', '/nowhere'], 'one source of history is needed'],
    [['-c', CONFIG, '--from', 'yesterday', ...source], '--from yesterday is no time'],
    [['-c', CONFIG, '--from', '2026-02-30', ...source], '--from 2026-02-30 is no time'],
    [['-c', CONFIG, '--from', '2026-01-02', '--to', '2026-01-01', ...source], 'ends before it begins'],
    [['-c', CONFIG, ...RANGE, ...source, '--step', '100ms'], 'is out of range'],
    [['-c', CONFIG, ...RANGE, ...source, '--step', '2h'], 'is out of range'],
    [['-c', CONFIG, ...RANGE, ...source, '--step', 'soon'], 'is no span of time'],
    [['-c', CONFIG, ...RANGE, ...source, '--stale-after', '5s'], 'is shorter than a step'],
    [['-c', CONFIG, ...RANGE, ...source, '--assume', 'health'], '--assume health: health can’t be assumed'],
    [['-c', CONFIG, ...RANGE, ...source, '--assume', 'roles,'], 'an empty name can’t be assumed'],
    [['-c', CONFIG, '--from', '3650d', ...source, '--step', '1s'], 'steps are too many'],
    [['-c', CONFIG, ...RANGE, '--prometheus', 'prometheus:9090'], 'is no http or https address'],
    [['-c', CONFIG, ...RANGE, '--prometheus', 'http://ann:hunter2@p.test'], 'holds a user or password'],
    [['-c', CONFIG, ...RANGE, ...source, '--token-file', '/nowhere/token'], 'can’t be read (ENOENT)'],
    [['-c', CONFIG, ...RANGE, ...source, 'more'], 'more is one too many'],
    [['-c', '/nowhere.yaml', ...RANGE, ...source], 'the file can’t be read'],
  ] as const) {
    const { code, out, err } = await call(['backtest', ...args]);
    t.equal(code, 2, args.join(' '));
    t.equal(out, '');
    t.match(words(err), says);
    t.notMatch(err, 'hunter2');
  }
});

t.test('a map is held against the config, each mistake with its place', async (t) => {
  const dir = await folder(t);
  const file = join(dir, 'map.yaml');
  const args = ['backtest', '-c', CONFIG, ...RANGE, '--prometheus', 'http://127.0.0.1:1', '--map', file];
  for (const [text, place, says] of [
    ['vantages:\n  dublin: up\n', '2:11', 'the config has no vantage dublin'],
    ['groups:\n  shop: {}\n', '2:9', 'the config has no group shop'],
    [
      'groups:\n  platform:\n    probes:\n      - { vantage: daemon, component: clickhouse, region: us-east-1, expr: up }\n',
      '4:39',
      'the config has no component clickhouse',
    ],
    [
      'groups:\n  platform:\n    probes:\n      - { vantage: daemon, component: api, region: eu-west-1, expr: up }\n',
      '4:52',
      'the config has no region eu-west-1',
    ],
    ['vantage: {}\n', '', 'unknown key: vantage'],
    ['vantages: { daemon: 1 }\n', '1:21', 'must be string'],
    ['vantages: { daemon: [ }\n', '1:23', 'a bracket before it is not closed'],
  ] as const) {
    await writeFile(file, text);
    const { code, err } = await call(args);
    t.equal(code, 2, text);
    t.match(words(err), says);
    t.match(err, `${file}:${place}`, err);
  }
  const none = await call([...args.slice(0, -1), join(dir, 'none.yaml')]);
  t.equal(none.code, 2);
  t.match(none.err, 'the map can’t be read (missing)');
});

t.test('a history that can’t be had ends in 1, and says why', async (t) => {
  const of = async (url: string) => await call(['backtest', '-c', CONFIG, ...RANGE, '--prometheus', url]);
  const nobody = `http://127.0.0.1:${await freePort('127.0.0.1')}`;
  const cases: readonly [string, string][] = [
    [nobody, `nothing answers at ${nobody}/ (ECONNREFUSED)`],
    [await answering(t, 200, '<html>'), 'does not answer like a Prometheus (200)'],
    [await answering(t, 403, ''), 'does not accept our credentials (403)'],
    [
      await answering(
        t,
        422,
        '{"status":"error","errorType":"execution","error":"query processing would load too many samples"}',
      ),
      'would load too many samples',
    ],
    [
      await answering(
        t,
        200,
        '{"status":"success","data":{"resultType":"matrix","result":[]},"warnings":["a store is away"]}',
      ),
      'Prometheus warns on up: a store is away',
    ],
  ];
  for (const [url, says] of cases) {
    const { code, out, err } = await call(['backtest', '-c', CONFIG, ...RANGE, '--prometheus', url]);
    t.equal(code, 1, says);
    t.equal(out, '');
    t.match(words(err), says);
  }
  const nothing = await of(await answering(t, 200, '{"status":"success","data":{"resultType":"matrix","result":[]}}'));
  t.equal(nothing.code, 0, 'no data is an answer');
  t.match(nothing.out, 'Nothing would have been decided.');
  t.match(words(nothing.out), 'Not in the history, so unknown');
  t.match(words(nothing.out), 'Nothing is known of 10m 15s in 1 gap');
  t.strictSame(tooWide(nothing.out), []);
});

t.test('blocks need a folder that holds some, and a Prometheus to read them', async (t) => {
  const dir = await folder(t);
  const of = async (blocks: string, variables: Record<string, string> = {}) =>
    await call(['backtest', '-c', CONFIG, ...RANGE, '--blocks', blocks], variables);
  const missing = await of(join(dir, 'none'));
  t.equal(missing.code, 1);
  t.match(words(missing.err), 'can’t be read (ENOENT)');
  const empty = await of(dir);
  t.match(words(empty.err), 'there is no block of Prometheus in');
  await mkdir(join(dir, '01M8AR28X0YQA0H7ZGFV7AMABT'));
  await writeFile(join(dir, '01M8AR28X0YQA0H7ZGFV7AMABT', 'meta.json'), '{"ulid":"01M8AR28X0YQA0H7ZGFV7AMABT"}');
  const lacking = await of(dir, { PATH: dir });
  t.equal(lacking.code, 1);
  t.match(words(lacking.err), 'there is no Prometheus on PATH');
  t.match(words(lacking.err), 'FAILOVERD_PROMETHEUS');
  const wrong = await of(dir, { FAILOVERD_PROMETHEUS: join(dir, 'prometheus') });
  t.match(words(wrong.err), 'is no program');
  const broken = await of(dir, { FAILOVERD_PROMETHEUS: process.execPath });
  t.equal(broken.code, 1, 'another program than Prometheus');
  t.match(words(broken.err), 'Prometheus did not start on the blocks: it ended');
});

t.test('the table fits a terminal, and shows text of others as text', async (t) => {
  const decision = {
    at: Date.UTC(2026, 0, 12, 7, 25, 1),
    group: 'platform',
    row: 40,
    component: null,
    outcome: 'proposed',
    action: 'propose',
    autonomy: 'gated',
    why: 'row 40: \u001b[31mnot red\u001b[0m',
    inTheWay: [{ gate: 'row-opts-in', answer: 'block', why: 'row 40 does not opt in to auto' }],
    impactAt: Date.UTC(2026, 0, 12, 7, 20),
    overAt: null,
    durationMs: 900_000,
    loss: null,
    proposedAgain: 2,
  } as const;
  const lines = backtestLines(
    {
      from: decision.at,
      to: decision.at + 1,
      stepMs: 15_000,
      steps: 2,
      looks: 2,
      groups: [{ group: 'platform', title: 'P', autonomy: 'gated', timeZone: 'America/New_York' }],
      assumptions: [{ kind: 'controls', group: null, says: 'control targets of vantage daemon answered all along' }],
      missing: [],
      gaps: [],
      decisions: [decision],
      passed: [{ group: 'platform', row: 40, component: null, from: 0, to: 60_000, why: '' }],
    },
    painter(false),
  );
  const text = lines.join('\n');
  t.strictSame(tooWide(text), []);
  t.notMatch(text, '\u001b');
  t.match(text, /2026-01-12 07:25:01 {2}01-12 02:25 {2}platform {2}40 {3}proposed {2}gated {5}15m\+/);
  t.match(text, 'Assumed, since no history holds it');
  t.match(text, '  - control targets of vantage daemon');
  t.match(text, 'proposed    2 times more');
  t.match(text, 'platform row 40: 1 time, for 1m at most');
});
