/** `failoverd run`: the daemon, until a signal ends it. SIGHUP reads the config anew. */
import { flushCompileCache } from 'node:module';
import { resolve } from 'node:path';
import type { Read } from '../daemon/reload.ts';
import { isAlive, serviceStatus } from '../daemon/service-status.ts';
import type { Engine } from '../engine/engine.ts';
import { openSqliteJournal } from '../journal/sqlite.ts';
import { systemClock } from '../runtime/clock.ts';
import { loadConfig } from '../runtime/config/load.ts';
import { type Problem, problemText } from '../runtime/config/problem.ts';
import { resolveSecrets, type Secrets, secretSources } from '../runtime/config/secrets.ts';
import { createLifecycle, type Lifecycle } from '../runtime/lifecycle.ts';
import { createLog, type Log } from '../runtime/log.ts';
import { type ServiceManager, serviceManager } from '../runtime/service-manager.ts';
import { onFault, onReloadSignal, onStopSignals } from '../runtime/signals.ts';
import { systemTimers } from '../runtime/timers.ts';
import { type Command, EXIT, readArgs, type Shell, UsageError } from './command.ts';
import { packageVersion } from './version.ts';

const OPTIONS = { config: { type: 'string', short: 'c' } } as const;
const USAGE = 'failoverd run --config FILE';
const FLUSH_WITHIN_MS = 1_000;
const SIGNALS_OFF_WITHIN_MS = 1_000;

/** Exit 0: ended by a signal, in good order. Exit 1: it could not start, or not end well. Exit 2: config or arguments. */
export const run: Command = async (args, shell) => {
  const { values, positionals } = readArgs(args, OPTIONS);
  if (positionals[0] !== undefined) throw new UsageError(`${positionals[0]} is one too many`, USAGE);
  if (values.config === undefined) throw new UsageError('no config is named', USAGE);
  const found = await read(values.config, shell);
  if (found.kind === 'refused') return refuse(found.problems, shell);
  const { loaded, secrets } = found;

  const log = createLog({ level: loaded.config.daemon.logLevel ?? 'info', pretty: shell.color });
  const protect = (from: Secrets): void => {
    for (const secret of from.all()) log.protect(secret);
  };
  protect(secrets);
  secrets.onRenewed(() => protect(secrets));
  const lifecycle = createLifecycle({ log, timers: systemTimers });
  const deaf = onFault({ log, exit: (code) => process.exit(code) });
  const stopped = new Promise<string>((ended) => {
    const off = onStopSignals({ log, stop: ended, exit: (code) => process.exit(code) });
    lifecycle.onStop('signals', SIGNALS_OFF_WITHIN_MS, off);
  });
  for (const warning of loaded.warnings) log.warn({ path: warning.path }, problemText(warning));

  let code: number = EXIT.done;
  // The journal's thread starts while the rest of the daemon is loaded.
  const journal = openSqliteJournal({ dir: resolve(loaded.folder, loaded.config.daemon.stateDir) });
  const [{ StartRefused, startDaemon }] = await Promise.all([
    import('../daemon/app.ts'),
    // How it ended is read from the promise itself, by the daemon.
    Promise.allSettled([journal]),
  ]);
  try {
    const version = packageVersion();
    const file = values.config;
    const service = serviceManager({ environment: { variable: shell.variable, pid: process.pid }, log });
    const telling: Telling = { isEnding: false, status: () => 'starting' };
    const daemon = await startDaemon({
      ...{ loaded, secrets, version, journal, log, lifecycle },
      variable: shell.variable,
      read: () => read(file, shell),
      reloads: {
        began: () => void (telling.isEnding || service.reloading('reads the config anew')),
        // Also where it was refused: what was in force goes on.
        ended: () => void (telling.isEnding || service.ready(telling.status())),
      },
      taken(next, renewed) {
        protect(renewed);
        renewed.onRenewed(() => protect(renewed));
        log.level = next.config.daemon.logLevel ?? 'info';
        for (const warning of next.warnings) log.warn({ path: warning.path }, problemText(warning));
      },
    });
    lifecycle.onStop(
      'reload signal',
      SIGNALS_OFF_WITHIN_MS,
      onReloadSignal({ log, reload: (signal) => void daemon.reload(signal) }),
    );
    tellService(daemon.engine, { service, telling, log, lifecycle });
    // For the next start; at the end it may be too late, since a crash leaves no time for it.
    flushCompileCache();
    const report = await lifecycle.stop(await stopped);
    if (report.parts.some((part) => part.outcome !== 'ended')) code = EXIT.failed;
  } catch (error) {
    if (!(error instanceof StartRefused)) throw error;
    await lifecycle.stop('the start was refused');
    shell.stderr(`failoverd: ${error.message}\n  help: ${error.remedy}\n`);
    code = EXIT.failed;
  }
  await log.flush(FLUSH_WITHIN_MS);
  deaf();
  return code;
};

/** The config with its secrets, both as they are now. */
async function read(file: string, shell: Shell): Promise<Read> {
  const loaded = await loadConfig(file, shell.cwd);
  if (loaded.kind === 'refused') return { kind: 'refused', problems: loaded.problems };
  const resolved = await resolveSecrets(loaded, secretSources(shell));
  if (resolved.kind === 'refused') return { kind: 'refused', problems: resolved.problems };
  return { kind: 'read', loaded, secrets: resolved.secrets };
}

/** Half of the time systemd waits is what it recommends; a third leaves room for a ping that is late. */
const PINGS_IN_TIME = 3;
const TOLD_EVERY_MS = 10_000;
const TOLD_WITHIN_MS = 1_000;

/** What systemd is told: `isEnding` = that this process stops, and nothing after it. */
type Telling = { isEnding: boolean; status: () => string };
type Told = {
  readonly service: ServiceManager;
  readonly telling: Telling;
  readonly log: Log;
  readonly lifecycle: Lifecycle;
};

/** From now on systemd hears how the engine is, until the end begins; where there is no systemd, nobody does. */
function tellService(engine: Engine, { service, telling, log, lifecycle }: Told): void {
  const status = (): string => serviceStatus(engine.health(), engine.state());
  telling.status = status;
  const everyMs = service.watchdogMs === null ? TOLD_EVERY_MS : service.watchdogMs / PINGS_IN_TIME;
  let cancel = (): void => undefined;
  const ping = (): void => {
    if (isAlive(engine.health(), engine.state(), systemClock.mono())) service.alive(status());
    else log.error({ engine: engine.health() }, 'the engine stands still: its watchdog is not told that it is alive');
    cancel = systemTimers.after(everyMs, ping);
  };
  lifecycle.onStop('service manager', TOLD_WITHIN_MS, () => {
    cancel();
    telling.isEnding = true;
    service.stopping('stopping');
    return service.sent();
  });
  service.ready(status());
  if (service.isHeard) ping();
}

function refuse(problems: readonly Problem[], shell: Shell): number {
  for (const problem of problems) shell.stderr(`error  ${problemText(problem)}\n`);
  return EXIT.usage;
}
