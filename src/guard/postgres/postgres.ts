/**
 * The guard's hands on one PostgreSQL: the tasks of model/guard.ts over a launcher. Every task ends with a look, and `ok` is
 * what that look says; no answer of a program or of the server is taken for it.
 */
import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { PostgresResult, PostgresSeen, PostgresTask } from '../../model/guard.ts';
import type { Lsn } from '../../model/primitives.ts';
import { lsnGapBytes } from '../../model/primitives.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Timers } from '../../runtime/timers.ts';
import { createControlData } from './control-data.ts';
import { createFenceFile } from './fence.ts';
import {
  freezeOnDisk,
  giveToOwnerOf,
  hasRecoverySignal,
  removeLocks,
  removeStandbySignal,
  writeBootSettings,
  writeStandbySignal,
} from './files.ts';
import type { As, Launcher } from './launch.ts';
import { createLook, type Looked } from './look.ts';
import { isAlive, type Machine, postmasterFile, signalAll, THIS_MACHINE } from './processes.ts';
import { lastWords, type ServerUser } from './program.ts';
import { createProver, type Prover, type Target, textOf } from './proof.ts';
import { ask, type ServerAt, socketPathOf } from './server.ts';

export type PostgresOptions = {
  readonly target: Target;
  readonly binDir: string;
  /** Of the guard: its `pg_hba` and the server's log lie here. */
  readonly folder: string;
  readonly server: ServerAt;
  /** As PostgreSQL takes it; only ever on the command line of our own start. */
  readonly listenAddresses: string;
  /** Whom the operator lets in, once the lease is held. */
  readonly operatorsHba: string;
  /** Where it isn't in the data directory. */
  readonly configFile: string | null;
  readonly serverUser: ServerUser | null;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly machine?: Machine;
  /** End of the valid log of a stopped one; null = this build can't scan. */
  readonly endOfWal?: ((signal: AbortSignal) => Promise<{ readonly timeline: number; readonly lsn: Lsn }>) | null;
  /** Archives what diverged, rewinds or clones, and leaves a stopped standby; null = this build can't. */
  readonly rejoin?: ((within: Within) => Promise<{ readonly ok: boolean; readonly message: string }>) | null;
};

export type Within = { readonly timeoutMs: number; readonly signal: AbortSignal };

export type Postgres = {
  readonly kind: Launcher['kind'];
  readonly proven: boolean;
  readonly prover: Prover;
  look(within: Within): Promise<PostgresSeen>;
  perform(task: PostgresTask, within: Within): Promise<PostgresResult>;
  /** Whether the postmaster of the last look is still there: asked many times a second, and costs a read. */
  postmasterLives(): boolean;
  /** Of the last look; null = none was seen. */
  postmaster(): number | null;
};

/** A look that takes longer tells nothing: the server hangs. */
const LOOK_WITHIN_MS = 2_000;
const LEAST_LOOK_MS = 300;
const POLL_MS = 25;
/** Of the time that a stop is given: as long the gentle way is waited for, then the quick one; the rest is for the kill. */
const FAST_SHARE = 0.5;
const IMMEDIATE_SHARE = 0.7;

class CutOff extends Error {}

