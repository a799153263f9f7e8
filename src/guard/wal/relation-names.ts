/** Names of relations from the catalogs of a server that has them: the new primary, or the old one once it is back. */
import type { NamesOf } from './divergence.ts';

/** One database of that server. Rows come as objects. */
export type Catalog = {
  query(sql: string, values: readonly unknown[]): Promise<readonly Readonly<Record<string, unknown>>[]>;
  close(): Promise<void>;
};

/**
 * Asks each database for its own relations. `open` connects to the database of that oid, and gives null where there is none.
 * A name is told only for a file that a relation has now: one that was rewritten or dropped since the fork has none.
 */
export function namesFrom(
  open: (database: number) => Promise<{ readonly name: string; readonly catalog: Catalog } | null>,
): NamesOf {
  return async (files) => {
    const names = new Map<string, string>();
    const byDatabase = Map.groupBy(files, (file) => Number(file.split('/')[1]));
    for (const [database, own] of byDatabase) {
      // Relations that all databases share belong to none.
      const opened = database === 0 ? null : await open(database);
      if (opened === null) continue;
      const { catalog, name } = opened;
      try {
        const spaces = own.map((file) => file.split('/')[0]);
        const nodes = own.map((file) => file.split('/')[2]);
        const rows = await catalog.query(
          `select f.file, n.nspname as schema, c.relname
             from unnest($1::text[], $2::oid[], $3::oid[]) as f(file, space, node)
             join pg_class c on c.oid = pg_filenode_relation(f.space, f.node)
             join pg_namespace n on n.oid = c.relnamespace`,
          [own, spaces, nodes],
        );
        for (const { file, schema, relname } of rows)
          names.set(String(file), `${name}: ${schema}.${relname}`.slice(0, 300));
      } finally {
        await catalog.close();
      }
    }
    return names;
  };
}
