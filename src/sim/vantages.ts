/** What the vantages see of the platform: the daemon's own probes, and a witness whose reports travel. */
import type { Observation, PostgresFacts } from '../model/evidence.ts';
import type { Verdict } from '../model/primitives.ts';
import type { Readiness } from '../model/readiness.ts';
import { A, B, type Place, type Platform, type Postgres, W } from './platform.ts';

export const GROUP = 'platform';
export const CONTROL = 'tcp://control.test:53';
/** A metric that is named as a fact: 1 while Prometheus, in the witness region, can't scrape a living primary. */
export const METRIC = 'primary_gone';
export const PROMETHEUS = 'main';
/** Samples are this old when they are asked for. */
const SAMPLE_AGE_MS = 1500;

const lsn = (bytes: number): string => `0/${bytes.toString(16).toUpperCase()}`;

function facts(platform: Platform, pg: Postgres, wallAt: number): PostgresFacts {
  const now = platform.scheduler.nowMs;
  const base = {
    systemIdentifier: pg.systemIdentifier,
    timeline: pg.timeline,
    inRecovery: pg.inRecovery,
    clockAt: wallAt,
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
    lastReplayedCommitAt: pg.lastReplayedCommitAt === null ? null : pg.lastReplayedCommitAt + (wallAt - now),
    replayPaused: false,
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
export type Standpoint = { readonly vantage: string; readonly place: Place; readonly wallAt: number };

const seenFrom = ({ vantage, wallAt }: Standpoint, verdict: Verdict) =>
  ({
    vantage,
    at: wallAt,
    durationMs: 3,
    verdict,
    reached: verdict === 'ok' ? 'read' : 'connect',
    code: verdict === 'ok' ? null : 'timeout',
    message: null,
  }) as const;

/** Whether anything at all answers this vantage at this instant. */
export function lookAround(platform: Platform, from: Standpoint): Observation {
  return { kind: 'control', target: CONTROL, ...seenFrom(from, platform.alone(from.place) ? 'bad' : 'ok') };
}

/** What one vantage sees of both regions at this instant. */
export function look(platform: Platform, from: Standpoint): Observation[] {
  const { place, wallAt } = from;
  const seen = (verdict: Verdict) => seenFrom(from, verdict);
  const observations: Observation[] = [];
  for (const [region, pg] of [
    [A, platform.a],
    [B, platform.b],
  ] as const) {
    const reaches = platform.connected(place, region) && platform.up(region);
    const verdict: Verdict = reaches && pg.alive ? 'ok' : 'bad';
    const base = { group: GROUP, region, ...seen(verdict) };
    observations.push({
      kind: 'postgres',
      component: 'db',
      ...base,
      facts: verdict === 'ok' ? facts(platform, pg, wallAt) : null,
    });
    if (from.vantage === 'daemon')
      observations.push({ kind: 'readiness', component: 'db', ...base, facts: verdict === 'ok' ? MADE : null });
    observations.push({ kind: 'http', component: 'api', ...base, facts: { status: verdict === 'ok' ? 200 : null } });
  }
  return observations;
}

/** What the daemon gets when it asks Prometheus at this instant. */
export function askMetric(platform: Platform, from: Standpoint): Observation {
  const answers = platform.connected(from.place, W) && platform.up(W);
  const scraped = platform.connected(W, A) && platform.up(A) && platform.a.alive && !platform.a.inRecovery;
  const value = scraped ? 0 : 1;
  return {
    kind: 'metric',
    ...{ group: GROUP, fact: METRIC, server: PROMETHEUS, replica: 0, region: W },
    ...seenFrom(from, 'ok'),
    ...(answers
      ? {
          verdict: value === 1 ? 'bad' : 'ok',
          facts: { value, sampleAt: from.wallAt - SAMPLE_AGE_MS, ageMs: SAMPLE_AGE_MS },
        }
      : { verdict: 'unknown', reached: 'none', code: 'timeout', facts: null }),
  };
}
