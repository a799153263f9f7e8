/**
 * What one step of the core has said so far. Policies write into a turn; whoever has written events stops there, because
 * what comes next is judged from the ledger with those events in it.
 */
import type { EventBody, PageKind } from '../model/events.ts';
import { withKey, withoutKey } from '../model/keyed.ts';
import type { Effect, State, Volatile } from '../model/loop.ts';
import type { GroupId, PageId } from '../model/primitives.ts';

export type Turn = {
  state: State;
  readonly events: EventBody[];
  readonly effects: Effect[];
  pages: number;
};

/** Fields of the volatile state that hold one value for each key. */
type RecordField = 'holdSeenMono' | 'holdPendingMs' | 'probeAskedMono' | 'regionBadMono';

export const turnOf = (state: State): Turn => ({ state, events: [], effects: [], pages: 0 });

export function say(turn: Turn, ...events: readonly EventBody[]): void {
  turn.events.push(...events);
}

export function remember(turn: Turn, change: Partial<Volatile>): void {
  turn.state = { ...turn.state, volatile: { ...turn.state.volatile, ...change } };
}

/** Sets or removes one value. The state that the turn began with is left as it was. */
export function put(turn: Turn, field: RecordField, key: string, value: number | undefined): void {
  const record = turn.state.volatile[field];
  remember(turn, { [field]: value === undefined ? withoutKey(record, key) : withKey(record, key, value) });
}

/** Queues a page durably; it is sent, and sent again until it is taken, by `pages.ts`. */
export function page(
  turn: Turn,
  kind: PageKind,
  group: GroupId | null,
  title: string,
  body: string,
  dueAt: number | null = null,
): void {
  turn.pages += 1;
  const id: PageId = `page-${turn.state.ledger.pageCount + turn.pages}`;
  say(turn, { kind: 'page.queued', at: turn.state.at, page: { id, kind, group, title, body, dueAt } });
}

export function wakeAt(turn: Turn, mono: number): void {
  turn.effects.push({ kind: 'wake', mono });
}
