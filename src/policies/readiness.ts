/**
 * Whether the standby is made as its primary is (design §6). PURE. Most of it is read on the standby itself, whose catalogs
 * are the primary's: extensions and collations of each database. Settings and slots are compared with what the primary was
 * last seen to have, however long ago that was.
 */
import { COMPARED_SETTINGS, type Readiness } from '../model/readiness.ts';
import { spanText } from './span.ts';

/** Ten rounds of the probe. A target that did not tell for longer may be another one now. */
export const READY_FRESH_MS = 600_000;

export type SeenReadiness = {
  readonly facts: Readiness;
  /** Since it was last read; null = only in the journal, from before this process. */
  readonly ageMs: number | null;
};

export type ReadinessFindings = {
  /** A promotion would not work, or not be what is meant. */
  readonly impossible: readonly string[];
  /** It would work, and the service would be less than it was. */
  readonly worse: readonly string[];
  readonly unknown: readonly string[];
  /** Told, and in nobody's way. */
  readonly told: readonly string[];
};

const majorOf = (version: number): number => Math.floor(version / 10_000);
const LEVELS: readonly string[] = ['minimal', 'replica', 'logical'];
/** What a standby waits before it asks a source again; a promotion may have to wait for it too. */
const RETRY_MS_MOST = 1000;

export function compareReadiness(
  name: string,
  primary: SeenReadiness | null,
  target: SeenReadiness | null,
): ReadinessFindings {
  const found = { impossible: [] as string[], worse: [] as string[], unknown: [] as string[], told: [] as string[] };
  if (target === null || target.ageMs === null || target.ageMs > READY_FRESH_MS) {
    const since = target?.ageMs == null ? '' : ` for ${spanText(target.ageMs)}`;
    found.unknown.push(`how ${name} is made was not seen${since}`);
    return found;
  }
  ownOf(name, target.facts, found);
  if (primary === null) {
    found.unknown.push('the primary’s settings, version and slots were never seen, so they can’t be compared');
    return found;
  }
  found.told.push(
    primary.ageMs === null
      ? 'compared with the primary as the journal keeps it'
      : `compared with the primary as it was ${spanText(primary.ageMs)} ago`,
  );
  againstPrimary(name, primary.facts, target.facts, found);
  return found;
}

type Found = { impossible: string[]; worse: string[]; unknown: string[]; told: string[] };

function ownOf(name: string, target: Readiness, found: Found): void {
  for (const database of target.databases) {
    if (database.closed !== null) {
      found.unknown.push(
        `extensions and collations of database ${database.name} were not seen (${database.closed}): let this role connect to it (grant connect, pg_hba.conf)`,
      );
      continue;
    }
    if (database.recorded !== null && database.actual !== null && database.recorded !== database.actual)
      found.worse.push(
        `database ${database.name}: its collation is version ${database.recorded}, and ${name} has ${database.actual}: indexes on text would be wrong`,
      );
    for (const { name: collation, recorded, actual } of database.collations)
      found.worse.push(
        `database ${database.name}: collation ${collation} is ${recorded}, and ${name} has ${actual ?? 'none'}`,
      );
    for (const { name: extension, version, files } of database.extensions)
      if (files !== 'same')
        found.worse.push(
          files === 'none'
            ? `database ${database.name}: ${name} has no files of extension ${extension}`
            : `database ${database.name}: extension ${extension} is ${version}, of which ${name} has another version`,
        );
  }
  if (target.version !== null && target.version < 150_000)
    found.told.push('PostgreSQL before 15 keeps no version of a database’s default collation');
  if (target.moreDatabases > 0) found.unknown.push(`${target.moreDatabases} more databases were not looked into`);
  if ((target.walRetrieveRetryMs ?? 0) > RETRY_MS_MOST)
    found.told.push(
      `wal_retrieve_retry_interval is ${spanText(target.walRetrieveRetryMs ?? 0)} on ${name}: a promotion may wait that long; 100ms is fine`,
    );
  // No function of PostgreSQL tells it on every system, so it is never known from here.
  found.told.push(`free disk on ${name} is not known to PostgreSQL: name a metric of it, and a gate row that reads it`);
}

function againstPrimary(name: string, primary: Readiness, target: Readiness, found: Found): void {
  if (primary.version === null || target.version === null) found.unknown.push('a server version is not known');
  else if (majorOf(primary.version) !== majorOf(target.version))
    found.impossible.push(
      `${name} is PostgreSQL ${majorOf(target.version)}, the primary ${majorOf(primary.version)}: it can’t be its standby`,
    );
  else if (primary.version > target.version)
    found.told.push(`${name} is PostgreSQL ${target.version}, the primary ${primary.version}`);
  for (const setting of COMPARED_SETTINGS) {
    const [before, after] = [primary.settings[setting], target.settings[setting]];
    if (before === null || after === null) found.unknown.push(`${setting} is not known of both`);
    else if (after < before) found.worse.push(`${setting} is ${after} on ${name}, and ${before} on the primary`);
  }
  const level = (text: string | null): number => (text === null ? -1 : LEVELS.indexOf(text));
  if (level(primary.walLevel) < 0 || level(target.walLevel) < 0) found.unknown.push('wal_level is not known of both');
  else if (level(target.walLevel) < level(primary.walLevel))
    found.worse.push(`wal_level is ${target.walLevel} on ${name}, and ${primary.walLevel} on the primary`);
  if (target.hotStandby === false) found.told.push(`hot_standby is off on ${name}`);
  if (primary.logicalSlots === null || target.logicalSlots === null) {
    found.unknown.push('logical slots are not known of both');
    return;
  }
  const there = target.logicalSlots;
  const lost = primary.logicalSlots.filter((slot) => !there.includes(slot));
  if (lost.length > 0)
    found.told.push(
      `logical slots that are lost with the primary: ${lost.join(', ')}; their readers have to start anew`,
    );
}
