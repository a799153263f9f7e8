/** PostgreSQL as the lab uses it: make a pair, start and end it in every way, and read back what it holds. */
export {
  type ControlFacts,
  controlData,
  controlFacts,
  type DumpOptions,
  dumpWrites,
  readDump,
  type WritesDump,
} from './postgres-facts.ts';
export { createPrimary, type PrimaryOptions } from './postgres-primary.ts';
export {
  type AdminConnection,
  connectAdmin,
  destroyPostgres,
  killPostgres,
  postmasterPid,
  query,
  type StartOptions,
  startPostgres,
  stopPostgres,
} from './postgres-process.ts';
export {
  DATABASE,
  generatePasswords,
  type LabPasswords,
  type PostgresInstance,
  type PostgresTls,
} from './postgres-settings.ts';
export { createStandby, type StandbyOptions } from './postgres-standby.ts';
