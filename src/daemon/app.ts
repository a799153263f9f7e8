/**
 * The daemon's composition root: makes the parts, puts them together, and ends them in the reverse order. It decides
 * nothing; `startDaemon` can be embedded whole in a test.
 */
import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import canonicalize from 'canonicalize';
import { type ConfiguredActor, createActor } from '../actions/actor.ts';
import { type Engine, EngineFailed, startEngine } from '../engine/engine.ts';
import type { Observer, Pager } from '../engine/ports.ts';
import { IllegalEvent } from '../journal/illegal.ts';
import { readGroupEvents } from '../journal/reader.ts';
import { type JournalStore, StoreError } from '../journal/store.ts';
import type { Config } from '../model/config.ts';
import type { Observation } from '../model/evidence.ts';
import type { State } from '../model/loop.ts';
import { durationMs } from '../model/primitives.ts';
import { declaredAutonomy, type Settings } from '../model/settings.ts';
import { createPager } from '../notify/pager.ts';
import { alertSourceOf } from '../probes/alertmanager.ts';
import { metricTargetsOf } from '../probes/metric-targets.ts';
import { monitorTargetsOf } from '../probes/monitor-targets.ts';
import { createReportDesk, witnessKeys } from '../probes/report.ts';
import { createRunner, type Runner } from '../probes/runner.ts';
import { targetsOf } from '../probes/targets.ts';
import { chance } from '../runtime/chance.ts';
import { systemClock } from '../runtime/clock.ts';
import { addressOf } from '../runtime/config/address.ts';
import type { Loaded } from '../runtime/config/load.ts';
import type { Secrets } from '../runtime/config/secrets.ts';
import { credentialsOf } from '../runtime/http-credentials.ts';
import { newIncarnation, newNonce, newSessionId } from '../runtime/ids.ts';
import type { Lifecycle } from '../runtime/lifecycle.ts';
import type { Log } from '../runtime/log.ts';
import { redactingLive } from '../runtime/redact.ts';
import { keepRenewing } from '../runtime/renewal.ts';
import { systemTimers } from '../runtime/timers.ts';
import { createCertificates, type FindCertificates } from '../runtime/tls.ts';
import { mayWriteCanary } from './canaries.ts';
import type { App } from './http/context.ts';
import { createReplies } from './http/replies.ts';
import type { SecureListener } from './http/secure.ts';
import { createHttp } from './http/server.ts';
import type { WebhookCredentials } from './http/webhook-proof.ts';
import { createMetrics, type Metrics, meteredStore } from './metrics.ts';
import { createObserver } from './observer.ts';
import { createPeople, type People } from './people.ts';
import { createReconciler, type Reconciler } from './reconciler.ts';
import { keepWarm, type Warming } from './warming.ts';

/** The daemon's own vantage. */
const OWN_VANTAGE = 'daemon';
const DEFAULT_LISTEN = '127.0.0.1:8080';
/** How long each part may take to end; what hangs costs its wait and no more. */
const STOP_MS = {
  http: 3_000,
  runner: 2_000,
  renewal: 2_000,
  reconciler: 2_000,
  engine: 5_000,
  actor: 3_000,
  journal: 5_000,
} as const;

export type DaemonOptions = {
  readonly loaded: Loaded;
  readonly secrets: Secrets;
  readonly version: string;
  /** Being opened in {@link DaemonOptions.loaded}'s state folder; the daemon closes it. */
  readonly journal: Promise<JournalStore>;
  readonly log: Log;
  /** Ends what was started, also when the start fails halfway. */
  readonly lifecycle: Lifecycle;
  /** What programs that fence may see of the environment. */
  readonly variable: (name: string) => string | undefined;
};

export type Daemon = { readonly url: string; readonly engine: Engine };

/** Why it can't start, with the way out; a closed set of causes, told in words. */
export class StartRefused extends Error {
  readonly remedy: string;
  constructor(message: string, remedy: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StartRefused';
    this.remedy = remedy;
  }
}

