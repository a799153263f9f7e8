/**
 * The loss account: a bracket the truth lies in, and *unknown* where there is no ground for one (safety.md, invariant 19). PURE.
 */
import type { FoundDivergence } from '../model/divergence.ts';
import type { Run } from '../model/ledger.ts';
import type { Sample, State } from '../model/loop.ts';
import type { LossBracket, PrimarySample } from '../model/plan.ts';
import { type Lsn, laterLsn, lsnGapBytes } from '../model/primitives.ts';
import type { GroupSettings } from '../model/settings.ts';
import { wallOf } from './vantage.ts';
import type { View } from './view.ts';

/** What a sample that does not say how old it may be at impact counts for. */
const SAMPLE_FRESH_MS = 2000;
/** The server reads its clock and its log position in one statement, not in one instant. */
const SAMPLE_SLACK_MS = 50;

/**
 * One block of log. A primary that wrote nothing for a while may have written something since the sample: nothing is lost only
 * where that is proven, by a clean release or by a synchronous quorum, and neither is an estimate (safety.md, invariant 19).
 */
const LEAST_HIGH_BYTES = 8192;

export const UNKNOWN_LOSS = (basis: string): LossBracket => ({
  lowBytes: null,
  highBytes: null,
  lowSeconds: null,
  highSeconds: null,
  fromLsn: null,
  windowFrom: null,
  windowTo: null,
  basis,
});

/** 99th percentile of the write rate between neighbouring samples, bytes per second; null = there is no such pair. */
export function writeRate(samples: readonly Sample[]): number | null {
  const rates: number[] = [];
  for (let i = 1; i < samples.length; i += 1) {
    const [a, b] = [samples[i - 1], samples[i]];
    if (a === undefined || b === undefined || a.timeline !== b.timeline) continue;
    const spanMs = b.clockAt - a.clockAt;
    if (spanMs > 0) rates.push((Math.max(0, lsnGapBytes(b.insertLsn, a.insertLsn)) * 1000) / spanMs);
  }
  rates.sort((a, b) => a - b);
  return rates[Math.min(rates.length - 1, Math.ceil(rates.length * 0.99) - 1)] ?? null;
}

/** The newest sample of the group's first PostgreSQL, as it is kept with a hold. */
export function sampleOf(state: State, view: View): PrimarySample | null {
  for (const postgres of view.postgres) {
    const sample = postgres.sample;
    if (sample === null || sample.region !== view.active) continue;
    const samples = state.volatile.samples[`${view.group}/${postgres.component}`] ?? [];
    const { region, receivedMono, timeline, insertLsn, flushLsn, clockAt } = sample;
    const settings = view.settings.components.find(({ id }) => id === postgres.component);
    return {
      component: postgres.component,
      // Two sampling intervals (safety.md); and a region that swallows everything is known to be gone only after a
      // deadline, in which no sample can come. What was written meanwhile is in the bracket, by the rate.
      ...(settings === undefined ? {} : { freshMs: settings.freshMs - settings.probeIntervalMs }),
      region,
      at: wallOf(state, receivedMono),
      timeline,
      insertLsn,
      flushLsn,
      clockAt,
      p99BytesPerSecond: writeRate(samples),
    };
  }
  return null;
}

type Received = {
  readonly lsn: Lsn | null;
  readonly timeline: number | null;
  readonly lastCommitAt: number | null;
  /** Whether it may fetch log from an archive too; null = nobody told, and it may. */
  readonly archive: boolean | null;
};

/**
 * The bracket for a fence that takes hold at `fencedAt` (our wall clock). `low` is what the sample proves missing,
 * `high` adds what the old side may have written between the sample and the fence at its 99th-percentile rate.
 */
export function bracket(
  sample: PrimarySample | null,
  impactAt: number,
  received: Received,
  fencedAt: number,
): LossBracket {
  if (sample === null) return UNKNOWN_LOSS('the primary’s log was never sampled');
  if (impactAt - sample.at > (sample.freshMs ?? SAMPLE_FRESH_MS))
    return UNKNOWN_LOSS(
      `the last sample of the primary’s log is ${Math.round((impactAt - sample.at) / 1000)} s older than the impact`,
    );
  if (received.lsn === null) return UNKNOWN_LOSS('how far the standby received is not known');
  if (sample.timeline === null || sample.timeline !== received.timeline)
    return UNKNOWN_LOSS('sample and standby are not known to be on one timeline');
  // What an archive may hold besides can't be said to be missing (safety.md).
  const lowBytes = received.archive === false ? Math.max(0, lsnGapBytes(sample.flushLsn, received.lsn)) : 0;
  const sinceSampleMs = Math.max(0, fencedAt - sample.at);
  const rate = sample.p99BytesPerSecond;
  const gapBytes = Math.max(0, lsnGapBytes(sample.insertLsn, received.lsn));
  // One sample alone tells of no rate, and a rate that isn't known is not 0 (invariant 19).
  const highBytes =
    rate === null ? null : Math.max(LEAST_HIGH_BYTES, gapBytes + Math.ceil((rate * sinceSampleMs) / 1000));
  // Instants on the old primary's clock, which is the one commits are stamped with.
  const skewMs = sample.clockAt - sample.at;
  const windowTo = fencedAt + skewMs;
  const caughtUp = lsnGapBytes(sample.insertLsn, received.lsn) <= 0;
  const lastCommitAt = received.lastCommitAt;
  const windowFrom = caughtUp ? Math.max(lastCommitAt ?? 0, sample.clockAt - SAMPLE_SLACK_MS) : lastCommitAt;
  return {
    lowBytes,
    highBytes,
    lowSeconds: lowBytes === 0 ? 0 : lastCommitAt === null ? null : Math.max(0, (sample.clockAt - lastCommitAt) / 1000),
    highSeconds: windowFrom === null ? null : Math.max(0, (windowTo - windowFrom) / 1000),
    fromLsn: received.lsn,
    windowFrom,
    windowTo,
    basis: `sample ${sample.insertLsn} at ${new Date(sample.at).toISOString()}, received ${received.lsn}${rate === null ? '; one sample tells of no write rate' : ''}`,
  };
}

