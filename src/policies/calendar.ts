/**
 * Windows of a calendar against one instant. PURE: the clock is an input.
 *
 * A weekly window is told by clock and calendar of a place, and made into instants there. So it neither flickers nor is cut
 * where the clock is changed: an hour that comes twice is in it twice, and one that is left out begins right after the gap.
 */
import type { Once, Weekly } from '../model/maintenance.ts';
import type { WallMs } from '../model/primitives.ts';

const DAY_MS = 86_400_000;
const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const;

/** When the window that holds this instant ends, or null where it is outside. Begin counts, end doesn't. */
export function windowEnd(span: Once | Weekly, at: WallMs): WallMs | null {
  if (span.kind === 'once') return span.from <= at && at < span.to ? span.to : null;
  const today = localDay(span.timeZone, at);
  const ends = [today - DAY_MS, today].flatMap((day) => {
    if (!span.days.includes(WEEKDAYS[new Date(day).getUTCDay()] ?? '')) return [];
    const [from, to] = [minutesOf(span.from), minutesOf(span.to)];
    const begin = instantsOf(span.timeZone, day + from * 60_000)[0];
    const end = instantsOf(span.timeZone, day + (to <= from ? DAY_MS : 0) + to * 60_000)[1];
    return begin <= at && at < end ? [end] : [];
  });
  return ends.length === 0 ? null : Math.max(...ends);
}

const minutesOf = (time: string): number => Number(time.slice(0, 2)) * 60 + Number(time.slice(3, 5));

/**
 * First and last instant at which clock and calendar there show this; `local` is what they show, written as if it were UTC.
 * In the gap of spring both are the instant that far after the last hour, as RFC 5545 has it.
 */
function instantsOf(timeZone: string, local: number): readonly [WallMs, WallMs] {
  const [before, after] = [offsetMs(timeZone, local - DAY_MS), offsetMs(timeZone, local + DAY_MS)];
  const instants = [before, after]
    .map((offset) => local - offset)
    .filter((at) => at + offsetMs(timeZone, at) === local)
    .sort((a, b) => a - b);
  const first = instants[0] ?? local - before;
  return [first, instants.at(-1) ?? first];
}

/** Clocks are changed at quarters of an hour and nowhere in between: within one the offset is asked for once. */
const QUARTER_MS = 900_000;
const offsets = new Map<string, number>();
/** Windows ask for the same few instants again and again; what is kept stays bounded, whatever is asked for. */
const MOST_OFFSETS = 5000;

function offsetMs(timeZone: string, at: WallMs): number {
  const quarter = Math.floor(at / QUARTER_MS) * QUARTER_MS;
  const key = `${timeZone} ${quarter}`;
  const known = offsets.get(key);
  if (known !== undefined) return known;
  if (offsets.size >= MOST_OFFSETS) offsets.clear();
  const made = localOf(timeZone, quarter) - quarter;
  offsets.set(key, made);
  return made;
}

/** Midnight of the day that the calendar there shows, written as if it were UTC. */
const localDay = (timeZone: string, at: WallMs): number => Math.floor((at + offsetMs(timeZone, at)) / DAY_MS) * DAY_MS;

/** What clock and calendar there show, to the minute, written as if it were UTC. */
function localOf(timeZone: string, at: WallMs): number {
  const parts = Object.fromEntries(
    formatter(timeZone)
      .formatToParts(at)
      .map(({ type, value }) => [type, Number(value)]),
  );
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0 } = parts;
  return Date.UTC(year, month - 1, day, hour, minute);
}

const formats = new Map<string, Intl.DateTimeFormat>();
/** Formatters are dear to make and hold no state that an answer could depend on. */
function formatter(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone);
  if (known !== undefined) return known;
  const made = new Intl.DateTimeFormat('en-GB', {
    timeZone,
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  });
  formats.set(timeZone, made);
  return made;
}
