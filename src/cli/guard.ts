/** `failoverd guard`: what alone starts, promotes and stops one PostgreSQL, until a signal ends it. */
import type { Guard } from '../guard/app.ts';
import { systemClock } from '../runtime/clock.ts';
import { type LoadedGuard, loadGuardConfig } from '../runtime/config/guard.ts';
import { type Problem, problemText } from '../runtime/config/problem.ts';
import { resolveSecrets, secretSources } from '../runtime/config/secrets.ts';
import { createLifecycle, type Lifecycle } from '../runtime/lifecycle.ts';
import { createLog, type Log, type ProcessLog } from '../runtime/log.ts';
import { type ServiceManager, serviceManager } from '../runtime/service-manager.ts';
import { onFault, onStopSignals } from '../runtime/signals.ts';
import { systemTimers } from '../runtime/timers.ts';
import { type Command, EXIT, readArgs, type Shell, UsageError } from './command.ts';
import { packageVersion } from './version.ts';

const OPTIONS = {
  config: { type: 'string', short: 'c' },
  'stop-postgres': { type: 'boolean', default: false },
  'dead-man': { type: 'boolean', default: false },
  nftables: { type: 'boolean', default: false },
} as const;
const USAGE = 'failoverd guard FILE [--stop-postgres | --dead-man | --nftables]';
const FLUSH_WITHIN_MS = 1_000;
const SIGNALS_OFF_WITHIN_MS = 1_000;
/** How long a release may take on the way out: a stop, a scan, and a set. */
const RELEASE_WITHIN_MS = 30_000;
const RELEASE_LOOK_MS = 100;
const PINGS_IN_TIME = 3;
const TOLD_EVERY_MS = 10_000;

/** Exit 0: ended by a signal, in good order. Exit 1: it could not start, or not go on. Exit 2: config or arguments. */
export const guard: Command = async (args, shell) => {
  const { values, positionals } = readArgs(args, OPTIONS);
  if (positionals[1] !== undefined) throw new UsageError(`${positionals[1]} is one too many`, USAGE);
  const file = positionals[0] ?? values.config;
  if (file === undefined) throw new UsageError('no config is named', USAGE);
  const loaded = await loadGuardConfig(file, shell.cwd);
  if (loaded.kind === 'refused') return refuse(loaded.problems, shell);
  if (values.nftables) return await printRules(loaded, shell);
  if (values['dead-man']) return await watch(loaded, shell);
  return await serve(loaded, values['stop-postgres'], shell);
};

async function printRules({ config, terms }: LoadedGuard, shell: Shell): Promise<number> {
  const { nftablesRules } = await import('../guard/dead-man/nftables.ts');
  const table = config.nftables?.table ?? 'failoverd';
  shell.stdout(nftablesRules({ table, port: config.postgres.port ?? 5432, afterMs: terms.timings.deadManAfterMs }));
  return EXIT.done;
}

/** The dead-man as a unit or container of its own: in the foreground, until a signal ends it. */
async function watch(loaded: LoadedGuard, shell: Shell): Promise<number> {
  const [{ StateRefused, watchSettingsOf }, { startWatch }, { createBootClock }] = await Promise.all([
    import('../guard/app.ts'),
    import('../guard/dead-man/watch.ts'),
    import('../runtime/boot-clock.ts'),
  ]);
  const { deadMan } = loaded.config;
  if (deadMan.driver !== 'process') {
    shell.stderr(`failoverd: deadMan.driver is ${deadMan.driver}: it has no process\n`);
    return EXIT.usage;
  }
  const clock = createBootClock();
  if (clock === null) {
    shell.stderr('failoverd: /proc/uptime can’t be read: without a clock that counts sleep there is no deadline\n');
    return EXIT.failed;
  }
  const log = createLog({ level: loaded.config.logLevel ?? 'info', pretty: shell.color, fields: { deadMan: true } });
  const stopped = new Promise<void>((ended) => {
    onStopSignals({ log, stop: () => ended(), exit: (code) => process.exit(code) });
  });
  try {
    const say = (line: string): void => log.warn({}, line);
    // A guard with other settings asks it to make room; its unit starts it again with the new ones.
    const ended = (): void => process.exit(EXIT.done);
    const watching = await startWatch(watchSettingsOf(loaded), {
      clock,
      timers: systemTimers,
      say,
      pid: process.pid,
      ended,
    });
    serviceManager({ environment: { variable: shell.variable, pid: process.pid }, log }).ready('watching');
    log.info(
      { socket: watchSettingsOf(loaded).socket, afterMs: loaded.terms.timings.deadManAfterMs },
      'the dead-man watches',
    );
    await stopped;
    await watching.close();
    return EXIT.done;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const remedy = error instanceof StateRefused ? `\n  help: ${error.remedy}` : '';
    shell.stderr(`failoverd: ${error.message}${remedy}\n`);
    return EXIT.failed;
  } finally {
    await log.flush(FLUSH_WITHIN_MS);
  }
}