/** What would be lost of what was written before the impact: the replication loss, which the RPO bounds (safety.md). */
export function replicationLoss(sample: PrimarySample | null, impactAt: number, view: View): LossBracket {
  const postgres = view.postgres.find((p) => p.component === (sample?.component ?? p.component));
  const facts = postgres?.standby?.observation.facts ?? null;
  const received: Received = {
    lsn: facts === null ? null : laterLsn(facts.receiveLsn, facts.replayLsn),
    timeline: facts?.timeline ?? null,
    lastCommitAt: facts?.lastReplayedCommitAt ?? null,
    archive: facts?.fromArchive ?? null,
  };
  return bracket(sample, impactAt, received, Math.max(impactAt, sample?.at ?? impactAt));
}

/** How far a standby was, of what a step wrote down of it. */
export function receivedOf(facts: Readonly<Record<string, unknown>>): Received {
  const text = (key: string): string | null => (typeof facts[key] === 'string' ? facts[key] : null);
  const number = (key: string): number | null => (typeof facts[key] === 'number' ? facts[key] : null);
  return {
    lsn: laterLsn(text('receiveLsn'), text('replayLsn')),
    timeline: number('timeline'),
    lastCommitAt: number('lastReplayedCommitAt'),
    archive: typeof facts['fromArchive'] === 'boolean' ? facts['fromArchive'] : null,
  };
}

/** The account of a run once its promotion is proven; final only when the old side is back (safety.md). */
export function lossOfRun(run: Run, preState: Readonly<Record<string, unknown>>, now: number): LossBracket {
  const fencedAt = latestFence(run);
  const loss = bracket(run.sample, run.clocks.impactAt, receivedOf(preState), fencedAt ?? now);
  if (fencedAt !== null) return loss;
  // Without a fence the old side may write until somebody stops it: there is no upper end before it is back.
  const basis = `${loss.basis}; nothing proves that the old side has stopped`;
  return { ...loss, highBytes: null, highSeconds: null, windowTo: null, basis };
}

/** When the old side is proven to have stopped at the latest: an acquired lease is what a fence by time or by release proves. */
function latestFence(run: Run): number | null {
  if (!run.plan.steps.some((step) => step.kind === 'fence')) return null;
  const proofs = run.plan.steps.filter((step) => step.kind === 'fence' || step.kind === 'acquire-lease');
  const ends = proofs.map((step) => run.steps[step.id]?.endedAt ?? null);
  return ends.some((at) => at === null) ? null : Math.max(...ends.filter((at) => at !== null));
}

/**
 * The account once the log of the old side was read to its end: what is beyond the fork, no more and no less. `lastSharedAt` is
 * the commit time of the last transaction that both sides have, on the old primary's clock.
 *
 * Without whole log, bytes are known (they are the distance of two positions) and times are not.
 */
export function finalLoss(found: FoundDivergence, lastSharedAt: number | null): LossBracket {
  const bytes = Math.max(0, lsnGapBytes(found.endLsn, found.forkLsn));
  const { firstCommitAt, lastCommitAt, commits, complete } = found;
  const basis = `${commits} commits counted in the log of the old side from ${found.forkLsn} to ${found.endLsn}`;
  const base = { lowBytes: bytes, highBytes: bytes, fromLsn: found.forkLsn, final: true } as const;
  if (!complete) {
    const none = { lowSeconds: null, highSeconds: null, windowFrom: null, windowTo: null };
    return { ...base, ...none, basis: `at least ${basis}, parts of which were recycled` };
  }
  if (commits === 0 || firstCommitAt === null || lastCommitAt === null)
    return { ...base, lowSeconds: 0, highSeconds: 0, windowFrom: null, windowTo: null, basis };
  const from = Math.min(lastSharedAt ?? firstCommitAt, firstCommitAt);
  const seconds = Math.max(0, (lastCommitAt - from) / 1000);
  return {
    ...base,
    lowSeconds: seconds,
    highSeconds: seconds,
    windowFrom: firstCommitAt,
    windowTo: lastCommitAt,
    basis,
  };
}

/** Whether a bracket stays within the budgets an automatic failover has. Unknown is not within (invariant 20). */
export function withinBudget(
  loss: LossBracket,
  settings: GroupSettings,
): { readonly within: boolean | null; readonly why: string } {
  if (loss.highSeconds === null || loss.highBytes === null)
    return { within: null, why: `the loss is not known: ${loss.basis}` };
  const seconds = loss.highSeconds.toFixed(1);
  if (loss.highSeconds * 1000 > settings.rpoMs)
    return { within: false, why: `up to ${seconds} s of writes would be lost; the RPO is ${settings.rpoMs / 1000} s` };
  if (settings.replicationLossBytes !== null && loss.highBytes > settings.replicationLossBytes) {
    return {
      within: false,
      why: `up to ${loss.highBytes} bytes would be lost; the budget is ${settings.replicationLossBytes}`,
    };
  }
  return {
    within: true,
    why: `at most ${seconds} s (${loss.highBytes} bytes) of what was written before the impact would be lost`,
  };
}
