import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { RecordSet, ZoneSource } from '../dns/model.ts';
import { type AdminExtension, handleAdmin } from './admin.ts';
import { createBucket } from './bucket.ts';
import { ApiError } from './errors.ts';
import { createFaults, type FaultKind, type FaultOptions } from './faults.ts';
import { createHealthChecks } from './health.ts';
import { type Call, type Operation, perform, route, type World } from './operations.ts';
import { type Credentials, verifySignature } from './sigv4.ts';
import { type AcceptedChange, createStore, type ZoneConfig } from './store.ts';
import { renderError, renderXml } from './xml.ts';

export interface Route53Options extends Credentials {
  readonly host: string;
  /** 0 or absent: any free port. */
  readonly port?: number;
  readonly zones: readonly ZoneConfig[];
  /** From acceptance to INSYNC, in milliseconds. */
  readonly propagationMs: number;
  /** Each hears of a change at its own moment, evenly spread over `propagationMs`. 1 by default. */
  readonly nameServers?: number;
  /** The account's rate and burst (5 and the rate, by default). AWS has been raising them: set what you want to stand. */
  readonly requestsPerSecond?: number;
  readonly requestBurst?: number;
  /** A zone whose oldest change has been PENDING for this long refuses more of them (60 s by default). */
  readonly priorRequestAfterMs?: number;
  /** Instead of the 10 or 30 seconds of each health check. */
  readonly healthCheckIntervalMs?: number;
  readonly log?: (line: RequestLine) => void;
  readonly adminExtension?: AdminExtension;
}

/** One request as it was met: for a log, and for tests that count attempts. */
export interface RequestLine {
  readonly atMs: number;
  readonly requestId: string;
  readonly method: string;
  readonly path: string;
  readonly operation: Operation | null;
  readonly fault: FaultKind | null;
  /** The HTTP status sent, or what was done instead. */
  readonly outcome: number | 'hung' | 'dropped';
  readonly code: string | null;
}

export interface Route53Lab {
  /** What the SDK takes as its `endpoint`. */
  readonly endpoint: string;
  readonly host: string;
  readonly port: number;
  /** As accepted, PENDING ones included: what ListResourceRecordSets shows. */
  records(zoneId: string): RecordSet[];
  changes(): readonly AcceptedChange[];
  requests(): readonly RequestLine[];
  /** `null` ends any fault and lets stuck changes propagate. */
  fault(kind: FaultKind | null, options?: FaultOptions): void;
  setHealth(healthCheckId: string, healthy: boolean | null): void;
  isHealthy(healthCheckId: string): boolean;
  /** What name server `index` (0 by default) knows: feed it to `startAuthority`. */
  nameServer(index?: number): ZoneSource;
  /** Called when a change is INSYNC; the returned function stops it. */
  onPropagated(listener: (change: AcceptedChange) => void): () => void;
  close(): Promise<void>;
}

const maxBodyOctets = 1_048_576;
const defaultPriorRequestAfterMs = 60_000;
const defaultRequestsPerSecond = 5;

/** `C` or `Z` and upper-case letters and digits, as ids of the service look. */
const newChangeId = () => `C${randomBytes(10).toString('hex').toUpperCase()}`;

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let octets = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    octets += chunk.length;
    if (octets > maxBodyOctets) throw new ApiError('RequestEntityTooLarge', 'The request is too large.');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function faultError(fault: FaultKind | null): ApiError | null {
  if (fault === '5xx') return new ApiError('ServiceUnavailable', 'Service Unavailable');
  return fault === 'throttle' ? new ApiError('Throttling', 'Rate exceeded') : null;
}

const asApiError = (error: unknown): ApiError =>
  error instanceof ApiError ? error : new ApiError('InternalFailure', `the lab itself failed: ${String(error)}`);