async function serve(loaded: LoadedGuard, stopPostgres: boolean, shell: Shell): Promise<number> {
  const resolved = await resolveSecrets(loaded, secretSources(shell));
  if (resolved.kind === 'refused') return refuse(resolved.problems, shell);
  const { secrets } = resolved;
  const { config } = loaded;
  const fields = { guard: `${config.group}/${config.component}`, region: config.region };
  const log: ProcessLog = createLog({ level: config.logLevel ?? 'info', pretty: shell.color, fields });
  const protect = (): void => {
    for (const secret of secrets.all()) log.protect(secret);
  };
  protect();
  secrets.onRenewed(protect);
  for (const warning of loaded.warnings) log.warn({ path: warning.path }, problemText(warning));
  const lifecycle = createLifecycle({ log, timers: systemTimers });
  const deaf = onFault({ log, exit: (code) => process.exit(code) });
  const stopped = new Promise<string>((ended) => {
    const off = onStopSignals({ log, stop: ended, exit: (code) => process.exit(code) });
    lifecycle.onStop('signals', SIGNALS_OFF_WITHIN_MS, off);
  });
  const broken = Promise.withResolvers<string>();
  let code: number = EXIT.done;
  const { StateRefused, startGuard } = await import('../guard/app.ts');
  try {
    const running = await startGuard({
      ...{ loaded, secrets, log, lifecycle, timers: systemTimers, version: packageVersion() },
      fatal(error) {
        code = EXIT.failed;
        broken.resolve(error.message);
      },
    });
    tellService(running, lifecycle, log, shell);
    const reason = await Promise.race([stopped, broken.promise]);
    if (stopPostgres && code === EXIT.done && !(await release(running, log))) code = EXIT.failed;
    const report = await lifecycle.stop(reason);
    if (report.parts.some((part) => part.outcome !== 'ended')) code = EXIT.failed;
  } catch (error) {
    if (!(error instanceof StateRefused)) throw error;
    await lifecycle.stop('the start was refused');
    shell.stderr(`failoverd: ${error.message}\n  help: ${error.remedy}\n`);
    code = EXIT.failed;
  }
  await log.flush(FLUSH_WITHIN_MS);
  deaf();
  return code;
}

/** PostgreSQL is stopped, and the lease given back where it is held: so nobody has to wait for its end. */
async function release({ loop, postgres, settings }: Guard, log: Log): Promise<boolean> {
  const { durable } = loop.state();
  if (durable.holds === null) {
    await loop.stop();
    const signal = new AbortController().signal;
    const { ok, message } = await postgres.perform('stop', { timeoutMs: settings.timings.stopWithinMs, signal });
    log.info({ ok }, message);
    return ok;
  }
  const { taken, message } = await loop.order({ kind: 'release', run: 'run-guard-stopped', epoch: durable.obeyed });
  log.info({ taken }, message);
  const untilMono = systemClock.mono() + RELEASE_WITHIN_MS;
  while (taken && loop.state().durable.holds !== null && systemClock.mono() < untilMono)
    await new Promise<void>((done) => systemTimers.after(RELEASE_LOOK_MS, done));
  return loop.state().durable.holds === null;
}

/** A loop that stands still is not called alive: systemd starts another guard, and PostgreSQL goes on under the dead-man. */
function tellService({ loop }: Guard, lifecycle: Lifecycle, log: Log, shell: Shell): void {
  const service: ServiceManager = serviceManager({ environment: { variable: shell.variable, pid: process.pid }, log });
  const status = (): string => `${loop.state().part}: ${loop.state().why}`;
  const everyMs = service.watchdogMs === null ? TOLD_EVERY_MS : service.watchdogMs / PINGS_IN_TIME;
  let cancel = (): void => undefined;
  const ping = (): void => {
    if (loop.isAlive()) service.alive(status());
    else log.error({}, 'the loop stands still: the watchdog of systemd is not told that it is alive');
    cancel = systemTimers.after(everyMs, ping);
  };
  lifecycle.onStop('service manager', SIGNALS_OFF_WITHIN_MS, () => {
    cancel();
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
