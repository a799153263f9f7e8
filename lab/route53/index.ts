export type { FaultKind, FaultOptions } from './faults.ts';
export type { Operation } from './operations.ts';
export { type RequestLine, type Route53Lab, type Route53Options, startRoute53 } from './server.ts';
export type { AcceptedChange, ZoneConfig } from './store.ts';
