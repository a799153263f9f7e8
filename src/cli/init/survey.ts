/** What `init` asks of the servers, and what is wrong with the answers: each fault with what was asked, what came back, and what helps. */
import { createSecureContext } from 'node:tls';
import { probeControl } from '../../probes/control.ts';
import { type PostgresSurvey, surveyPostgres } from '../../probes/postgres-survey.ts';
import { askTls, type TlsOffer } from '../../probes/postgres-tls.ts';
import { type PrometheusSurvey, surveyPrometheus } from '../../probes/prometheus-survey.ts';
import { addressText, type PostgresTarget } from '../../probes/target.ts';
import type { SecretValue } from '../../runtime/secret.ts';
import { probeContext, within } from '../asking.ts';
import { grantsFor, postgresRemedy, sqlName } from '../remedies.ts';

export type InitFault = {
  readonly code: string;
  readonly asked: string;
  readonly answered: string;
  readonly remedy: string;
  readonly sql: readonly string[];
};

const ASK_MS = 10_000;
const CONTROL_MS = 3_000;
/** Answer anywhere on the internet, and are nobody's platform. */
export const COMMON_CONTROL_TARGETS = ['tcp://1.1.1.1:53', 'tcp://9.9.9.9:53', 'tcp://8.8.8.8:53'];

export type Login = {
  readonly user: string;
  readonly database: string;
  readonly password: SecretValue | null;
};
export type Place = { readonly host: string; readonly port: number };
export type TlsMode = PostgresTarget['tls'];

export const tlsOffer = async (place: Place, ca: string | null): Promise<TlsOffer> =>
  await within(ASK_MS, (signal) => askTls(place, signal, ca));

export type SideAnswer =
  | { readonly kind: 'surveyed'; readonly survey: PostgresSurvey }
  | { readonly kind: 'fault'; readonly fault: InitFault };

export type Tls = {
  readonly mode: TlsMode /** PEM of who is trusted; null = whom the system trusts. */;
  readonly ca: string | null;
};

export async function surveySide(name: string, place: Place, login: Login, tls: Tls): Promise<SideAnswer> {
  const target: PostgresTarget = {
    kind: 'postgres',
    key: name,
    group: 'init',
    component: 'db',
    region: name,
    ...place,
    ...login,
    tls: tls.mode,
    certificates: tls.ca === null ? null : { secureContext: () => createSecureContext({ ca: tls.ca ?? '' }) },
    systemIdentifier: null,
    canarySchema: 'failoverd',
    canary: false,
    intervalMs: ASK_MS,
    timeoutMs: ASK_MS,
  };
  const result = await within(ASK_MS, (signal) =>
    surveyPostgres(
      target,
      probeContext('init', signal, () => undefined),
    ),
  );
  const asked = `PostgreSQL ${name} at ${addressText(place)}, as ${login.user}, database ${login.database}`;
  if (result.kind === 'failed') {
    const { code, message } = result.failure;
    return { kind: 'fault', fault: { code, asked, answered: message, ...postgresRemedy(result.failure, login) } };
  }
  const { survey } = result;
  if (survey.facts.systemIdentifier !== null && survey.facts.inRecovery !== null) return { kind: 'surveyed', survey };
  return {
    kind: 'fault',
    fault: {
      code: 'denied',
      asked,
      answered: `no grant for ${survey.missingGrants.join(', ')}: which cluster it is can't be told`,
      remedy: `grant ${login.user} what it lacks, on the primary`,
      sql: grantsFor(survey.missingGrants, login.user),
    },
  };
}

export type Sides = { readonly primary: 'first' | 'second' };

/** Which of the two is the primary, or why that can't be said. */
export function judgeSides(
  first: { readonly where: string; readonly survey: PostgresSurvey },
  second: { readonly where: string; readonly survey: PostgresSurvey },
): Sides | InitFault {
  const asked = `whether ${first.where} and ${second.where} are the two sides of one cluster`;
  const fault = (code: string, answered: string, remedy: string): InitFault => ({
    code,
    asked,
    answered,
    remedy,
    sql: [],
  });
  const [a, b] = [first.survey.facts, second.survey.facts];
  if (a.systemIdentifier !== b.systemIdentifier)
    return fault(
      'foreign',
      `they are two clusters: system identifiers ${a.systemIdentifier} and ${b.systemIdentifier}`,
      'name the standby that was made from this primary (pg_basebackup), not a server of its own',
    );
  if (a.inRecovery === false && b.inRecovery === false)
    return fault(
      'both-primaries',
      'both take writes (pg_is_in_recovery() is false on both): one was promoted beside the other, or both addresses lead to one server',
      'make sure that they are two servers; then stop writes to the wrong one, keep its log, then make it a standby again (pg_rewind or a new copy)',
    );
  if (a.inRecovery === true && b.inRecovery === true)
    return fault(
      'both-standbys',
      'both are standbys (pg_is_in_recovery() is true on both), or both addresses lead to one server',
      'name the server that takes writes as one of the two',
    );
  return { primary: a.inRecovery === false ? 'first' : 'second' };
}

/** What is no reason to stop, and must be known. */
export function notesOn(primary: PostgresSurvey, standby: PostgresSurvey): string[] {
  const notes: string[] = [];
  const { walReceiver } = standby.facts;
  if (walReceiver === 'none') notes.push('the standby does not stream: no WAL receiver runs on it');
  else if (walReceiver === 'other') notes.push('the standby has a WAL receiver that does not stream now');
  else if (walReceiver === null)
    notes.push(`whether the standby streams is hidden: grant pg_monitor to ${sqlName(standby.role.name)};`);
  if (!primary.role.monitor)
    notes.push(`${primary.role.name} is no member of pg_monitor: grant pg_monitor to ${sqlName(primary.role.name)};`);
  if (primary.role.superuser)
    notes.push(`${primary.role.name} is a superuser: to observe, a member of pg_monitor is enough`);
  return notes;
}

export async function surveyMonitoring(
  url: string,
): Promise<
  | { readonly kind: 'surveyed'; readonly survey: PrometheusSurvey }
  | { readonly kind: 'fault'; readonly fault: InitFault }
> {
  const result = await within(ASK_MS, (signal) => surveyPrometheus(new URL(url), signal));
  if (result.kind === 'surveyed') return result;
  const remedy = {
    auth: 'init asks without credentials: run it where they are not needed, or leave --prometheus out and write the part by hand',
    protocol: 'give the address of Prometheus itself, with its path prefix if it has one',
    status: 'give the address of Prometheus itself, with its path prefix if it has one',
  }[result.failure.code as string];
  return {
    kind: 'fault',
    fault: {
      code: result.failure.code,
      asked: `Prometheus at ${url}`,
      answered: result.failure.message,
      remedy: remedy ?? 'check the address and that Prometheus runs, or leave --prometheus out',
      sql: [],
    },
  };
}

/** Of these, those that answer. */
export async function answeringTargets(
  targets: readonly string[],
): Promise<readonly { target: string; why: string | null }[]> {
  return await Promise.all(
    targets.map(async (target) => {
      const answer = await within(CONTROL_MS, (signal) =>
        probeControl(
          { kind: 'control', key: target, target, intervalMs: CONTROL_MS, timeoutMs: CONTROL_MS },
          probeContext('init', signal, () => undefined),
        ),
      );
      return { target, why: answer.verdict === 'ok' ? null : (answer.message ?? answer.code) };
    }),
  );
}
