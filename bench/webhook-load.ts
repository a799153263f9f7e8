import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Sample } from './measure.ts';

export interface Load {
  readonly host: string;
  readonly port: number;
  readonly bearer: string;
  readonly connections: number;
  readonly alerts: number;
  readonly forMs: number;
}

/** Alerts of one request: as Alertmanager tells of them, with the labels and annotations that rules mostly have. */
export function payloadOf(connection: number, alerts: number, status: 'firing' | 'resolved', startsAt: string): string {
  const each = Array.from({ length: alerts }, (_, index) => ({
    status,
    labels: {
      alertname: 'PodNotReady',
      severity: 'critical',
      region: 'us-east-1',
      namespace: 'orders',
      pod: `orders-${connection}-${index}`,
      job: 'kube-state-metrics',
      prometheus: 'monitoring/main',
    },
    annotations: {
      summary: `orders-${connection}-${index} is not ready for 5 minutes`,
      runbook_url: 'https://example.com/r',
    },
    startsAt,
    endsAt: status === 'firing' ? '0001-01-01T00:00:00Z' : startsAt,
    generatorURL: 'https://prometheus.example.com/graph?g0.expr=kube_pod_status_ready',
    fingerprint: (connection * 1_000 + index).toString(16).padStart(16, '0'),
  }));
  return JSON.stringify({
    version: '4',
    groupKey: '{}:{alertname="PodNotReady"}',
    truncatedAlerts: 0,
    status,
    receiver: 'failoverd',
    groupLabels: { alertname: 'PodNotReady' },
    commonLabels: {},
    commonAnnotations: {},
    externalURL: 'https://alertmanager.example.com',
    alerts: each,
  });
}

const PLACE = '2026-01-01T00:00:00.000Z';

/**
 * Requests of one connection, one after the other: alerts that fire, and the same resolved, at a time of their own, so
 * that each is news. Made ahead but for the time, so that the client's work is small beside the server's.
 */
function* requestsOf({ host, bearer, alerts }: Load, connection: number, firstMs: number): Generator<Buffer, never> {
  const templates = (['firing', 'resolved'] as const).map((status) => {
    const body = payloadOf(connection, alerts, status, PLACE);
    const head = [
      'POST /webhooks/alertmanager HTTP/1.1',
      `Host: ${host}`,
      'Content-Type: application/json',
      `Authorization: Bearer ${bearer}`,
      `Content-Length: ${Buffer.byteLength(body)}`,
    ];
    const request = Buffer.from(`${head.join('\r\n')}\r\n\r\n${body}`);
    const places: number[] = [];
    for (let at = request.indexOf(PLACE); at !== -1; at = request.indexOf(PLACE, at + 1)) places.push(at);
    return { request, places };
  });
  for (let ms = firstMs; ; ms += 1) {
    const time = new Date(ms).toISOString();
    for (const { request, places } of templates) {
      for (const place of places) request.write(time, place, 'latin1');
      yield request;
    }
  }
}

/** What came of one run: microseconds for each request answered, and the 99th percentile of how long one waited. */
export async function sendWebhooks(load: Load): Promise<Sample> {
  const firstMs = Date.now() - 3_600_000;
  const tookMs: number[] = [];
  const beganMs = performance.now();
  const endMs = beganMs + load.forMs;
  await Promise.all(
    Array.from({ length: load.connections }, async (_, index) => {
      const socket = connect(load.port, load.host).setNoDelay(true);
      await once(socket, 'connect');
      try {
        let sent = 0;
        for (const request of requestsOf(load, index, firstMs)) {
          const sentMs = performance.now();
          // What fires is resolved: nothing is left over that a later round would have to carry along.
          if (sentMs >= endMs && sent % 2 === 0) return;
          sent += 1;
          const status = await answerTo(socket, request);
          if (status !== 200) throw new Error(`a webhook was answered ${status}`);
          tookMs.push(performance.now() - sentMs);
        }
      } finally {
        socket.destroy();
      }
    }),
  );
  const lastedMs = performance.now() - beganMs;
  const sorted = tookMs.sort((a, b) => a - b);
  const p99 = sorted[Math.floor(sorted.length * 0.99)];
  if (p99 === undefined) throw new Error('no webhook was answered');
  return { 'for each': (lastedMs * 1_000) / sorted.length, p99: p99 * 1_000, requests: sorted.length };
}

const HEAD = /^HTTP\/1\.1 (\d{3}) [\s\S]*?\r\ncontent-length: (\d+)\r\n[\s\S]*?\r\n\r\n/i;

/** Answers here are short and tell their length. */
async function answerTo(socket: Socket, request: Buffer): Promise<number> {
  return await new Promise((resolve, reject) => {
    let text = '';
    const done = (act: () => void): void => {
      socket.off('data', take).off('error', fail).off('close', fail);
      act();
    };
    const fail = (error?: unknown): void =>
      done(() => reject(error instanceof Error ? error : new Error('the connection was closed')));
    const take = (chunk: Buffer): void => {
      text += chunk.toString('latin1');
      const head = HEAD.exec(text);
      if (head !== null && text.length >= head[0].length + Number(head[2])) done(() => resolve(Number(head[1])));
    };
    socket.on('data', take).once('error', fail).once('close', fail);
    socket.write(request);
  });
}
