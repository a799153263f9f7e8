/** Which systems of the configuration an operation speaks of. */
import type { Config, DnsComponent, GroupConfig, HttpComponent, PostgresComponent } from '../model/config.ts';
import type { Perform } from '../model/loop.ts';
import type { ComponentId, RegionId } from '../model/primitives.ts';

export type Named<T> = { readonly id: ComponentId; readonly component: T };
type Kinds = { postgres: PostgresComponent; http: HttpComponent; dns: DnsComponent };

function ofKind<K extends keyof Kinds>(group: GroupConfig, kind: K): Named<Kinds[K]>[] {
  return Object.entries(group.components).flatMap(([id, component]) =>
    component.kind === kind ? [{ id, component: component as Kinds[K] }] : [],
  );
}

/** The component the operation names when it is of this kind; otherwise all of this kind in the group. */
export function meant<K extends keyof Kinds>(operation: Perform, group: GroupConfig, kind: K): Named<Kinds[K]>[] {
  const all = ofKind(group, kind);
  const named = all.find(({ id }) => id === operation.component);
  return named === undefined ? all : [named];
}

export const allPostgres = (group: GroupConfig): Named<PostgresComponent>[] => ofKind(group, 'postgres');
export const allDns = (group: GroupConfig): Named<DnsComponent>[] => ofKind(group, 'dns');
export const groupOf = (config: Config, operation: Perform): GroupConfig | null =>
  config.groups[operation.group] ?? null;

export type HostPort = { readonly host: string; readonly port: number };

/** Reads `host:port` or `[address]:port`. Throws a RangeError on anything else: the schema keeps such text out. */
export function hostPort(text: string): HostPort {
  const match = /^(?:\[([^\]]+)\]|([^:\s]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  if (host === undefined) throw new RangeError(`not host:port: ${text}`);
  return { host, port: Number(match?.[3]) };
}

/** Where a PostgreSQL is, and as whom to speak to it; the password is a reference, resolved at each connect. */
export type PostgresTarget = HostPort & {
  /** Names the server among all this daemon speaks to. */
  readonly key: string;
  readonly id: ComponentId;
  readonly region: RegionId;
  readonly component: PostgresComponent;
};

export function postgresTarget(
  group: string,
  { id, component }: Named<PostgresComponent>,
  region: RegionId,
): PostgresTarget | null {
  const address = component.instances[region];
  if (address === undefined) return null;
  return { key: `${group}/${id}/${region}`, id, region, component, ...hostPort(address) };
}

/** The schema of the control tables, quoted. */
export const controlSchema = (component: PostgresComponent): string => quoted(component.canarySchema ?? 'failoverd');
const quoted = (identifier: string): string => `"${identifier.replaceAll('"', '""')}"`;

/** Host names are the same whatever their case and with or without the final dot. */
export const plainName = (name: string): string => name.toLowerCase().replace(/\.$/, '');
