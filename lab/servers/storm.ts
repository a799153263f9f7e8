import { createHash } from 'node:crypto';
import { bearerHeader, type Webhook } from './monitoring.ts';

/** One alert in one state, as a pair of Alertmanagers would post it. */
interface Telling {
  readonly fingerprint: string;
  readonly startsAt: string;
  readonly status: 'firing' | 'resolved';
  readonly labels: Readonly<Record<string, string>>;
}

export interface StormOptions {
  readonly webhook: Webhook;
  readonly alertname: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Different alerts; each is told as firing and as resolved, by both, and each of these twice. */
  readonly alerts: number;
  /** Out of these each payload draws its order; the same seed gives the same storm. */
  readonly seed: number;
}

export interface StormCounts {
  /** Alerts sent, counted each time. */
  readonly sent: number;
  /** Of those, how many were answered with 2xx: durable. */
  readonly taken: number;
}

const TELLERS = ['http://alertmanager-0.example.com', 'http://alertmanager-1.example.com'] as const;
const TIMES_TOLD = 2;
const ALERTS_IN_ONE = 50;
const AT_ONCE = 8;
const TRIES = 5;
const TIMEOUT_MS = 30_000;

/** Every telling there is, in an order that no Alertmanager would keep: resolved before firing, old among new. */
export function tellings({ alertname, labels, alerts, seed }: Omit<StormOptions, 'webhook'>): Telling[] {
  const beganMs = Date.now() - 60_000;
  const all = Array.from({ length: alerts }, (_, index): Telling[] => {
    const own = { alertname, ...labels, instance: `storm-${index}` };
    const fingerprint = createHash('sha256').update(JSON.stringify(own)).digest('hex').slice(0, 16);
    const one = { fingerprint, labels: own, startsAt: new Date(beganMs + index).toISOString() };
    return (['firing', 'resolved'] as const).map((status) => ({ ...one, status }));
  }).flat();
  const told = Array.from({ length: TELLERS.length * TIMES_TOLD }, () => all).flat();
  return shuffled(told, seed);
}

/** Post them all, some at once, each payload again until it is taken, as Alertmanager does. */
export async function storm(options: StormOptions): Promise<StormCounts> {
  const payloads = batches(tellings(options)).map((batch, index) =>
    JSON.stringify(payload(batch, TELLERS[index % TELLERS.length] ?? TELLERS[0])),
  );
  let taken = 0;
  let next = 0;
  const send = async (): Promise<void> => {
    for (let index = next++; index < payloads.length; index = next++) {
      const body = payloads[index] ?? '';
      for (let attempt = 0; attempt < TRIES; attempt += 1) {
        if (!(await post(options.webhook, body))) continue;
        taken += ALERTS_IN_ONE;
        break;
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, send));
  return { sent: payloads.length * ALERTS_IN_ONE, taken };
}

function batches(all: readonly Telling[]): Telling[][] {
  if (all.length % ALERTS_IN_ONE !== 0)
    throw new RangeError(`${all.length} alerts don't fill payloads of ${ALERTS_IN_ONE}`);
  return Array.from({ length: all.length / ALERTS_IN_ONE }, (_, index) =>
    all.slice(index * ALERTS_IN_ONE, (index + 1) * ALERTS_IN_ONE),
  );
}

/** Payload version 4, as Alertmanager writes it. */
function payload(alerts: readonly Telling[], externalURL: string): object {
  const NEVER_ENDED = '0001-01-01T00:00:00Z';
  const labels = { alertname: alerts[0]?.labels['alertname'] ?? '' };
  return {
    receiver: 'failoverd',
    status: alerts.some(({ status }) => status === 'firing') ? 'firing' : 'resolved',
    alerts: alerts.map(({ status, ...rest }) => ({
      ...rest,
      status,
      annotations: {},
      endsAt: status === 'firing' ? NEVER_ENDED : new Date().toISOString(),
      generatorURL: `${externalURL}/graph`,
    })),
    groupLabels: labels,
    commonLabels: labels,
    commonAnnotations: {},
    externalURL,
    version: '4',
    groupKey: '{}:{}',
    truncatedAlerts: 0,
  };
}

async function post(webhook: Webhook, body: string): Promise<boolean> {
  const answer = await fetch(webhook.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...bearerHeader(webhook) },
    body,
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }).catch(() => undefined);
  await answer?.body?.cancel();
  return answer?.ok === true;
}

/** Fisher and Yates, by a small generator of its own: a storm can be had again. */
function shuffled<T>(list: readonly T[], seed: number): T[] {
  const drawn = [...list];
  let state = seed;
  for (let last = drawn.length - 1; last > 0; last -= 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const other = Math.floor((state / 2 ** 32) * (last + 1));
    const [left, right] = [drawn[last], drawn[other]];
    if (left === undefined || right === undefined) continue;
    drawn[last] = right;
    drawn[other] = left;
  }
  return drawn;
}
