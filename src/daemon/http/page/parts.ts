/** Small pieces of the page. Whatever is put into `html` is escaped; there is no way to put in markup as text. */
import { html } from 'htm/preact';
import type { ComponentChildren, VNode } from 'preact';
import type { Verdict } from '../../../model/primitives.ts';
import { spanText } from '../../text.ts';

export type Part = VNode | null;

const VERDICT = {
  ok: ['ok', '✓ ok'],
  bad: ['bad', '✕ bad'],
  unknown: ['', '? unknown'],
} as const satisfies Record<Verdict, readonly [string, string]>;

export const tag = (kind: string, text: string): VNode => html`<span class=${`tag ${kind}`}>${text}</span>` as VNode;
export const verdictTag = (verdict: Verdict): VNode => tagOf(VERDICT[verdict]);
export const tagOf = ([kind, text]: readonly [kind: string, text: string]): VNode => tag(kind, text);

/** Age of a fact; every fact on the page has one. */
export const age = (ageMs: number | null): string =>
  ageMs === null ? 'never' : `${ageMs < 10_000 ? `${(ageMs / 1000).toFixed(1)} s` : spanText(ageMs)} ago`;

export type Pair = readonly [label: string, value: ComponentChildren, wide?: 'wide'];

export const pairs = (entries: readonly Pair[]): VNode =>
  html`<dl class="pairs">
    ${entries.map(([label, value, wide]) => html`<div class=${wide}><dt>${label}</dt><dd>${value}</dd></div>`)}
  </dl>` as VNode;

export type Column = { readonly label: string; readonly kind?: 'num' | 'tight' | 'wide' | 'name' };
type Cell = ComponentChildren;
export type Row = {
  readonly cells: readonly Cell[];
  readonly kind?: string;
  /** Where rows come and go it is found again by this, with what was folded out in it. */
  readonly id?: string;
};

/** An id from parts that may hold anything; other parts give another id. */
export const idOf = (...parts: readonly (string | number | null)[]): string =>
  parts.map((part) => encodeURIComponent(part ?? '')).join('/');

/** A table whose first cell of a row is its heading; on a narrow screen each row becomes a small block. */
export function table(caption: string, columns: readonly Column[], rows: readonly Row[]): Part {
  if (rows.length === 0) return null;
  return html`<table class="stack">
    <caption>${caption}</caption>
    <thead><tr>${columns.map(({ label, kind }) => html`<th scope="col" class=${kind}>${label}</th>`)}</tr></thead>
    <tbody>
      ${rows.map(
        ({ cells, kind, id }) => html`<tr class=${kind} id=${id}>
          ${columns.map((column, index) =>
            index === 0
              ? html`<th scope="row" class=${column.kind}>${cells[0]}</th>`
              : html`<td class=${column.kind} data-label=${column.label}>${cells[index]}</td>`,
          )}
        </tr>`,
      )}
    </tbody>
  </table>` as VNode;
}

/**
 * A section with a heading; nothing at all where it has nothing to show. `id` tells it from the same of other groups. It
 * is no landmark: the same heading stands in every group, and landmarks of one name can't be told apart.
 */
export const titled = (id: string, title: string, ...content: readonly Part[]): Part =>
  content.every((part) => part === null)
    ? null
    : (html`<section class="part" id=${id}><h3>${title}</h3>${content}</section>` as VNode);

export const list = (lines: readonly string[]): Part =>
  lines.length === 0 ? null : (html`<ul>${lines.map((line) => html`<li>${line}</li>`)}</ul>` as VNode);

export const folded = (summary: ComponentChildren, ...content: readonly Part[]): Part =>
  content.every((part) => part === null)
    ? null
    : (html`<details><summary>${summary}</summary>${content}</details>` as VNode);

/** The same where parts before it come and go: it is found again by its id, and stays as it was left. */
export const foldedAs = (id: string, summary: ComponentChildren, ...content: readonly Part[]): Part =>
  content.every((part) => part === null)
    ? null
    : (html`<details id=${id}><summary>${summary}</summary>${content}</details>` as VNode);

/** A line for the terminal; one click selects it whole. Options are not broken at their hyphens. */
export const command = (text: string, what: string): VNode =>
  html`<div class="command"><span>${what}</span><pre>${text
    .split(/(--[a-z-]+)/)
    .map((part) => (part.startsWith('--') ? html`<span class="keep">${part}</span>` : part))}</pre></div>` as VNode;
