/**
 * Everything of the daemon that a config decides: actors, probes, pager, people, credentials, witnesses' keys, the
 * reconciler. One set is made for each config that is taken; the sets change places while the engine and the listener stay.
 */
import { type ConfiguredActor, createActor } from '../actions/actor.ts';
import { type Engine, EngineFailed } from '../engine/engine.ts';
import type { Pager } from '../engine/ports.ts';
import type { Config } from '../model/config.ts';
import type { Observation } from '../model/evidence.ts';
import { durationMs } from '../model/primitives.ts';
import { createPager } from '../notify/pager.ts';
import { alertSourceOf } from '../probes/alertmanager.ts';
import { metricTargetsOf } from '../probes/metric-targets.ts';
import { monitorTargetsOf } from '../probes/monitor-targets.ts';
import { readinessTargetsOf } from '../probes/readiness-targets.ts';
import { witnessKeys } from '../probes/report.ts';
import { createRunner, type Runner } from '../probes/runner.ts';
import { targetsOf } from '../probes/targets.ts';
import { chance } from '../runtime/chance.ts';
import { systemClock } from '../runtime/clock.ts';
import type { Secrets } from '../runtime/config/secrets.ts';
import { credentialsOf } from '../runtime/http-credentials.ts';
import type { Log } from '../runtime/log.ts';
import { redactingLive } from '../runtime/redact.ts';
import { keepRenewing, type Renewing } from '../runtime/renewal.ts';
import { systemTimers } from '../runtime/timers.ts';
import { createCertificates, type FindCertificates } from '../runtime/tls.ts';
import { mayWriteCanary } from './canaries.ts';
import { createGuards, type GuardEntry, type Guards } from './guards.ts';
import type { WebhookCredentials } from './http/webhook-proof.ts';
import type { Metrics } from './metrics.ts';
import { createPeople, type People } from './people.ts';
import { createReconciler, type Reconciler } from './reconciler.ts';

/** The daemon's own vantage. */
const OWN_VANTAGE = 'daemon';
/** Longer than any operation may take: what is under way on the old set comes to its own end. */
const DRAIN_MS = 60_000;

export type PartsOptions = {
  readonly config: Config;
  readonly secrets: Secrets;
  /** Whether somebody else looks again and again if the secrets are others now. */
  readonly renewedElsewhere: boolean;
  readonly metrics: Metrics;
  readonly log: Log;
  /** What programs that fence may see of the environment. */
  readonly variable: (name: string) => string | undefined;
};

export type Parts = {
  readonly people: People;
  readonly guards: Guards;
  /** What Alertmanager must present now. */
  webhookCredentials(): WebhookCredentials | null;
  readonly witnessKeys: ReturnType<typeof witnessKeys>;
  readonly actor: Pick<ConfiguredActor, 'perform' | 'warm'>;
  readonly pager: Pager;
  readonly prober: Pick<Runner, 'probeNow'>;
  /** A round with every Alertmanager as soon as one may begin; nothing where none is named. */
  reconcileSoon(): void;
  /** From now on probes run and Alertmanagers are asked, and what they say goes to the engine. */
  begin(engine: Engine): void;
  /** No evidence after it. */
  hush(): Promise<void>;
  /** Ends what is under way, as unknown. */
  close(): Promise<void>;
  /** Gives its place up to another set: hushed at once, and closed when what is under way has ended. */
  retire(): Promise<void>;
};

/** Makes a set that does nothing yet. Throws a RangeError where a secret was not fetched. */
export function createParts(options: PartsOptions): Parts {
  const { config, secrets, log, variable } = options;
  const secret = (reference: string): string => secrets.of(reference).reveal();
  const certificates = createCertificates(secrets);
  const actor = createActor({ config, secret, certificates, clock: systemClock, timers: systemTimers, log, variable });
  const drain = draining();
  const own = ownVantage(options, certificates);
  let reconciler: Reconciler | null = null;
  let renewing: Renewing | null = null;
  const hush = async (): Promise<void> => {
    await Promise.all([own.runner.stop(), reconciler?.stop(), renewing?.stop()]);
  };
  return {
    people: livePeople(config, secrets),
    guards: liveGuards(config, secrets),
    webhookCredentials: () => webhookCredentialsOf(config, secret),
    witnessKeys: witnessKeys(config.vantages),
    actor: { perform: (operation, signal) => drain.counted(actor.perform(operation, signal)), warm: actor.warm },
    pager: pagerOf(config, secrets, certificates, log),
    prober: own.runner,
    reconcileSoon: () => reconciler?.soon(),
    begin(engine) {
      own.begin(engine);
      if (!options.renewedElsewhere) renewing = keepRenewing({ secrets, timers: systemTimers, log });
      reconciler = reconcilerOf(options, certificates, engine);
      if (reconciler === null) options.metrics.reconciliationAge(null);
      reconciler?.start();
    },
    hush,
    close: () => actor.close(),
    async retire() {
      await hush();
      await drain.ended(DRAIN_MS);
      await actor.close();
    },
  };
}

