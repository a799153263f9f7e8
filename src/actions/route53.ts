/**
 * Route 53, as far as a cut-over needs it: read the sets of a few names, apply one batch. The SDK is loaded on first
 * use. Its own retries are off: a batch sent twice would fail for having been applied, and that must not be taken for
 * a conflict with somebody else.
 */
import type { Change, ResourceRecordSet, Route53Client } from '@aws-sdk/client-route-53';
import type { DnsComponent } from '../model/config.ts';
import type { ActionCode } from './codes.ts';
import { type OperationContext, pause, remainingMs, textOf } from './context.ts';
import { plainName } from './targets.ts';

const CONNECT_TIMEOUT_MS = 1000;
const READ_TRY_MS = 2000;
/** Waits between tries. An account has five requests a second: one comes free every 200 ms. */
const BACKOFF_MS = [200, 400, 800] as const;
/** Sets read at once: enough for a name and its epoch to come in one answer in most zones. */
const PAGE_SETS = 100;

export type ZoneFailure = {
  readonly kind: 'failed';
  readonly code: ActionCode;
  /** False: nothing was applied, for certain. */
  readonly mayHaveApplied: boolean;
  readonly message: string;
};
export type RecordName = { readonly name: string; readonly type: 'A' | 'AAAA' | 'CNAME' | 'TXT' };
export type ZoneRead = { readonly kind: 'read'; readonly sets: readonly (readonly ResourceRecordSet[])[] };
export type ZoneChange = { readonly kind: 'applied'; readonly changeId: string | null };

/** Time, and who may end the wait. */
export type ZoneContext = Pick<OperationContext, 'clock' | 'timers' | 'signal' | 'deadlineMono'>;

export type Route53Zones = {
  /** The sets of each name, in the order asked for, as the API has accepted them. Read again when it fails for a moment. */
  read(
    key: string,
    component: DnsComponent,
    names: readonly RecordName[],
    context: ZoneContext,
  ): Promise<ZoneRead | ZoneFailure>;
  /** One atomic batch; sent again only when it was refused unseen for being one too many. */
  change(
    key: string,
    component: DnsComponent,
    changes: readonly Change[],
    context: ZoneContext,
  ): Promise<ZoneChange | ZoneFailure>;
  close(): void;
};

type Sdk = typeof import('@aws-sdk/client-route-53');

export function createRoute53(secret: (reference: string) => string): Route53Zones {
  const clients = new Map<string, Route53Client>();

  async function clientOf(key: string, component: DnsComponent): Promise<{ sdk: Sdk; client: Route53Client }> {
    const sdk = await import('@aws-sdk/client-route-53');
    const known = clients.get(key);
    if (known !== undefined) return { sdk, client: known };
    const client = new sdk.Route53Client({
      region: component.region ?? 'us-east-1',
      maxAttempts: 1,
      requestHandler: { connectionTimeout: CONNECT_TIMEOUT_MS },
      ...(component.endpoint === undefined ? {} : { endpoint: component.endpoint }),
      ...credentialsOf(component, secret),
    });
    clients.set(key, client);
    return { sdk, client };
  }

  /** Credentials may have been rotated: the next try makes a client with what the secrets say then. */
  function forget(key: string, failure: ZoneFailure): ZoneFailure {
    if (failure.code === 'denied' || failure.code === 'auth') {
      clients.get(key)?.destroy();
      clients.delete(key);
    }
    return failure;
  }

  async function list(
    key: string,
    component: DnsComponent,
    from: RecordName,
    context: ZoneContext,
  ): Promise<readonly ResourceRecordSet[] | ZoneFailure> {
    for (let attempt = 0; ; attempt += 1) {
      const outcome = await oneTry(context, async (abortSignal) => {
        const { sdk, client } = await clientOf(key, component);
        const command = new sdk.ListResourceRecordSetsCommand({
          HostedZoneId: component.zoneId,
          StartRecordName: from.name,
          StartRecordType: from.type,
          MaxItems: PAGE_SETS,
        });
        return (await client.send(command, { abortSignal })).ResourceRecordSets ?? [];
      });
      if (!('kind' in outcome)) return outcome;
      const waitMs = BACKOFF_MS[attempt];
      const passing = ['throttled', 'server-error', 'unreachable', 'timeout', 'broken'].includes(outcome.code);
      if (!passing || waitMs === undefined || waitMs >= remainingMs(context)) return forget(key, outcome);
      await pause(waitMs, context.timers, context.signal);
    }
  }

  return {
    async read(key, component, names, context) {
      const [first, ...rest] = [...names].sort((a, b) => compareNames(a.name, b.name));
      if (first === undefined) return { kind: 'read', sets: [] };
      const page = await list(key, component, first, context);
      if ('kind' in page) return page;
      const found = new Map<RecordName, readonly ResourceRecordSet[]>([[first, setsOf(page, first)]]);
      for (const name of rest) {
        const near = setsOf(page, name);
        // Not in the page may mean not in the zone, or further on: only asking from there tells.
        const sets = near.length > 0 ? near : await list(key, component, name, context);
        if ('kind' in sets) return sets;
        found.set(name, setsOf(sets, name));
      }
      return { kind: 'read', sets: names.map((name) => found.get(name) ?? []) };
    },

    async change(key, component, changes, context) {
      for (let attempt = 0; ; attempt += 1) {
        const outcome = await oneTry(context, async (abortSignal): Promise<ZoneChange> => {
          const { sdk, client } = await clientOf(key, component);
          const command = new sdk.ChangeResourceRecordSetsCommand({
            HostedZoneId: component.zoneId,
            ChangeBatch: { Changes: [...changes] },
          });
          const { ChangeInfo } = await client.send(command, { abortSignal });
          return { kind: 'applied', changeId: ChangeInfo?.Id ?? null };
        });
        if (outcome.kind === 'applied') return outcome;
        const waitMs = BACKOFF_MS[attempt];
        if (outcome.code !== 'throttled' || waitMs === undefined || waitMs >= remainingMs(context)) {
          return forget(key, outcome);
        }
        await pause(waitMs, context.timers, context.signal);
      }
    },

    close() {
      for (const client of clients.values()) client.destroy();
      clients.clear();
    },
  };
}

