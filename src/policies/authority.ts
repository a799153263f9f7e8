/**
 * Who has to say yes at this hour (dr-strategy §4.1). PURE: the calendar is the config's, the instant is an input.
 */
import type { ApprovalRole, GroupSettings } from '../model/settings.ts';

const formats = new Map<string, Intl.DateTimeFormat>();
/** Formatters are dear to make and hold no state that an answer could depend on. */
function formatter(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone);
  if (known !== undefined) return known;
  const made = new Intl.DateTimeFormat('en-GB', {
    timeZone,
    weekday: 'short',
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
export function authorityAt(settings: GroupSettings, at: number): Authority {
  const hours = settings.businessHours;
  const { businessHours: strict, otherwise } = settings.approvals;
  if (hours === null)
    return { business: true, needs: strict, why: 'no business hours are configured, so every hour counts as one' };
  const parts = Object.fromEntries(
    formatter(hours.timeZone)
      .formatToParts(at)
      .map((part) => [part.type, part.value]),
  );
  const date = `${parts['year']}-${parts['month']}-${parts['day']}`;
  const time = `${parts['hour']}:${parts['minute']}`;
  const day = (parts['weekday'] ?? '').toLowerCase();
  const local = `${day} ${date} ${time} ${hours.timeZone}`;
  if (hours.holidays.includes(date)) return { business: false, needs: otherwise, why: `${local} is a holiday` };
  if (!hours.days.includes(day)) return { business: false, needs: otherwise, why: `${local} is no business day` };
  if (time < hours.from || time >= hours.to)
    return { business: false, needs: otherwise, why: `${local} is outside ${hours.from}-${hours.to}` };
  return { business: true, needs: strict, why: `${local} is within business hours` };
}
