/**
 * Certificates: each with its key, for connections that use them, and trusted by somebody. What is in the files is judged
 * when they are read (`pem.ts`).
 */
import type { Config } from '../../../model/config.ts';
import type { KeyPath } from '../problem.ts';
import type { Check, Telling } from './context.ts';

type Files = {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
};

export const checkTls: Check = (subject) => {
  const { daemon, alertmanager, prometheus, pager } = subject.config;
  checkListener(subject, daemon.tls, alertmanager);
  if (alertmanager?.apiTls !== undefined)
    checkClient(subject, ['alertmanager', 'apiTls'], alertmanager.apiTls, alertmanager.apis ?? []);
  for (const [name, { url, replicas = [], tls }] of Object.entries(prometheus ?? {}))
    if (tls !== undefined) checkClient(subject, ['prometheus', name, 'tls'], tls, [url, ...replicas]);
  if (pager?.tls !== undefined) checkClient(subject, ['pager', 'tls'], pager.tls, [pager.url]);
  for (const [name, { tls, url, replicas = [] }] of Object.entries(subject.config.prometheus ?? {}))
    if (tls !== undefined) checkClient(subject, ['prometheus', name, 'tls'], tls, [url, ...replicas]);
  for (const [group, { components }] of Object.entries(subject.config.groups))
    for (const [id, component] of Object.entries(components)) {
      const path = ['groups', group, 'components', id];
      if (component.kind === 'http' && component.tls !== undefined) {
        const urls = [...Object.values(component.instances), ...(component.public ? [component.public.url] : [])];
        checkClient(subject, [...path, 'tls'], component.tls, urls);
      }
      if (component.kind === 'postgres') {
        checkConnection(subject, path, component, component.tls ?? 'verify-full');
        for (const [region, { tls, url }] of Object.entries(component.guards ?? {}))
          if (tls !== undefined) checkClient(subject, [...path, 'guards', region, 'tls'], tls, [url]);
        for (const [region, { tls, urls }] of Object.entries(component.patroni ?? {}))
          if (tls !== undefined) checkClient(subject, [...path, 'patroni', region, 'tls'], tls, urls);
      }
      if (component.kind === 'tcp') checkConnection(subject, path, component, component.tls ?? 'disable');
    }
};

export function checkListener(
  { error }: Telling,
  tls: Config['daemon']['tls'],
  alertmanager: Config['alertmanager'],
): void {
  if (tls?.clientCa !== undefined) return;
  const asks = [
    ...(tls?.requireClientCertificate === true ? [['daemon', 'tls', 'requireClientCertificate']] : []),
    ...(alertmanager?.clientCertificate === undefined ? [] : [['alertmanager', 'clientCertificate']]),
  ];
  for (const path of asks)
    error({
      code: 'client-ca',
      path,
      on: 'key',
      value: path.at(-1) ?? '',
      message: 'no certificate of a client would be trusted',
      remedy: 'name the certificates they are trusted by under daemon.tls.clientCa',
    });
}

export function checkClient(subject: Telling, path: KeyPath, files: Files, urls: readonly string[]): void {
  checkPair(subject, path, files);
  if (urls.some((url) => url.startsWith('https:'))) return;
  unused(
    subject,
    path,
    'nothing of it is reached by https',
    'write https in its address, or leave the certificates out',
  );
}

export function checkConnection(
  subject: Telling,
  path: KeyPath,
  component: Files,
  mode: 'disable' | 'require' | 'verify-full',
): void {
  checkPair(subject, path, component);
  const key = (['ca', 'cert', 'key'] as const).find((one) => component[one] !== undefined);
  if (mode === 'disable' && key !== undefined)
    unused(subject, [...path, key], 'the connection is not encrypted', 'write tls: verify-full, or leave it out');
  else if (mode === 'require' && component.ca !== undefined)
    unused(subject, [...path, 'ca'], 'with tls: require no certificate is verified', 'write tls: verify-full');
}

function unused({ error }: Telling, path: KeyPath, message: string, remedy: string): void {
  error({ code: 'tls-unused', path, on: 'key', value: String(path.at(-1)), message, remedy });
}

function checkPair({ error }: Telling, path: KeyPath, { cert, key }: Files): void {
  if ((cert === undefined) === (key === undefined)) return;
  const [there, lacking] = cert === undefined ? (['key', 'cert'] as const) : (['cert', 'key'] as const);
  error({
    code: 'key-half',
    path: [...path, there],
    on: 'key',
    value: there,
    message: `it is shown with its ${lacking === 'key' ? 'private key' : 'certificate'}, and none is named`,
    remedy: `add ${lacking}:, or leave out ${there}:`,
  });
}
