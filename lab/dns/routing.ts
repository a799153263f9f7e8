import type { RecordSet, ZoneSource } from './model.ts';

/**
 * Which of several record sets with one name and type answer a query: Route 53's routing policies, honouring health
 * checks. Latency routing takes the first healthy set, since on loopback every region is equally near.
 */

const multiValueLimit = 8;
/** An alias may point at an alias; Route 53 refuses long chains and a loop must end. */
export const maxAliasDepth = 8;

export function recordSetsAt(source: ZoneSource, hostedZoneId: string, name: string, type: string): RecordSet[] {
  const zone = source.zones().find((candidate) => candidate.id === hostedZoneId);
  return zone?.records.filter((set) => set.name === name && set.type === type) ?? [];
}

/** A set with no health check is healthy; an alias asks its target when it is told to; both must hold. */
export function isSetHealthy(source: ZoneSource, set: RecordSet, depth = 0): boolean {
  if (set.healthCheckId !== undefined && !source.isHealthy(set.healthCheckId)) return false;
  if (set.alias?.evaluateTargetHealth !== true) return true;
  if (depth >= maxAliasDepth) return false;
  const targets = recordSetsAt(source, set.alias.hostedZoneId, set.alias.dnsName, set.type);
  return targets.some((target) => isSetHealthy(source, target, depth + 1));
}

/** All weights zero means an equal chance for all; one zero among others means never, while another is healthy. */
function weighted(sets: readonly RecordSet[], draw: () => number): RecordSet[] {
  const total = sets.reduce((sum, set) => sum + (set.weight ?? 0), 0);
  const share = (set: RecordSet) => (total === 0 ? 1 : (set.weight ?? 0));
  let left = draw() * (total === 0 ? sets.length : total);
  for (const set of sets) {
    left -= share(set);
    if (left < 0) return [set];
  }
  return sets.slice(-1);
}

/** Both sides unhealthy answers with the primary: Route 53 would rather send traffic somewhere than nowhere. */
function failover(sets: readonly RecordSet[], healthy: readonly RecordSet[]): RecordSet[] {
  const primary = sets.find((set) => set.failover === 'PRIMARY');
  const secondary = sets.find((set) => set.failover === 'SECONDARY');
  if (primary !== undefined && healthy.includes(primary)) return [primary];
  if (secondary !== undefined && healthy.includes(secondary)) return [secondary];
  const fallback = primary ?? secondary;
  return fallback === undefined ? [] : [fallback];
}

/** `draw` gives a number in [0, 1). */
export function chooseSets(source: ZoneSource, sets: readonly RecordSet[], draw: () => number): RecordSet[] {
  const first = sets[0];
  if (first === undefined) return [];
  const healthy = sets.filter((set) => isSetHealthy(source, set));
  if (first.failover !== undefined) return failover(sets, healthy);
  const eligible = healthy.length > 0 ? healthy : sets;
  if (first.weight !== undefined) return weighted(eligible, draw);
  if (first.multiValueAnswer === true) return eligible.slice(0, multiValueLimit);
  return eligible.slice(0, 1);
}
