import t from 'tap';
import { Compile } from 'typebox/compile';
import { Observation } from '../../src/model/evidence.ts';
import type { Probes } from '../../src/probes/map.ts';
import type { Probe, ProbeAnswer, ProbeContext } from '../../src/probes/probe.ts';
import { createRunner, type Runner, type RunnerOptions } from '../../src/probes/runner.ts';
import type { ControlTarget, HttpTarget, PostgresTarget, Target } from '../../src/probes/target.ts';
import { redacting } from '../../src/runtime/redact.ts';
import { SecretValue } from '../../src/runtime/secret.ts';
import { httpTarget } from './asking.ts';
import { type FakeTime, fakeTime, settle } from './fake-time.ts';

const valid = Compile(Observation);
const OK: ProbeAnswer<'http'> = { verdict: 'ok', reached: 'read', code: null, message: null, facts: { status: 200 } };
const BAD: ProbeAnswer<'http'> = { ...OK, verdict: 'bad', code: 'status', message: 'not well', facts: { status: 503 } };
const QUIET: ProbeAnswer<'http'> = { ...OK, verdict: 'bad', code: 'timeout', message: 'late', facts: { status: null } };

const web = (key: string, over: Partial<HttpTarget> = {}): HttpTarget =>
  httpTarget('http://127.0.0.1:1/', { key, component: key, intervalMs: 1_000, timeoutMs: 400, ...over });
const control: ControlTarget = {
  kind: 'control',
  key: 'control/x',
  target: 'tcp://x:1',
  intervalMs: 1_000,
  timeoutMs: 400,
};
const database: PostgresTarget = {
  kind: 'postgres',
  key: 'db',
  group: 'shop',
  component: 'db',
  region: 'east',
  host: '127.0.0.1',
  port: 1,
  database: 'app',
  user: 'failoverd',
  password: null,
  tls: 'disable',
  systemIdentifier: null,
  canarySchema: 'failoverd',
  canary: true,
  intervalMs: 1_000,
  timeoutMs: 400,
};

type Call = { readonly key: string; readonly fresh: boolean; readonly canary: boolean; readonly at: number };
type Bench = {
  readonly time: FakeTime;
  readonly runner: Runner;
  readonly batches: (readonly Observation[])[];
  readonly seen: () => readonly Observation[];
  readonly calls: Call[];
  /** Answers HTTP probes from now on. */
  answer: (target: HttpTarget, context: ProbeContext) => Promise<ProbeAnswer<'http'>>;
  closed: number;
};

/** A runner over probes whose answers the test gives. */
function bench(targets: readonly Target[], over: Partial<RunnerOptions> = {}): Bench {
  const time = fakeTime();
  const batches: (readonly Observation[])[] = [];
  const calls: Call[] = [];
  const note = (target: Target, { fresh, canary }: ProbeContext): void =>
    void calls.push({ key: target.key, fresh, canary, at: time.clock.mono() });
  const http: Probe<'http'> = async (target, context) => {
    note(target, context);
    return await made.answer(target, context);
  };
  const probes: Probes = {
    map: {
      http,
      dns: async (target) => ({ ...OK, facts: { resolver: target.resolver, answers: [], ttlSeconds: null } }),
      postgres: async (target, context) => {
        note(target, context);
        return { ...OK, facts: null };
      },
      control: async (target, context) => {
        note(target, context);
        return { ...OK, facts: null };
      },
      readiness: async (target, context) => {
        note(target, context);
        return { ...OK, facts: null };
      },
      tcp: async () => ({ ...OK, facts: null }),
      metric: async (target, context) => {
        note(target, context);
        return { ...OK, facts: null };
      },
      prometheus: async (target, context) => {
        note(target, context);
        return { ...OK, facts: null };
      },
      alertmanager: async () => ({ ...OK, facts: null }),
    },
    close: async () => {
      made.closed += 1;
    },
  };
  const runner = createRunner({
    vantage: 'daemon',
    targets,
    clock: time.clock,
    timers: time.timers,
    random: () => 0.5,
    redact: (text) => text,
    emit: (observations) => batches.push(observations),
    mayWrite: () => false,
    probes,
    ...over,
  });
  const made: Bench = { time, runner, batches, seen: () => batches.flat(), calls, answer: async () => OK, closed: 0 };
  return made;
}

