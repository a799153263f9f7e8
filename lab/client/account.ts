import type { Attempt, Ledger } from './ledger.ts';

/** The WAL of the old side that the report says may be lost: after one position, up to another (null: open). */
export interface LossBracket {
  readonly afterLsn: string;
  readonly upToLsn: string | null;
}

export interface AccountInput {
  readonly ledger: Ledger;
  /** Every id in the old side's database; absent when it can't be read. */
  readonly dumpOld?: ReadonlySet<string>;
  /** Every id in the new side's database. */
  readonly dumpNew: ReadonlySet<string>;
  /** As the services call themselves. */
  readonly oldRegion: string;
  readonly newRegion: string;
  readonly bracket?: LossBracket;
}

export interface Acknowledgement {
  readonly id: string;
  readonly sentAtMs: number;
  readonly ackedAtMs: number;
}

/** What became of every acknowledged write. Ids are sorted; nothing here is an opinion. */
export interface Account {
  readonly attempted: number;
  readonly acknowledged: number;
  /** The same by the region that acknowledged; `?` when the answer named none. */
  readonly acknowledgedByRegion: Readonly<Record<string, number>>;
  readonly failed: number;
  readonly unknown: number;
  /** Acknowledged and in the new side's database. */
  readonly found: number;
  /** Acknowledged and not there: the sum of the next three. */
  readonly missing: readonly string[];
  /** Missing, and the old side's WAL position of the commit lies in the bracket. */
  readonly missingInBracket: readonly string[];
  /** Missing, outside the bracket (or not placeable), but in the old side's database. */
  readonly missingOnOld: readonly string[];
  /** Missing, outside the bracket (or not placeable), and not in the old side's database, as far as that was read. */
  readonly lost: readonly string[];
  readonly firstNewAckAtMs: number | null;
  /** The last by the old side before the first by the new one; the last of all when there is none by the new one. */
  readonly lastOldAckAtMs: number | null;
  /** From the one to the other: how long nobody's write was acknowledged. */
  readonly gapMs: number | null;
  /** The old side acknowledged these when the new one already did: two writers. */
  readonly ackedByOldAfterNew: readonly Acknowledgement[];
  /** Rows of these clients, in either database, of which the ledger knows nothing, not even an attempt. */
  readonly unrecorded: readonly string[];
  /** Acknowledged, says the ledger, and in neither database. Null when the old side's was not read. */
  readonly nowhere: readonly string[] | null;
  /** The ledger and the databases fit together: neither of the last two lists names anything. */
  readonly consistent: boolean;
}

/** Compare what clients were told with what the databases hold. Pure: a stranger recomputes it from the same files. */
export function account(input: AccountInput): Account {
  const { ledger, dumpOld, dumpNew } = input;
  const acked = ledger.attempts.filter(({ outcome }) => outcome === 'acked');
  const missing = acked.filter(({ id }) => !dumpNew.has(id));
  const inBracket = missing.filter((attempt) => liesIn(attempt, input.bracket, input.oldRegion));
  const elsewhere = missing.filter((attempt) => !inBracket.includes(attempt));
  const onOld = (attempt: Attempt): boolean => dumpOld?.has(attempt.id) === true;
  const unrecorded = unrecordedRows(ledger, [...(dumpOld ?? []), ...dumpNew]);
  const nowhere = dumpOld === undefined ? null : idsOf(missing.filter((attempt) => !onOld(attempt)));
  return {
    attempted: ledger.attempts.length,
    acknowledged: acked.length,
    acknowledgedByRegion: countBy(acked.map(({ region }) => region ?? '?')),
    failed: ledger.attempts.filter(({ outcome }) => outcome === 'failed').length,
    unknown: ledger.attempts.filter(({ outcome }) => outcome === 'unknown').length,
    found: acked.length - missing.length,
    missing: idsOf(missing),
    missingInBracket: idsOf(inBracket),
    missingOnOld: idsOf(elsewhere.filter(onOld)),
    lost: idsOf(elsewhere.filter((attempt) => !onOld(attempt))),
    ...handover(acked, input.oldRegion, input.newRegion),
    unrecorded,
    nowhere,
    consistent: unrecorded.length === 0 && (nowhere ?? []).length === 0,
  };
}

type Handover = Pick<Account, 'ackedByOldAfterNew' | 'firstNewAckAtMs' | 'gapMs' | 'lastOldAckAtMs'>;

function handover(acked: readonly Attempt[], oldRegion: string, newRegion: string): Handover {
  const by = (region: string): Acknowledgement[] =>
    acked
      .flatMap(({ id, sentAtMs, endedAtMs, region: who }) =>
        who === region && endedAtMs !== undefined ? [{ id, sentAtMs, ackedAtMs: endedAtMs }] : [],
      )
      .sort((left, right) => left.ackedAtMs - right.ackedAtMs);
  const byOld = by(oldRegion);
  const firstNew = by(newRegion).at(0);
  const before = firstNew === undefined ? byOld : byOld.filter(({ ackedAtMs }) => ackedAtMs <= firstNew.ackedAtMs);
  const lastOld = before.at(-1);
  return {
    firstNewAckAtMs: firstNew?.ackedAtMs ?? null,
    lastOldAckAtMs: lastOld?.ackedAtMs ?? null,
    gapMs: firstNew === undefined || lastOld === undefined ? null : firstNew.ackedAtMs - lastOld.ackedAtMs,
    ackedByOldAfterNew: byOld.slice(before.length),
  };
}

/**
 * A commit lies between the two positions its acknowledgement carries. It is in the bracket when that span and the
 * bracket meet; one without positions can't be placed, and an unplaced write is in no bracket.
 */
function liesIn(attempt: Attempt, bracket: LossBracket | undefined, oldRegion: string): boolean {
  if (bracket === undefined || attempt.region !== oldRegion) return false;
  const { lsnBefore, lsn } = attempt;
  if (lsnBefore === undefined) return false;
  const afterLower = lsn === undefined || position(lsn) > position(bracket.afterLsn);
  const beforeUpper = bracket.upToLsn === null || position(lsnBefore) < position(bracket.upToLsn);
  return afterLower && beforeUpper;
}

/** A WAL position, written `X/Y` in hexadecimal, as the number of bytes it stands for. */
function position(lsn: string): bigint {
  const [high = '0', low = '0'] = lsn.split('/');
  return (BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`);
}

function unrecordedRows(ledger: Ledger, rows: readonly string[]): string[] {
  const known = new Set(ledger.attempts.map(({ id }) => id));
  const ours = (id: string): boolean => ledger.clientIds.some((clientId) => id.startsWith(`${clientId}-`));
  return [...new Set(rows.filter((id) => ours(id) && !known.has(id)))].sort();
}

/** How often each word occurs, the words in order. */
export function countBy(words: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const word of words.toSorted()) counts[word] = (counts[word] ?? 0) + 1;
  return counts;
}

function idsOf(attempts: readonly Attempt[]): string[] {
  return attempts.map(({ id }) => id).sort();
}
