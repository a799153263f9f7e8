/** A look at PostgreSQL: the kernel first, then what the server says of itself (model/guard.ts, `PostgresSeen`). */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PostgresSeen } from '../../model/guard.ts';
import type { Lsn } from '../../model/primitives.ts';
import type { Timers } from '../../runtime/timers.ts';
import type { ReadControlData } from './control-data.ts';
import { type FenceFile, fencedText, knock } from './fence.ts';
import { isThere, writeStandbySignal } from './files.ts';
import { commandOf, type Machine, nameOf, placeOf, postmasterFile, THIS_MACHINE } from './processes.ts';
import type { ServerUser } from './program.ts';
import { type Prover, textOf } from './proof.ts';
import { ask, type Row, type ServerAt, socketPathOf } from './server.ts';

export type Looked = {
  readonly seen: PostgresSeen;
  /** What stands in the way of knowing more; empty = nothing. */
  readonly why: string;
  /** The living postmaster, as its file and the kernel agree on. */
  readonly postmaster: number | null;
  /** Its backends are left, and nobody above them. */
  readonly orphans: boolean;
  /** Settings that tell whether the replay ends, of a server that answers. */
  readonly stopsAt: Lsn | null;
};

export type LookParts = {
  readonly prover: Prover;
  readonly fence: FenceFile;
  readonly server: ServerAt;
  readonly controlData: ReadControlData;
  readonly timers: Timers;
  readonly serverUser: ServerUser | null;
  readonly machine?: Machine;
};

export type Look = (options: {
  readonly signal: AbortSignal;
  readonly withinMs: number;
  /** A start as primary is under way: the absence of standby.signal is meant. */
  readonly starting: boolean;
}) => Promise<Looked>;

const onPrimary = (sql: string): string => `case when not pg_is_in_recovery() then ${sql} end`;
const onStandby = (sql: string): string => `case when pg_is_in_recovery() then ${sql} end`;

/** The control file names a promoted server's new timeline only after its next checkpoint; the log it writes does at once. */
const FACTS = `select
  pg_is_in_recovery() as in_recovery,
  pg_postmaster_start_time()::text || ' ' || pg_conf_load_time()::text as life,
  current_setting('hba_file') as hba_file,
  current_setting('data_directory') as data_directory,
  nullif(current_setting('recovery_target_lsn'), '') as stops_at,
  (select system_identifier::text from pg_control_system()) as system_identifier,
  (extract(epoch from clock_timestamp()) * 1000)::float8 as clock_ms,
  ${onPrimary('pg_walfile_name(pg_current_wal_insert_lsn())')} as insert_file,
  ${onPrimary('pg_current_wal_insert_lsn()::text')} as insert_lsn,
  ${onPrimary('pg_current_wal_flush_lsn()::text')} as flush_lsn,
  ${onStandby('pg_last_wal_receive_lsn()::text')} as receive_lsn,
  ${onStandby('pg_last_wal_replay_lsn()::text')} as replay_lsn,
  ${onStandby(`greatest(
    (select timeline_id from pg_control_checkpoint()),
    (select min_recovery_end_timeline from pg_control_recovery()),
    (select received_tli from pg_stat_wal_receiver))`)} as standby_timeline`;

const NOTHING: Omit<PostgresSeen, 'state' | 'open'> = {
  sample: null,
  receiveLsn: null,
  replayLsn: null,
  timeline: null,
  cleanShutdown: null,
  systemIdentifier: null,
};

/** `initdb` leaves a primary that was shut down; a base backup bears the state of whom it was taken from, and is left out above. */
function ranAs(state: string | null): Pick<PostgresSeen, 'ranAs'> {
  if (state === null) return {};
  return { ranAs: /recovery$/.test(state) && state !== 'in crash recovery' ? 'standby' : 'primary' };
}