/** Rejects with {@link StartRefused} for the journal or the address. Whatever had begun is ended by the lifecycle. */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const { loaded, secrets, version, log, lifecycle, variable } = options;
  const { config, settings } = loaded;
  const metrics = createMetrics({ version });
  const store = await opened(options, metrics);
  const secret = (reference: string): string => secrets.of(reference).reveal();
  const certificates = createCertificates(secrets);

  const actor = createActor({ config, secret, certificates, clock: systemClock, timers: systemTimers, log, variable });
  lifecycle.onStop('actor', STOP_MS.actor, () => actor.close());
  const replies = createReplies({ timers: systemTimers });
  let warming: Warming | null = null;
  const own = ownVantage({ config, secrets, certificates, metrics, lifecycle });
  const engine = await loadEngine({
    settings,
    store,
    ports: {
      clock: systemClock,
      timers: systemTimers,
      actor,
      prober: own.runner,
      pager: pagerOf(config, secrets, certificates, log),
      replies: replies.port,
      observer: alsoNudging(createObserver({ log, metrics }), () => warming?.nudge()),
    },
    incarnation: newIncarnation(),
    version,
    configHash: hashOf(config),
  });
  lifecycle.onStop('engine', STOP_MS.engine, () => engine.stop());
  refuseOrphans(engine.state());
  warming = warmingOf(engine, actor, lifecycle);

  const reconciler = reconcilerOf(options, certificates, metrics, engine);
  const session = newSessionId();
  const http = createHttp({
    engine,
    replies,
    people: livePeople(config, secrets),
    webhookCredentials: () => webhookCredentialsOf(config, secret),
    secure: secureListenerOf(config, secrets),
    askWhatFires: () => reconciler?.soon(),
    witnesses: createReportDesk({ session, keys: witnessKeys(config.vantages), clock: systemClock }),
    past: (group, at) => readGroupEvents(resolve(loaded.folder, config.daemon.stateDir), group, at),
    metrics,
    log,
    clock: systemClock,
    timers: systemTimers,
    newNonce,
    version,
  });
  lifecycle.onStop('http', STOP_MS.http, () => http.close());
  const url = await listen(http, config.daemon.listen ?? DEFAULT_LISTEN);
  const renewal = keepRenewing({ secrets, timers: systemTimers, log });
  lifecycle.onStop('renewal', STOP_MS.renewal, () => renewal.stop());
  own.begin(engine);
  if (reconciler !== null) {
    lifecycle.onStop('reconciler', STOP_MS.reconciler, () => reconciler.stop());
    reconciler.start();
  }
  log.info({ url, version, stateDir: config.daemon.stateDir, ...autonomies(settings) }, 'failoverd is ready');
  return { url, engine };
}

async function opened({ journal, loaded, lifecycle }: DaemonOptions, metrics: Metrics): Promise<JournalStore> {
  try {
    const store = await journal;
    lifecycle.onStop('journal', STOP_MS.journal, () => store.close());
    return meteredStore(store, metrics, systemClock.mono);
  } catch (error) {
    throw error instanceof StoreError
      ? refusedByStore(error, resolve(loaded.folder, loaded.config.daemon.stateDir))
      : error;
  }
}

function refusedByStore(error: StoreError, dir: string): StartRefused {
  const remedy = {
    locked: 'another failoverd runs on this folder: stop it, or give this one a stateDir of its own',
    corrupt: 'keep the folder as it is for evidence; see docs/runbooks/failoverd-down.md',
    full: 'free space on its disk',
    io: 'check the disk, and that this user may write there',
    'out-of-order': 'another process writes to this journal: stop it',
    closed: 'start again',
  }[error.code];
  return new StartRefused(`the journal in ${dir} can't be used: ${error.message}`, remedy, { cause: error });
}

async function loadEngine(options: Parameters<typeof startEngine>[0]): Promise<Engine> {
  try {
    return await startEngine(options);
  } catch (error) {
    const cause = error instanceof EngineFailed ? error.cause : error;
    // Its chain holds, and it says what this version does not allow: another version wrote it, or a hand did.
    if (cause instanceof IllegalEvent)
      throw new StartRefused(
        `the journal says what this failoverd does not allow: ${cause.message}`,
        'start the version that wrote it; see docs/runbooks/failoverd-down.md',
        { cause },
      );
    throw cause instanceof StoreError ? refusedByStore(cause, 'the state folder') : error;
  }
}

