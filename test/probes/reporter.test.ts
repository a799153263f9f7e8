import t from 'tap';
import { freePort } from '../../lab/servers/ports.ts';
import { until } from '../../lab/servers/wait.ts';
import type { Observation, WitnessReport } from '../../src/model/evidence.ts';
import { generateKeys, readPrivateKey } from '../../src/probes/report.ts';
import { createReporter, type Delivery, type Reporter } from '../../src/probes/reporter.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { systemTimers } from '../../src/runtime/timers.ts';
import { hangUp, rawServer, silent } from './asking.ts';
import { type Daemon, desk } from './desk.ts';

const HOST = '127.0.91.6';
const own = generateKeys();
const privateKey = readPrivateKey(own.privateKeyPem);
const daemon = (t: Parameters<typeof desk>[0]): Promise<Daemon> => desk(t, HOST, own.publicKey);

const seen = (target: string, over: Partial<Observation> = {}): Observation =>
  ({
    kind: 'control',
    target,
    vantage: 'north',
    at: systemClock.wall(),
    durationMs: 1,
    verdict: 'ok',
    reached: 'connect',
    code: null,
    message: null,
    ...over,
  }) as Observation;

type Bench = { readonly reporter: Reporter; readonly told: Delivery[] };
function witness(t: { teardown(end: () => Promise<void>): void }, url: URL, clock = systemClock): Bench {
  const told: Delivery[] = [];
  const tell = (delivery: Delivery): void => void told.push(delivery);
  const reporter = createReporter({ vantage: 'north', privateKey, daemonUrl: url, clock, timers: systemTimers, tell });
  t.teardown(() => reporter.stop());
  return { reporter, told };
}
const targets = (reports: readonly WitnessReport[]): readonly string[] =>
  reports.flatMap((report) => report.observations.map((each) => (each.kind === 'control' ? each.target : '')));
const eventually = async (what: string, holds: () => boolean, timeoutMs = 6_000): Promise<void> =>
  void (await until({ what, timeoutMs }, async () => holds() || undefined));

t.test('observations reach the daemon, though its session is not known at first', async (t) => {
  const at = await daemon(t);
  const { reporter, told } = witness(t, at.url);
  reporter.add([seen('one'), seen('two')]);
  reporter.start();
  await eventually('the first report', () => at.taken.length === 1);
  t.same(targets(at.taken), ['one', 'two']);
  t.same(at.refusals, ['wrong-session']);
  reporter.add([seen('three')]);
  await eventually('the next report', () => at.taken.length === 2);
  t.same(targets(at.taken), ['one', 'two', 'three'], 'each once');
  t.ok((at.taken[1]?.sequence ?? 0) > (at.taken[0]?.sequence ?? 0));
  t.same(at.refusals.length, 1);
  // The daemon has it a moment before its answer is back.
  await eventually('both answers', () => told.length === 3);
  t.same(
    told.map((each) => each.kind),
    ['joined', 'delivered', 'delivered'],
  );
});

t.test('a daemon that was started anew gets the same observations, signed for its session', async (t) => {
  const at = await daemon(t);
  const { reporter } = witness(t, at.url);
  reporter.add([seen('before')]);
  reporter.start();
  await eventually('the first report', () => at.taken.length === 1);
  at.restart();
  reporter.add([seen('after')]);
  await eventually('the second report', () => at.taken.length === 2);
  t.equal(at.taken[1]?.session, 'b'.repeat(16));
  t.same(targets(at.taken), ['before', 'after']);
});

t.test('a witness that was started anew is heard by the same daemon', async (t) => {
  const at = await daemon(t);
  for (const name of ['first', 'second']) {
    const { reporter } = witness(t, at.url);
    reporter.add([seen(name)]);
    reporter.start();
    await eventually(name, () => targets(at.taken).includes(name));
    await reporter.stop();
  }
  t.notOk(at.refusals.includes('replayed'));
});