export async function startRoute53(options: Route53Options): Promise<Route53Lab> {
  const perSecond = options.requestsPerSecond ?? defaultRequestsPerSecond;
  const bucket = createBucket(options.requestBurst ?? Math.max(1, perSecond), perSecond);
  const faults = createFaults();
  const listeners = new Set<(change: AcceptedChange) => void>();
  const lines: RequestLine[] = [];
  const health = createHealthChecks({ newId: randomUUID, intervalMs: options.healthCheckIntervalMs ?? null });
  const store = createStore({
    zones: options.zones,
    propagationMs: options.propagationMs,
    nameServers: options.nameServers ?? 1,
    priorRequestAfterMs: options.priorRequestAfterMs ?? defaultPriorRequestAfterMs,
    newId: newChangeId,
    onPropagated: (change) => {
      for (const listener of listeners) listener(change);
    },
  });
  const world: World = { store, health, endpoint: () => endpoint };

  interface Exchange {
    readonly request: IncomingMessage;
    readonly response: ServerResponse;
    readonly requestId: string;
    readonly call: Call | null;
    readonly fault: FaultKind | null;
  }

  function note(
    { request, requestId, call, fault }: Exchange,
    outcome: RequestLine['outcome'],
    code: string | null,
  ): void {
    const line: RequestLine = {
      atMs: Date.now(),
      requestId,
      method: request.method ?? '',
      path: request.url ?? '',
      operation: call?.operation ?? null,
      fault,
      outcome,
      code,
    };
    lines.push(line);
    options.log?.(line);
  }

  function send(exchange: Exchange, status: number, xml: string, code: string | null, location?: string): void {
    const { response, requestId } = exchange;
    response.writeHead(status, {
      'content-type': 'text/xml',
      'x-amzn-requestid': requestId,
      ...(location !== undefined && { location }),
    });
    response.end(xml);
    note(exchange, status, code);
  }

  function admit(request: IncomingMessage, body: Buffer): void {
    const signed = { method: request.method ?? '', target: request.url ?? '', headers: request.headers, body };
    verifySignature(signed, options, Date.now());
    if (!bucket.take(Date.now())) throw new ApiError('Throttling', 'Rate exceeded');
  }

  async function serve(exchange: Exchange): Promise<void> {
    const { request, response, requestId, call, fault } = exchange;
    try {
      const body = await readBody(request);
      if (fault === 'hang') return note(exchange, 'hung', null);
      const injected = faultError(fault);
      if (injected !== null) throw injected;
      admit(request, body);
      if (call === null) throw new ApiError('UnknownOperationException', 'The lab does not speak this operation.');
      const result = perform(world, call, body.toString('utf8'), fault === 'stuckPending');
      if (fault === 'drop-reply-after-apply') {
        response.destroy();
        return note(exchange, 'dropped', null);
      }
      send(exchange, result.status, renderXml(result.root, result.node), null, result.location);
    } catch (thrown) {
      const error = asApiError(thrown);
      if (!response.destroyed) send(exchange, error.status, renderError(error, requestId), error.code);
    }
  }

  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://lab');
    if (url.pathname.startsWith('/_lab/')) {
      void handleAdmin(request, response, url, lab, options.adminExtension ?? null);
      return;
    }
    const call = route(request.method ?? '', url);
    const fault = call === null ? null : faults.take(call.operation);
    void serve({ request, response, requestId: randomUUID(), call, fault });
  });
  server.listen(options.port ?? 0, options.host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const endpoint = `http://${options.host}:${port}`;

  const lab: Route53Lab = {
    endpoint,
    host: options.host,
    port,
    records: (zoneId) => [...store.zone(zoneId).records.values()],
    changes: () => store.changes(),
    requests: () => lines,
    fault(kind, faultOptions) {
      faults.set(kind, faultOptions);
      if (kind === null) store.unstick();
    },
    setHealth: (id, healthy) => health.override(id, healthy),
    isHealthy: (id) => health.isHealthy(id),
    nameServer: (index = 0) => ({
      zones: () => store.published(index),
      isHealthy: (id) => health.isHealthy(id),
    }),
    onPropagated(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async close() {
      store.close();
      health.close();
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
  return lab;
}
