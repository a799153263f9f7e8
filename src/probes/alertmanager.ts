/**
 * Asks one Alertmanager what fires and what is silenced, over its API (v2). An answer is whole and understood, or it is a
 * failure: half of a list would read as alerts that have ended (design §4).
 */
import Type from 'typebox';
import { Compile } from 'typebox/compile';
import { ApiAlert, ApiSilence, ApiStatus } from '../model/evidence.ts';
import { authorizationOf, type HttpCredentials } from '../runtime/http-credentials.ts';
import type { Certificates } from '../runtime/tls.ts';
import { addressIn, getJson } from './api-request.ts';
import type { Failure } from './failure.ts';
import { urlText } from './http-request.ts';

/** As much as a webhook may hold (`WEBHOOK_LIMIT_BYTES`). */
const ANSWER_LIMIT_BYTES = 8 * 1024 * 1024;
/** Silenced and inhibited alerts are asked for too: one that is left out can't be told from one that has ended. */
const ALERTS = 'api/v2/alerts?active=true&silenced=true&inhibited=true';
const SILENCES = 'api/v2/silences';
const STATUS = 'api/v2/status';

const Alerts = Compile(Type.Array(ApiAlert, { maxItems: 20_000 }));
const Silences = Compile(Type.Array(ApiSilence, { maxItems: 20_000 }));
const Status = Compile(ApiStatus);

export type AlertmanagerApi = {
  /** Address with its path prefix. */
  readonly url: URL;
  readonly credentials: HttpCredentials | null;
  readonly certificates?: Certificates | null;
};

export type AlertmanagerAnswer =
  | {
      readonly kind: 'answered';
      readonly alerts: readonly ApiAlert[];
      readonly silences: readonly ApiSilence[];
      /** When this Alertmanager was started, by its own clock, RFC 3339. */
      readonly startedAt: string;
    }
  | { readonly kind: 'failed'; readonly failure: Failure };

type Checker<T> = { Check(value: unknown): value is T };

/** One Alertmanager, as whoever reconciles asks it. */
export const alertSourceOf = (
  api: AlertmanagerApi,
): { readonly name: string; readonly ask: (signal: AbortSignal) => Promise<AlertmanagerAnswer> } => ({
  name: urlText(api.url),
  ask: (signal) => askAlertmanager(api, signal),
});

/** Never rejects. The signal is the deadline for everything. */
export async function askAlertmanager(api: AlertmanagerApi, signal: AbortSignal): Promise<AlertmanagerAnswer> {
  const alerts = await get(api, ALERTS, Alerts, signal);
  if ('failure' in alerts) return { kind: 'failed', failure: alerts.failure };
  // Asked after the alerts, so that a silence which holds one back is there to be named.
  const silences = await get(api, SILENCES, Silences, signal);
  if ('failure' in silences) return { kind: 'failed', failure: silences.failure };
  // Asked last: where it was started anew in between, the list is from before and the start from after.
  const status = await get(api, STATUS, Status, signal);
  if ('failure' in status) return { kind: 'failed', failure: status.failure };
  return { kind: 'answered', alerts: alerts.value, silences: silences.value, startedAt: status.value.uptime };
}

async function get<T>(
  { url: base, credentials, certificates }: AlertmanagerApi,
  path: string,
  schema: Checker<T>,
  signal: AbortSignal,
): Promise<{ readonly value: T } | { readonly failure: Failure }> {
  const url = addressIn({ url: base }, path);
  const answer = await getJson({
    url,
    authorization: () => (credentials === null ? null : authorizationOf(credentials)),
    certificates,
    signal,
    log: () => undefined,
    answerLimitBytes: ANSWER_LIMIT_BYTES,
  });
  if ('failure' in answer) return answer;
  const { value } = answer;
  if (!schema.Check(value))
    return { failure: { code: 'protocol', message: `${urlText(url)} did not answer as Alertmanager’s API v2 does` } };
  return { value };
}
