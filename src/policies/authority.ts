/**
 * Who has to say yes at this hour (dr-strategy §4.1). PURE: the calendar is the config's, the instant is an input.
 *
 * Hours are what a clock on the wall shows: in the hour that comes twice in autumn both count, and what lies in the hour
 * that spring leaves out never comes. Hours that go over midnight belong to the day they began on, holidays with them.
 */
import type { ApprovalRole, BusinessHours, GroupSettings } from '../model/settings.ts';

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

export type Authority = { readonly business: boolean; readonly needs: readonly ApprovalRole[]; readonly why: string };

/** Roles whose yes is needed at `at` (wall milliseconds). Without a calendar the stricter list always holds. */
export function authorityAt(settings: Pick<GroupSettings, 'businessHours' | 'approvals'>, at: number): Authority {
  const hours = settings.businessHours;
  const { businessHours: strict, otherwise } = settings.approvals;
  if (hours === null)
    return { business: true, needs: strict, why: 'no business hours are configured, so every hour counts as one' };
  const { business, why } = businessAt(hours, at);
  return { business, needs: business ? strict : otherwise, why };
}

/** What calendar and clock on the wall show. */
type Local = { readonly date: string; readonly time: string };

function localAt(timeZone: string, at: number): Local {
  const parts = Object.fromEntries(
    formatter(timeZone)
      .formatToParts(at)
      .map((part) => [part.type, part.value]),
  );
  return { date: `${parts['year']}-${parts['month']}-${parts['day']}`, time: `${parts['hour']}:${parts['minute']}` };
}

const DAY_MS = 86_400_000;
const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const;
/** Arithmetic on the calendar alone, where every day is as long as the next. */
const dayBefore = (date: string): string => new Date(Date.parse(date) - DAY_MS).toISOString().slice(0, 10);
const weekdayOf = (date: string): string => WEEKDAYS[new Date(Date.parse(date)).getUTCDay()] ?? '';

function businessAt(hours: BusinessHours, at: number): { readonly business: boolean; readonly why: string } {
  const { date, time } = localAt(hours.timeZone, at);
  const local = `${weekdayOf(date)} ${date} ${time} ${hours.timeZone}`;
  const overMidnight = hours.from > hours.to;
  // Before the end of hours that began yesterday, it is yesterday's calendar that counts.
  const began = overMidnight && time < hours.to ? dayBefore(date) : date;
  const whose = began === date ? '' : `, in the hours that began on ${weekdayOf(began)} ${began}`;
  if (hours.holidays.includes(began)) return { business: false, why: `${local}${whose} is a holiday` };
  if (!hours.days.includes(weekdayOf(began))) return { business: false, why: `${local}${whose} is no business day` };
  const within = overMidnight ? time >= hours.from || time < hours.to : time >= hours.from && time < hours.to;
  return within
    ? { business: true, why: `${local} is within business hours` }
    : { business: false, why: `${local} is outside ${hours.from}-${hours.to}` };
}
