/**
 * What a PostgreSQL server tells of how it is made, as against how it is: read seldom, since it seldom changes, and
 * remembered of a primary that is gone (design §6). `null` = the server did not tell.
 */
import Type, { type Static } from 'typebox';

const Maybe = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const Name = Type.String({ maxLength: 200 });
const Version = Maybe(Type.String({ maxLength: 200 }));

/** Settings of which a standby must have no less than its primary: queries on it fail otherwise, or the service will. */
export const COMPARED_SETTINGS = [
  'max_connections',
  'max_prepared_transactions',
  'max_locks_per_transaction',
  'max_worker_processes',
  'max_wal_senders',
] as const;

export const DatabaseReadiness = Type.Object(
  {
    name: Name,
    /** Why it could not be looked into; null = it was. */
    closed: Maybe(Type.String({ maxLength: 300 })),
    /** Of its default collation: the version its indexes were built with, and the one this machine's libraries have. */
    recorded: Version,
    actual: Version,
    /** Collations, other than the default, whose two versions differ. */
    collations: Type.Array(Type.Object({ name: Name, recorded: Version, actual: Version }), { maxItems: 20 }),
    /** Installed in the database, and whether this machine has the files: that version, another one, or none. */
    extensions: Type.Array(Type.Object({ name: Name, version: Name, files: Type.Enum(['same', 'other', 'none']) }), {
      maxItems: 200,
    }),
  },
  { additionalProperties: false },
);
export type DatabaseReadiness = Static<typeof DatabaseReadiness>;

const Setting = Maybe(Type.Number());
const Settings = Type.Object(
  {
    max_connections: Setting,
    max_prepared_transactions: Setting,
    max_locks_per_transaction: Setting,
    max_worker_processes: Setting,
    max_wal_senders: Setting,
  } satisfies Record<(typeof COMPARED_SETTINGS)[number], unknown>,
  { additionalProperties: false },
);

export const Readiness = Type.Object(
  {
    /** As the server numbers itself, such as 150004. */
    version: Maybe(Type.Integer()),
    settings: Settings,
    walLevel: Maybe(Type.String({ maxLength: 20 })),
    hotStandby: Maybe(Type.Boolean()),
    walRetrieveRetryMs: Maybe(Type.Number()),
    databases: Type.Array(DatabaseReadiness, { maxItems: 50 }),
    /** Databases beyond those that are looked into. */
    moreDatabases: Type.Integer(),
    /** Logical replication slots, by name; null = not told. */
    logicalSlots: Maybe(Type.Array(Name, { maxItems: 200 })),
  },
  { additionalProperties: false },
);
export type Readiness = Static<typeof Readiness>;
