/**
 * What alerts say of a thing: that it fails while one fires. None is no health by itself: it may be that nobody would
 * tell, which the watchdog of the region answers (design §4). PURE.
 */
import type { Sign } from '../model/events.ts';
import type { AlertMeaning } from '../model/settings.ts';
import type { AlertView, FiringSum } from './firing.ts';
import { plain, type Reading } from './reading.ts';
import { utcText } from './span.ts';
import type { SilencedView, View } from './view.ts';
import { watching } from './watchdog.ts';

/** Whether an alert with a meaning like this fires; `what` names such alerts. */
export function alerted(view: View, what: string, like: (meaning: AlertMeaning) => boolean): Reading {
  const firing = view.firing.sum(like, MOST_TOLD);
  if (firing.count > 0) return firingReading(firing);
  const held = view.silenced.find(({ meaning }) => like(meaning));
  if (held !== undefined) return plain(null, silencedText(held));
  const mapped = view.settings.alertMeanings.filter(like);
  if (mapped.length === 0) return plain(null, `no alert is mapped to ${what}, so nobody would tell`);
  const heard = watching(
    view,
    mapped.map(({ region }) => region),
  );
  return heard.value === 'ok'
    ? plain('ok', `no alert mapped to ${what} fires, and the watchdog is heard`)
    : plain(null, `no alert mapped to ${what} fires, and whether any would can’t be told: ${heard.why}`);
}

/** `PodFailing is silenced by ann until ..., so it says nothing`. */
export function silencedText({ alert, by }: SilencedView): string {
  const who = by.map((one) => one.by || 'somebody').join(' and ') || 'somebody';
  const until = by.length === 0 ? '' : ` until ${utcText(Math.max(...by.map(({ endsAt }) => endsAt)))}`;
  return `${nameOf({ alert })} is silenced by ${who}${until}, so it says nothing`;
}

const nameOf = ({ alert }: Pick<AlertView, 'alert'>): string => alert.labels['alertname'] ?? alert.fingerprint;

/** In a storm the first of them say what there is to say; how many they are is said too. */
const MOST_TOLD = 20;

function firingReading({ count, first, startedAt }: FiringSum): Reading {
  const signs = first.map(
    (one): Sign => ({
      class: 'alert',
      vantage: 'alertmanager',
      path: one.path ?? '',
      verdict: 'bad',
      ageMs: one.ageMs,
      says: `${nameOf(one)} fires${one.alert.summary === null ? '' : `: ${one.alert.summary}`}`,
    }),
  );
  const more = count > first.length ? [`and ${count - first.length} more fire`] : [];
  return {
    ...plain('bad', [...first.map((one) => `${nameOf(one)} fires`), ...more].join('; ')),
    signs,
    impactAt: startedAt,
    region: first[0]?.meaning.region ?? null,
  };
}
