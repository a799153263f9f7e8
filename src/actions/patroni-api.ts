/**
 * What a Patroni cluster says of itself over its REST API, read from every member that is configured.
 *
 * Two sources, and one of them lags: `GET /cluster` reads the configuration store at that moment (in Patroni 3.0 also the
 * role of the leader follows from it, so it tells whether `standby_cluster` is there); everything else, `GET /config`
 * too, is up to `loop_wait` old. Only the first is taken for the state of the cluster; a member's own answer is taken for
 * what its PostgreSQL is, which Patroni asks PostgreSQL for.
 */
import type { PatroniAddress } from '../model/components.ts';
import type { OperationContext } from './context.ts';
import { type Asking, askJson, type JsonAnswer } from './json-request.ts';
import type { PostgresTarget } from './targets.ts';

const READ_TIMEOUT_MS = 3000;
/** Patroni asks its store with a `retry_timeout` of 10 s by default: what takes longer than this is not waited for. */
const PATCH_TIMEOUT_MS = 8000;

export type PatroniMember = {
  readonly url: string;
  /** `primary`, `standby_leader`, `replica`, or what else it says. */
  readonly role: string;
  readonly state: string;
  readonly systemIdentifier: string | null;
  readonly scope: string | null;
  readonly version: string | null;
  /** When its PostgreSQL was started, by which one server is known from every other; null where it doesn't run. */
  readonly startedAt: StartedAt | null;
  readonly paused: boolean;
  /** Patroni holds the leader lock there, as far as it knows. */
  readonly leads: boolean;
};

/** Microseconds since 1970, and how exactly that was told. */
export type StartedAt = { readonly us: bigint; readonly exactUs: bigint };

/** The cluster as the configuration store has it. */
export type PatroniCluster = {
  /** What the leader is: a primary, or the leader of a standby cluster; null without a leader. */
  readonly leads: 'primary' | 'standby' | null;
  readonly leader: string | null;
  readonly members: number;
  readonly paused: boolean;
};

export type PatroniView = {
  readonly members: readonly PatroniMember[];
  /** By each member that could read it. */
  readonly clusters: readonly PatroniCluster[];
  /** Why the others said nothing. */
  readonly silent: readonly string[];
};

/** The address of the manager of one region, or null where none is configured. */
export const patroniOf = (target: PostgresTarget): PatroniAddress | null =>
  target.component.patroni?.[target.region] ?? null;

type Reading = Asking & Pick<OperationContext, 'certificates'>;

/**
 * What every member says; or, where `enough` has it all, what has been said until then: a member that is silent for its
 * whole timeout holds up nothing that doesn't depend on it.
 */
export async function readPatroni(
  address: PatroniAddress,
  context: Reading,
  enough: (view: PatroniView) => boolean = () => false,
): Promise<PatroniView> {
  const view = { members: [] as PatroniMember[], clusters: [] as PatroniCluster[], silent: [] as string[] };
  const satisfied = Promise.withResolvers<void>();
  const all = address.urls.flatMap((url) => [
    get(address, url, 'leader', context).then((answer) => {
      const member = answer.kind === 'answered' ? memberIn(url, answer) : null;
      if (member === null) view.silent.push(`${url}/leader: ${silence(answer)}`);
      else view.members.push(member);
      if (enough(view)) satisfied.resolve();
    }),
    get(address, url, 'cluster', context).then((answer) => {
      const cluster = answer.kind === 'answered' && answer.status === 200 ? clusterIn(answer.body) : null;
      if (cluster === null) view.silent.push(`${url}/cluster: ${silence(answer)}`);
      else view.clusters.push(cluster);
      if (enough(view)) satisfied.resolve();
    }),
  ]);
  await Promise.race([Promise.all(all), satisfied.promise]);
  // Of now: answers that come later change nothing that was concluded from it.
  return { members: [...view.members], clusters: [...view.clusters], silent: [...view.silent] };
}

/** Change the dynamic configuration at one member. A key that is null is taken away. */
export function patchPatroni(
  address: PatroniAddress,
  url: string,
  patch: object,
  context: OperationContext,
): Promise<JsonAnswer> {
  const { username, password } = address;
  const authorization =
    username === undefined || password === undefined
      ? {}
      : { authorization: `Basic ${Buffer.from(`${username}:${context.secret(password)}`).toString('base64')}` };
  return askJson(
    {
      ...requestTo(address, url, 'config', context),
      method: 'PATCH',
      body: patch,
      headers: authorization,
      timeoutMs: PATCH_TIMEOUT_MS,
    },
    context,
  );
}

const get = (address: PatroniAddress, url: string, path: string, context: Reading): Promise<JsonAnswer> =>
  askJson({ ...requestTo(address, url, path, context), method: 'GET', timeoutMs: READ_TIMEOUT_MS }, context);

const requestTo = (address: PatroniAddress, url: string, path: string, context: Pick<Reading, 'certificates'>) => ({
  url: new URL(path, url.endsWith('/') ? url : `${url}/`),
  secureContext: url.startsWith('https:') ? (context.certificates(address.tls)?.secureContext() ?? null) : null,
});

function silence(answer: JsonAnswer): string {
  return answer.kind === 'answered' ? `status ${answer.status}, and not as Patroni answers` : answer.message;
}

type Json = { readonly [key: string]: unknown };
const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);

/** `GET /leader` answers with the whole state, and by its status whether the lock is held there. */
function memberIn(url: string, { status, body }: Extract<JsonAnswer, { kind: 'answered' }>): PatroniMember | null {
  if (!isObject(body) || (status !== 200 && status !== 503)) return null;
  const role = text(body['role']);
  const state = text(body['state']);
  if (role === null || state === null) return null;
  const own = isObject(body['patroni']) ? body['patroni'] : {};
  return {
    url,
    // `master` until Patroni 4.
    role: role === 'master' ? 'primary' : role,
    state,
    systemIdentifier: text(body['database_system_identifier']),
    scope: text(own['scope']),
    version: text(own['version']),
    startedAt: startedAtOf(body['postmaster_start_time']),
    paused: body['pause'] === true,
    leads: status === 200,
  };
}

function clusterIn(body: unknown): PatroniCluster | null {
  if (!isObject(body) || !Array.isArray(body['members'])) return null;
  const members: Json[] = body['members'].filter(isObject);
  const leader = members.find(({ role }) => role === 'leader' || role === 'standby_leader');
  return {
    leads: leader === undefined ? null : leader['role'] === 'leader' ? 'primary' : 'standby',
    leader: text(leader?.['name']),
    members: members.length,
    paused: body['pause'] === true,
  };
}

const STARTED_AT = /^(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2}:\d{2})(?:\.(\d{1,6}))? ?(Z|UTC|[+-]\d{2}(?::?\d{2})?)$/;

/** As Python prints a time: microseconds, or no fraction where they are zero. */
export function startedAtOf(value: unknown): StartedAt | null {
  const [, day, time, fraction = '', zone = ''] = STARTED_AT.exec(text(value) ?? '') ?? [];
  if (day === undefined || time === undefined) return null;
  const offset = /^[+-]/.test(zone) ? `${zone.slice(0, 3)}:${zone.slice(3).replace(':', '') || '00'}` : 'Z';
  const ms = Date.parse(`${day}T${time}${offset}`);
  if (Number.isNaN(ms)) return null;
  const us = BigInt(ms) * 1000n + BigInt(fraction.padEnd(6, '0'));
  return { us, exactUs: fraction.length === 6 || fraction.length === 0 ? 0n : 10n ** BigInt(6 - fraction.length) };
}
