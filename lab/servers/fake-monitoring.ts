import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SecureContextOptions } from 'node:tls';
import type { Log } from '../binaries/missing.ts';
import { textOf } from './errors.ts';
import type { Webhook } from './monitoring.ts';

/** What a scrape gave: metric lines by their name with labels as written, or null when the target didn't answer. */
export type Scrape = ReadonlyMap<string, number> | null;

/** The part of an alert rule that the stand-in can judge: one target, one predicate. */
export interface FakeRule {
  readonly alert: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  /** Scraped every interval; without one the rule is judged on `null` (an always-firing alert needs no target). */
  readonly metricsUrl?: string;
  readonly bad: (scrape: Scrape) => boolean;
  readonly forMs: number;
}

export interface FakeMonitoringOptions {
  readonly rules: readonly FakeRule[];
  readonly webhooks: readonly Webhook[];
  readonly externalUrl: string;
  readonly intervalMs?: number;
  /** How often a firing alert is told again. */
  readonly repeatMs?: number;
  readonly log: Log;
}

export interface FakeMonitoring {
  readonly stop: () => Promise<void>;
  /** Webhooks answered with 2xx so far. */
  readonly delivered: () => number;
}

const NEVER_ENDED = '0001-01-01T00:00:00Z';
const DELIVERY_TIMEOUT_MS = 10_000;
const SCRAPE_TIMEOUT_MS = 1_000;
/** Tries of one message at a receiver that answers 5xx or not at all, as Alertmanager makes within its ten seconds. */
const RETRY_AFTER_MS: readonly number[] = [0, 500, 750, 1_100, 1_700, 2_500];

/**
 * Stands in for Prometheus and Alertmanager where neither can be had: judges a few simple rules on the same metrics
 * and posts the same webhooks (payload version 4), firing, repeated, then resolved. It says so when it starts.
 */
export function startFakeMonitoring(options: FakeMonitoringOptions): FakeMonitoring {
  options.log('no Prometheus and Alertmanager here: the lab itself posts the webhooks they would');
  const stopping = new AbortController();
  let delivered = 0;
  const count = (): void => {
    delivered += 1;
  };
  const loops = options.rules.map(async (rule) => await watch(rule, options, stopping.signal, count));
  return {
    delivered: () => delivered,
    stop: async () => {
      stopping.abort();
      await Promise.all(loops);
    },
  };
}

interface AlertState {
  badSinceMs: number | undefined;
  firingSince: string | undefined;
  toldAtMs: number;
}

async function watch(
  rule: FakeRule,
  options: FakeMonitoringOptions,
  stop: AbortSignal,
  count: () => void,
): Promise<void> {
  const state: AlertState = { badSinceMs: undefined, firingSince: undefined, toldAtMs: Number.NEGATIVE_INFINITY };
  while (!stop.aborted) {
    const message = judge(rule, state, rule.bad(await scrape(rule.metricsUrl)), options.repeatMs ?? 10_000);
    if (message !== undefined) {
      const body = JSON.stringify(payload(rule, message, options.externalUrl));
      await Promise.all(options.webhooks.map(async (hook) => await deliver(hook, body, options.log, stop, count)));
    }
    await pause(options.intervalMs ?? 1_000, stop);
  }
}

interface Message {
  readonly status: 'firing' | 'resolved';
  readonly startsAt: string;
  readonly endsAt: string;
}

/** One evaluation: what is to be told now, if anything. */
function judge(rule: FakeRule, state: AlertState, bad: boolean, repeatMs: number): Message | undefined {
  const nowMs = Date.now();
  if (!bad) {
    const startsAt = state.firingSince;
    state.badSinceMs = undefined;
    state.firingSince = undefined;
    state.toldAtMs = Number.NEGATIVE_INFINITY;
    return startsAt === undefined ? undefined : { status: 'resolved', startsAt, endsAt: new Date(nowMs).toISOString() };
  }
  state.badSinceMs ??= nowMs;
  if (nowMs - state.badSinceMs < rule.forMs) return undefined;
  state.firingSince ??= new Date(nowMs).toISOString();
  if (nowMs - state.toldAtMs < repeatMs) return undefined;
  state.toldAtMs = nowMs;
  return { status: 'firing', startsAt: state.firingSince, endsAt: NEVER_ENDED };
}

