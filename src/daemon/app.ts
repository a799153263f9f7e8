/**
 * The daemon's composition root: makes the parts, puts them together, and ends them in the reverse order. It decides
 * nothing; `startDaemon` can be embedded whole in a test. What hangs on the config alone is made in `parts.ts`, and
 * changed while running by `reload.ts`.
 */
import { resolve } from 'node:path';
import type { ConfiguredActor } from '../actions/actor.ts';
import { type Engine, EngineFailed, startEngine } from '../engine/engine.ts';
import type { Observer } from '../engine/ports.ts';
import { IllegalEvent } from '../journal/illegal.ts';
import { readGroupEvents } from '../journal/reader.ts';
import { type JournalStore, StoreError } from '../journal/store.ts';
import type { Config } from '../model/config.ts';
import type { State } from '../model/loop.ts';
import { declaredAutonomy, type Settings } from '../model/settings.ts';
import { createReportDesk } from '../probes/report.ts';
import { systemClock } from '../runtime/clock.ts';
import { addressOf } from '../runtime/config/address.ts';
import type { Loaded } from '../runtime/config/load.ts';
import type { Secrets } from '../runtime/config/secrets.ts';
import { newIncarnation, newNonce, newSessionId } from '../runtime/ids.ts';
import type { Lifecycle } from '../runtime/lifecycle.ts';
import type { Log } from '../runtime/log.ts';
import { redacting } from '../runtime/redact.ts';
import { keepRenewing } from '../runtime/renewal.ts';
import { systemTimers } from '../runtime/timers.ts';
import type { App } from './http/context.ts';
import { createReplies } from './http/replies.ts';
import type { SecureListener } from './http/secure.ts';
import { createHttp } from './http/server.ts';
import { createMetrics, type Metrics, meteredStore } from './metrics.ts';
import { createObserver } from './observer.ts';
import { createParts, type Parts } from './parts.ts';
import { createReloader, hashOf, listenOf, type Read, type ReloadAnswer, type ReloadWatch } from './reload.ts';
import { keepWarm, type Warming } from './warming.ts';

/** How long each part may take to end; what hangs costs its wait and no more. */
const STOP_MS = {
  http: 3_000,
  evidence: 2_000,
  renewal: 2_000,
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
  /** Reads the config anew, for a reload. Never rejects. */
  readonly read: () => Promise<Read>;
  /** Told of each config that was taken while running. */
  readonly taken?: (loaded: Loaded, secrets: Secrets) => void;
  /** Told of each reload as it begins and when it has ended, whatever came of it. */
  readonly reloads?: ReloadWatch;
  /** What programs that fence may see of the environment. */
  readonly variable: (name: string) => string | undefined;
};

