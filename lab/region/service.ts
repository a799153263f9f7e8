import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { LabError, textOf } from '../servers/errors.ts';
import { readConfig, type ServiceConfig } from './config.ts';
import { closeServer, listen, readJson, sendJson } from './http.ts';
import { openWrites, type Writes } from './writes.ts';

/**
 * The HTTP service that runs in each region: `node lab/region/service.ts --config FILE`. It knows its own region's
 * PostgreSQL and nothing else, as an application would.
 *
 *     GET  /healthz   200 when its database answers, else 503
 *     GET  /livez     200 as long as it runs
 *     POST /writes    {id}: 201 once committed, 409 when that id was there already (committed too),
 *                     503 with `applied: "no" | "unknown"` when it could not
 *     GET  /metrics   Prometheus text
 */
const config = await readConfig<ServiceConfig>(process.argv);
const log = (line: string): void => console.log(`${new Date().toISOString()} ${line}`);
const writes = openWrites(config);
const counts = { created: 0, duplicate: 0, refused: 0, unknown: 0 };

const listener = (request: IncomingMessage, response: ServerResponse): void => {
  answer(request, response).catch((error: unknown) => {
    const badInput = error instanceof LabError && error.code === 'bad-input';
    if (!badInput) log(`${request.method} ${request.url}: ${textOf(error)}`);
    if (!response.headersSent) sendJson(response, badInput ? 400 : 500, { detail: textOf(error) });
  });
};
const server = createServer(listener);
const { tls } = config;
const secureServer =
  tls === undefined
    ? null
    : createSecureServer(
        { cert: tls.certificate, key: tls.key, ca: tls.ca, requestCert: true, rejectUnauthorized: true },
        listener,
      );
if (tls !== undefined && secureServer !== null) await listen(secureServer, config.host, tls.port);
await listen(server, config.host, config.port);
log(`service of region ${config.region} on ${config.host}:${config.port}`);

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname } = new URL(request.url ?? '/', 'http://service');
  const { region } = config;
  if (request.method === 'GET' && pathname === '/healthz') {
    const health = await writes.health();
    sendJson(response, health.up ? 200 : 503, { region, ...health });
  } else if (request.method === 'GET' && pathname === '/livez') {
    sendJson(response, 200, { region });
  } else if (request.method === 'GET' && pathname === '/metrics') {
    response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' }).end(await metrics(writes));
  } else if (request.method === 'POST' && pathname === '/writes') {
    await write(await readJson(request), response);
  } else {
    sendJson(response, 404, { detail: `no ${request.method} ${pathname}` });
  }
}

async function write(body: unknown, response: ServerResponse): Promise<void> {
  const id = typeof body === 'object' && body !== null && 'id' in body ? body.id : undefined;
  if (typeof id !== 'string' || !/^[\w.:-]{1,200}$/.test(id)) {
    throw new LabError('bad-input', 'id: 1 to 200 letters, digits and _ . : -');
  }
  const result = await writes.insert(id);
  switch (result.kind) {
    case 'created':
      counts.created += 1;
      sendJson(response, 201, {
        id,
        region: config.region,
        at: result.at,
        lsnBefore: result.lsnBefore,
        lsn: result.lsn,
      });
      return;
    case 'duplicate':
      counts.duplicate += 1;
      sendJson(response, 409, { id, region: config.region, duplicate: true });
      return;
    case 'failed':
      counts[result.applied === 'no' ? 'refused' : 'unknown'] += 1;
      sendJson(response, 503, { id, region: config.region, applied: result.applied, code: result.code });
      return;
    default:
      result satisfies never;
  }
}

async function metrics(from: Writes): Promise<string> {
  const health = await from.health();
  const at = `region="${config.region}"`;
  const lines = [
    '# HELP app_up The service runs.',
    '# TYPE app_up gauge',
    `app_up{${at}} 1`,
    '# HELP app_writes_total Writes by what became of them: committed, there already, refused, nobody knows.',
    '# TYPE app_writes_total counter',
    ...Object.entries(counts).map(([outcome, count]) => `app_writes_total{${at},outcome="${outcome}"} ${count}`),
    "# HELP pg_up The region's PostgreSQL answers a query.",
    '# TYPE pg_up gauge',
    `pg_up{${at}} ${health.up ? 1 : 0}`,
    '# HELP pg_in_recovery It is a standby; absent while it does not answer.',
    '# TYPE pg_in_recovery gauge',
    ...(health.up ? [`pg_in_recovery{${at}} ${health.writable ? 0 : 1}`] : []),
  ];
  return `${lines.join('\n')}\n`;
}

let ending = false;
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => {
    if (ending) return;
    ending = true;
    // A database that hangs must not keep the service alive.
    setTimeout(() => process.exit(1), 3_000).unref();
    Promise.all([
      closeServer(server),
      ...(secureServer === null ? [] : [closeServer(secureServer)]),
      writes.close(),
    ]).then(
      () => process.exit(0),
      (error: unknown) => {
        log(textOf(error));
        process.exit(1);
      },
    );
  });
}
