/** What the old side needs to know of the new primary, and asks of it. */
import { WalError } from './errors.ts';

/** One statement to a server; rows come as objects. Rejects where it can't be asked. */
export type Ask = (sql: string, values?: readonly unknown[]) => Promise<readonly Readonly<Record<string, unknown>>[]>;

export type NewPrimary = {
  readonly systemIdentifier: string;
  readonly timeline: number;
  readonly history: string | null;
};

/**
 * Who it is, and its history. Needs a role that may read server files (`pg_read_server_files`, and execute on `pg_read_file`).
 * @throws WalError `not-this-cluster` where it is not the primary of that cluster
 */
export async function readNewPrimary(ask: Ask, systemIdentifier: string): Promise<NewPrimary> {
  const [row] = await ask(
    `select (select system_identifier::text from pg_control_system()) as id, pg_is_in_recovery() as recovering`,
  );
  if (row?.['recovering'] !== false) throw new WalError('not-this-cluster', 'the server to follow is no primary');
  if (row['id'] !== systemIdentifier)
    throw new WalError(
      'not-this-cluster',
      `the server to follow is of cluster ${row['id']}, not of ${systemIdentifier}`,
    );
  const [position] = await ask('select pg_walfile_name(pg_current_wal_insert_lsn()) as name');
  const name = String(position?.['name']).slice(0, 8);
  const timeline = Number.parseInt(name, 16);
  if (timeline === 1) return { systemIdentifier, timeline, history: null };
  const [file] = await ask(`select pg_read_file('pg_wal/${name}.history') as text`);
  return { systemIdentifier, timeline, history: String(file?.['text']) };
}

/** A rewind compares with the last checkpoint: right after a promotion that one is of the old timeline. */
export async function checkpoint(ask: Ask): Promise<void> {
  await ask('checkpoint');
}

/** Makes the slot, if there is none of that name. Rights of replication are needed. */
export async function ensureSlot(ask: Ask, slot: string): Promise<void> {
  await ask(
    `select pg_create_physical_replication_slot($1, true)
      where not exists (select 1 from pg_replication_slots where slot_name = $1)`,
    [slot],
  );
}
