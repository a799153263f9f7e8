/** What the daemon asks Prometheus: every fact that a group names, of its server and of each replica. */
import type { Config } from '../model/config.ts';
import { metricSettings } from '../model/prometheus.ts';
import type { Secrets } from '../runtime/config/secrets.ts';
import { credentialsOf } from '../runtime/http-credentials.ts';
import { type FindCertificates, NO_CERTIFICATES } from '../runtime/tls.ts';
import type { MetricTarget } from './target.ts';

/** Throws a RangeError where a secret was not fetched. */
export function metricTargetsOf(
  config: Config,
  secrets: Pick<Secrets, 'of'>,
  certificates: FindCertificates = NO_CERTIFICATES,
): readonly MetricTarget[] {
  const servers = config.prometheus ?? {};
  return Object.entries(config.groups).flatMap(([group, { facts }]) =>
    metricSettings(facts ?? {}, servers).flatMap((metric) => {
      const server = servers[metric.server];
      if (server === undefined) return [];
      const { bearer, basic, tls } = server;
      return [server.url, ...(server.replicas ?? [])].map((url, replica): MetricTarget => {
        const { id: fact, everyMs: intervalMs, timeoutMs, promql, bad, freshMs, from: region } = metric;
        return {
          kind: 'metric',
          key: `${group}/metrics.${fact}/${metric.server}/${replica}`,
          ...{ group, fact, server: metric.server, replica, region },
          ...{ intervalMs, timeoutMs, promql, bad, freshMs },
          url: new URL(url),
          // Read anew for each question: a secret may have been renewed.
          get credentials() {
            return credentialsOf(bearer, basic, (reference) => secrets.of(reference).reveal());
          },
          certificates: certificates(tls),
        };
      });
    }),
  );
}
