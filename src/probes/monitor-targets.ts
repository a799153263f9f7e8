/** The servers that watch for us, as targets of the daemon's own probes: every Prometheus, and every Alertmanager that has an API. */
import type { Config } from '../model/config.ts';
import { settingsOf } from '../model/settings.ts';
import type { Secrets } from '../runtime/config/secrets.ts';
import { authorizationBy } from '../runtime/http-credentials.ts';
import type { FindCertificates } from '../runtime/tls.ts';
import type { AlertmanagerTarget, PrometheusTarget } from './target.ts';

type Reach = Pick<PrometheusTarget, 'authorization' | 'certificates'> & { readonly url: string | undefined };

export function monitorTargetsOf(
  config: Config,
  secrets: Pick<Secrets, 'of'>,
  certificates: FindCertificates,
): readonly (PrometheusTarget | AlertmanagerTarget)[] {
  const secret = (reference: string): string => secrets.of(reference).reveal();
  const prometheus = (name: string, replica: number): Reach => {
    const { url, replicas, bearer, basic, tls } = config.prometheus?.[name] ?? {};
    return {
      url: replica === 0 ? url : replicas?.[replica - 1],
      authorization: authorizationBy(bearer, basic, secret),
      certificates: certificates(tls),
    };
  };
  const alertmanager = (replica: number): Reach => {
    const { apis, apiBearer, apiBasic, apiTls } = config.alertmanager ?? {};
    return {
      url: apis?.[replica],
      authorization: authorizationBy(apiBearer, apiBasic, secret),
      certificates: certificates(apiTls),
    };
  };
  return settingsOf(config).monitors.flatMap(({ kind, server, replica, region, intervalMs, timeoutMs }) => {
    const { url, ...reach } = kind === 'prometheus' ? prometheus(server, replica) : alertmanager(replica);
    if (url === undefined) return [];
    const key = `${kind}/${server}/${replica}`;
    return [{ kind, key, server, replica, region, intervalMs, timeoutMs, url: new URL(url), ...reach }];
  });
}
