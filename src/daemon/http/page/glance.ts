/** The top of a group: what is wrong, since when, who says so; what comes next, when, and why not sooner. */
import { html } from 'htm/preact';
import type { VNode } from 'preact';
import type { GroupStatus, Mood } from '../../status-document.ts';
import { instantText, reportText, spanText } from '../../text.ts';
import { spanBar, type Tone } from './bars.ts';
import { list, type Part, tagOf } from './parts.ts';

export const MOOD = {
  quiet: ['ok', '✓ quiet'],
  blind: ['warn', '? can’t tell'],
  watching: ['warn', '! watching'],
  waiting: ['act', '! waits for people'],
  acting: ['act', '» acting'],
  stuck: ['bad', '✕ needs a person'],
} as const satisfies Record<Mood, readonly [Tone, string]>;

const answer = (question: string, content: Part | string): Part =>
  content === null ? null : (html`<div><dt>${question}</dt><dd>${content}</dd></div>` as VNode);

/** Few enough to be read at once; the rest stands under Diagnoses. */
const VOICES = 6;

export function glance({ summary, timeZone, group }: GroupStatus, at: number): VNode {
  const { mood, headline, since, saidBy, next, wrong, waitsFor, because, countdown } = summary;
  const silenced = saidBy.length - VOICES;
  const voices = silenced > 0 ? [...saidBy.slice(0, VOICES), `and ${silenced} more`] : saidBy;
  return html`<div class=${`glance ${MOOD[mood][0]}-edge`}>
    <p class="headline" role="status" id=${`headline-${group}`}>${tagOf(MOOD[mood])} <strong>${headline}</strong></p>
    ${since === null ? null : html`<p class="since">Since ${instantText(since, timeZone)}: ${spanText(at - since)}</p>`}
    ${
      countdown === null
        ? null
        : html`<div class="countdown">
            <p><strong>${spanText(countdown.leftMs)}</strong> until ${countdown.to}</p>
            ${spanBar(countdown.ofMs - countdown.leftMs, countdown.ofMs, MOOD[mood][0])}
            <p class="soft">${spanText(countdown.ofMs - countdown.leftMs)} of ${spanText(countdown.ofMs)} have passed</p>
          </div>`
    }
    <dl class="answers">
      ${answer('What is wrong', wrong)}
      ${answer('What failoverd will do', next)}
      ${answer('Who says so', list(voices))}
      ${answer(countdown !== null && mood !== 'acting' ? 'Why not sooner' : 'Why', list(because.filter((why) => why !== waitsFor)))}
      ${answer('What it waits for', waitsFor)}
    </dl>
  </div>` as VNode;
}

const barsText = (bars: readonly string[]): string =>
  bars.length === 0 ? 'No row reads it.' : `It bars ${bars.join(', ')} until an sre or a dba clears it.`;

/** Reports stand in the way until a person clears them: they come before everything else that is shown. */
export const reportNotices = ({ reports, timeZone }: GroupStatus): Part =>
  reports.length === 0
    ? null
    : (html`<div>
        ${reports.map(
          ({ report, by, what, at, sinceMs, bars }) => html`<div class="notice bad" id=${`report-${report}`}>
            <p>✕ ${reportText(report)}: ${what}</p>
            <p class="plain">
              ${`By ${by}, ${spanText(sinceMs)} ago, ${instantText(at, timeZone)}. ${barsText(bars)}`}
            </p>
          </div>`,
        )}
      </div>` as VNode);