/** A run of a group that the config names no more would stand still, and nobody would be told (invariant 29). */
function refuseOrphans({ ledger, settings }: State): void {
  for (const [group, { run }] of Object.entries(ledger.groups)) {
    if (run === null || settings.groups[group] !== undefined) continue;
    throw new StartRefused(
      `${run.id} is open, and the config has no group ${group} any more`,
      `put the group back into the config until ${run.id} has ended`,
    );
  }
}

type OwnVantage = {
  readonly runner: Pick<Runner, 'probeNow'>;
  /** From now on probes run, and what they see goes to the engine. */
  begin(engine: Engine): void;
};

/** Probes of the daemon itself. The engine asks for them and they feed the engine, so they begin once it is there. */
function ownVantage(options: {
  readonly config: Config;
  readonly secrets: Secrets;
  readonly certificates: FindCertificates;
  readonly metrics: Metrics;
  readonly lifecycle: Lifecycle;
}): OwnVantage {
  const { config, secrets, certificates, metrics, lifecycle } = options;
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
      lifecycle.onStop('runner', STOP_MS.runner, () => runner.stop());
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

/** Null where the config names no API of Alertmanager: webhooks are all there is then. */
function reconcilerOf(
  options: Pick<DaemonOptions, 'loaded' | 'secrets' | 'log'>,
  certificates: FindCertificates,
  metrics: Metrics,
  engine: Engine,
): Reconciler | null {
  const { loaded, secrets, log } = options;
  const { apis, apiBearer, apiBasic, apiTls } = loaded.config.alertmanager ?? {};
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

function webhookCredentialsOf(
  { alertmanager }: Config,
  secret: (reference: string) => string,
): WebhookCredentials | null {
  const match = alertmanager?.clientCertificate;
  if (match !== undefined) return { kind: 'certificate', match };
  return credentialsOf(alertmanager?.bearer, alertmanager?.basic, secret);
}

function secureListenerOf({ daemon: { tls } }: Config, secrets: Secrets): SecureListener | undefined {
  if (tls === undefined) return undefined;
  const { cert, key, clientCa, requireClientCertificate, minVersion } = tls;
  return {
    context: () => ({
      cert: secrets.file(cert),
      key: secrets.of(key).reveal(),
      ...(clientCa === undefined ? {} : { ca: secrets.file(clientCa) }),
      minVersion: minVersion ?? 'TLSv1.2',
    }),
    clients: clientCa === undefined ? 'none' : requireClientCertificate === true ? 'must' : 'may',
    onRenewed: secrets.onRenewed,
  };
}

const alsoNudging = (observer: Observer, nudge: () => void): Observer => ({
  appended(entries) {
    observer.appended(entries);
    if (entries.some(({ body }) => body.kind === 'hold.started')) nudge();
  },
  failed: (error) => observer.failed(error),
  clockSet: (byMs) => observer.clockSet(byMs),
});

function warmingOf(engine: Engine, actor: ConfiguredActor, lifecycle: Lifecycle): Warming {
  const warming = keepWarm({ state: () => engine.state(), warm: actor.warm, timers: systemTimers });
  lifecycle.onStop('warming', STOP_MS.actor, () => warming.stop());
  return warming;
}

/** What the journal keeps of the config: SHA-256 over its canonical JSON. It holds references, never secrets. */
function hashOf(config: Config): string {
  return createHash('sha256')
    .update(canonicalize(config) ?? '')
    .digest('hex');
}

async function listen(http: App, listenOn: string): Promise<string> {
  const address = addressOf(listenOn);
  if (address === null) throw new StartRefused(`${listenOn} is no address`, 'write daemon.listen as host:port');
  try {
    return await http.listen(address);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (code !== 'EADDRINUSE' && code !== 'EACCES' && code !== 'EADDRNOTAVAIL' && code !== 'ENOTFOUND') throw error;
    throw new StartRefused(`${listenOn} can't be listened on (${code})`, 'change daemon.listen, or free the address', {
      cause: error,
    });
  }
}

const autonomies = (settings: Settings): { readonly groups: Readonly<Record<string, string>> } => ({
  groups: Object.fromEntries(Object.values(settings.groups).map((group) => [group.id, declaredAutonomy(group)])),
});
