/**
 * Tells people of what makes failoverd itself blind, or its ground doubtful: once when it begins, once when it is over
 * (design §4). The journal keeps that they were told, so a restart tells nobody again. PURE.
 */
import { type NoticeKind, noticeKey } from '../model/notices.ts';
import type { RegionId, Verdict } from '../model/primitives.ts';
import { identityOf } from './identity.ts';
import { quorumOf } from './quorum.ts';
import { page, put, say, type Turn } from './turn.ts';
import type { View } from './view.ts';
import { watches } from './watchdog.ts';

type Condition = {
  readonly notice: NoticeKind;
  readonly subject: string;
  /** bad: it is there. ok: it is over. unknown: neither is told. */
  readonly verdict: Verdict;
  readonly why: string;
  readonly began: { readonly title: string; readonly body: string };
  readonly over: string;
};

export function tellNotices(turn: Turn, view: View): void {
  rememberLosses(turn, view);
  const conditions = [...watchdogs(turn, view), ...identities(view)];
  for (const condition of conditions) follow(turn, view, condition);
  const kept = new Set(conditions.map(({ notice, subject }) => noticeKey(notice, subject)));
  // What the config does not name any more can't be seen to be over.
  for (const [key, { notice, subject }] of Object.entries(view.ledger.notices))
    if (!kept.has(key)) close(turn, view, { notice, subject }, 'it is not watched any more');
}

function follow(turn: Turn, view: View, condition: Condition): void {
  const { notice, subject, verdict, why, began, over } = condition;
  const key = noticeKey(notice, subject);
  const open = view.ledger.notices[key];
  if (verdict !== 'bad') {
    if (open === undefined || verdict === 'unknown') return;
    close(turn, view, condition, why);
    const lastedMs = Math.max(0, view.at - open.at);
    tell(turn, view, over, `${why}. It lasted ${Math.round(lastedMs / 1000)} s.`);
    return;
  }
  if (open !== undefined) return;
  say(turn, { kind: 'notice.opened', at: view.at, group: view.group, notice, subject, why: why.slice(0, MOST_TEXT) });
  tell(turn, view, began.title, `${why}. ${began.body}.`);
}
/** As much as an event takes. */
const MOST_TEXT = 1900;

const close = (turn: Turn, view: View, { notice, subject }: Pick<Condition, 'notice' | 'subject'>, why: string): void =>
  say(turn, { kind: 'notice.closed', at: view.at, group: view.group, notice, subject, why: why.slice(0, MOST_TEXT) });

/** Where failoverd only observes there may be no pager; it stands in the journal and on the status all the same. */
function tell(turn: Turn, view: View, title: string, body: string): void {
  if (view.settings.autonomy === 'observe') return;
  page(turn, 'attention', view.group, `${view.settings.title}: ${title}`, body.slice(0, MOST_TEXT));
}

const lossKey = (view: View, region: RegionId): string => `${view.group}/${region}`;

/** A region that comes back needs a while until its watchdog is heard again: when it was last lost is remembered. */
function rememberLosses(turn: Turn, view: View): void {
  if (view.settings.alertMeanings.length === 0) return;
  for (const region of [view.active, view.standby])
    if (quorumOf(view, region).verdict === 'bad') put(turn, 'regionBadMono', lossKey(view, region), turn.state.mono);
}

function watchdogs(turn: Turn, view: View): Condition[] {
  const { mono, volatile } = turn.state;
  const isolated = view.vantages.some(({ id, connected }) => id === OWN_VANTAGE && connected === 'bad');
  return watches(view).map(({ region, verdict, why, explained }): Condition => {
    const lostMono = volatile.regionBadMono[lossKey(view, region)];
    const lately = lostMono !== undefined && mono - lostMono <= view.settings.watchdogWithinMs;
    // Whoever is cut off hears nobody, which says nothing of who would be heard.
    const quiet = verdict === 'bad' && (explained || lately || isolated);
    return {
      notice: 'watchdog-silent',
      subject: region,
      verdict: quiet ? 'unknown' : verdict,
      why,
      began: {
        title: `monitoring of ${region} has fallen silent`,
        body: `No alert of ${region} would be heard of, so their silence is no sign of health. While it lasts nothing is done automatically; people may still approve`,
      },
      over: `monitoring of ${region} is heard again`,
    };
  });
}
/** The daemon's own. */
const OWN_VANTAGE = 'daemon';

const identities = (view: View): Condition[] =>
  view.postgres.map((postgres): Condition => {
    const { verdict, why } = identityOf(view, postgres);
    const { component } = postgres;
    return {
      notice: 'foreign-database',
      subject: component,
      verdict,
      why,
      began: {
        title: `${component} answers as another cluster than the pinned one`,
        body: 'Either an address leads elsewhere, or the database was made anew. A standby that answers so is not promoted. Look where the addresses lead; a cluster that was replaced on purpose needs its systemIdentifier in the config',
      },
      over: `${component} answers as the pinned cluster again`,
    };
  });
