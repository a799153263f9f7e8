/**
 * How a PostgreSQL is started, asked to stop, and asked to promote: by `pg_ctl`, by systemd, or by programs of the
 * operator's. What came of it is for the caller to see: no answer here is proof of anything.
 */
import { closeSync, openSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { throughGate } from '../gate.ts';
import { giveToOwnerOf, replaceFile } from './files.ts';
import { type Machine, signalAll, THIS_MACHINE } from './processes.ts';
import { lastWords, runProgram, SERVER_ENV, type ServerUser } from './program.ts';
import { textOf } from './proof.ts';

export type LaunchKind = 'pg_ctl' | 'systemd' | 'command';
export type As = 'standby' | 'fenced';

/** `settings` are for the command line alone: what is in no file can't be found there by a stranger. */
export type Start = { readonly as: As; readonly settings: Readonly<Record<string, string>> };
export type Call = { readonly signal: AbortSignal; readonly timeoutMs: number };

/** Null = handed over; a text says why it wasn't, or that it isn't known. */
export type Handed = Promise<string | null>;

export type Launcher = {
  readonly kind: LaunchKind;
  /** Whether this driver has been run against the real thing; `doctor` shows it. */
  readonly proven: boolean;
  start(start: Start, call: Call): Handed;
  stop(how: 'fast' | 'immediate', postmaster: number | null, call: Call): Handed;
  promote(call: Call): Handed;
};

const argsOf = (settings: Start['settings']): readonly string[] =>
  Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);

export type PgCtlOptions = {
  readonly binDir: string;
  readonly dataDir: string;
  readonly logFile: string;
  readonly serverUser: ServerUser | null;
  readonly cgroup: string | null;
  readonly machine?: Machine;
};

/** SIGINT asks the postmaster for a fast, SIGQUIT for an immediate shutdown (PostgreSQL manual, "Shutting Down the Server"). */
const askBySignal =
  (machine: Machine) =>
  (how: 'fast' | 'immediate', postmaster: number | null): string | null => {
    if (postmaster === null) return 'there is no postmaster to ask';
    return signalAll([postmaster], how === 'fast' ? 'SIGINT' : 'SIGQUIT', machine)[0] ?? null;
  };

const shellWord = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;

export function pgCtl(options: PgCtlOptions): Launcher {
  const { binDir, dataDir, logFile, serverUser, machine = THIS_MACHINE } = options;
  const program = join(binDir, 'pg_ctl');
  const askToStop = askBySignal(machine);
  return {
    kind: 'pg_ctl',
    proven: true,
    start({ settings }, call) {
      const words = argsOf(settings).map(shellWord).join(' ');
      return throughTheGate([program, 'start', '-W', '-s', '-D', dataDir, '-l', logFile, '-o', words], options, call);
    },
    stop: async (how, postmaster) => askToStop(how, postmaster),
    async promote({ signal, timeoutMs }) {
      const argv = [program, 'promote', '-W', '-s', '-D', dataDir];
      const end = await runProgram(argv, { signal, timeoutMs, user: serverUser });
      return end.exit === 0 ? null : end.words;
    },
  };
}

/**
 * Every process of a start stands in the data directory, and in its control group, before it does anything: so a stop that
 * cuts a start off finds whatever it has become by then.
 */
function throughTheGate(argv: readonly string[], options: PgCtlOptions, { signal, timeoutMs }: Call): Handed {
  const { dataDir, logFile, serverUser, cgroup } = options;
  return new Promise((resolve) => {
    const log = openSync(logFile, 'a', 0o600);
    giveToOwnerOf(dataDir, logFile);
    const said: Buffer[] = [];
    const child = throughGate(argv, {
      cwd: dataDir,
      env: SERVER_ENV,
      log,
      cgroup,
      user: serverUser,
      signal,
      timeoutMs,
      heard: true,
    });
    closeSync(log);
    child.stderr?.on('data', (chunk: Buffer) => void said.push(chunk));
    child.once('error', (error) => resolve(textOf(error)));
    child.once('exit', (exit, how) => {
      child.stderr?.destroy();
      resolve(exit === 0 ? null : `pg_ctl start: ${exit ?? how}: ${lastWords(Buffer.concat(said).toString('utf8'))}`);
    });
  });
}

