/** One line of `pg_waldump`, as far as counting commits and changed rows takes it. PURE. */
import type { WallMs } from '../../model/primitives.ts';

export type WalRecord =
  | { readonly kind: 'commit'; readonly transactions: readonly string[]; readonly at: WallMs | null }
  | { readonly kind: 'abort'; readonly transactions: readonly string[] }
  | { readonly kind: 'prepare'; readonly transaction: string }
  | { readonly kind: 'change'; readonly transaction: string; readonly file: string; readonly rows: number }
  | { readonly kind: 'other' };

const OTHER = { kind: 'other' } as const;
const LINE = /^rmgr: (\S+)\s.*?, tx:\s*(\d+), lsn: \S+ prev \S+ desc: (\S+) ?(.*)$/;
/** Of `Heap` and `Heap2`. Locks, freezing, pruning and the like change no row. */
const ROW_CHANGES = new Set(['INSERT', 'UPDATE', 'HOT_UPDATE', 'DELETE', 'MULTI_INSERT']);

/** A line that is of none of these kinds, or no record at all, is *other*. */
export function readRecord(line: string): WalRecord {
  const match = LINE.exec(line);
  if (match === null) return OTHER;
  const [, manager, transaction = '', what = '', rest = ''] = match;
  if (manager === 'Transaction') return readTransaction(transaction, what, rest);
  // The first insert into a page says so: INSERT+INIT.
  const action = what.replace('+INIT', '');
  if ((manager !== 'Heap' && manager !== 'Heap2') || !ROW_CHANGES.has(action)) return OTHER;
  const file = /blkref #\d+: rel (\d+\/\d+\/\d+) /.exec(rest)?.[1];
  if (file === undefined) return OTHER;
  // 15 says `3 tuples`, 16 and later `ntuples: 3`.
  const rows = action === 'MULTI_INSERT' ? /^(\d+) tuples|ntuples: (\d+)/.exec(rest) : null;
  return { kind: 'change', transaction, file, rows: Number(rows?.[1] ?? rows?.[2] ?? 1) };
}

function readTransaction(own: string, what: string, rest: string): WalRecord {
  const below = /subxacts: ([\d ]+)/.exec(rest)?.[1]?.trim().split(' ') ?? [];
  // The second phase is written by another transaction, and names the prepared one.
  const named = /^(\d+): /.exec(rest)?.[1];
  switch (what) {
    case 'COMMIT':
    case 'COMMIT_PREPARED': {
      const stamp = /(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?) UTC/.exec(rest);
      const at = stamp === null ? null : Date.parse(`${stamp[1]}T${stamp[2]}Z`);
      return { kind: 'commit', transactions: [named ?? own, ...below], at };
    }
    case 'ABORT':
    case 'ABORT_PREPARED':
      return { kind: 'abort', transactions: [named ?? own, ...below] };
    case 'PREPARE':
      return { kind: 'prepare', transaction: own };
    default:
      return OTHER;
  }
}
