/** The end of a rejoin: the standby streams, and has what the new primary had when it was asked. */
import { lsnBytes } from '../../model/primitives.ts';
import type { Timers } from '../../runtime/timers.ts';
import { removeLeftovers } from './beside.ts';
import { goOn, WalError } from './errors.ts';
import type { Ask } from './new-primary.ts';
import { removeRecord } from './rejoin-record.ts';

const POLL_MS = 100;

export type Streaming = { readonly timeline: number; readonly replayLsn: string };

/**
 * Waits until the started standby streams from the new primary, on its timeline, and has replayed what was written there
 * before; then takes the old files and the record of the rejoin away. Not before: until then a clone has not proven itself.
 * @throws WalError `timeout` with what is not yet so, `aborted`
 */
export async function confirmRejoin(
  rejoined: { readonly dataDir: string; readonly recordFile: string },
  standby: Ask,
  newPrimary: Ask,
  limits: { readonly timers: Timers; readonly withinMs: number },
  signal: AbortSignal,
): Promise<Streaming> {
  let late = false;
  const cancel = limits.timers.after(limits.withinMs, () => {
    late = true;
  });
  try {
    const [target] = await newPrimary(
      `select pg_current_wal_flush_lsn()::text as lsn,
              ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int as timeline`,
    );
    const [lsn, timeline] = [String(target?.['lsn']), Number(target?.['timeline'])];
    for (;;) {
      goOn(signal, 'waiting for the standby');
      const found = await look(standby).catch((error: unknown) => ({
        ready: false,
        replayLsn: '0/0',
        timeline: 0,
        why: `it can't be asked: ${error instanceof Error ? error.message : error}`,
      }));
      if (found.ready && found.timeline === timeline && lsnBytes(found.replayLsn) >= lsnBytes(lsn)) {
        await removeLeftovers(rejoined.dataDir);
        await removeRecord(rejoined.recordFile);
        return { timeline, replayLsn: found.replayLsn };
      }
      if (late) {
        const at = `at ${found.replayLsn} on timeline ${found.timeline}, to be at ${lsn} on ${timeline}`;
        throw new WalError('timeout', `the standby does not stream yet: ${found.why}; ${at}`);
      }
      await new Promise<void>((resolve) => void limits.timers.after(POLL_MS, resolve));
    }
  } finally {
    cancel();
  }
}

async function look(standby: Ask) {
  const [row] = await standby(
    `select pg_is_in_recovery() as recovering, coalesce(pg_last_wal_replay_lsn()::text, '0/0') as lsn,
            coalesce((select received_tli from pg_stat_wal_receiver where status = 'streaming'), 0) as timeline`,
  );
  const timeline = Number(row?.['timeline'] ?? 0);
  const ready = row?.['recovering'] === true && timeline > 0;
  const why = row?.['recovering'] === true ? 'its receiver does not stream' : 'it is no standby';
  return { ready, replayLsn: String(row?.['lsn']), timeline, why: ready ? 'it is behind' : why };
}