export type SystemdOptions = PgCtlOptions & {
  readonly unit: string;
  /** Named by `EnvironmentFile=-` in the unit, as `$FAILOVERD_OPTIONS` in its `ExecStart=`; there only while we start it. */
  readonly optionsFile: string;
  readonly systemctl?: string;
};

/**
 * A unit of the operator's. It must not restart PostgreSQL by itself (`Restart=no`). The options of a start lie in a file
 * only while it lasts, so that whoever else starts the unit gets what the data directory says.
 */
export function systemd(options: SystemdOptions): Launcher {
  const { unit, optionsFile, systemctl = 'systemctl', machine = THIS_MACHINE } = options;
  const inner = pgCtl(options);
  const askToStop = askBySignal(machine);
  return {
    kind: 'systemd',
    proven: false,
    async start({ settings }, { signal, timeoutMs }) {
      const bad = Object.entries(settings).find(([, value]) => /[\s"'\\$]/.test(value));
      if (bad !== undefined) return `${bad[0]}=${bad[1]} can't be handed to a unit: leave out spaces and quotes`;
      const shown = await runProgram([systemctl, 'show', '--property=Restart', '--value', unit], { signal, timeoutMs });
      if (shown.exit !== 0) return shown.words;
      if (shown.stdout.trim() !== 'no')
        return `${unit} has Restart=${shown.stdout.trim()}: set Restart=no, the guard starts it`;
      replaceFile(optionsFile, `FAILOVERD_OPTIONS=${argsOf(settings).join(' ')}\n`);
      try {
        const end = await runProgram([systemctl, 'start', unit], { signal, timeoutMs });
        return end.exit === 0 ? null : end.words;
      } finally {
        unlinkSync(optionsFile);
      }
    },
    async stop(how, postmaster, { signal, timeoutMs }) {
      if (how === 'immediate') return askToStop(how, postmaster);
      const end = await runProgram([systemctl, 'stop', '--no-block', unit], { signal, timeoutMs });
      return end.exit === 0 ? null : end.words;
    },
    promote: inner.promote,
  };
}

export type CommandOptions = PgCtlOptions & {
  /** Each gets `-c name=value` for a start behind its own arguments. Exit 0: done, 1: not done, anything else: unknown. */
  readonly startStandby: readonly string[];
  readonly startFenced: readonly string[];
  readonly stop: readonly string[];
  /** Without it `pg_ctl promote`. */
  readonly promote: readonly string[] | null;
};

export function command(options: CommandOptions): Launcher {
  const { dataDir, machine = THIS_MACHINE } = options;
  const inner = pgCtl(options);
  const askToStop = askBySignal(machine);
  const call = async (argv: readonly string[], task: string, { signal, timeoutMs }: Call): Handed => {
    const env = { ...SERVER_ENV, FAILOVERD_TASK: task, FAILOVERD_DATA_DIR: dataDir };
    const end = await runProgram(argv, { signal, timeoutMs, env, cwd: dataDir });
    if (end.exit === 0) return null;
    return end.exit === 1 ? `not done: ${end.words}` : `unknown: ${end.words}`;
  };
  return {
    kind: 'command',
    proven: true,
    start: ({ as, settings }, how) =>
      as === 'standby'
        ? call([...options.startStandby, ...argsOf(settings)], 'start-standby', how)
        : call([...options.startFenced, ...argsOf(settings)], 'start-fenced', how),
    stop: async (how, postmaster, rest) =>
      how === 'fast' ? await call(options.stop, 'stop', rest) : askToStop(how, postmaster),
    promote: (how) => (options.promote === null ? inner.promote(how) : call(options.promote, 'promote', how)),
  };
}
