/** The explanation as a page: the same sentences as in the terminal, made by the server, without scripts. */
import { html } from 'htm/preact';
import type { VNode } from 'preact';
import { renderToString } from 'preact-render-to-string';
import type { ToldExplanation } from '../../../model/explanation.ts';
import { STYLE } from './style.ts';

export { STYLE };

export type Asked = { readonly row: string | null; readonly at: string | null };

/** The address of an explanation. */
export function explainLink(group: string, { row, at }: Asked): string {
  const query = new URLSearchParams({ ...(row === null ? {} : { row }), ...(at === null ? {} : { at }) });
  return `/groups/${encodeURIComponent(group)}/explain${query.size === 0 ? '' : `?${query}`}`;
}

export function renderExplanation(told: ToldExplanation, { row, at }: Asked): string {
  const { group, title, says, rows, basis } = told;
  const json = `/api/v1${explainLink(group, { row, at })}`;
  const page = html`<html lang="en">
    <head>
      <meta charset="utf-8" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <meta name="color-scheme" content="light dark" />
      <title>${`${title}: why`}</title>
      <style dangerouslySetInnerHTML=${{ __html: STYLE }}></style>
    </head>
    <body>
      <header>
        <a class="skip" href="#main">To the explanation</a>
        <h1>Why: ${title}</h1>
        <p><a href=${`/status?group=${encodeURIComponent(group)}`}>Back to the status</a></p>
      </header>
      <main id="main">
        <section class="block" aria-labelledby="said">
          <h2 id="said">${basis === 'now' ? 'As it is now' : 'As it was'}</h2>
          <p>${says}</p>
          ${row === null ? null : html`<p><a href=${explainLink(group, { row: null, at })}>All rows</a></p>`}
          ${at === null ? null : html`<p><a href=${explainLink(group, { row, at: null })}>As it is now</a></p>`}
        </section>
        ${rows.map((one) => rowSection(group, at, one, row === null))}
      </main>
      <footer>The same as JSON: <a href=${json}>${json}</a></footer>
    </body>
  </html>`;
  return `<!doctype html>\n${renderToString(page as VNode)}`;
}

function rowSection(
  group: string,
  at: string | null,
  { row, component, says, paragraphs }: ToldExplanation['rows'][number],
  leads: boolean,
): VNode {
  const place = `row-${row}${component === null ? '' : `-${component}`}`;
  return html`<section class="block" id=${place} aria-labelledby=${`${place}-title`}>
    <h2 id=${`${place}-title`}>${leads ? html`<a href=${explainLink(group, { row: String(row), at })}>${says}</a>` : says}</h2>
    ${paragraphs.map(
      ({ label, lines }) => html`<section class="part">
        <h3>${LABELS[label] ?? label}</h3>
        <ul>
          ${nested(lines).map(
            ({ line, below }) =>
              html`<li>${line}${below.length === 0 ? null : html`<ul>${below.map((one) => html`<li>${one}</li>`)}</ul>`}</li>`,
          )}
        </ul>
      </section>`,
    )}
  </section>` as VNode;
}

const BELOW = '- ';

/** What a line stands on is said in lines that begin with a dash. */
function nested(lines: readonly string[]): readonly { readonly line: string; readonly below: readonly string[] }[] {
  const all: { line: string; below: string[] }[] = [];
  for (const line of lines) {
    const above = all.at(-1);
    if (line.startsWith(BELOW) && above !== undefined) above.below.push(line.slice(BELOW.length));
    else all.push({ line, below: [] });
  }
  return all;
}

const LABELS: Readonly<Record<string, string>> = {
  says: 'What the row says',
  reads: 'What it reads',
  read: 'What it read',
  so: 'So',
  'in the way': 'What stands in the way',
  changes: 'What would change it',
  note: 'To know beside it',
};
