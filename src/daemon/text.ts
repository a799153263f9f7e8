/** Spans, instants, sizes and loss brackets in words, the same on the page and in the terminal. PURE. */
import type { Report } from '../model/events.ts';
import type { Operation } from '../model/loop.ts';
import type { LossBracket } from '../model/plan.ts';
import type { WallMs } from '../model/primitives.ts';
import { utcText } from '../policies/span.ts';
import type { StepReport } from './status-document.ts';

export { utcText };

/** Two units at most, as people say it: `1h 5m`, `3m 20s`, `12.4 s`, `80 ms`. */
export function spanText(spanMs: number): string {
  const ms = Math.max(0, spanMs);
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${Number((ms / 1000).toFixed(1))} s`;
  const seconds = Math.round(ms / 1000);
  const parts = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'm'],
    [seconds % 60, 's'],
  ] as const;
  const first = parts.findIndex(([count]) => count > 0);
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count}${unit}`)
    .join(' ');
}

/** UTC, and the same instant where the people are; the day is named only where it differs. */
export function instantText(at: WallMs, timeZone: string | null): string {
  if (timeZone === null || timeZone === 'UTC') return utcText(at);
  const parts = Object.fromEntries(
    new Intl.DateTimeFormat('en-GB', {
      timeZone,
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
      hourCycle: 'h23',
    })
      .formatToParts(at)
      .map((part) => [part.type, part.value]),
  );
  const day = `${parts['year']}-${parts['month']}-${parts['day']}`;
  const time = `${parts['hour']}:${parts['minute']}:${parts['second']}`;
  const utc = utcText(at);
  return `${utc} (${utc.startsWith(day) ? '' : `${day} `}${time} ${timeZone})`;
}

export function bytesText(bytes: number | null): string {
  if (bytes === null) return 'not known';
  if (bytes < 1000) return `${bytes} B`;
  const step = Math.min(4, Math.floor(Math.log10(bytes) / 3));
  return `${Number((bytes / 1000 ** step).toFixed(1))} ${['B', 'kB', 'MB', 'GB', 'TB'][step]}`;
}

/** The operations of a step as they are seen from outside. */
const DOING: Readonly<Record<Operation, string>> = {
  check: 'it is being checked',
  do: 'it is being done',
  verify: 'it is being read back',
  undo: 'it is being undone',
};

/** What stands in a step's way, or what is being done for it; empty once it is done. */
export function stepText({ status, code, message, underWay, lastAnswer }: StepReport): string {
  if (status === 'done') return '';
  const said =
    lastAnswer !== null && lastAnswer.answer !== 'ok'
      ? `${lastAnswer.operation} says ${lastAnswer.answer}: ${lastAnswer.message}`
      : message === null || message === ''
        ? ''
        : `${code === null ? '' : `${code}: `}${message}`;
  const now = underWay === null ? '' : `${DOING[underWay.operation]} for ${spanText(underWay.sinceMs)}`;
  return [now, said].filter((part) => part !== '').join('; ');
}

const REPORTS: Readonly<Record<Report, string>> = {
  corruption: 'corruption is reported',
  deletion: 'an accidental deletion is reported',
};
export const reportText = (report: Report): string => REPORTS[report];

/** `1 step`, `2 steps`. */
export const counted = (count: number, thing: string): string => `${count} ${thing}${count === 1 ? '' : 's'}`;

const seconds = (value: number | null): string => (value === null ? 'not known' : `${Number(value.toFixed(1))} s`);

/** What may be lost. Unknown is said, never shown as nothing (invariant 19). */
export function lossText({ lowBytes, highBytes, lowSeconds, highSeconds }: LossBracket): string {
  if (lowBytes === null && highBytes === null && lowSeconds === null && highSeconds === null) return 'not known';
  const bytes = lowBytes === highBytes ? bytesText(lowBytes) : `${bytesText(lowBytes)} to ${bytesText(highBytes)}`;
  const time = lowSeconds === highSeconds ? seconds(lowSeconds) : `${seconds(lowSeconds)} to ${seconds(highSeconds)}`;
  return `${time} of writes (${bytes} of log)`;
}
