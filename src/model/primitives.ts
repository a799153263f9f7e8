/**
 * The small words every other schema is made of: instants, spans, names, verdicts.
 *
 * Two clocks run through failoverd and are never mixed. *Wall* time is for people and for what must survive a
 * restart; *mono* time (milliseconds since this process started, never set back) is what expiries, holds and
 * deadlines are counted in, so that a clock that jumps neither shortens a hold nor freshens old evidence.
 */
import Type, { type Static } from 'typebox';

/** Milliseconds since the Unix epoch, on some wall clock. */
export const WallMs = Type.Number({ description: 'Milliseconds since the Unix epoch' });
export type WallMs = number;

/** Milliseconds on the monotonic clock of the process that took it; comparable only within one incarnation. */
export const MonoMs = Type.Number({ description: 'Milliseconds on this process’s monotonic clock' });
export type MonoMs = number;

/**
 * What people call things. Of the words that every JavaScript object answers to, `constructor` is the one of this form: as a
 * key it would find what nobody put there.
 */
export const Name = Type.String({
  pattern: '^(?!constructor$)[a-z0-9][a-z0-9-]{0,62}$',
  description: 'Lower-case letters, digits, dashes',
});
export type RegionId = string;
export type GroupId = string;
export type ComponentId = string;
export type VantageId = string;
export type PersonId = string;

/** A network path between two regions. Evidence that shares a path is one sign, not two (design §4). */
export const Path = Type.Unsafe<`${string}->${string}`>(Type.String({ pattern: '^.+->.+$' }));
export type Path = `${RegionId}->${RegionId}`;
export const pathOf = (from: RegionId, to: RegionId): Path => `${from}->${to}`;

export const RunId = Type.Unsafe<`run-${string}`>(Type.String({ pattern: '^run-[a-z0-9-]+$' }));
export type RunId = Static<typeof RunId>;
export const ProposalId = Type.Unsafe<`proposal-${string}`>(Type.String({ pattern: '^proposal-[a-z0-9-]+$' }));
export type ProposalId = Static<typeof ProposalId>;
export const PageId = Type.Unsafe<`page-${string}`>(Type.String({ pattern: '^page-[a-z0-9.-]+$' }));
export type PageId = Static<typeof PageId>;

/**
 * What is known of a thing. *unknown* covers expired, missing and contradictory evidence; it is never good enough
 * to act on and never counts as failed (design §2).
 */
export const Verdict = Type.Enum(['ok', 'bad', 'unknown']);
export type Verdict = Static<typeof Verdict>;

/** What a gate answers. *cannot-tell* stands in the way exactly as *block* does (design §2). */
export const GateAnswer = Type.Enum(['pass', 'block', 'cannot-tell']);
export type GateAnswer = Static<typeof GateAnswer>;

export const Autonomy = Type.Enum(['observe', 'gated', 'auto'], {
  description:
    'observe: says what it would do and touches nothing; gated: proposes and waits for people; auto: acts by itself (opt in)',
});
export type Autonomy = Static<typeof Autonomy>;
const AUTONOMY_ORDER: readonly Autonomy[] = ['observe', 'gated', 'auto'];
/** The lesser of two autonomies: every reason to be careful lowers it, none raises it (design §6). */
export const leastAutonomy = (a: Autonomy, b: Autonomy): Autonomy =>
  AUTONOMY_ORDER.indexOf(a) <= AUTONOMY_ORDER.indexOf(b) ? a : b;

/** A raise of autonomy that waits for people. */
export type RaiseId = `raise-${string}`;
export const RaiseId = Type.Unsafe<RaiseId>(Type.String({ pattern: '^raise-[a-z0-9-]+$' }));

export const Role = Type.Enum(['viewer', 'auditor', 'alertmanager', 'witness', 'sre', 'dba', 'vp', 'executive']);
export type Role = 'viewer' | 'auditor' | 'alertmanager' | 'witness' | 'sre' | 'dba' | 'vp' | 'executive';

export const Tier = Type.Union([Type.Literal(1), Type.Literal(2), Type.Literal(3)]);
export type Tier = Static<typeof Tier>;

/** A PostgreSQL log position as the server prints it, such as `16/B374D848`. */
export const Lsn = Type.String({ pattern: '^[0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8}$' });
export type Lsn = string;

/** Bytes of WAL before this position. Throws a RangeError on text that is no LSN: schemas keep such text out. */
export function lsnBytes(lsn: Lsn): bigint {
  const match = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/.exec(lsn);
  if (match === null) throw new RangeError(`not a log position: ${lsn}`);
  return (BigInt(`0x${match[1]}`) << 32n) + BigInt(`0x${match[2]}`);
}

/** Signed distance `a - b` in bytes. */
export const lsnGapBytes = (a: Lsn, b: Lsn): number => Number(lsnBytes(a) - lsnBytes(b));
export const laterLsn = (a: Lsn | null, b: Lsn | null): Lsn | null => {
  if (a === null) return b;
  if (b === null) return a;
  return lsnBytes(a) >= lsnBytes(b) ? a : b;
};

const DURATION = /^(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/;
/** A span as people write it in the config: `5m`, `1h30m`, `250ms`. */
export const Duration = Type.String({
  pattern: '^(?=\\d)(?:\\d+d)?(?:\\d+h)?(?:\\d+m(?!s))?(?:\\d+s)?(?:\\d+ms)?$',
  description: 'A span of time such as 250ms, 10s, 5m, 1h30m',
});

/** Milliseconds of a {@link Duration}. Throws a RangeError on anything else: schemas keep such text out. */
export function durationMs(text: string): number {
  const match = DURATION.exec(text);
  if (match === null || text === '') throw new RangeError(`not a duration: ${text}`);
  const [, d, h, m, s, ms] = match;
  const part = (value: string | undefined, unitMs: number): number =>
    value === undefined ? 0 : Number(value) * unitMs;
  return part(d, 86_400_000) + part(h, 3_600_000) + part(m, 60_000) + part(s, 1000) + part(ms, 1);
}

/** The shortest {@link Duration} text for a span; fractions of a millisecond are rounded away. */
export function durationText(spanMs: number): string {
  let rest = Math.max(0, Math.round(spanMs));
  if (rest === 0) return '0s';
  let text = '';
  for (const [unit, size] of [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1000],
    ['ms', 1],
  ] as const) {
    const count = Math.floor(rest / size);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * size;
  }
  return text;
}
