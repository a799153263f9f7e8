/** The servers that watch for us, as targets of the daemon's own probes: every Prometheus, and every Alertmanager that has an API. */
import type { Config } from '../model/config.ts';
import { settingsOf } from '../model/settings.ts';
import type { Secrets } from '../runtime/config/secrets.ts';
import { credentialsOf, type HttpCredentials } from '../runtime/http-credentials.ts';
import type { AlertmanagerTarget, PrometheusTarget } from './target.ts';

type Address = { readonly url: string | undefined; readonly credentials: HttpCredentials | null };

/** Throws a RangeError where a secret was not fetched. */
export function monitorTargetsOf(config: Config, secrets: Secrets): readonly (PrometheusTarget | AlertmanagerTarget)[] {
  const secret = (reference: string): string => secrets.of(reference).reveal();
  const addressOf = (kind: 'prometheus' | 'alertmanager', name: string, replica: number): Address => {
    if (kind === 'alertmanager') {
      const { apis, apiBearer, apiBasic } = config.alertmanager ?? {};
      return { url: apis?.[replica], credentials: credentialsOf(apiBearer, apiBasic, secret) };
    }
    const server = config.prometheus?.[name];
    const url = replica === 0 ? server?.url : server?.replicas?.[replica - 1];
    return { url, credentials: credentialsOf(server?.bearer, server?.basic, secret) };
  };
  return settingsOf(config).monitors.flatMap(({ kind, server, replica, region, intervalMs, timeoutMs }) => {
    const { url, credentials } = addressOf(kind, server, replica);
    if (url === undefined) return [];
    const key = `${kind}/${server}/${replica}`;
    return [{ kind, key, server, replica, region, intervalMs, timeoutMs, url: new URL(url), credentials }];
  });
}