/** An answer that comes with the signal, as that of a half-open peer does. */
const atDeadline = (_target: HttpTarget, { signal }: ProbeContext): Promise<ProbeAnswer<'http'>> =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve(QUIET), { once: true }));
const never = (): Promise<ProbeAnswer<'http'>> => new Promise(() => undefined);

t.test('a secret that a server repeats is in no observation', async (t) => {
  const secret = 'correct-horse-battery';
  const lost = bench([web('a')], { redact: redacting([new SecretValue(secret)]) });
  lost.answer = async (_target, { log }) => {
    log(`${'x'.repeat(280)}${secret}`);
    return { ...QUIET, code: 'auth', verdict: 'unknown', message: `${'y'.repeat(490)}${secret} is wrong` };
  };
  lost.runner.start();
  await lost.time.advance(100);
  const [first] = lost.seen();
  t.equal(first?.code, 'auth');
  t.notMatch(JSON.stringify(lost.seen()), /correct|battery/, 'nor the head of one, where a text is cut');
  await lost.runner.stop();
});

t.test('every target is probed at once, and then at its interval', async (t) => {
  const { time, runner, seen, calls } = bench([web('a'), web('b', { intervalMs: 500 }), control]);
  runner.start();
  await time.advance(2_050);
  t.same(
    calls.filter((call) => call.key === 'a').map((call) => call.at),
    [0, 1_000, 2_000],
  );
  t.same(
    calls.filter((call) => call.key === 'b').map((call) => call.at),
    [0, 500, 1_000, 1_500, 2_000],
  );
  t.equal(seen().length, 3 + 5 + 3);
  for (const observation of seen()) t.ok(valid.Check(observation), JSON.stringify(observation));
  const first = seen().find((observation) => observation.kind === 'http');
  t.match(first, { vantage: 'daemon', group: 'shop', region: 'east', verdict: 'ok' });
  await runner.stop();
});

t.test('the interval is spread by a tenth to either side, around where it should be', async (t) => {
  for (const [draw, expected] of [
    [0, 900],
    [0.999999, 1_100],
  ] as const) {
    const { time, runner, calls } = bench([web('a')], { random: () => draw });
    runner.start();
    await time.advance(1_200);
    t.equal(Math.round(calls[1]?.at ?? 0), expected);
    await runner.stop();
  }
});

t.test('what is seen at about the same time is handed on together', async (t) => {
  const { time, runner, batches } = bench([web('a'), web('b'), web('c')]);
  runner.start();
  await time.advance(100);
  t.equal(batches.length, 1);
  t.equal(batches[0]?.length, 3);
  await runner.stop();
});

t.test('probes of one target never overlap: a turn that comes too early is skipped', async (t) => {
  const made = bench([web('a', { intervalMs: 100, timeoutMs: 350 })]);
  let running = 0;
  made.answer = async (target, context) => {
    running += 1;
    t.equal(running, 1);
    const answer = await atDeadline(target, context);
    running -= 1;
    return answer;
  };
  made.runner.start();
  await made.time.advance(1_000);
  t.ok(made.calls.length >= 2 && made.calls.length <= 3, `${made.calls.length} probes`);
  t.ok(made.runner.skipped() >= 6, `${made.runner.skipped()} skipped`);
  await made.runner.stop();
});

t.test('no more run at once than allowed, and all get their turn', async (t) => {
  const keys = ['a', 'b', 'c', 'd', 'e'];
  const made = bench(
    keys.map((key) => web(key)),
    { concurrency: 2 },
  );
  let running = 0;
  let most = 0;
  made.answer = async (target, context) => {
    running += 1;
    most = Math.max(most, running);
    const answer = await atDeadline(target, context);
    running -= 1;
    return answer;
  };
  made.runner.start();
  await made.time.advance(1_400);
  t.equal(most, 2);
  t.equal(new Set(made.calls.map((call) => call.key)).size, 5);
  const waited = made.seen().filter((observation) => observation.durationMs > 500);
  t.same(waited, [], 'waiting for a turn is not held against the target');
  await made.runner.stop();
});

