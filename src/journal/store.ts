/**
 * The journal's store: three methods. Whoever implements them answers for durability; `test/journal/contract.ts` holds
 * every implementation to the same behaviour.
 */
import type { JournalEntry } from '../model/events.ts';

/** Why a store refused. `full` and `io` leave the journal as it was before the call, or unknown: nobody may act after either. */
export type StoreErrorCode = 'locked' | 'corrupt' | 'full' | 'io' | 'out-of-order' | 'closed';

export class StoreError extends Error {
  readonly code: StoreErrorCode;
  constructor(code: StoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StoreError';
    this.code = code;
  }
}

export type JournalStore = {
  /**
   * Every entry in order, once, before the first append. Throws `corrupt` when the chain does not add up
   * (invariant 23): a journal that was edited is no ground to act on.
   */
  load(): Promise<readonly JournalEntry[]>;
  /**
   * Writes all or none, in order, and resolves only when they are on disk: a crash after it loses nothing, a crash
   * during it leaves all or none. Rejects `out-of-order` unless the first `seq` and `previous` follow the last entry,
   * which is what a deposed writer runs into.
   */
  append(entries: readonly JournalEntry[]): Promise<void>;
  /** Gives the lock back. After it everything rejects with `closed`. Never throws; idempotent. */
  close(): Promise<void>;
};
