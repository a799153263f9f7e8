/** Servers that are made alike. */
import type { Readiness } from '../../src/model/readiness.ts';

export const ALIKE: Readiness = {
  version: 150_004,
  settings: {
    max_connections: 100,
    max_prepared_transactions: 0,
    max_locks_per_transaction: 64,
    max_worker_processes: 8,
    max_wal_senders: 10,
  },
  walLevel: 'replica',
  hotStandby: true,
  walRetrieveRetryMs: 100,
  databases: [
    {
      name: 'app',
      closed: null,
      recorded: '2.36',
      actual: '2.36',
      collations: [],
      extensions: [{ name: 'plpgsql', version: '1.0', files: 'same' }],
    },
  ],
  moreDatabases: 0,
  logicalSlots: [],
};
