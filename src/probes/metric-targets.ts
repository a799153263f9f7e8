/** What the daemon asks Prometheus: every fact that a group names, of its server and of each replica. */
import type { Config } from '../model/config.ts';
import { metricSettings } from '../model/prometheus.ts';
import { oldestSample, readPromql } from '../model/promql.ts';
import type { Secrets } from '../runtime/config/secrets.ts';
import { authorizationBy } from '../runtime/http-credentials.ts';
import type { FindCertificates } from '../runtime/tls.ts';
import type { MetricTarget } from './target.ts';

/** Throws a RangeError where an expression does not parse: `failoverd check` finds it. */
export function metricTargetsOf(
  config: Config,
  secrets: Pick<Secrets, 'of'>,
  certificates: FindCertificates,
): readonly MetricTarget[] {
  const servers = config.prometheus ?? {};
  return Object.entries(config.groups).flatMap(([group, { facts }]) =>
    metricSettings(facts ?? {}, servers).flatMap((metric) => {
      const server = servers[metric.server];
      if (server === undefined) return [];
      const read = readPromql(metric.promql);
      if (read.kind === 'refused') throw new RangeError(`${metric.id}: ${read.message}`);
      const secret = (reference: string): string => secrets.of(reference).reveal();
      const authorization = authorizationBy(server.bearer, server.basic, secret);
      return [server.url, ...(server.replicas ?? [])].map((url, replica): MetricTarget => {
        const { id: fact, everyMs: intervalMs, timeoutMs, promql, bad, freshMs, from: region } = metric;
        return {
          kind: 'metric',
          key: `${group}/metrics.${fact}/${metric.server}/${replica}`,
          ...{ group, fact, server: metric.server, replica, region },
          ...{ intervalMs, timeoutMs, promql, bad, freshMs },
          oldestSample: oldestSample(read.selectors),
          url: new URL(url),
          authorization,
          certificates: certificates(server.tls),
        };
      });
    }),
  );
}