t.test('a failure keeps its own log', async (t) => {
  const made = bench([web('a', { intervalMs: 100 })]);
  let turn = 0;
  made.answer = async (_target, { log }) => {
    turn += 1;
    log(`turn ${turn}`);
    return turn <= 30 ? BAD : OK;
  };
  made.runner.start();
  await made.time.advance(60 * 100);
  const bad = made.seen().filter((observation) => observation.verdict === 'bad');
  t.match(bad[0]?.log, ['+0 ms turn 1']);
  t.notOk(made.seen().at(-1)?.log, 'what is well has none');
  await made.runner.stop();
});

t.test('a log stays within bounds', async (t) => {
  const made = bench([web('a')]);
  made.answer = async (_target, { log }) => {
    for (let line = 0; line < 1_000; line += 1) log('x'.repeat(1_000));
    return { ...BAD, message: 'y'.repeat(10_000) };
  };
  made.runner.start();
  await made.time.advance(50);
  t.ok(valid.Check(made.seen()[0]));
  await made.runner.stop();
});

t.test('a defect of ours is unknown, and the next probe runs all the same', async (t) => {
  const made = bench([web('a')]);
  made.answer = async () => {
    throw new TypeError('x is not a function');
  };
  made.runner.start();
  await made.time.advance(1_500);
  t.equal(made.seen().length, 2);
  t.match(made.seen()[0], { verdict: 'unknown', reached: 'none', code: 'internal' });
  t.match(made.seen()[0]?.message, /x is not a function/);
  await made.runner.stop();
});

t.test('a probe that ignores its deadline is given up, and that is our defect', async (t) => {
  const made = bench([web('a', { timeoutMs: 400 })]);
  made.answer = never;
  made.runner.start();
  await made.time.advance(600);
  t.match(made.seen(), [{ verdict: 'unknown', code: 'internal' }]);
  await made.runner.stop();
});

t.test('deadlines that passed while this process stood still are held against nobody', async (t) => {
  const made = bench([web('a'), web('b')]);
  made.answer = atDeadline;
  made.runner.start();
  await made.time.advance(50);
  await made.time.freeze(60_000);
  await made.time.advance(50);
  t.equal(made.seen().length, 2);
  for (const observation of made.seen()) t.match(observation, { verdict: 'unknown', code: 'internal' });
  await made.time.advance(1_500);
  t.match(made.seen().at(-1), { verdict: 'bad', code: 'timeout' }, 'later ones count again');
  await made.runner.stop();
});

t.test('a short standstill that ended before the deadline counts too', async (t) => {
  const made = bench([web('a', { timeoutMs: 1_000, intervalMs: 10_000 })]);
  made.answer = atDeadline;
  made.runner.start();
  await made.time.advance(50);
  await made.time.freeze(600);
  await made.time.advance(500);
  t.match(made.seen(), [{ verdict: 'unknown', code: 'internal' }]);
  await made.runner.stop();
});

t.test('after a standstill the turns that were missed are not made up for', async (t) => {
  const made = bench([web('a')]);
  made.runner.start();
  await made.time.advance(50);
  await made.time.freeze(60_000);
  await made.time.advance(950);
  t.ok(made.calls.length <= 3, `${made.calls.length} probes`);
  await made.runner.stop();
});