/** Counts what is under way, so that its end can be waited for. */
function draining(): {
  counted<T>(promise: Promise<T>): Promise<T>;
  ended(timeoutMs: number): Promise<void>;
} {
  const underWay = new Set<Promise<unknown>>();
  return {
    counted(promise) {
      const counted = promise.finally(() => underWay.delete(counted));
      underWay.add(counted);
      return counted;
    },
    async ended(timeoutMs) {
      const { promise: late, resolve } = Promise.withResolvers<void>();
      const cancel = systemTimers.after(timeoutMs, resolve);
      await Promise.race([Promise.allSettled(underWay), late]);
      cancel();
    },
  };
}

type OwnVantage = { readonly runner: Runner; begin(engine: Engine): void };

/** Probes of the daemon itself. The engine asks for them and they feed the engine, so they begin once it is there. */
function ownVantage({ config, secrets, metrics }: PartsOptions, certificates: FindCertificates): OwnVantage {
  let engine: Engine | null = null;
  const emit = (observations: readonly Observation[]): void => {
    metrics.observed(observations);
    // An engine that stands still has told so; what is seen then is only counted.
    engine?.submit({ kind: 'observed', observations: [...observations] }).catch((error: unknown) => {
      if (!(error instanceof EngineFailed)) throw error;
    });
  };
  const runner = createRunner({
    vantage: OWN_VANTAGE,
    targets: [
      ...targetsOf(config, secrets, OWN_VANTAGE, { canary: true, certificates }),
      ...readinessTargetsOf(config, secrets, OWN_VANTAGE, certificates),
      ...metricTargetsOf(config, secrets, certificates),
      ...monitorTargetsOf(config, secrets, certificates),
    ],
    clock: systemClock,
    timers: systemTimers,
    random: chance,
    redact: redactingLive(secrets),
    emit,
    mayWrite: (target) => mayWriteCanary(engine, target),
  });
  return {
    runner,
    begin(started) {
      engine = started;
      runner.start();
    },
  };
}

/** Without a pager nobody is told, so nothing counts as delivered: pages stay on the status until there is one. */
function pagerOf(config: Config, secrets: Secrets, certificates: FindCertificates, log: Log): Pager {
  const { pager } = config;
  if (pager !== undefined)
    return createPager({
      url: pager.url,
      secret: secrets.of(pager.secret),
      timeoutMs: durationMs(pager.timeout ?? '5s'),
      certificates: certificates(pager.tls),
      log,
      clock: systemClock,
      timers: systemTimers,
    });
  const told = new Set<string>();
  return {
    deliver: async (page) => {
      if (!told.has(page.id)) log.error({ page: page.id, title: page.title, body: page.body }, 'a page has no pager');
      told.add(page.id);
      return { delivered: false, message: 'the config names no pager' };
    },
  };
}

/** People by the tokens that hold now. */
function livePeople(config: Config, secrets: Secrets): People {
  const now = (): People =>
    createPeople(
      Object.entries(config.people ?? {}).map(([id, { roles, token }]) => ({
        id,
        roles,
        token: secrets.of(token).reveal(),
      })),
    );
  let people = now();
  secrets.onRenewed(() => {
    people = now();
  });
  return { identify: (authorization) => people.identify(authorization), count: people.count };
}

/** Guards by the tokens that hold now. */
function liveGuards(config: Config, secrets: Secrets): Guards {
  const now = (): Guards =>
    createGuards(
      Object.entries(config.groups).flatMap(([group, { components }]) =>
        Object.entries(components).flatMap(([component, settings]): GuardEntry[] => {
          if (settings.kind !== 'postgres') return [];
          return Object.entries(settings.guards ?? {}).map(([region, { token }]) => ({
            ...{ group, component, region },
            token: secrets.of(token).reveal(),
          }));
        }),
      ),
    );
  let guards = now();
  secrets.onRenewed(() => {
    guards = now();
  });
  return { identify: (authorization) => guards.identify(authorization), count: guards.count };
}

function webhookCredentialsOf(
  { alertmanager }: Config,
  secret: (reference: string) => string,
): WebhookCredentials | null {
  const match = alertmanager?.clientCertificate;
  if (match !== undefined) return { kind: 'certificate', match };
  return credentialsOf(alertmanager?.bearer, alertmanager?.basic, secret);
}

/** Null where the config names no API of Alertmanager: webhooks are all there is then. */
function reconcilerOf(
  { config, secrets, metrics, log }: PartsOptions,
  certificates: FindCertificates,
  engine: Engine,
): Reconciler | null {
  const { apis, apiBearer, apiBasic, apiTls } = config.alertmanager ?? {};
  if (apis === undefined) return null;
  const secret = (reference: string): string => secrets.of(reference).reveal();
  return createReconciler({
    sources: apis.map((url) =>
      alertSourceOf({
        url: new URL(url),
        // Read anew for each request: a secret may have been renewed.
        get credentials() {
          return credentialsOf(apiBearer, apiBasic, secret);
        },
        certificates: certificates(apiTls),
      }),
    ),
    engine,
    metrics,
    log,
    clock: systemClock,
    timers: systemTimers,
    random: chance,
    redact: redactingLive(secrets),
  });
}