export function createLook(parts: LookParts): Look {
  const { prover, fence, server, timers, machine = THIS_MACHINE } = parts;
  const { dataDir } = prover.target;
  /** What the last knock found, for one life of a server's configuration. */
  let knocked: { readonly life: string; readonly open: boolean } | null = null;

  const blind = (state: 'unknown' | 'starting', open: boolean, why: string, postmaster: number | null): Looked => ({
    seen: { ...NOTHING, state, open },
    why,
    postmaster,
    orphans: false,
    stopsAt: null,
  });

  /** Of a server that doesn't answer: fenced only where it was started by us with the file that still is the fence. */
  const startedFenced = (postmaster: number): boolean => {
    if (!commandOf(postmaster, machine).some((word) => word === `hba_file=${fence.path}`)) return false;
    return isThere(fence.path) && readFileSync(fence.path, 'utf8') === fencedText(server.user);
  };

  const isOpen = async (row: Row, withinMs: number): Promise<boolean> => {
    // Started by a stranger, with a file of its own: whom that lets in is not for us to guess.
    if (row['hba_file'] !== fence.path) return true;
    const life = String(row['life']);
    if (knocked?.life === life) return knocked.open;
    const found = await knock(socketPathOf(server), withinMs, timers);
    if (found !== 'unknown') knocked = { life, open: found === 'open' };
    return found !== 'fenced';
  };

  const whileStopped: (...of: Parameters<Look>) => Promise<Looked> = async ({ signal, withinMs, starting }) => {
    const path = socketPathOf(server);
    // No process of it here, and yet somebody answers: it runs where we can't see it, and nothing is proven.
    if (isThere(path) && (await knock(path, withinMs, timers)) !== 'unknown') {
      const why = `no process works in ${dataDir}, but ${path} is answered: share the PID namespace with PostgreSQL`;
      return blind('unknown', true, why, null);
    }
    if (!starting) writeStandbySignal(dataDir);
    const data = await parts.controlData({ signal, timeoutMs: withinMs, user: parts.serverUser });
    return {
      seen: {
        ...NOTHING,
        state: 'stopped',
        open: false,
        timeline: data?.timeline ?? null,
        cleanShutdown: data?.state == null ? null : /^shut down(?: in recovery)?$/.test(data.state),
        systemIdentifier: data?.systemIdentifier ?? null,
        ...(data === null || isThere(join(dataDir, 'backup_label')) ? {} : ranAs(data.state)),
      },
      why: data === null ? 'the control file can’t be read' : '',
      postmaster: null,
      orphans: false,
      stopsAt: null,
    };
  };

  const whileRunning = async (pids: readonly number[], withinMs: number): Promise<Looked> => {
    const file = postmasterFile(dataDir);
    const postmaster = file !== null && pids.includes(file.pid) ? file.pid : null;
    if (postmaster === null) {
      const why = `processes ${pids.slice(0, 8).join(', ')} work in ${dataDir} without a postmaster`;
      return {
        ...blind('unknown', true, why, null),
        orphans: pids.some((pid) => nameOf(pid, machine).startsWith('postgres')),
      };
    }
    const answer = await ask(server, [FACTS], { withinMs, timers });
    if (answer.kind !== 'rows') {
      const state = answer.kind === 'starting' || file?.status === 'starting' ? 'starting' : 'unknown';
      const why = answer.kind === 'starting' ? '' : answer.message;
      return blind(state, !startedFenced(postmaster), why, postmaster);
    }
    const [row = {}] = answer.rows;
    const [theirs, ours] = [placeOf(String(row['data_directory'])), placeOf(dataDir)];
    if (theirs.dev !== ours.dev || theirs.ino !== ours.ino)
      return blind('unknown', true, `${socketPathOf(server)} is of another data directory`, postmaster);
    // Back before anybody is told that it is a primary: promotion took it away (safety.md, "The guard").
    if (row['in_recovery'] === false) writeStandbySignal(dataDir);
    const seen = seenOf(row, await isOpen(row, withinMs));
    return { seen, why: '', postmaster, orphans: false, stopsAt: lsn(row['stops_at']) };
  };

  return async (options) => {
    try {
      const proof = prover.prove();
      if (proof.kind === 'stopped') return await whileStopped(options);
      if (proof.kind === 'running') return await whileRunning(proof.pids, options.withinMs);
      return blind('unknown', true, proof.why, null);
    } catch (error) {
      // A file that can't be read or written, the standby's signal among them: nothing better is known than that.
      return blind('unknown', true, textOf(error), null);
    }
  };
}

const lsn = (value: unknown): Lsn | null => (typeof value === 'string' ? value : null);

function seenOf(row: Row, open: boolean): PostgresSeen {
  const inRecovery = row['in_recovery'] !== false;
  const file = typeof row['insert_file'] === 'string' ? Number.parseInt(row['insert_file'].slice(0, 8), 16) : null;
  const timeline = inRecovery ? Number(row['standby_timeline']) || null : file;
  const [insertLsn, flushLsn] = [lsn(row['insert_lsn']), lsn(row['flush_lsn'])];
  const sample =
    inRecovery || timeline === null || insertLsn === null || flushLsn === null
      ? null
      : { timeline, insertLsn, flushLsn, clockAt: Number(row['clock_ms']) };
  return {
    state: inRecovery ? 'standby' : 'primary',
    open,
    sample,
    receiveLsn: lsn(row['receive_lsn']),
    replayLsn: lsn(row['replay_lsn']),
    timeline,
    cleanShutdown: null,
    systemIdentifier: lsn(row['system_identifier']),
  };
}
