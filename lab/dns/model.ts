/** What a hosted zone holds, in the shape Route 53 gives it: shared by the fake Route 53 and by the name servers behind it. */

export const recordTypes = ['A', 'AAAA', 'CAA', 'CNAME', 'MX', 'NS', 'PTR', 'SOA', 'SPF', 'SRV', 'TXT'] as const;
export type RecordType = (typeof recordTypes)[number];

export interface AliasTarget {
  readonly hostedZoneId: string;
  readonly dnsName: string;
  readonly evaluateTargetHealth: boolean;
}

/** One resource record set; either `ttlSeconds` with `values`, or `alias`. Values are in Route 53's text form (TXT quoted). */
export interface RecordSet {
  readonly name: string;
  readonly type: RecordType;
  readonly ttlSeconds?: number;
  readonly values?: readonly string[];
  readonly alias?: AliasTarget;
  readonly setIdentifier?: string;
  readonly weight?: number;
  readonly failover?: 'PRIMARY' | 'SECONDARY';
  readonly region?: string;
  readonly multiValueAnswer?: boolean;
  readonly healthCheckId?: string;
}

export interface Zone {
  readonly id: string;
  readonly name: string;
  readonly records: readonly RecordSet[];
}

/** What one name server knows at this instant: the zones as propagated to it, and the health checks as they stand. */
export interface ZoneSource {
  zones(): readonly Zone[];
  isHealthy(healthCheckId: string): boolean;
}

/** A way in which a name server or resolver misbehaves: no answer at all, SERVFAIL, or REFUSED. */
export type DnsFault = 'hang' | 'servfail' | 'refuse';
