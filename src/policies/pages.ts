/**
 * Pages are kept until they are delivered: sent, sent again with growing pauses, and escalated when they were due
 * (design §6, invariant 29). PURE.
 */
import { byPart, withKey, withoutKey } from '../model/keyed.ts';
import type { KeptPage } from '../model/ledger.ts';
import type { InputOf, State } from '../model/loop.ts';
import { utcText } from './span.ts';
import { page, remember, say, type Turn, wakeAt } from './turn.ts';

const RETRY_MS = { first: 1000, most: 30_000 } as const;
/** Stands for "until it is answered"; a number, since state is plain JSON. */
const UNDER_WAY = Number.MAX_SAFE_INTEGER;
/** Pages under way at once; the rest wait their turn, oldest first. */
const AT_ONCE = 8;

const undeliveredIn = byPart<KeptPage, readonly KeptPage[]>((part) =>
  [...part.values()].filter(({ deliveredAt }) => deliveredAt === null),
);
const sorted = new WeakMap<State['ledger']['pages'], readonly KeptPage[]>();

/** Oldest first. */
function undelivered({ pages }: State['ledger']): readonly KeptPage[] {
  const known = sorted.get(pages);
  if (known !== undefined) return known;
  const numberOf = ({ page: { id } }: KeptPage): number => Number(id.slice(id.lastIndexOf('-') + 1));
  const made = undeliveredIn(pages)
    .flat()
    .sort((a, b) => a.queuedAt - b.queuedAt || numberOf(a) - numberOf(b));
  sorted.set(pages, made);
  return made;
}

export function sendPages(turn: Turn): void {
  const { at, mono, volatile, ledger } = turn.state;
  const waiting = undelivered(ledger);
  if (waiting.length === 0) return;
  let underWay = volatile.pagesUnderWay;
  let sending = waiting.filter(({ page: { id } }) => underWay[id] === UNDER_WAY).length;
  for (const kept of waiting) {
    const { id, dueAt, title, group, kind } = kept.page;
    if (dueAt !== null && at >= dueAt && !kept.overdue) {
      say(turn, { kind: 'page.overdue', at, page: id });
      page(
        turn,
        'overdue',
        group,
        `Not told in time: ${title}`,
        `The ${kind} page ${id} was due at ${utcText(dueAt)} and is not delivered. Escalate: SRE manager, VP Engineering, CTO.`,
      );
    }
    const notBefore = underWay[id] ?? 0;
    if (notBefore > mono) {
      if (notBefore !== UNDER_WAY) wakeAt(turn, notBefore);
      continue;
    }
    if (sending >= AT_ONCE) continue;
    sending += 1;
    underWay = withKey(underWay, id, UNDER_WAY);
    turn.effects.push({ kind: 'page', page: kept.page });
  }
  remember(turn, { pagesUnderWay: underWay });
}

export function paged(turn: Turn, input: InputOf<'paged'>): void {
  const { volatile, ledger, mono } = turn.state;
  const kept = ledger.pages[input.page];
  if (input.delivered || kept === undefined || kept.deliveredAt !== null) {
    remember(turn, {
      pagesUnderWay: withoutKey(volatile.pagesUnderWay, input.page),
      pageFailures: withoutKey(volatile.pageFailures, input.page),
    });
    if (kept !== undefined && kept.deliveredAt === null)
      say(turn, { kind: 'page.delivered', at: input.at, page: input.page });
    return;
  }
  const failures = (volatile.pageFailures[input.page] ?? 0) + 1;
  const pauseMs = Math.min(RETRY_MS.most, RETRY_MS.first * 2 ** (failures - 1));
  remember(turn, {
    pagesUnderWay: withKey(volatile.pagesUnderWay, input.page, mono + pauseMs),
    pageFailures: withKey(volatile.pageFailures, input.page, failures),
  });
}