function credentialsOf(component: DnsComponent, secret: (reference: string) => string) {
  const { accessKeyId, secretAccessKey, sessionToken } = component;
  // Without keys of its own the SDK looks where AWS tools look: the environment, the profile, the instance's role.
  if (accessKeyId === undefined || secretAccessKey === undefined) return {};
  return {
    credentials: {
      accessKeyId: secret(accessKeyId),
      secretAccessKey: secret(secretAccessKey),
      ...(sessionToken === undefined ? {} : { sessionToken: secret(sessionToken) }),
    },
  };
}

/** One request within the time of a try, and of the operation. Never rejects. */
async function oneTry<T>(
  context: ZoneContext,
  send: (abortSignal: AbortSignal) => Promise<T>,
): Promise<T | ZoneFailure> {
  const late = new AbortController();
  const cancel = context.timers.after(Math.min(READ_TRY_MS, remainingMs(context)), () => late.abort());
  try {
    return await send(AbortSignal.any([context.signal, late.signal]));
  } catch (error) {
    return zoneFailure(error, late.signal.aborted || context.signal.aborted);
  } finally {
    cancel();
  }
}

export function zoneFailure(error: unknown, outOfTime: boolean): ZoneFailure {
  const { name, status } = detailsOf(error);
  const failure = (is: ActionCode, mayHaveApplied: boolean): ZoneFailure => ({
    kind: 'failed',
    code: is,
    mayHaveApplied,
    message: `Route 53: ${name}: ${textOf(error)}`,
  });
  if (status !== null) {
    if (status === 429 || THROTTLES.includes(name)) return failure('throttled', false);
    if (name === 'InvalidChangeBatch') return failure('conflict', false);
    if (name === 'NoSuchHostedZone') return failure('no-zone', false);
    if (status === 403 || status === 401) return failure('denied', false);
    if (status >= 400 && status < 500) return failure('rejected', false);
    return failure('server-error', true);
  }
  if (name === 'CredentialsProviderError') return failure('auth', false);
  if (neverConnected(error)) return failure('unreachable', false);
  return failure(outOfTime ? 'timeout' : 'broken', true);
}

const THROTTLES: readonly string[] = ['Throttling', 'ThrottlingException', 'PriorRequestNotComplete'];
const NEVER_CONNECTED: readonly string[] = ['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN'];

/**
 * Whether it failed before there was a connection to send anything on. The code alone does not tell: a host that becomes
 * unreachable ends a connection in use, with a request on its way, by the same EHOSTUNREACH.
 */
function neverConnected(error: unknown): boolean {
  // A name with several addresses was tried at each of them.
  if (error instanceof AggregateError) return error.errors.length > 0 && error.errors.every(neverConnected);
  if (!(error instanceof Error) || !('code' in error) || !('syscall' in error)) return false;
  const before = error.syscall === 'connect' || error.syscall === 'getaddrinfo';
  return before && typeof error.code === 'string' && NEVER_CONNECTED.includes(error.code);
}

function detailsOf(error: unknown): { name: string; status: number | null } {
  if (!(error instanceof Error)) return { name: 'error', status: null };
  const metadata = '$metadata' in error ? error.$metadata : null;
  const status =
    typeof metadata === 'object' && metadata !== null && 'httpStatusCode' in metadata ? metadata.httpStatusCode : null;
  return { name: error.name, status: typeof status === 'number' ? status : null };
}

const setsOf = (page: readonly ResourceRecordSet[], { name, type }: RecordName): ResourceRecordSet[] =>
  page.filter((set) => plainName(set.Name ?? '') === plainName(name) && set.Type === type);

/** The order the API lists names in: by their labels from the right. Only which page comes first hangs on it. */
function compareNames(left: string, right: string): number {
  const reversed = (name: string): string => `${plainName(name).split('.').reverse().join('.')}.`;
  const [a, b] = [reversed(left), reversed(right)];
  return a < b ? -1 : a > b ? 1 : 0;
}
