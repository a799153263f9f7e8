/** The page holds what strangers wrote as text, whatever they wrote: it is taken apart as a browser does, and looked at. */
import { setTimeout } from 'node:timers/promises';
import fc from 'fast-check';
import type { DefaultTreeAdapterTypes } from 'parse5';
import { defaultTreeAdapter, parse } from 'parse5';
import { alert, BEARER, bearer, payload } from '../daemon/http/harness.ts';
import { asking, begin } from './answering.ts';
import { hostileText } from './hostile.ts';
import { type FuzzTarget, must } from './target.ts';

const LOOK_EVERY_MS = 5;
const MOST_LOOKS = 2_000;

type Page = {
  readonly elements: ReadonlySet<string>;
  readonly attributes: ReadonlySet<string>;
  readonly scripts: readonly string[];
};

function lookAt(html: string): Page & { readonly text: string } {
  const elements = new Set<string>();
  const attributes = new Set<string>();
  const scripts: string[] = [];
  let text = '';
  const visit = (node: DefaultTreeAdapterTypes.Node): void => {
    if (defaultTreeAdapter.isTextNode(node)) text += node.value;
    if (defaultTreeAdapter.isElementNode(node)) {
      elements.add(node.tagName);
      for (const { name, value } of node.attrs) {
        attributes.add(name);
        must(
          !/^\s*(?:javascript|data|vbscript):/i.test(value),
          () => `an attribute ${name} leads to ${value.slice(0, 80)}`,
        );
      }
      if (node.tagName === 'script')
        scripts.push(node.childNodes.map((child) => ('value' in child ? child.value : '')).join(''));
    }
    if ('childNodes' in node) for (const child of node.childNodes) visit(child);
  };
  visit(parse(html));
  return { elements, attributes, scripts, text };
}

const written = fc.record({
  summary: hostileText,
  description: hostileText,
  label: hostileText,
  name: fc.oneof(hostileText, fc.constant('runbook_url')),
});

export const pages: FuzzTarget = {
  name: 'pages',
  weight: 0.8,
  async prepare() {
    const served = await begin({ webhookCredentials: { kind: 'bearer', token: BEARER } });
    let count = 0;
    const see = (url: string) => asking(served, { method: 'GET', url, headers: { accept: 'text/html' } });
    /** An alert that counts, with these words in it; then the pages that show it. Null where it was refused. */
    const shown = async (words: string, labels: Record<string, string>, description = ''): Promise<string[] | null> => {
      count += 1;
      const mark = `alert-number-${count}`;
      const one = alert({
        labels: { alertname: 'RegionDown', region: 'us-east-1', ...labels },
        annotations: { summary: `${mark} ${words}`, description },
        fingerprint: count.toString(16).padStart(16, '0'),
      });
      const headers = { ...bearer(BEARER), 'content-type': 'application/json' };
      const send = (alerts: readonly unknown[]) =>
        asking(served, {
          method: 'POST',
          url: '/webhooks/alertmanager',
          headers,
          payload: JSON.stringify(payload(alerts)),
        });
      if ((await send([one])).status !== 200) return null;
      // A page is handed out for a moment after it was made: what is looked at must be a page that shows this alert.
      let page = await see('/status?refresh=off&group=orders');
      for (let i = 0; i < MOST_LOOKS && !page.text.includes(mark); i += 1) {
        await setTimeout(LOOK_EVERY_MS);
        page = await see('/status?refresh=off&group=orders');
      }
      must(page.text.includes(mark), () => `the page does not show ${mark}`);
      const why = await see('/groups/orders/explain');
      await send([{ ...one, status: 'resolved' }]);
      return [page.text, why.text];
    };
    const plain = await shown('words', { job: 'words' }, 'words');
    if (plain === null) throw new Error('a plain alert was refused');
    const usual = plain.map(lookAt);
    return {
      property: fc.asyncProperty(written, async ({ summary, description, label, name }) => {
        const pages = await shown(summary, { job: label, [name]: label }, description);
        for (const [index, html] of (pages ?? []).entries()) {
          const { elements, attributes, scripts } = usual[index] ?? lookAt('');
          const page = lookAt(html);
          const strange = [...page.elements.difference(elements), ...page.attributes.difference(attributes)];
          must(strange.length === 0, () => `the page has ${strange.join(', ')}`);
          must(JSON.stringify(page.scripts) === JSON.stringify(scripts), () => 'the page has another script');
        }
      }),
      close: () => served.close(),
    };
  },
};
