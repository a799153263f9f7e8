/** What SQLite and the file system say, in the store's own closed set of codes. */
import { StoreError, type StoreErrorCode } from './store.ts';

/** SQLite's primary result codes (the low byte of an extended one) that mean something to us. */
const SQLITE: Readonly<Record<number, StoreErrorCode>> = {
  5: 'locked', // SQLITE_BUSY
  6: 'locked', // SQLITE_LOCKED
  11: 'corrupt', // SQLITE_CORRUPT
  13: 'full', // SQLITE_FULL: also ENOSPC while writing
  26: 'corrupt', // SQLITE_NOTADB
};

const SYSTEM: Readonly<Record<string, StoreErrorCode>> = { ENOSPC: 'full', EDQUOT: 'full' };

/** `doing` says in words what failed. Whatever is not known is `io`: nobody may act after it. */
export function storeError(thrown: unknown, doing: string): StoreError {
  if (thrown instanceof StoreError) return thrown;
  const { errcode, code, message } = (thrown ?? {}) as { errcode?: unknown; code?: unknown; message?: unknown };
  const known =
    typeof errcode === 'number' ? SQLITE[errcode & 0xff] : typeof code === 'string' ? SYSTEM[code] : undefined;
  return new StoreError(known ?? 'io', `${doing}: ${String(message ?? thrown)}`, { cause: thrown });
}