export type Daemon = {
  readonly url: string;
  readonly engine: Engine;
  /** Reads the config anew; `by` is a person, or the signal that asked. Never rejects. */
  reload(by: string): Promise<ReloadAnswer>;
};

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
  const { loaded, version, log, lifecycle, variable, read, taken, reloads } = options;
  const { config, settings } = loaded;
  const metrics = createMetrics({ version });
  const store = await opened(options, metrics);
  const make = (from: Loaded, secrets: Secrets): Parts =>
    createParts({
      ...{ config: from.config, secrets, metrics, log, variable },
      renewedElsewhere: secrets === options.secrets,
    });

  /** The set in force, and the secrets that came with it. */
  let live = { parts: make(loaded, options.secrets), secrets: options.secrets };
  lifecycle.onStop('actor', STOP_MS.actor, () => live.parts.close());
  const replies = createReplies({ timers: systemTimers });
  let warming: Warming | null = null;
  const engine: Engine = await loadEngine({
    settings,
    store,
    ports: {
      clock: systemClock,
      timers: systemTimers,
      actor: { perform: (operation, signal) => live.parts.actor.perform(operation, signal) },
      prober: { probeNow: (group) => live.parts.prober.probeNow(group) },
      pager: { deliver: (page, signal) => live.parts.pager.deliver(page, signal) },
      replies: {
        reply(reply) {
          // Before anything else of that turn leaves: what follows from a config is done with that config.
          reloader.replied(reply);
          replies.port.reply(reply);
        },
      },
      observer: alsoNudging(createObserver({ log, metrics }), () => warming?.nudge()),
    },
    incarnation: newIncarnation(),
    version,
    configHash: hashOf(config),
  });
  const reloader = createReloader({
    read,
    engine,
    replies,
    log,
    redact: () => redacting(live.secrets.all()),
    started: loaded,
    watch: reloads,
    prepare(next, secrets) {
      const parts = make(next, secrets);
      return {
        take() {
          const { parts: before } = live;
          live = { parts, secrets };
          keys.take(parts.witnessKeys);
          taken?.(next, secrets);
          // The new set begins before the old one is hushed: no gap in what is seen.
          parts.begin(engine);
          before.retire().catch((error: unknown) => log.error({ err: error }, 'what was replaced did not end well'));
          log.info(autonomies(engine.state().settings), 'another config is in force');
        },
        discard: () => void parts.close(),
      };
    },
  });
  lifecycle.onStop('engine', STOP_MS.engine, () => engine.stop());
  refuseOrphans(engine.state());
  warming = warmingOf(engine, (group, region) => live.parts.actor.warm(group, region), lifecycle);

  const keys = changingKeys(live.parts.witnessKeys);
  const http = createHttp({
    engine,
    replies,
    people: {
      identify: (authorization) => live.parts.people.identify(authorization),
      get count() {
        return live.parts.people.count;
      },
    },
    guards: { identify: (authorization) => live.parts.guards.identify(authorization) },
    webhookCredentials: () => live.parts.webhookCredentials(),
    secure: secureListenerOf(config, options.secrets),
    askWhatFires: () => live.parts.reconcileSoon(),
    witnesses: createReportDesk({ session: newSessionId(), keys: keys.now, clock: systemClock }),
    reload: reloader.reload,
    past: (group, at) => readGroupEvents(resolve(loaded.folder, config.daemon.stateDir), group, at),
    metrics,
    log,
    clock: systemClock,
    timers: systemTimers,
    newNonce,
    version,
  });
  lifecycle.onStop('http', STOP_MS.http, () => http.close());
  const url = await listen(http, listenOf(config));
  // The listener keeps the certificates it was started with, so these are looked at for as long as it listens.
  const renewal = keepRenewing({ secrets: options.secrets, timers: systemTimers, log });
  lifecycle.onStop('renewal', STOP_MS.renewal, () => renewal.stop());
  lifecycle.onStop('evidence', STOP_MS.evidence, () => live.parts.hush());
  live.parts.begin(engine);
  log.info(
    { url, version, stateDir: resolve(loaded.folder, config.daemon.stateDir), ...autonomies(engine.state().settings) },
    'failoverd is ready',
  );
  return { url, engine, reload: reloader.reload };
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

/** Keys of the witnesses, as the desk looks them up: one map, whose entries change with the config. */
function changingKeys(first: Parts['witnessKeys']): {
  readonly now: Parts['witnessKeys'];
  take(keys: Parts['witnessKeys']): void;
} {
  const now = new Map(first);
  return {
    now,
    take(keys) {
      now.clear();
      for (const [vantage, key] of keys) now.set(vantage, key);
    },
  };
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

const alsoNudging = (observer: Observer, nudge: () => void): Observer => ({
  appended(entries) {
    observer.appended(entries);
    if (entries.some(({ body }) => body.kind === 'hold.started')) nudge();
  },
  failed: (error) => observer.failed(error),
  clockSet: (byMs) => observer.clockSet(byMs),
});

function warmingOf(engine: Engine, warm: ConfiguredActor['warm'], lifecycle: Lifecycle): Warming {
  const warming = keepWarm({ state: () => engine.state(), warm, timers: systemTimers });
  lifecycle.onStop('warming', STOP_MS.actor, () => warming.stop());
  return warming;
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
