/**
 * Bars: how much of a span has passed, and how the phases of a run lie in it. Drawn by attributes alone, since the
 * policy of the page allows no style on an element; what they show stands beside them in words.
 */
import { html } from 'htm/preact';
import type { VNode } from 'preact';
import type { PhaseReport } from '../../status-document.ts';
import { spanText } from '../../text.ts';

/** Units across; a bar is as wide as its place. */
const WIDTH = 1000;
const HEIGHT = 10;

export type Tone = 'ok' | 'warn' | 'bad' | 'act';

const across = (ms: number, axisMs: number): number =>
  axisMs <= 0 ? 0 : Math.round((WIDTH * Math.min(Math.max(0, ms), axisMs)) / axisMs);

const rect = (kind: string, fromMs: number, toMs: number, axisMs: number): VNode => {
  const x = across(fromMs, axisMs);
  // What has only just begun is there to be seen all the same.
  const width = Math.max(toMs > fromMs ? 4 : 0, across(toMs, axisMs) - x);
  return html`<rect class=${kind} x=${x} y="0" width=${width} height=${HEIGHT}></rect>` as VNode;
};

const drawing = (label: string, content: readonly VNode[]): VNode =>
  html`<svg class="bar" role="img" aria-label=${label} viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none">
    ${content}
  </svg>` as VNode;

/** So much of so much. */
export const spanBar = (passedMs: number, ofMs: number, tone: Tone): VNode =>
  drawing(`${spanText(passedMs)} of ${spanText(ofMs)}`, [rect(`fill ${tone}`, 0, passedMs, ofMs)]);

export type Lane = { readonly phase: PhaseReport; readonly bar: VNode };

const TONE = { pending: 'act', running: 'act', done: 'ok', failed: 'bad' } as const satisfies Record<
  PhaseReport['status'],
  Tone
>;

/**
 * Each phase on one axis that begins with the decision and is as long as the RTO, or as the run if that is longer: its
 * budget pale, what it took solid. A phase that has not begun is drawn where it will be if those before it keep theirs.
 */
export function lanes(
  phases: readonly PhaseReport[],
  { decidedAt, rtoMs, nowMs }: { readonly decidedAt: number; readonly rtoMs: number; readonly nowMs: number },
): readonly Lane[] {
  let plannedMs = 0;
  const placed = phases.map((phase) => {
    const fromMs = phase.startedAt === null ? plannedMs : Math.max(0, phase.startedAt - decidedAt);
    const tookMs = phase.tookMs ?? 0;
    plannedMs = fromMs + (phase.status === 'done' ? tookMs : Math.max(tookMs, phase.budgetMs));
    return { phase, fromMs, tookMs };
  });
  const axisMs = Math.max(rtoMs, nowMs, plannedMs);
  return placed.map(({ phase, fromMs, tookMs }) => {
    const tone = tookMs > phase.budgetMs ? 'bad' : TONE[phase.status];
    const begun = phase.startedAt === null ? 'not begun' : `took ${spanText(tookMs)}`;
    return {
      phase,
      bar: drawing(`${phase.phase}: ${begun}, budget ${spanText(phase.budgetMs)}`, [
        rect('budget', fromMs, fromMs + phase.budgetMs, axisMs),
        rect(`fill ${tone}`, fromMs, fromMs + tookMs, axisMs),
        rect('mark', rtoMs, rtoMs + axisMs / 250, axisMs * 1.004),
      ]),
    };
  });
}
