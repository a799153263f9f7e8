/** What the vantages see of the platform: the daemon's own probes, and a witness whose reports travel. */
import type { Observation, PostgresFacts } from '../model/evidence.ts';
import type { Verdict } from '../model/primitives.ts';
import type { Readiness } from '../model/readiness.ts';
import { A, type B, type Platform, type Postgres, W, wallAt } from './platform.ts';

export const GROUP = 'platform';
export const CONTROL = 'tcp://control.test:53';
/** A metric that is named as a fact: 1 while Prometheus, in the witness region, can't scrape a living primary. */
export const METRIC = 'primary_gone';
export const PROMETHEUS = 'main';
/** Samples are this old when they are asked for. */
const SAMPLE_AGE_MS = 1500;

const lsn = (bytes: number): string => `0/${bytes.toString(16).toUpperCase()}`;

function facts(platform: Platform, pg: Postgres): PostgresFacts {
  const now = platform.scheduler.nowMs;
  const base = {
    systemIdentifier: pg.systemIdentifier,
    timeline: pg.timeline,
    inRecovery: pg.inRecovery,
    clockAt: wallAt(now),
    canary: 'skipped',
  } as const;
  if (!pg.inRecovery) {
    const at = lsn(pg.flush);
    return {
      ...base,
      insertLsn: at,
      flushLsn: at,
      receiveLsn: null,
      replayLsn: null,
      walReceiver: null,
      lastMessageAgeMs: null,
      lastReplayedCommitAt: null,
      replayPaused: null,
    };
  }
  return {
    ...base,
    insertLsn: null,
    flushLsn: null,
    receiveLsn: lsn(pg.flush),
    replayLsn: lsn(pg.replay),
    walReceiver: pg.streaming ? 'streaming' : 'none',
    lastMessageAgeMs: pg.heardFromPrimaryAt === null ? null : now - pg.heardFromPrimaryAt,
    lastReplayedCommitAt: pg.lastReplayedCommitAt === null ? null : wallAt(pg.lastReplayedCommitAt),
    replayPaused: false,
    fromArchive: false,
  };
}

/** Both servers of this world are made alike. */
const MADE: Readiness = {
  version: 150_004,
  settings: {
    max_connections: 100,
    max_prepared_transactions: 0,
    max_locks_per_transaction: 64,
    max_worker_processes: 8,
    max_wal_senders: 10,
  },
  walLevel: 'replica',
  hotStandby: true,
  walRetrieveRetryMs: 100,
  databases: [],
  moreDatabases: 0,
  logicalSlots: [],
};

/** Where somebody looks from, and when by a clock of its own. */
export type Standpoint = { readonly vantage: string; readonly place: typeof B | typeof W; readonly wallAt: number };

const seenFrom = ({ vantage, wallAt }: Standpoint, verdict: Verdict) =>
  ({
    vantage,
    at: wallAt,
    durationMs: 3,
    verdict,
    reached: verdict === 'ok' ? 'read' : 'connect',
    code: verdict === 'ok' ? null : verdict === 'bad' ? 'timeout' : 'internal',
    message: null,
  }) as const;

/** What a vantage is told by its control target. */
export const control = (from: Standpoint, verdict: Verdict): Observation => ({
  kind: 'control',
  target: CONTROL,
  ...seenFrom(from, verdict),
});

export type Target = { readonly kind: 'postgres' | 'http' | 'readiness'; readonly region: typeof A | typeof B };

/** What a probe of this target gets that is sent now: an answer, or nothing, which is a failure once its deadline is over. */
export function ask(platform: Platform, from: Standpoint, target: Target): Observation | null {
  const pg = target.region === A ? platform.a : platform.b;
  if (!platform.connected(from.place, target.region) || !platform.up(target.region)) return null;
  return observed(platform, from, target, pg.alive ? 'ok' : 'bad');
}

/** What is told of a target: `bad` without an answer, `unknown` where the probe itself came to nothing. */
export function observed(platform: Platform, from: Standpoint, target: Target, verdict: Verdict): Observation {
  const { kind, region } = target;
  const base = { group: GROUP, region, ...seenFrom(from, verdict) };
  const well = verdict === 'ok';
  switch (kind) {
    case 'postgres': {
      const pg = region === A ? platform.a : platform.b;
      return { kind, component: 'db', ...base, facts: well ? facts(platform, pg) : null };
    }
    case 'readiness':
      return { kind, component: 'db', ...base, facts: well ? MADE : null };
    case 'http':
      return { kind, component: 'api', ...base, facts: { status: well ? 200 : null } };
    default:
      return exhausted(kind);
  }
}

/** What the daemon gets when it asks Prometheus at this instant; a dead one does not answer. */
export function askMetric(platform: Platform, from: Standpoint, dead: boolean): Observation {
  const answers = !dead && platform.connected(from.place, W);
  const scraped = platform.connected(W, A) && platform.up(A) && platform.a.alive && !platform.a.inRecovery;
  const value = scraped ? 0 : 1;
  return {
    kind: 'metric',
    ...{ group: GROUP, fact: METRIC, server: PROMETHEUS, replica: 0, region: W },
    ...seenFrom(from, 'ok'),
    ...(answers
      ? {
          verdict: value === 1 ? 'bad' : 'ok',
          facts: { value, sampleAt: wallAt(platform.scheduler.nowMs) - SAMPLE_AGE_MS, ageMs: SAMPLE_AGE_MS },
        }
      : { verdict: 'unknown', reached: 'none', code: 'timeout', facts: null }),
  };
}

function exhausted(kind: never): never {
  throw new TypeError(`unknown target: ${JSON.stringify(kind)}`);
}
