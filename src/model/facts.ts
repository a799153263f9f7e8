/**
 * The facts that policies may read: name, type, unit, and how long one counts. Published in the configuration
 * reference; an unknown fact is always possible and never good enough to act on.
 */
export type FactSpec = {
  readonly name: string;
  readonly subject: 'group' | 'region' | 'component' | 'vantage' | 'server';
  readonly type: 'verdict' | 'number' | 'boolean' | 'text';
  readonly unit: string | null;
  /** When it expires, in words of the config. */
  readonly expiry: string;
  readonly says: string;
};

const PROBE = '3 × probe.interval + probe.timeout';

export const FACTS = [
  {
    name: 'vantage.connected',
    subject: 'vantage',
    type: 'verdict',
    unit: null,
    expiry: PROBE,
    says: 'at least one control target answers this vantage; bad = the vantage is the isolated one',
  },
  {
    name: 'region.reachable',
    subject: 'region',
    type: 'verdict',
    unit: null,
    expiry: PROBE,
    says: 'client-like probes of every component of the region, by one vantage',
  },
  {
    name: 'region.alerted',
    subject: 'region',
    type: 'verdict',
    unit: null,
    expiry: 'alertmanager.expiry',
    says: 'bad = an alert mapped to region-unreachable fires for the region',
  },
  {
    name: 'postgres.reachable',
    subject: 'component',
    type: 'verdict',
    unit: null,
    expiry: PROBE,
    says: 'connect, authenticate, read, and a canary write where autonomy allows',
  },
  {
    name: 'postgres.identity',
    subject: 'component',
    type: 'verdict',
    unit: null,
    expiry: PROBE,
    says: 'the system identifier is the pinned one',
  },
  {
    name: 'postgres.in_recovery',
    subject: 'component',
    type: 'boolean',
    unit: null,
    expiry: PROBE,
    says: 'standby (true) or primary (false)',
  },
  {
    name: 'postgres.timeline',
    subject: 'component',
    type: 'number',
    unit: null,
    expiry: PROBE,
    says: 'timeline of the server',
  },
  {
    name: 'postgres.streaming',
    subject: 'component',
    type: 'verdict',
    unit: null,
    expiry: PROBE,
    says: 'the standby heard from its primary within standbyStreamedWithin',
  },
  {
    name: 'postgres.receive_gap_bytes',
    subject: 'component',
    type: 'number',
    unit: 'bytes',
    expiry: PROBE,
    says: 'flushed by the primary and not received by the standby: the loss if the primary is gone',
  },
  {
    name: 'postgres.replay_lag_seconds',
    subject: 'component',
    type: 'number',
    unit: 'seconds',
    expiry: PROBE,
    says: 'received and not replayed yet: catches up by itself',
  },
  {
    name: 'http.status',
    subject: 'component',
    type: 'number',
    unit: null,
    expiry: PROBE,
    says: 'status of the health URL',
  },
  {
    name: 'tcp.reachable',
    subject: 'component',
    type: 'verdict',
    unit: null,
    expiry: PROBE,
    says: 'the port takes a connection, and ends a TLS handshake where one is asked for',
  },
  {
    name: 'dns.answers',
    subject: 'component',
    type: 'text',
    unit: null,
    expiry: PROBE,
    says: 'what each resolver answers for the public name',
  },
  {
    name: 'workload.degraded',
    subject: 'component',
    type: 'verdict',
    unit: null,
    expiry: 'alertmanager.expiry',
    says: 'bad = an alert mapped to workload-degraded fires',
  },
  {
    name: 'metrics.NAME',
    subject: 'group',
    type: 'number',
    unit: 'its own',
    expiry: 'facts.NAME.fresh, from the time of the oldest sample it was made from',
    says: 'a value of PromQL that the group names; or a verdict made of it',
  },
  {
    name: 'prometheus.scraping',
    subject: 'server',
    type: 'verdict',
    unit: null,
    expiry: '50s',
    says: 'ready, and it has targets that it scraped lately',
  },
  {
    name: 'alertmanager.ready',
    subject: 'server',
    type: 'verdict',
    unit: null,
    expiry: '50s',
    says: 'ready, and its API answers; asked where alertmanager.apis names it',
  },
] as const satisfies readonly FactSpec[];
export type FactName = (typeof FACTS)[number]['name'];