t.test('also where its clock was set back meanwhile', async (t) => {
  const at = await daemon(t);
  const slow = { wall: () => systemClock.wall() - 20_000, mono: systemClock.mono };
  for (const [name, clock] of [
    ['first', systemClock],
    ['second', slow],
  ] as const) {
    const { reporter } = witness(t, at.url, clock);
    reporter.add([seen(name)]);
    reporter.start();
    await eventually(name, () => targets(at.taken).includes(name));
    await reporter.stop();
  }
  t.ok(at.refusals.includes('replayed'), 'it was told the last sequence');
});

t.test('old news is dropped, not delivered late', async (t) => {
  const at = await daemon(t);
  at.trouble = (response) => void response.writeHead(503).end();
  const { reporter, told } = witness(t, at.url);
  reporter.add([seen('old')]);
  reporter.start();
  await eventually('a refusal', () => told.some((each) => each.kind === 'refused'));
  t.match(told[0], { kind: 'refused', status: 503 });
  await eventually('the drop', () => told.some((each) => each.kind === 'dropped'));
  at.trouble = null;
  reporter.add([seen('new')]);
  await eventually('the next report', () => at.taken.length > 0);
  t.same(targets(at.taken), ['new']);
});

t.test('a daemon that hangs, hangs up, or is not there holds nothing up', async (t) => {
  const hanging = await rawServer(silent, HOST);
  const ending = await rawServer(hangUp, HOST);
  t.teardown(async () => {
    await hanging.close();
    await ending.close();
  });
  const ports = { timeout: hanging.port, reset: ending.port, refused: await freePort(HOST) };
  for (const [code, port] of Object.entries(ports)) {
    const { reporter, told } = witness(t, new URL(`http://${HOST}:${port}`));
    reporter.add([seen('x')]);
    const startedMono = systemClock.mono();
    reporter.start();
    await eventually(code, () => told.some((each) => each.kind === 'failed'));
    t.match(told, [{ kind: 'failed', failure: { code } }]);
    t.ok(systemClock.mono() - startedMono < 4_000, 'nothing is on its way for longer than it is new');
    await reporter.stop();
  }
  await eventually('the socket to go', () => hanging.open.size === 0);
});

t.test('stopping cuts off what is under way', async (t) => {
  const hanging = await rawServer(silent, HOST);
  t.teardown(() => hanging.close());
  const { reporter } = witness(t, new URL(`http://${HOST}:${hanging.port}`));
  reporter.add([seen('x')]);
  reporter.start();
  await eventually('the post', () => hanging.accepted() === 1);
  const startedMono = systemClock.mono();
  await reporter.stop();
  t.ok(systemClock.mono() - startedMono < 1_500);
  await eventually('the socket to go', () => hanging.open.size === 0);
});

t.test('more than one report holds is spread over several, and none is lost', async (t) => {
  const at = await daemon(t);
  const { reporter } = witness(t, at.url);
  const lines = Array.from({ length: 40 }, () => 'x'.repeat(300));
  const many = Array.from({ length: 1_100 }, (_, index) => seen(`many-${index}`));
  const long = Array.from({ length: 100 }, (_, index) => seen(`long-${index}`, { log: lines }));
  reporter.add([...many, ...long]);
  reporter.start();
  await eventually('all', () => targets(at.taken).length === 1_200);
  t.equal(new Set(targets(at.taken)).size, 1_200);
  t.ok(at.taken.length >= 5, `${at.taken.length} reports`);
});

t.test('an answer that is no answer of a daemon changes nothing', async (t) => {
  const at = await daemon(t);
  for (const body of ['', 'no', '{}', '{"session":"short"}', '{"session":7}', '[]']) {
    at.trouble = (response) => void response.writeHead(409).end(body);
    const { reporter, told } = witness(t, at.url);
    reporter.add([seen('x')]);
    reporter.start();
    await eventually('a refusal', () => told.length > 0);
    t.match(told[0], { kind: 'refused', status: 409, problem: '' }, body);
    await reporter.stop();
  }
});