t.test('probing now', async (t) => {
  t.test('asks every target of the group, and the control targets, on fresh connections', async (t) => {
    const made = bench([web('a'), web('b', { group: 'other' }), control]);
    made.runner.start();
    await made.time.advance(100);
    made.calls.length = 0;
    made.runner.probeNow('shop');
    await settle();
    t.same(
      made.calls.map((call) => [call.key, call.fresh]),
      [
        ['a', true],
        ['control/x', true],
      ],
    );
    await made.runner.stop();
  });

  t.test('asks Prometheus for the facts of the group as well, and not how it is', async (t) => {
    const monitor = { server: 'main', replica: 0, region: 'north', intervalMs: 60_000, timeoutMs: 400 };
    const asked = { ...monitor, url: new URL('http://127.0.0.1:1/'), authorization: () => null };
    const fact = {
      ...asked,
      fact: 'errors',
      promql: 'errors',
      oldestSample: null,
      bad: null,
      freshMs: 60_000,
    } as const;
    const made = bench([
      { kind: 'metric', key: 'shop/metrics.errors/main/0', group: 'shop', ...fact },
      { kind: 'metric', key: 'other/metrics.errors/main/0', group: 'other', ...fact },
      { kind: 'prometheus', key: 'prometheus/main/0', ...asked },
    ]);
    made.runner.start();
    await made.time.advance(100);
    made.calls.length = 0;
    made.runner.probeNow('shop');
    await settle();
    t.same(
      made.calls.map((call) => [call.key, call.fresh]),
      [['shop/metrics.errors/main/0', true]],
    );
    await made.runner.stop();
  });

  t.test('often is no more than four times a second, and the last call is not forgotten', async (t) => {
    const made = bench([web('a', { intervalMs: 60_000 })]);
    made.runner.start();
    await made.time.advance(1_000);
    made.calls.length = 0;
    for (let call = 0; call < 100; call += 1) {
      made.runner.probeNow('shop');
      await made.time.advance(5);
    }
    await made.time.advance(1_000);
    t.same(
      made.calls.map((call) => call.at - 1_000),
      [0, 250, 500],
    );
    await made.runner.stop();
  });

  t.test('a target that is being probed is probed again right after, once', async (t) => {
    const made = bench([web('a', { intervalMs: 60_000, timeoutMs: 2_000 })]);
    made.answer = atDeadline;
    made.runner.start();
    await made.time.advance(100);
    for (let call = 0; call < 4; call += 1) {
      made.runner.probeNow('shop');
      await made.time.advance(300);
    }
    made.answer = async () => OK;
    await made.time.advance(2_000);
    t.same(
      made.calls.map((call) => call.fresh),
      [false, true],
    );
    await made.runner.stop();
  });

  t.test('a group that nobody knows is nobody’s concern', async (t) => {
    const made = bench([web('a')]);
    made.runner.start();
    await made.time.advance(100);
    made.calls.length = 0;
    made.runner.probeNow('nothing');
    await settle();
    t.same(made.calls, []);
    await made.runner.stop();
  });
});

t.test('a canary is allowed only where target and autonomy in force both allow it, asked anew each time', async (t) => {
  let allowed = false;
  const targets = [database, { ...database, key: 'never', canary: false }];
  const { time, runner, calls } = bench(targets, { mayWrite: (target) => allowed && target.group === 'shop' });
  runner.start();
  await time.advance(500);
  t.same(
    calls.map((call) => call.canary),
    [false, false],
  );
  allowed = true;
  await time.advance(1_000);
  t.same(
    calls.slice(2).map((call) => [call.key, call.canary]),
    [
      ['db', true],
      ['never', false],
    ],
  );
  await runner.stop();
});

t.test('where it can’t be told whether a canary is allowed, none is written', async (t) => {
  const made = bench([database], {
    mayWrite: () => {
      throw new Error('no settings');
    },
  });
  made.runner.start();
  await made.time.advance(100);
  t.same(made.calls, []);
  t.match(made.seen(), [{ verdict: 'unknown', code: 'internal' }]);
  await made.runner.stop();
});

t.test('stopping', async (t) => {
  t.test('ends what is under way, lets go of what is kept, and leaves no timer', async (t) => {
    const made = bench([web('a'), web('b')]);
    made.answer = atDeadline;
    made.runner.start();
    await made.time.advance(100);
    await made.runner.stop();
    t.equal(made.closed, 1);
    t.equal(made.time.waiting(), 0);
    const seen = made.seen().length;
    made.runner.probeNow('shop');
    await made.time.advance(5_000);
    t.equal(made.seen().length, seen, 'nothing is emitted after it');
    t.equal(made.calls.length, 2);
  });

  t.test('waits for a probe that won’t end no longer than a second', async (t) => {
    const made = bench([web('a', { timeoutMs: 60_000 })]);
    made.answer = never;
    made.runner.start();
    await made.time.advance(100);
    const stopped = made.runner.stop();
    await made.time.advance(1_000);
    await stopped;
    t.equal(made.closed, 1);
  });
});
