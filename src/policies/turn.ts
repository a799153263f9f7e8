/**
 * What one step of the core has said so far. Policies write into a turn; whoever has written events stops there, because
 * what comes next is judged from the ledger with those events in it.
 */
import type { EventBody, PageKind } from '../model/events.ts';
import type { Effect, State, Volatile } from '../model/loop.ts';
import type { GroupId, PageId } from '../model/primitives.ts';

export type Turn = {
  state: State;
  readonly events: EventBody[];
  readonly effects: Effect[];
  pages: number;
  /** Records of the volatile state that this turn has made its own copy of, and may write into. */
  readonly own: Set<RecordField>;
};

/** Fields of the volatile state that hold one value for each key. */
type RecordField = 'holdSeenMono' | 'holdPendingMs' | 'probeAskedMono' | 'regionBadMono';

export const turnOf = (state: State): Turn => ({ state, events: [], effects: [], pages: 0, own: new Set() });

export function say(turn: Turn, ...events: readonly EventBody[]): void {
  turn.events.push(...events);
}

export function remember(turn: Turn, change: Partial<Volatile>): void {
  turn.state = { ...turn.state, volatile: { ...turn.state.volatile, ...change } };
}

/**
 * Sets or removes one value, on a copy that is made once in a turn: a turn in which a thousand groups have something to
 * remember must not copy a thousand values a thousand times. The state that the turn began with is left as it was.
 */
export function put(turn: Turn, field: RecordField, key: string, value: number | undefined): void {
  if (!turn.own.has(field)) {
    remember(turn, { [field]: { ...turn.state.volatile[field] } });
    turn.own.add(field);
  }
  const record = turn.state.volatile[field];
  if (value === undefined) delete record[key];
  else record[key] = value;
}

export const without = <T>(record: Readonly<Record<string, T>>, key: string): Record<string, T> => {
  const { [key]: _gone, ...rest } = record;
  return rest;
};

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
