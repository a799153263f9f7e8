/**
 * The status page. It works with scripts off and from a text browser, loads nothing from elsewhere, and follows the
 * reader's choice of light and dark (design §10).
 */
import { html } from 'htm/preact';
import type { VNode } from 'preact';
import { renderToString } from 'preact-render-to-string';
import type { Mood, StatusDocument } from '../../status-document.ts';
import { counted, spanText, utcText } from '../../text.ts';
import { MOOD } from './glance.ts';
import { factTable, groupSection } from './group.ts';
import { SCRIPT } from './live.ts';
import { folded, list, type Part, table, tag, tagOf } from './parts.ts';
import { STYLE } from './style.ts';

export { SCRIPT, STYLE };

const RELOAD_SECONDS = 5;

export type PageOptions = {
  readonly refresh: boolean;
  /** Only this group; null for all, which is an overview where there are many. */
  readonly group: string | null;
};

export function renderPage(status: StatusDocument, { refresh, group }: PageOptions): string {
  const page = html`<html lang="en">
    <head>
      <meta charset="utf-8" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <meta name="color-scheme" content="light dark" />
      ${refresh ? html`<noscript><meta http-equiv="refresh" content=${RELOAD_SECONDS} /></noscript>` : null}
      <title>${titleOf(status)}</title>
      <style dangerouslySetInnerHTML=${{ __html: STYLE }}></style>
    </head>
    <body>
      <header>
        <a class="skip" href="#main">To the status</a>
        <h1>failoverd</h1>
        <p id="at">${utcText(status.at)}</p>
        ${refresh ? html`<p id="live" role="status"></p>` : null}
        <p>
          ${
            refresh
              ? html`<noscript>loads anew every ${RELOAD_SECONDS} s, </noscript><a href=${link(group, false)}>hold it still</a>`
              : html`held still; <a href=${link(group, true)}>keep it up to date</a>`
          }
        </p>
      </header>
      <main id="main">
        ${engineNotice(status)} ${configNotice(status)} ${monitorNotice(status)} ${pageNotice(status)}
        ${groupsOf(status, group)}
        ${monitorBlock(status)} ${pageBlock(status)}
      </main>
      <footer>
        failoverd ${status.version}, incarnation ${status.incarnation || 'none'}, ${status.journal.entries} journal
        entries${status.journal.newestAt === null ? '' : `, the newest ${spanText(status.at - status.journal.newestAt)} ago`}.
        The same as JSON: <a href="/api/v1/status">/api/v1/status</a>
      </footer>
      ${refresh ? html`<script dangerouslySetInnerHTML=${{ __html: SCRIPT }}></script>` : null}
    </body>
  </html>`;
  return `<!doctype html>\n${renderToString(page as VNode)}`;
}

/** The address of this page with other choices. */
function link(group: string | null, refresh: boolean): string {
  const query = new URLSearchParams({ ...(group === null ? {} : { group }), ...(refresh ? {} : { refresh: 'off' }) });
  return query.size === 0 ? '/status' : `/status?${query}`;
}

/** So many are shown whole; more are a table of answers, each leading to its own page. */
const WHOLE_GROUPS = 5;

function groupsOf({ groups, at }: StatusDocument, group: string | null): Part | Part[] {
  if (group !== null)
    return html`<p><a href="/status">All groups</a></p>
      ${groups.map((one) => groupSection(one, at))}` as VNode[] & VNode;
  if (groups.length <= WHOLE_GROUPS) return groups.map((one) => groupSection(one, at));
  const ordered = [...groups].sort((a, b) => URGENCY.indexOf(a.summary.mood) - URGENCY.indexOf(b.summary.mood));
  return html`<section class="block">
    <h2>${groups.length} groups</h2>
    ${table(
      'All groups, the most urgent first',
      [{ label: 'Group' }, { label: 'State', kind: 'tight' }, { label: 'What is wrong' }, { label: 'What it will do' }],
      ordered.map((one) => ({
        cells: [
          html`<a href=${link(one.group, true)}>${one.title}</a>`,
          tagOf(MOOD[one.summary.mood]),
          one.summary.wrong,
          one.summary.next,
        ],
      })),
    )}
  </section>` as VNode;
}