function payload(rule: FakeRule, message: Message, externalURL: string): object {
  const labels = { alertname: rule.alert, ...rule.labels };
  const annotations = rule.annotations ?? {};
  const sorted = Object.entries(labels).sort(([left], [right]) => (left < right ? -1 : 1));
  const group = sorted.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(', ');
  const fingerprint = createHash('sha256').update(JSON.stringify(sorted)).digest('hex').slice(0, 16);
  return {
    receiver: 'failoverd',
    status: message.status,
    alerts: [{ ...message, labels, annotations, generatorURL: `${externalURL}/rules`, fingerprint }],
    groupLabels: labels,
    commonLabels: labels,
    commonAnnotations: annotations,
    externalURL,
    version: '4',
    groupKey: `{}:{${group}}`,
    truncatedAlerts: 0,
  };
}

/** Alertmanager tries again on 5xx and on silence, and gives a 4xx up until the next repeat. */
async function deliver(hook: Webhook, body: string, log: Log, stop: AbortSignal, count: () => void): Promise<void> {
  for (const waitMs of RETRY_AFTER_MS) {
    await pause(waitMs, stop);
    if (stop.aborted) return;
    const status = await post(hook, body).catch((error: unknown) => textOf(error));
    if (typeof status === 'number' && status < 300) {
      count();
      return;
    }
    if (typeof status === 'number' && status < 500) {
      log(`the webhook ${hook.url} answered ${status}`);
      return;
    }
  }
}

async function post(hook: Webhook, body: string): Promise<number> {
  const secure = 'certificates' in hook;
  const options: RequestOptions = {
    method: 'POST',
    agent: false,
    timeout: DELIVERY_TIMEOUT_MS,
    headers: {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      ...(secure ? {} : { authorization: `Bearer ${hook.bearerToken}` }),
    },
    ...(secure ? await certificatesOf(hook.certificates) : {}),
  };
  return await new Promise((resolve, reject) => {
    const sent = (secure ? httpsRequest : httpRequest)(hook.url, options, (answer) => {
      answer.resume();
      answer.once('close', () => resolve(answer.statusCode ?? 0));
    });
    sent.on('error', reject);
    sent.once('timeout', () => sent.destroy(new Error('no answer')));
    sent.end(body);
  });
}

async function certificatesOf(files: { readonly ca: string; readonly cert: string; readonly key: string }) {
  const [ca, cert, key] = await Promise.all([files.ca, files.cert, files.key].map((file) => readFile(file, 'utf8')));
  return { ca, cert, key } as SecureContextOptions;
}

async function scrape(url: string | undefined): Promise<Scrape> {
  if (url === undefined) return null;
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(SCRAPE_TIMEOUT_MS) });
    return answer.ok ? parseMetrics(await answer.text()) : null;
  } catch {
    // As with Prometheus: whatever the reason, the target is down.
    return null;
  }
}

/** Lines of the text format as `name{labels}` and value; comments and anything else are passed over. */
export function parseMetrics(text: string): ReadonlyMap<string, number> {
  const metrics = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [, name, value] = /^([A-Za-z_:][\w:]*(?:\{.*\})?)\s+(\S+)/.exec(line) ?? [];
    if (name !== undefined && value !== undefined && Number.isFinite(Number(value))) metrics.set(name, Number(value));
  }
  return metrics;
}

async function pause(durationMs: number, stop: AbortSignal): Promise<void> {
  if (durationMs === 0) return;
  await sleep(durationMs, undefined, { signal: stop }).catch((error: unknown) => {
    if (!stop.aborted) throw error;
  });
}
