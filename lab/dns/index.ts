export { type AuthorityOptions, type DnsServer, startAuthority } from './authority.ts';
export type { AliasTarget, DnsFault, RecordSet, RecordType, Zone, ZoneSource } from './model.ts';
export { type ResolverOptions, type ResolverServer, startResolver } from './resolver.ts';
