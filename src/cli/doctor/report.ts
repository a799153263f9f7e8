/** What the doctor found, as data: printed for people, or as JSON. */
import type { Verdict } from '../../model/primitives.ts';
import type { LeaseReport } from '../lease-report.ts';

/**
 * `stop`: something that failoverd needs is not to be had; exit 1. `warn`: it works, and worse than it could, or not when
 * it counts. `note`: to be known.
 */
export type Level = 'stop' | 'warn' | 'note';

export type Finding = {
  readonly level: Level;
  /** What it is about: a place in the config, a server, a row. */
  readonly about: string;
  readonly says: string;
  readonly remedy: string | null;
  /** Statements for the primary, ready to be pasted. */
  readonly sql: readonly string[];
};

/** One server or address that was asked, once. */
export type Asked = {
  readonly what: string;
  readonly verdict: Verdict;
  readonly says: string;
  readonly tookMs: number | null;
};

/** One fact, of a component in a region as this vantage sees it, or of the group. */
export type FactLine = {
  readonly group: string;
  readonly fact: string;
  /** Component, region or vantage; empty for a fact of the group. */
  readonly subject: string;
  readonly value: Verdict | number | string | boolean | null;
  readonly why: string;
};

export type RowLine = {
  readonly group: string;
  readonly row: number;
  /** Which component it was judged for; null for the group. */
  readonly component: string | null;
  readonly kind: string;
  readonly action: string;
  readonly when: string;
  /** `fires`: it matches now. `never`: with this config it can't. `can't tell`: a fact it reads is unknown now. */
  readonly state: 'fires' | 'quiet' | "can't tell" | 'never';
  readonly why: string;
};

export type DoctorReport = {
  readonly ok: boolean;
  readonly file: string;
  readonly vantage: string;
  readonly region: string;
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  readonly asked: readonly Asked[];
  readonly facts: readonly FactLine[];
  readonly rows: readonly RowLine[];
  /** What each group's lease comes to, as `failoverd check` says it. */
  readonly leases: readonly { readonly group: string; readonly lease: LeaseReport }[];
  /** Worst first. */
  readonly findings: readonly Finding[];
};

const ORDER: readonly Level[] = ['stop', 'warn', 'note'];
export const inOrder = (findings: readonly Finding[]): Finding[] =>
  [...findings].sort((a, b) => ORDER.indexOf(a.level) - ORDER.indexOf(b.level));

export const finding = (
  level: Level,
  about: string,
  says: string,
  remedy: string | null = null,
  sql: readonly string[] = [],
): Finding => ({ level, about, says, remedy, sql });
