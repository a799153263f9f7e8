import pg from 'pg';
import { LabError } from '../servers/errors.ts';
import { nowMs, until } from '../servers/wait.ts';
import { openLedger } from './ledger.ts';

export interface BusyOptions {
  readonly clientId: string;
  readonly region: string;
  readonly ledgerFile: string;
  readonly postgres: { readonly host: string; readonly port: number; readonly user: string; readonly password: string };
  /** It ends by itself after so many commits: they stand in its ledger as attempts before the first is made. */
  readonly most: number;
}

/** One client, one statement, one backend that commits on and on and tells of each commit. */
export interface BusyBackend {
  readonly pid: number;
  /** Commits that the client was told of so far. */
  readonly acked: () => number;
  /** Whether the backend is gone, as its client sees it. */
  readonly ended: () => boolean;
  readonly stop: () => Promise<void>;
}

/**
 * A backend looks for its postmaster only where it waits for something. This one never does: between two commits it looks at
 * the clock. So it lives on without a postmaster, and goes on acknowledging, until somebody kills it (safety.md, "Stopping means").
 */
export async function startBusyBackend(options: BusyOptions): Promise<BusyBackend> {
  const { clientId, region, most } = options;
  const ledger = openLedger(options.ledgerFile);
  const id = (number: number): string => `${clientId}-${String(number).padStart(8, '0')}`;
  const sentAtMs = nowMs();
  const { host, port } = options.postgres;
  ledger.append({ event: 'client', clientId, target: { kind: 'address', host, port }, atMs: sentAtMs });
  for (let number = 1; number <= most; number += 1) ledger.append({ event: 'sent', id: id(number), sentAtMs });

  const client = new pg.Client({ ...options.postgres, database: 'app', connectionTimeoutMillis: 5_000 });
  let acked = 0;
  let ended = false;
  client.on('error', () => {
    ended = true;
  });
  client.on('notice', ({ message }) => {
    const [number, lsnBefore, lsn] = (message ?? '').split(' ');
    if (number === undefined || !/^\d+$/.test(number)) return;
    acked += 1;
    const times = { sentAtMs, endedAtMs: nowMs() };
    const wal = { ...(lsnBefore === undefined ? {} : { lsnBefore }), ...(lsn === undefined ? {} : { lsn }) };
    ledger.append({
      event: 'ended',
      id: id(Number(number)),
      ...times,
      outcome: 'acked',
      region,
      address: host,
      ...wal,
    });
  });
  await client.connect();
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  const pid = rows[0]?.pid;
  if (pid === undefined) throw new LabError('not-running', 'a backend without a pid');
  const working = client.query(loopOf(clientId, region, most)).then(
    () => undefined,
    // Killed, as it is meant to be: what it was told until then stands in the ledger.
    () => undefined,
  );
  void working.finally(() => {
    ended = true;
  });
  await until({ what: 'the busy backend commits', timeoutMs: 15_000 }, async () => (acked >= 10 ? true : undefined));
  return {
    pid,
    acked: () => acked,
    ended: () => ended,
    stop: async () => {
      await client.end().catch(() => undefined);
      ledger.close();
    },
  };
}

const EVERY = '40 milliseconds';

function loopOf(clientId: string, region: string, most: number): string {
  const word = (text: string): string => `'${text.replaceAll("'", "''")}'`;
  return `do $busy$
declare
  lsn_before text;
  next_at timestamptz;
begin
  for number in 1 .. ${most} loop
    insert into app.writes (id, region) values (${word(`${clientId}-`)} || lpad(number::text, 8, '0'), ${word(region)});
    lsn_before := pg_current_wal_insert_lsn()::text;
    commit;
    raise notice '% % %', number, lsn_before, pg_current_wal_insert_lsn()::text;
    next_at := clock_timestamp() + interval '${EVERY}';
    while clock_timestamp() < next_at loop
      null;
    end loop;
  end loop;
end
$busy$`;
}
