/**
 * The composition root of the guard: makes every part from the configuration, in an order in which nothing is started on a
 * state that can't be kept, and hands the running whole to the command line.
 */
import { chmodSync, mkdirSync, realpathSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { GuardSettings } from '../model/guard.ts';
import { DEAD_MAN_OF, type GuardConfig } from '../model/guard-config.ts';
import type { LeaseStore } from '../model/lease.ts';
import { createBootClock } from '../runtime/boot-clock.ts';
import type { Clock } from '../runtime/clock.ts';
import { addressOf } from '../runtime/config/address.ts';
import type { LoadedGuard } from '../runtime/config/guard.ts';
import type { Secrets } from '../runtime/config/secrets.ts';
import { newIncarnation } from '../runtime/ids.ts';
import type { Lifecycle } from '../runtime/lifecycle.ts';
import type { Log } from '../runtime/log.ts';
import { keepRenewing } from '../runtime/renewal.ts';
import type { Timers } from '../runtime/timers.ts';
import { createCertificates } from '../runtime/tls.ts';
import { type DeadMan, NO_DEAD_MAN } from './dead-man/dead-man.ts';
import { processDeadMan } from './dead-man/process.ts';
import type { WatchSettings } from './dead-man/watch.ts';
import { watchdogDeadMan } from './dead-man/watchdog.ts';
import { lockFolder } from './folder-lock.ts';
import { createGuardMetrics } from './http/metrics.ts';
import { createGuardHttp, type GuardHttpOptions } from './http/server.ts';
import { createLoop, type Loop } from './loop.ts';
import { statusOf } from './machine/status.ts';
import { initialGuard, step } from './machine.ts';
import { isThere } from './postgres/files.ts';
import { command, type Launcher, pgCtl, systemd } from './postgres/launch.ts';
import { createPostgres, type Postgres, type PostgresOptions } from './postgres/postgres.ts';
import { placeOf } from './postgres/processes.ts';
import type { ServerUser } from './postgres/program.ts';
import type { Target } from './postgres/proof.ts';
import { rejoinBy } from './rejoin.ts';
import { createStateFile, StateRefused } from './state-file.ts';
import { askForPromise, httpLeaseStore } from './store-client.ts';
import { endOfWal } from './wal/end-of-wal.ts';
import type { Programs } from './wal/tool.ts';

export { StateRefused };

export type GuardOptions = {
  readonly loaded: LoadedGuard;
  readonly secrets: Secrets;
  readonly version: string;
  readonly log: Log;
  readonly lifecycle: Lifecycle;
  readonly timers: Timers;
  /** It can't go on; the process has to end. */
  readonly fatal: (error: Error) => void;
  /** Another store than the controller's; for tests. */
  readonly store?: LeaseStore;
};

export type Guard = {
  readonly url: string;
  readonly loop: Loop;
  readonly postgres: Postgres;
  readonly settings: GuardSettings;
};

const STOP_MS = { http: 3_000, loop: 10_000, deadMan: 1_000, lock: 500, renewal: 2_000 };
const DEFAULT_PORT = 5432;
/** The bytes of `sun_path` less its end mark. */
const SOCKET_PATH_LIMIT = 107;

export function settingsOf({ config, terms, timingsHash }: LoadedGuard): GuardSettings {
  const { group, component, region, role } = config;
  return { group, component, region, role, peers: Object.keys(config.peers), timingsHash, ...terms };
}

type Places = {
  readonly stateDir: string;
  /** Of PostgreSQL's user: what the guard hands it. */
  readonly postgres: string;
  readonly dataDir: string;
  readonly cgroup: string | null;
  readonly serverUser: ServerUser | null;
};

/** Paths alone; nothing is made. Throws {@link StateRefused} where the data directory is not there. */
function placesOf({ config, folder }: LoadedGuard): Places {
  const stateDir = resolve(folder, config.stateDir);
  let dataDir: string;
  try {
    dataDir = realpathSync(config.postgres.dataDir);
  } catch (error) {
    const remedy = 'mount it, or make it with initdb or pg_basebackup first; see docs/guard.md';
    throw new StateRefused(`the data directory ${config.postgres.dataDir} is not there`, remedy, { cause: error });
  }
  const { uid, gid } = statSync(dataDir);
  const isRoot = process.geteuid?.() === 0;
  if (isRoot && uid === 0)
    throw new StateRefused(
      `${dataDir} belongs to root, and PostgreSQL refuses to run as root`,
      'chown it to the user of PostgreSQL',
    );
  return {
    stateDir,
    postgres: join(stateDir, 'postgres'),
    dataDir,
    cgroup: config.cgroup ?? null,
    serverUser: isRoot ? { uid, gid } : null,
  };
}

function makeFolders({ stateDir, serverUser }: Places): void {
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  // Passed through, not looked into, by the server's user on the way to its own folder.
  chmodSync(stateDir, serverUser === null ? 0o700 : 0o711);
}

/** What the dead-man has to know, the same for whoever starts it. */
export function watchSettingsOf(loaded: LoadedGuard): WatchSettings {
  const places = placesOf(loaded);
  makeFolders(places);
  return watchSettings(loaded, places);
}

function watchSettings({ config, terms }: LoadedGuard, { stateDir, dataDir, cgroup }: Places): WatchSettings {
  const { deadMan } = config;
  const socket = (deadMan.driver === 'process' ? deadMan.socket : undefined) ?? join(stateDir, 'deadman.sock');
  if (Buffer.byteLength(socket) > SOCKET_PATH_LIMIT)
    throw new StateRefused(
      `${socket} is too long for a socket`,
      `name one of at most ${SOCKET_PATH_LIMIT} bytes in deadMan.socket`,
    );
  return {
    target: { dataDir, cgroup },
    afterMs: terms.timings.deadManAfterMs,
    socket,
    record: join(stateDir, 'dead-man.record'),
  };
}

type Ports = { readonly clock: Clock; readonly timers: Timers; readonly log: Log };

function deadManOf(loaded: LoadedGuard, places: Places, ports: Ports): DeadMan {
  const { deadMan } = loaded.config;
  const { clock, timers, log } = ports;
  switch (deadMan.driver) {
    case 'process':
      return processDeadMan({
        settings: watchSettings(loaded, places),
        startedBy: deadMan.startedBy ?? 'guard',
        cgroup: deadMan.cgroup ?? null,
        log: join(places.stateDir, 'dead-man.log'),
        ...{ clock, timers, say: log },
      });
    case 'watchdog':
      return watchdogDeadMan({
        device: deadMan.device ?? '/dev/watchdog',
        afterMs: loaded.terms.timings.deadManAfterMs,
        ...{ timers, say: log },
      });
    case 'none':
      return NO_DEAD_MAN;
    default:
      return deadMan satisfies never;
  }
}

function launcherOf(config: GuardConfig['postgres'], { dataDir, postgres, serverUser, cgroup }: Places): Launcher {
  const base = { binDir: config.binDir, dataDir, serverUser, cgroup, logFile: join(postgres, 'postgres.log') };
  switch (config.driver) {
    case 'pg_ctl':
      return pgCtl(base);
    case 'systemd':
      return systemd({ ...base, unit: config.unit, optionsFile: join(postgres, 'start.env') });
    case 'command': {
      const { start, stop } = config;
      return command({ ...base, startStandby: start, startFenced: start, stop, promote: null });
    }
    default:
      return config satisfies never;
  }
}

function postgresOf(
  { config }: LoadedGuard,
  places: Places,
  { clock, timers, log }: Ports,
  rejoin: NonNullable<PostgresOptions['rejoin']>,
): Postgres {
  const { postgres } = config;
  const { dataDir, cgroup, serverUser } = places;
  const target: Target = { dataDir, cgroup };
  const programs = programsOf(config, places);
  return createPostgres(launcherOf(postgres, places), {
    ...{ target, serverUser, clock, timers },
    binDir: postgres.binDir,
    folder: places.postgres,
    server: {
      socketDir: postgres.socketDir,
      port: postgres.port ?? DEFAULT_PORT,
      user: postgres.superuser ?? 'postgres',
      database: postgres.database ?? 'postgres',
    },
    listenAddresses: postgres.listenAddresses.replaceAll(/\s+/g, ''),
    operatorsHba: postgres.hba,
    configFile: configFileOf(dataDir, postgres.hba),
    tell: (message) => log.warn({}, message),
    endOfWal: (signal) => endOfWal(dataDir, programs, signal),
    rejoin,
  });
}

const programsOf = ({ postgres }: GuardConfig, { serverUser }: Places): Programs => ({
  binDir: postgres.binDir,
  ...(serverUser === null ? {} : { user: serverUser }),
});

/** Debian keeps it beside pg_hba.conf, under /etc, where PostgreSQL finds it by its command line alone. */
function configFileOf(dataDir: string, hba: string): string | null {
  if (isThere(join(dataDir, 'postgresql.conf'))) return null;
  const beside = join(dirname(hba), 'postgresql.conf');
  return isThere(beside) ? beside : null;
}

function secureOf({ config: { tls } }: LoadedGuard, secrets: Secrets): GuardHttpOptions['secure'] {
  if (tls === undefined) return null;
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

/** Rejects with {@link StateRefused} where it may not be started; what was begun by then ends with the lifecycle. */
export async function startGuard(options: GuardOptions): Promise<Guard> {
  const { loaded, secrets, log, lifecycle, timers, version } = options;
  const { config } = loaded;
  const settings = settingsOf(loaded);
  const clock = createBootClock();
  if (clock === null)
    throw new StateRefused(
      '/proc/uptime can’t be read',
      'run the guard on Linux, with /proc mounted: a lease is counted over sleep too',
    );
  const places = placesOf(loaded);
  makeFolders(places);
  const locks = [places.stateDir, places.dataDir].map((folder) => lockFolder(folder));
  let locked = placeOf(places.dataDir);
  const relock = (): void => {
    const now = placeOf(places.dataDir);
    if (now.dev === locked.dev && now.ino === locked.ino) return;
    locks.push(lockFolder(places.dataDir));
    locked = now;
  };
  lifecycle.onStop('locks', STOP_MS.lock, () => {
    for (const lock of locks) lock.release();
  });
  const stateFile = createStateFile(places.stateDir, settings);
  const found = await stateFile.read();
  await stateFile.tryOut();
  const { durable } = found;
  // A guard that ended before it had ever started PostgreSQL has done nothing that the next one must answer for.
  const fresh = found.fresh || (durable.lastRole === null && durable.holds === null && durable.obeyed === 0);

  const deadMan = deadManOf(loaded, places, { clock, timers, log });
  let armed = DEAD_MAN_OF[config.deadMan.driver] !== 'none';
  let told: (now: boolean) => void = () => undefined;
  const { renewedMono } = await deadMan.start((now) => {
    armed = now;
    told(now);
  });
  lifecycle.onStop('dead-man', STOP_MS.deadMan, () => deadMan.leave());

  const certificates = createCertificates(secrets);
  const { replication } = config;
  const rejoin = rejoinBy({
    config,
    dataDir: places.dataDir,
    programs: programsOf(config, places),
    prover: () => postgres.prover,
    folder: places.postgres,
    stateDir: places.stateDir,
    holder: () => loop.state().view?.record?.holder ?? null,
    password: () => (replication?.password === undefined ? null : secrets.of(replication.password).reveal()),
    caFile: replication?.ca === undefined ? null : resolve(loaded.folder, replication.ca),
    certificates: certificates(replication),
    configFile: configFileOf(places.dataDir, config.postgres.hba),
    replaced: relock,
  });
  const postgres: Postgres = postgresOf(loaded, places, { clock, timers, log }, rejoin);
  const own = (): string => secrets.of(config.token).reveal();
  const metrics = createGuardMetrics(version);
  const loop: Loop = createLoop({
    ...{ step, stateFile, postgres, deadMan, clock, timers, log, fatal: options.fatal },
    initial: initialGuard(settings),
    process: newIncarnation(),
    store:
      options.store ??
      httpLeaseStore({ url: config.store.url, token: own, certificates: certificates(config.store.tls) }),
    askPeer: async (peer, ask, signal) => {
      const there = config.peers[peer];
      if (there === undefined) throw new RangeError(`${peer} is no peer of this configuration`);
      const token = (): string => secrets.of(there.token).reveal();
      return await askForPromise({ url: there.url, token, certificates: certificates(there.tls) }, ask, signal);
    },
    watch: metrics.watch,
  });
  told = loop.deadManIs;
  lifecycle.onStop('loop', STOP_MS.loop, () => loop.stop());
  await loop.start({ durable, fresh, renewedMono, armed });

  const http = createGuardHttp({
    ...{ loop, metrics, log, timers, token: own },
    status: () => statusOf({ ...loop.state(), mono: Math.max(loop.state().mono, clock.mono()) }),
    doctor: () => ({
      driver: { kind: postgres.kind, proven: postgres.proven },
      deadMan: { ...deadMan.counts(postgres.postmaster()), deeds: deadMan.deeds() },
      timingsHash: settings.timingsHash,
    }),
    secure: secureOf(loaded, secrets),
  });
  lifecycle.onStop('http', STOP_MS.http, () => http.close());
  const url = await listen(http, config.listen ?? '127.0.0.1:8432');
  const renewal = keepRenewing({ secrets, timers, log });
  lifecycle.onStop('renewal', STOP_MS.renewal, () => renewal.stop());
  if (config.nftables !== undefined)
    log.warn({}, 'the guard applies no rules of nftables by itself: `failoverd guard FILE --nftables` prints them');
  const counts = deadMan.counts(postgres.postmaster());
  log[counts.expired ? 'info' : 'warn']({ deadMan: deadMan.kind, expiredCounts: counts.expired }, counts.why);
  log.info(
    { url, version, group: config.group, component: config.component, region: config.region },
    'the guard is ready',
  );
  return { url, loop, postgres, settings };
}

async function listen(http: ReturnType<typeof createGuardHttp>, on: string): Promise<string> {
  const address = addressOf(on);
  if (address === null) throw new StateRefused(`${on} is no address`, 'write listen as host:port');
  try {
    return await http.listen(address);
  } catch (error) {
    throw new StateRefused(`${on} can't be listened on`, 'change listen, or free the address', { cause: error });
  }
}
