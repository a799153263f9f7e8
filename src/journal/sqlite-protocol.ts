/** What the journal's store and its thread say to each other. */
import type { JournalEntry } from '../model/events.ts';
import type { Row } from './row.ts';
import type { StoreErrorCode } from './store.ts';

export type Start = { readonly folder: string };

export type Request =
  | { readonly kind: 'load'; readonly id: number }
  | { readonly kind: 'append'; readonly id: number; readonly rows: readonly Row[] }
  | { readonly kind: 'close'; readonly id: number };

export type Answer = { readonly id: number } & (
  | { readonly kind: 'done'; readonly entries: readonly JournalEntry[] }
  | { readonly kind: 'failed'; readonly code: StoreErrorCode; readonly message: string }
);

/** The answer to no request: whether the journal is open. */
export const OPENED = 0;
