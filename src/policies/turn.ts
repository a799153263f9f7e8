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
};

export const turnOf = (state: State): Turn => ({ state, events: [], effects: [], pages: 0 });

export function say(turn: Turn, ...events: readonly EventBody[]): void {
  turn.events.push(...events);
}

export function remember(turn: Turn, change: Partial<Volatile>): void {
  turn.state = { ...turn.state, volatile: { ...turn.state.volatile, ...change } };
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
