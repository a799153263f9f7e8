/**
 * Runs the probes of one vantage: each target at its interval, a deadline for each probe, so many at once and no more.
 *
 * 1. Two probes of one target never overlap; a turn that comes too early is skipped, never queued.
 * 2. A probe is answered for soon after its deadline, whatever it does.
 * 3. A defect of a probe, or a standstill of this process, is *unknown*: neither is ever held against a target.
 * 4. Once `stop` was called nothing is emitted any more, and within a bound nothing is left open.
 */
import pLimit from 'p-limit';
import type { Observation } from '../model/evidence.ts';
import type { GroupId, MonoMs, VantageId } from '../model/primitives.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Redact } from '../runtime/redact.ts';
import type { Timers } from '../runtime/timers.ts';
import { ABORTED, untilAborted } from './abort.ts';
import type { Failure } from './failure.ts';
import { type Asked, askTarget, createProbes, observationOf, type Probes, unanswered } from './map.ts';
import { createProbeLog, type ProbeLog } from './probe-log.ts';
import { type StallWatch, watchStalls } from './stall.ts';
import type { PostgresTarget, Target } from './target.ts';

/** Spreads targets that started together; ± this part of the interval. */
const JITTER = 0.1;
/** What observations are gathered for before they are handed on, so that a burst is one batch. */
const EMIT_WINDOW_MS = 10;
/** Fresh probes of one group are asked for no more often than this. */
const PROBE_NOW_EVERY_MS = 250;
/** After the deadline: what an answer that has arrived already gets to be read, and a probe to come to its end. */
const GRACE_MS = 100;
/** How a server is made is asked once a minute; where that failed, after this. */
const READINESS_AGAIN_MS = 5_000;
/** A process that stood still for this part of a probe's time can't tell whether the answer was late. */
const STALLED_SHARE = 0.25;
/** How long `stop` waits for what is under way. */
const STOP_MS = 1_000;
/** More sockets than this at once would be a load of its own. */
const MOST_AT_ONCE = 256;

export type RunnerOptions = {
  readonly vantage: VantageId;
  readonly targets: readonly Target[];
  readonly clock: Clock;
  readonly timers: Timers;
  /** Draws from [0, 1). */
  readonly random: () => number;
  /** Keeps secrets out of what is told: a server may repeat the password it was sent (invariant 24). */
  readonly redact: Redact;
  /** Must not throw. */
  readonly emit: (observations: readonly Observation[]) => void;
  /** Asked before each probe of a target that may have a canary: the autonomy in force may have changed (design §2). */
  readonly mayWrite: (target: PostgresTarget) => boolean;
  /** Most probes at one time; by default enough for all targets to be silent at once. */
  readonly concurrency?: number;
  readonly probes?: Probes;
};

export type Runner = {
  start(): void;
  /**
   * Probes all targets of the group, and the control targets, on fresh connections. A target that is being probed is
   * probed again right after. Calls within 250 ms count as one, which is never forgotten.
   */
  probeNow(group: GroupId): void;
  /** Turns that came while their target was still being probed. */
  skipped(): number;
  stop(): Promise<void>;
};

/** One target's turn-taking. */
type Lane = {
  readonly target: Target;
  dueMono: MonoMs;
  running: boolean;
  /** Asked for while a probe was running: one fresh probe follows it. */
  again: boolean;
  /** It is looked at once more before its turn. */
  soon: boolean;
};

