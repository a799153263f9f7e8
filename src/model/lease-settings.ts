/**
 * The lease of a group as the core reads it, and whether its end proves anything there. PURE.
 */
import type { Config, GroupConfig } from './config.ts';
import { type LeaseTerms, profileOf, termsOf, timingsHash } from './lease-config.ts';
import type { RegionId } from './primitives.ts';
import { durationMs, durationText } from './primitives.ts';
import { deadManCounts, endedWithinMs, type ProfileName } from './timings.ts';

/** The lease of a group; null in the settings of one that has none. */
export type LeaseSettings = LeaseTerms & {
  readonly profile: ProfileName | 'custom';
  /** SHA-256 of the terms, which the lease record and every guard must share. */
  readonly timingsHash: string;
  /** What may be written by an unfenced primary and be nowhere else, by consent; null = no consent. */
  readonly partitionExposureMs: number | null;
  /** Regions whose PostgreSQL has a guard. */
  readonly guards: readonly RegionId[];
  /** Where the store of the lease stands: with the daemon. Null where no such vantage is declared. */
  readonly storeRegion: RegionId | null;
  /** Why the end of the lease proves nothing (`expired`, safety.md "Fence proofs"); empty = it does. */
  readonly expiredIsNoProof: readonly string[];
};

/**
 * Why the end of a lease would prove nothing of a group; empty = it proves that the old side has stopped. `expired` is W
 * without a change under isolation `stop` and a dead-man that counts, by a store in a third domain; what such a primary may
 * still write by then is lost by consent alone (safety.md "Fence proofs", "What was lost").
 */
function expiredIsNoProof(
  { primary, secondary }: GroupConfig,
  storeRegion: RegionId | null,
  terms: LeaseTerms,
  exposureMs: number | null,
): string[] {
  const endedMs = endedWithinMs(terms.timings, terms.deadMan);
  // One that serves on has no bound, so there is nothing to consent to.
  const needed =
    terms.isolation === 'stop' && Number.isFinite(endedMs) && (exposureMs === null || exposureMs < endedMs);
  return [
    ...(terms.isolation === 'stop' ? [] : ['lease.isolation is serve: an isolated primary goes on taking writes']),
    ...(deadManCounts(terms.deadMan)
      ? []
      : ['lease.deadMan is none: nothing ends PostgreSQL when its guard is frozen']),
    ...(storeRegion === null ? ['where the daemon stands, and the lease store with it, is not declared'] : []),
    ...(storeRegion !== primary && storeRegion !== secondary
      ? []
      : [`the lease store stands with the daemon in ${storeRegion}, one of the two sides, and not in a third domain`]),
    ...(needed
      ? [
          `an unfenced primary may take writes for ${durationText(endedMs)}, and lease.partitionExposure consents to ${exposureMs === null ? 'none' : durationText(exposureMs)}`,
        ]
      : []),
  ];
}

export function leaseSettings(config: Config, group: GroupConfig): LeaseSettings | null {
  if (group.lease === undefined) return null;
  const terms = termsOf(group.lease);
  const { partitionExposure } = group.lease;
  const partitionExposureMs = partitionExposure === undefined ? null : durationMs(partitionExposure);
  const storeRegion = config.vantages['daemon']?.region ?? null;
  const guards = Object.values(group.components).flatMap((c) =>
    c.kind === 'postgres' ? Object.keys(c.guards ?? {}) : [],
  );
  return {
    ...terms,
    profile: profileOf(group.lease),
    timingsHash: timingsHash(terms),
    partitionExposureMs,
    guards: [...new Set(guards)],
    storeRegion,
    expiredIsNoProof: expiredIsNoProof(group, storeRegion, terms, partitionExposureMs),
  };
}

/** A region that is gone releases nothing: by itself only the end of a lease proves that it has stopped. */
export const noProofByGuard = (lease: LeaseSettings | null): readonly string[] =>
  lease === null
    ? ['the fence is the guard’s, and the group has no lease that could end']
    : lease.expiredIsNoProof.map((why) => `the end of the lease proves nothing: ${why}`);

/** What a plan acts on; terms under another name are the same terms. */
export const boundLease = ({ timingsHash, partitionExposureMs, storeRegion }: LeaseSettings) => ({
  timingsHash,
  partitionExposureMs,
  storeRegion,
});
