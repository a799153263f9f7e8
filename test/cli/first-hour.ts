/** What `init` and `doctor` are tried on: a folder of its own, a terminal that answers, and a Prometheus that knows a little. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import type { Shell } from '../../src/cli/command.ts';

type Teardown = Pick<Test, 'teardown'>;

export function folder(t: Teardown): string {
  const dir = mkdtempSync(join(tmpdir(), 'failoverd-init-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

export type Terminal = Shell & { readonly asked: string[]; readonly out: () => string; readonly err: () => string };

/** Answers by the first word that a question contains; null = there is no terminal. */
export function terminal(
  cwd: string,
  variables: Readonly<Record<string, string>> = {},
  answers: Readonly<Record<string, string>> | null = null,
): Terminal {
  let out = '';
  let err = '';
  const asked: string[] = [];
  const ask = async (question: string): Promise<string | null> => {
    if (answers === null) return null;
    asked.push(question);
    const key = Object.keys(answers).find((word) => question.includes(word));
    return key === undefined ? '' : (answers[key] ?? '');
  };
  return {
    stdout: (text) => {
      out += text;
    },
    stderr: (text) => {
      err += text;
    },
    color: false,
    cwd,
    variable: (name) => variables[name],
    ask,
    askSecret: ask,
    asked,
    out: () => out,
    err: () => err,
  };
}

/** An HTTP server that answers these paths with JSON, or with what a function makes of the URL, all others 404; it keeps what it was asked. */
export async function jsonServer(
  t: Teardown,
  host: string,
  answers: Readonly<Record<string, unknown>>,
): Promise<{ readonly url: string; readonly host: string; readonly requests: string[] }> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const path = (request.url ?? '').split('?')[0] ?? '';
    requests.push(`${request.method} ${path}`);
    request.resume();
    const found = answers[path];
    const body: unknown = typeof found === 'function' ? found(new URL(request.url ?? '', `http://${host}`)) : found;
    response.writeHead(body === undefined ? 404 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body ?? {}));
  });
  server.listen(0, host);
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://${host}:${port}`, host: `${host}:${port}`, requests };
}

const success = (data: unknown): unknown => ({ status: 'success', data });
const rule = (name: string, query: string, over: object = {}): object => ({
  name,
  query,
  state: 'inactive',
  labels: {},
  alerts: [],
  ...over,
});

/** The answers of a Prometheus with the shipped rules, as its API gives them. */
export const PROMETHEUS = {
  '/api/v1/status/buildinfo': success({ version: '3.5.0' }),
  '/api/v1/alertmanagers': success({
    activeAlertmanagers: [{ url: 'http://127.0.0.1:9093/prefix/api/v2/alerts' }],
    droppedAlertmanagers: [],
  }),
  '/api/v1/rules': success({
    groups: [
      {
        name: 'evidence',
        rules: [
          rule('Watchdog', 'group by (group, region) (up{job="region-probe"} == 1)', {
            state: 'firing',
            alerts: [{ labels: { alertname: 'Watchdog', region: 'us-east-1' } }],
          }),
          rule('RegionUnreachable', 'probe_success == 0', { labels: { region: 'us-east-1' } }),
          rule('KubePodCrashLooping', 'max(kube_pod) == 1'),
          rule('SomethingElse', 'up == 0'),
        ],
      },
    ],
  }),
  '/api/v1/label/region/values': success(['us-east-1', 'eu-central-1']),
  '/api/v1/label/__name__/values': success(['up', 'pg_replication_lag_seconds']),
} as const;
