// The guard's own machine through isolations of every length and at every moment: what `isolationLoss` says of it is what it does.
import fc from 'fast-check';
import t from 'tap';
import { initialGuard, step } from '../../src/guard/machine.ts';
import { isolationLoss, PROFILES, survivedMs } from '../../src/guard/timings.ts';
import {
  FRESH_DURABLE,
  type GuardEffect,
  type GuardInput,
  type GuardState,
  type PostgresSeen,
} from '../../src/model/guard.ts';
import type { LeaseAnswer, LeaseRecord, LeaseTimings } from '../../src/model/lease.ts';

type Luck = {
  /** When the isolation begins, after all is well. */
  readonly fromMs: number;
  readonly latencies: readonly number[];
  readonly stopMs: number;
};
type Event = { readonly atMs: number; readonly input: Given };
type Given = GuardInput extends infer I ? (I extends GuardInput ? Omit<I, 'at' | 'mono'> : never) : never;

const looks = (state: PostgresSeen['state'], open: boolean): PostgresSeen => ({
  ...{ state, open, sample: null, receiveLsn: null, replayLsn: null, timeline: 1, systemIdentifier: '1' },
  cleanShutdown: state === 'stopped' ? true : null,
});

/** The store that answers, and a PostgreSQL that starts in no time; all of it at the instants that luck has. */
class World {
  readonly timings: LeaseTimings;
  readonly luck: Luck;
  readonly isolatedMs: number;
  readonly queue: Event[] = [];
  state: GuardState;
  nowMs = 0;
  turn = 0;
  record: LeaseRecord | null = null;
  revision = 0;
  fromMs = Number.POSITIVE_INFINITY;
  /** From when to when it took no writes; null = it took them all along. */
  down: { fromMs: number; untilMs: number | null } | null = null;
  opened = false;

  constructor(timings: LeaseTimings, isolatedMs: number, luck: Luck) {
    this.timings = timings;
    this.luck = luck;
    this.isolatedMs = isolatedMs;
    this.state = initialGuard({
      ...{ group: 'platform', component: 'postgres', region: 'a', peers: ['b'], timings, timingsHash: 'x' },
      ...{ deadMan: 'absolute', isolation: 'stop', onCrash: 'restart', crashRestarts: 3, role: 'primary' },
    });
    const seen = looks('stopped', false);
    this.give({ kind: 'started', process: 'a1', durable: FRESH_DURABLE, fresh: true, seen, renewedMono: null });
  }

  latency(): number {
    return this.luck.latencies[this.turn++ % this.luck.latencies.length] ?? 0;
  }
  isIsolated(atMs: number): boolean {
    return atMs >= this.fromMs && atMs < this.fromMs + this.isolatedMs;
  }
  after(ms: number, input: Given): void {
    this.queue.push({ atMs: this.nowMs + ms, input });
  }
  give(input: Given): void {
    const { state, effects } = step(this.state, {
      ...input,
      at: 1_000_000 + this.nowMs,
      mono: this.nowMs,
    } as GuardInput);
    this.state = state;
    for (const effect of effects) this.carryOut(effect);
  }
  carryOut(effect: GuardEffect): void {
    if (effect.kind === 'wake') this.after(Math.max(0, effect.mono - this.nowMs), { kind: 'tick' });
    if (effect.kind === 'pet' && !this.state.deadManArmed) this.after(0, { kind: 'dead-man', armed: true });
    if (effect.kind === 'ask-promise')
      this.after(effect.timeoutMs, { kind: 'promised', number: effect.number, peer: effect.peer, promised: null });
    if (effect.kind === 'ask') this.ask(effect);
    if (effect.kind === 'perform') this.perform(effect);
  }
  ask({ number, request, timeoutMs }: GuardEffect & { kind: 'ask' }): void {
    const ms = this.latency();
    const lost = this.isIsolated(this.nowMs) || this.isIsolated(this.nowMs + ms);
    const answer = lost ? null : this.answer(request.operation);
    this.after(lost ? timeoutMs : ms, { kind: 'answered', number, answer });
  }
  answer(operation: (GuardEffect & { kind: 'ask' })['request']['operation']): LeaseAnswer {
    const common = () => ({
      incarnation: { id: 'one', start: 1 },
      revision: this.revision === 0 ? null : String(this.revision),
      record: this.record,
      floor: 0,
      guards: { b: { ageMs: 0, pinned: true } },
    });
    if (operation.kind === 'read') return { kind: 'is', ...common() };
    if (operation.expected !== common().revision) return { kind: 'conflict', ...common() };
    this.record = operation.record;
    this.revision += 1;
    return { kind: 'set', ...common() };
  }
  perform({ number, task }: GuardEffect & { kind: 'perform' }): void {
    if (task === 'stop') this.down ??= { fromMs: this.nowMs, untilMs: null };
    const seen = {
      stop: looks('stopped', false),
      'start-fenced': looks('primary', false),
      open: looks('primary', true),
    }[task as 'stop'];
    if (seen === undefined) throw new Error(`not in this world: ${task}`);
    const end = task === 'stop' ? { timeline: 1, lsn: '0/100' } : null;
    const result = { ok: true, message: '', seen, end };
    this.after(task === 'stop' ? this.luck.stopMs : 0, { kind: 'performed', number, task, result });
    if (task === 'open') {
      this.opened = true;
      if (this.down !== null) this.down.untilMs ??= this.nowMs;
    }
  }
  /** Until it is over, and has been well for a while; how long no writes were taken. */
  run(): number {
    for (let events = 0; events < 20_000; events += 1) {
      this.queue.sort((a, b) => a.atMs - b.atMs);
      const next = this.queue.shift();
      if (next === undefined) throw new Error('nothing happens any more');
      this.nowMs = Math.max(this.nowMs, next.atMs);
      if (this.opened && this.fromMs === Number.POSITIVE_INFINITY) this.fromMs = this.nowMs + this.luck.fromMs;
      if (this.down?.untilMs != null) return this.down.untilMs - this.down.fromMs;
      if (this.nowMs > this.fromMs + this.isolatedMs + this.timings.demoteAfterMs && this.down === null) return 0;
      this.give(next.input);
    }
    throw new Error('it does not end');
  }
}