const URGENCY: readonly Mood[] = ['stuck', 'waiting', 'acting', 'watching', 'blind', 'quiet'];

/** What a browser tab shows: the most urgent mood of all groups. */
function titleOf({ groups }: StatusDocument): string {
  const mood = URGENCY.find((one) => groups.some((group) => group.summary.mood === one)) ?? 'quiet';
  return mood === 'quiet' ? 'failoverd' : `${mood}: failoverd`;
}

const engineNotice = ({ engine }: StatusDocument): Part =>
  engine === 'running'
    ? null
    : (html`<p class="notice bad" role="alert">
        The engine has ${engine}: failoverd acts on nothing and takes no webhooks. Facts below grow old.
      </p>` as VNode);

/** More are read in the terminal, where the file is mended. */
const MOST_PROBLEMS = 5;

/** A config that is not in force misleads whoever reads the file. */
function configNotice({ config: { refused, restartNeeded } }: StatusDocument): Part {
  if (refused !== null)
    return html`<div class="notice bad" role="alert">
      <p>
        The config on disk was refused at ${utcText(refused.at)}, asked for by ${refused.by}; the one in force stays.
      </p>
      <div class="plain">
        ${folded(
          counted(refused.problems.length, 'problem'),
          list([
            ...refused.problems.slice(0, MOST_PROBLEMS),
            ...(refused.problems.length > MOST_PROBLEMS ? [`and ${refused.problems.length - MOST_PROBLEMS} more`] : []),
          ]),
        )}
      </div>
    </div>` as VNode;
  if (restartNeeded.length === 0) return null;
  return html`<p class="notice warn">The config in force waits for a restart: ${restartNeeded.join('; ')}.</p>` as VNode;
}

function pageNotice({ pages }: StatusDocument): Part {
  const open = pages.filter((page) => page.deliveredAt === null).length;
  if (open === 0) return null;
  return html`<p class="notice warn"><a href="#pages">${counted(open, 'page')}</a> nobody has taken yet.</p>` as VNode;
}

/** Who watches for failoverd is told where it does not: nothing else may look wrong meanwhile. */
function monitorNotice({ monitors }: StatusDocument): Part {
  const amiss = monitors.filter(({ verdict }) => verdict !== 'ok');
  if (amiss.length === 0) return null;
  const words = amiss.map(({ subject, verdict }) => `${subject} ${verdict === 'bad' ? 'is bad' : 'is unknown'}`);
  return html`<p class="notice warn"><a href="#monitors">Monitoring</a>: ${words.join('; ')}.</p>` as VNode;
}

const monitorBlock = ({ monitors }: StatusDocument): Part =>
  monitors.length === 0
    ? null
    : (html`<section class="block" id="monitors">
        <h2>Monitoring</h2>
        ${factTable(monitors, null, '', 'Servers that watch for failoverd, what is wrong first')}
      </section>` as VNode);

function pageBlock({ pages, at }: StatusDocument): Part {
  const open = pages.filter((page) => page.deliveredAt === null);
  if (open.length === 0) return null;
  return html`<section class="block" id="pages">
    <h2>Pages nobody has taken yet ${tag('bad', String(open.length))}</h2>
    ${table(
      'Pages that nobody has taken, and when they are due',
      [{ label: 'Page' }, { label: 'Kind' }, { label: 'Group' }, { label: 'Waits for', kind: 'num' }, { label: 'Due' }],
      open.map((page) => ({
        cells: [
          page.title,
          page.kind,
          page.group ?? '',
          spanText(at - page.queuedAt),
          page.dueAt === null ? '' : page.overdue ? tag('bad', 'overdue') : `in ${spanText(page.dueAt - at)}`,
        ],
      })),
    )}
  </section>` as VNode;
}