export function createPostgres(launcher: Launcher, options: PostgresOptions): Postgres {
  const { target, server, clock, timers, serverUser, machine = THIS_MACHINE } = options;
  const { dataDir } = target;
  const prover = createProver(target, { clock, timers, machine });
  const fence = createFenceFile(options.folder, server.user, options.operatorsHba);
  const controlData = createControlData(options.binDir, dataDir);
  const lookAt = createLook({ prover, fence, server, controlData, timers, serverUser, machine });
  let startingAsPrimary = false;
  let postmaster: number | null = null;

  /** Tasks under way. */
  let busy = 0;

  const look = async ({ signal, timeoutMs }: Within): Promise<Looked> => {
    // A look at the end of a task's time still has to see something: it may be late by so much.
    const withinMs = Math.max(LEAST_LOOK_MS, Math.min(LOOK_WITHIN_MS, timeoutMs));
    const looked = await lookAt({ signal, withinMs, starting: startingAsPrimary });
    postmaster = looked.postmaster;
    return looked;
  };

  const pause = async (signal: AbortSignal): Promise<void> => {
    if (signal.aborted) throw new CutOff('cut off');
    await new Promise<void>((resolve) => timers.after(POLL_MS, resolve));
    if (signal.aborted) throw new CutOff('cut off');
  };
  const deadlineOf = ({ timeoutMs }: Within): number => clock.mono() + timeoutMs;
  const rest = (deadlineMono: number, { signal }: Within): Within => ({
    signal,
    timeoutMs: Math.max(1, deadlineMono - clock.mono()),
  });

  const result = (
    ok: boolean,
    message: string,
    { seen }: Looked,
    end: PostgresResult['end'] = null,
  ): PostgresResult => ({
    ok,
    message: message.slice(0, 1000),
    seen,
    end,
  });

  const settingsOf = (): Readonly<Record<string, string>> => ({
    listen_addresses: options.listenAddresses,
    port: String(server.port),
    unix_socket_directories: server.socketDir,
    unix_socket_permissions: '0700',
    hba_file: fence.path,
    restart_after_crash: 'off',
    ...(options.configFile === null ? {} : { config_file: options.configFile }),
  });

  const prepareFolders = (): void => {
    for (const folder of [options.folder, server.socketDir]) {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      giveToOwnerOf(dataDir, folder);
    }
    const { mode } = statSync(server.socketDir);
    if ((mode & 0o077) !== 0)
      throw new Error(`${server.socketDir} is open to others, and who reaches the socket is let in: chmod 700 it`);
  };

  /** Until it is up, has ended, or the time is over. */
  const awaitUp = async (deadlineMono: number, within: Within): Promise<'up' | 'ended' | 'late'> => {
    for (;;) {
      const file = postmasterFile(dataDir);
      if (file !== null && (file.status === 'ready' || file.status === 'standby') && isAlive(file.pid, machine))
        return 'up';
      if (prover.prove().kind === 'stopped') return 'ended';
      if (clock.mono() >= deadlineMono) return 'late';
      await pause(within.signal);
    }
  };

  const logTail = (): string => {
    try {
      return lastWords(readFileSync(join(options.folder, 'postgres.log'), 'utf8'));
    } catch {
      // The log may go elsewhere (logging_collector, a unit's journal): there is nothing to quote then.
      return 'see the log of PostgreSQL';
    }
  };

  const start = async (as: As, within: Within): Promise<PostgresResult> => {
    const deadlineMono = deadlineOf(within);
    const before = await look(within);
    if (before.seen.state !== 'stopped')
      return result(false, `not started: ${before.why || before.seen.state}`, before);
    const frozen = freezeOnDisk(dataDir);
    if (as === 'fenced' && frozen !== null)
      return result(false, `not started: frozen at ${frozen.lsn}; thaw it first`, before);
    if (as === 'fenced' && hasRecoverySignal(dataDir))
      return result(false, 'not started: recovery.signal is there, and would end in a promotion; remove it', before);
    prepareFolders();
    removeLocks(dataDir, socketPathOf(server));
    writeBootSettings(dataDir, frozen);
    if (as === 'standby') fence.writeOpen();
    else fence.writeFenced();
    try {
      startingAsPrimary = as === 'fenced';
      if (as === 'standby') writeStandbySignal(dataDir);
      else removeStandbySignal(dataDir);
      const failure = await launcher.start({ as, settings: settingsOf() }, rest(deadlineMono, within));
      const up = await awaitUp(deadlineMono, within);
      // Read long ago; from now on whoever starts it gets a standby again.
      if (up !== 'late') writeStandbySignal(dataDir);
      startingAsPrimary = startingAsPrimary && up === 'late';
      const after = await look(rest(Math.max(deadlineMono, clock.mono() + POLL_MS), within));
      if (up === 'late') return result(false, 'it has not come up in time, and may yet', after);
      if (up === 'ended') return result(false, `it ended: ${failure ?? logTail()}`, after);
      return await asMeant(as, after, deadlineMono, within);
    } finally {
      startingAsPrimary = false;
    }
  };

  /** What came up must be what was meant; anything that could take a write without a lease is ended here and now. */
  const asMeant = async (as: As, after: Looked, deadlineMono: number, within: Within): Promise<PostgresResult> => {
    const { state, open } = after.seen;
    if (as === 'standby' && state === 'standby') return result(true, 'started as standby', after);
    if (as === 'fenced' && state === 'primary' && !open) return result(true, 'started, letting nobody in', after);
    if (state === 'primary') {
      const proof = await prover.kill(rest(deadlineMono, within).timeoutMs);
      const why = `it came up as ${open ? 'open ' : ''}primary where ${as} was meant, and was killed (${proof.kind})`;
      return result(false, why, await look(within));
    }
    return result(false, after.why || `it came up as ${state}`, after);
  };

  const openUp = async (within: Within): Promise<PostgresResult> => {
    const deadlineMono = deadlineOf(within);
    const before = await look(within);
    if (before.postmaster === null || (before.seen.state !== 'primary' && before.seen.state !== 'standby'))
      return result(false, `not opened: ${before.why || before.seen.state}`, before);
    if (before.seen.open) return result(true, 'it is open', before);
    fence.writeOpen();
    const rules = await ask(
      server,
      ['select line_number, error from pg_hba_file_rules where error is not null limit 1'],
      {
        withinMs: rest(deadlineMono, within).timeoutMs,
        timers,
      },
    );
    const [broken] = rules.kind === 'rows' ? rules.rows : [{ error: 'its rules can’t be read' }];
    if (broken !== undefined) {
      fence.writeFenced();
      const why = `not opened: ${options.operatorsHba}: ${String(broken['error'])} (line ${Number(broken['line_number'] ?? 3) - 3})`;
      return result(false, why, await look(within));
    }
    const failures = signalAll([before.postmaster], 'SIGHUP', machine);
    for (;;) {
      const after = await look(rest(deadlineMono, within));
      if (after.seen.open && after.seen.state === before.seen.state) return result(true, 'clients are let in', after);
      if (clock.mono() >= deadlineMono) return result(false, `not opened in time ${failures.join('; ')}`, after);
      await pause(within.signal);
    }
  };

  const promote = async (within: Within): Promise<PostgresResult> => {
    const deadlineMono = deadlineOf(within);
    const before = await look(within);
    if (before.seen.state === 'primary') return result(true, 'it is primary', before);
    if (before.seen.state !== 'standby')
      return result(false, `not promoted: ${before.why || before.seen.state}`, before);
    const failure = await launcher.promote(within);
    for (;;) {
      const after = await look(rest(deadlineMono, within));
      if (after.seen.state === 'primary') return result(true, 'promoted', after);
      if (clock.mono() >= deadlineMono)
        return result(false, `not promoted so far, and it may yet be${failure === null ? '' : `: ${failure}`}`, after);
      await pause(within.signal);
    }
  };

  /** Its answer is proof: `ok` and `stopped` only by {@link Prover}. A cut-off is not heeded: nothing is worth more than this. */
  const stop = async (within: Within): Promise<PostgresResult> => {
    const begunMono = clock.mono();
    const call = { signal: new AbortController().signal, timeoutMs: within.timeoutMs };
    let proof = prover.prove();
    for (const [how, share] of [
      ['fast', FAST_SHARE],
      ['immediate', IMMEDIATE_SHARE],
    ] as const) {
      if (proof.kind === 'stopped') break;
      const untilMono = begunMono + within.timeoutMs * share;
      const file = postmasterFile(dataDir);
      const master = proof.kind === 'running' && file !== null && proof.pids.includes(file.pid) ? file.pid : null;
      // Nobody is left who would pass it on: on to the kill.
      if (master === null && launcher.kind === 'pg_ctl') break;
      // Not waited for: a program that hangs must not eat the time of the kill.
      const asked = launcher.stop(how, master, { ...call, timeoutMs: Math.max(1, untilMono - clock.mono()) });
      asked.catch(() => undefined);
      while (proof.kind !== 'stopped' && clock.mono() < untilMono) {
        await new Promise<void>((resolve) => timers.after(POLL_MS, resolve));
        proof = prover.prove();
      }
    }
    if (proof.kind !== 'stopped')
      proof = await prover.kill(Math.max(POLL_MS, begunMono + within.timeoutMs - clock.mono()));
    const after = await look({ signal: call.signal, timeoutMs: LOOK_WITHIN_MS });
    if (proof.kind !== 'stopped' || after.seen.state !== 'stopped') {
      const why =
        proof.kind === 'unknown'
          ? proof.why
          : proof.kind === 'running'
            ? `processes ${proof.pids.join(', ')} are left`
            : after.why;
      return result(false, `not proven to be stopped: ${why}`, after);
    }
    removeLocks(dataDir, socketPathOf(server));
    const data = await controlData({ ...call, user: serverUser });
    const { timeline, checkpointLsn } = data ?? {};
    const isClean = data?.state === 'shut down' && timeline != null && checkpointLsn != null;
    return result(
      true,
      isClean ? 'stopped cleanly' : 'stopped',
      after,
      isClean ? { timeline, lsn: checkpointLsn } : null,
    );
  };

  const restartAsStandby = async (freeze: { readonly lsn: Lsn } | null, within: Within): Promise<PostgresResult> => {
    const deadlineMono = deadlineOf(within);
    const stopped = await stop({ ...within, timeoutMs: within.timeoutMs / 2 });
    if (within.signal.aborted) throw new CutOff('cut off');
    if (!stopped.ok) return stopped;
    writeBootSettings(dataDir, freeze);
    return await start('standby', rest(deadlineMono, within));
  };

  const freeze = async (within: Within): Promise<PostgresResult> => {
    const before = await look(within);
    const at = freezeOnDisk(dataDir)?.lsn ?? (await whereItStands(before, within));
    if (at === null) return result(false, 'not frozen: it is no standby whose place in the log is known', before);
    const restarted = before.stopsAt === at ? result(true, '', before) : await restartAsStandby({ lsn: at }, within);
    if (!restarted.ok) return { ...restarted, message: `frozen at ${at} on disk; ${restarted.message}`.slice(0, 1000) };
    const after = await look(within);
    const { replayLsn } = after.seen;
    const holds = after.stopsAt === at && replayLsn !== null && lsnGapBytes(replayLsn, at) <= 0;
    return result(
      holds,
      holds ? `frozen at ${at}` : `it stands at ${replayLsn ?? 'an unknown place'} instead of ${at}`,
      after,
    );
  };

  /** Of a running standby: paused first, so that what is read is what holds. Of a stopped one: what it must reach anyway. */
  const whereItStands = async (before: Looked, within: Within): Promise<Lsn | null> => {
    const call = { withinMs: Math.min(LOOK_WITHIN_MS, within.timeoutMs), timers };
    if (before.seen.state === 'stopped')
      return (await controlData({ ...within, user: serverUser }))?.minRecoveryLsn ?? null;
    if (before.seen.state !== 'standby') return null;
    const deadlineMono = deadlineOf(within);
    await ask(server, ['select pg_wal_replay_pause()'], call);
    for (;;) {
      const said = await ask(
        server,
        ['select pg_get_wal_replay_pause_state() as state, pg_last_wal_replay_lsn()::text as lsn'],
        call,
      );
      const [row] = said.kind === 'rows' ? said.rows : [];
      if (row?.['state'] === 'paused' && typeof row['lsn'] === 'string') return row['lsn'];
      if (clock.mono() >= deadlineMono) return null;
      await pause(within.signal);
    }
  };

  /** By a restart: a replay that stands at its target would take "resume" for "promote" (safety.md, "Freeze"). */
  const thaw = async (within: Within): Promise<PostgresResult> => {
    const before = await look(within);
    if (before.seen.state === 'primary') return result(false, 'not thawed: it is primary', before);
    return await restartAsStandby(null, within);
  };

  const scan = async (within: Within): Promise<PostgresResult> => {
    const before = await look(within);
    if (before.seen.state !== 'stopped')
      return result(false, `not scanned: ${before.why || before.seen.state}`, before);
    if (options.endOfWal == null) return result(false, 'not scanned: this build has no scanner', before);
    const end = await options.endOfWal(within.signal);
    return result(true, `the valid log ends at ${end.lsn}`, before, end);
  };

  const rejoin = async (within: Within): Promise<PostgresResult> => {
    const before = await look(within);
    if (before.seen.state !== 'stopped')
      return result(false, `not rejoined: ${before.why || before.seen.state}`, before);
    if (options.rejoin == null) return result(false, 'not rejoined: nothing here can do it', before);
    const { ok, message } = await options.rejoin(within);
    return result(ok, message, await look(within));
  };

  const TASKS: Readonly<Record<PostgresTask, (within: Within) => Promise<PostgresResult>>> = {
    'start-standby': (within) => start('standby', within),
    'start-fenced': (within) => start('fenced', within),
    open: openUp,
    promote,
    stop,
    freeze,
    thaw,
    scan,
    rejoin,
  };

  return {
    kind: launcher.kind,
    proven: launcher.proven,
    prover,
    async look(within) {
      const looked = await look(within);
      if (!looked.orphans || busy > 0) return looked.seen;
      // Their postmaster is dead, so nobody will ever end them, and one that is busy goes on committing.
      await prover.kill(within.timeoutMs);
      return (await look(within)).seen;
    },
    async perform(task, within) {
      busy += 1;
      try {
        return await TASKS[task](within);
      } catch (error) {
        const looked = await look({ signal: new AbortController().signal, timeoutMs: LOOK_WITHIN_MS });
        return result(false, `${task}: ${textOf(error)}`, looked);
      } finally {
        busy -= 1;
      }
    },
    postmasterLives: () => postmaster === null || isAlive(postmaster, machine),
    postmaster: () => postmaster,
  };
}