const down = (timings: LeaseTimings, isolatedMs: number, luck: Luck): number =>
  new World(timings, isolatedMs, luck).run();

t.test('the machine is down for what was said, at every moment an isolation may begin', async (t) => {
  let most = 0;
  const whenever = fc.constantFrom<LeaseTimings>(PROFILES.strict, PROFILES.patient).chain((timings) =>
    fc.record({
      timings: fc.constant(timings),
      isolatedMs: fc.integer({ min: 1, max: 2 * timings.demoteAfterMs + 30_000 }),
      luck: fc.record({
        fromMs: fc.integer({ min: 10_000, max: 10_000 + 2 * timings.renewMs }),
        latencies: fc.array(fc.integer({ min: 0, max: timings.attemptMs - 1 }), { minLength: 1, maxLength: 7 }),
        stopMs: fc.integer({ min: 0, max: timings.stopWithinMs }),
      }),
    }),
  );
  fc.assert(
    fc.property(whenever, ({ timings, isolatedMs, luck }) => {
      const downMs = down(timings, isolatedMs, luck);
      const { leastMs, mostMs } = isolationLoss({ timings, isolation: 'stop' }, isolatedMs);
      most = Math.max(most, downMs - leastMs);
      if (downMs < leastMs || downMs > mostMs) throw new Error(`${downMs} ms is not within ${leastMs} and ${mostMs}`);
    }),
    { numRuns: 3000 },
  );
  t.ok(most > 5000, `some were unlucky: ${most} ms over the least`);
});

t.test('no isolation as long as was said stops it, and a little more does', async (t) => {
  // Sends of the two profiles happen to fall well; at half a second more they don't.
  const odd: LeaseTimings = { ...PROFILES.strict, electionGapMs: 10_500, demoteAfterMs: 19_500 };
  for (const timings of [PROFILES.strict, PROFILES.patient, odd]) {
    const edge = survivedMs(timings);
    const late = { latencies: [timings.attemptMs - 1], stopMs: 0 };
    const begins = [...Array(31).keys()].map((n) => 10_000 + 100 * n);
    for (const shorterMs of [0, 500, 1000, 1500])
      t.ok(begins.every((fromMs) => down(timings, edge - shorterMs, { ...late, fromMs }) === 0));
    const longer = [...Array(8).keys()].map((n) => edge + (n + 1) * 500);
    t.ok(longer.some((ms) => begins.some((fromMs) => down(timings, ms, { ...late, fromMs }) > 0)));
  }
});