export function createRunner(options: RunnerOptions): Runner {
  const { vantage, targets, clock, timers, random } = options;
  const probes = options.probes ?? createProbes();
  const limit = pLimit(options.concurrency ?? Math.max(1, Math.min(targets.length, MOST_AT_ONCE)));
  let stalls: StallWatch | null = null;
  const stopping = new AbortController();
  const pending = createTimerSet(timers);
  const running = new Set<Promise<void>>();
  const lanes = targets.map((target): Lane => ({ target, dueMono: 0, running: false, again: false, soon: false }));
  const askedMono = new Map<GroupId, MonoMs>();
  const asking = new Set<GroupId>();
  let batch: Observation[] = [];
  let skipped = 0;

  const flush = (): void => {
    const observations = batch;
    batch = [];
    options.emit(observations);
  };
  const emit = (observation: Observation): void => {
    if (batch.length === 0) pending.after(EMIT_WINDOW_MS, flush);
    batch.push(observation);
  };

  /** Runs the probe and bounds it: what has no answer by then is `timeout`, or `internal` where that is our doing. */
  const ask = async (target: Target, fresh: boolean, log: ProbeLog): Promise<Asked> => {
    const startedMono = clock.mono();
    const deadline = new AbortController();
    const giveUp = new AbortController();
    const timer = createTimerSet(timers);
    // One turn of the event loop lies between the deadline and the abort: what has arrived by then is still read.
    timer.after(target.timeoutMs, () => timer.after(0, () => deadline.abort()));
    timer.after(target.timeoutMs + GRACE_MS, () => timer.after(0, () => giveUp.abort()));
    const signal = AbortSignal.any([deadline.signal, stopping.signal]);
    try {
      const canary = target.kind === 'postgres' && target.canary && options.mayWrite(target);
      const context = { vantage, signal, fresh, canary, clock, timers, log: log.add };
      const asked = await untilAborted(giveUp.signal, askTarget(probes.map, target, context));
      const stalledMs = stalls?.stalledSinceMs(startedMono) ?? 0;
      const stalled = stalledMs > target.timeoutMs * STALLED_SHARE;
      if (stalled && (asked === ABORTED || asked.answer.code === 'timeout')) {
        return unanswered(target, ours(`this process stood still for ${Math.round(stalledMs)} ms during the probe`));
      }
      if (asked === ABORTED) return unanswered(target, ours('the probe did not end at its deadline'));
      return asked;
    } catch (error) {
      return unanswered(target, ours(`the probe itself failed: ${error instanceof Error ? error.message : error}`));
    } finally {
      timer.clear();
    }
  };

  const runOnce = async (lane: Lane, fresh: boolean): Promise<void> => {
    if (stopping.signal.aborted) return;
    const startedMono = clock.mono();
    const log = createProbeLog(clock, options.redact);
    const asked = await ask(lane.target, fresh, log);
    if (stopping.signal.aborted) return;
    const durationMs = clock.mono() - startedMono;
    const about = { vantage, at: clock.wall(), durationMs, log: log.lines(), redact: options.redact };
    emit(observationOf(asked, about));
    if (lane.target.kind === 'readiness' && asked.answer.verdict !== 'ok') lookSoon(lane);
  };

  /** Until it is known how a standby is made nothing is promoted without people: a server that just came up is not waited for. */
  const lookSoon = (lane: Lane): void => {
    if (lane.soon) return;
    lane.soon = true;
    pending.after(READINESS_AGAIN_MS, () => {
      lane.soon = false;
      if (!lane.running) run(lane, false);
    });
  };

  const run = (lane: Lane, fresh: boolean): void => {
    lane.running = true;
    const probing = limit(runOnce, lane, fresh).finally(() => {
      running.delete(probing);
      lane.running = false;
      if (lane.again && !stopping.signal.aborted) {
        lane.again = false;
        run(lane, true);
      }
    });
    running.add(probing);
  };

  const turn = (lane: Lane): void => {
    if (lane.running) skipped += 1;
    else run(lane, false);
    const spread = 1 + JITTER * (2 * random() - 1);
    // Counted from when it was due, so that turns don't drift; never made up for after a standstill.
    lane.dueMono = Math.max(lane.dueMono + lane.target.intervalMs * spread, clock.mono());
    pending.after(lane.dueMono - clock.mono(), () => turn(lane));
  };

  const probeGroup = (group: GroupId): void => {
    askedMono.set(group, clock.mono());
    for (const lane of lanes) {
      // How a server is made is no news of an outage, and dear to ask.
      if (lane.target.kind === 'readiness') continue;
      if (!concerns(lane.target, group)) continue;
      if (lane.running) lane.again = true;
      else run(lane, true);
    }
  };

  return {
    start() {
      stalls ??= watchStalls(clock, timers);
      for (const lane of lanes) {
        lane.dueMono = clock.mono();
        turn(lane);
      }
    },
    probeNow(group) {
      if (stopping.signal.aborted || asking.has(group)) return;
      const waitMs = (askedMono.get(group) ?? Number.NEGATIVE_INFINITY) + PROBE_NOW_EVERY_MS - clock.mono();
      if (waitMs <= 0) return probeGroup(group);
      asking.add(group);
      pending.after(waitMs, () => {
        asking.delete(group);
        probeGroup(group);
      });
    },
    skipped: () => skipped,
    async stop() {
      stopping.abort();
      pending.clear();
      stalls?.stop();
      const bound = createTimerSet(timers);
      const late = new Promise<void>((resolve) => bound.after(STOP_MS, resolve));
      await Promise.race([Promise.all(running), late]);
      bound.clear();
      await probes.close();
    },
  };
}

/** Control targets too: whether we are the isolated one matters to every group. */
const concerns = (target: Target, group: GroupId): boolean =>
  target.kind === 'control' || ('group' in target && target.group === group);

const ours = (message: string): Failure => ({ code: 'internal', message });

/** Timers that can be cancelled together. */
function createTimerSet(timers: Timers): { after(delayMs: number, call: () => void): void; clear(): void } {
  const cancels = new Set<() => void>();
  return {
    after(delayMs, call) {
      const cancel = timers.after(delayMs, () => {
        cancels.delete(cancel);
        call();
      });
      cancels.add(cancel);
    },
    clear() {
      for (const cancel of cancels) cancel();
      cancels.clear();
    },
  };
}
