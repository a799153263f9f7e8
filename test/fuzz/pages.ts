/** The page holds what strangers wrote as text, whatever they wrote: it is taken apart as a browser does, and looked at. */
import fc from 'fast-check';
import type { DefaultTreeAdapterTypes } from 'parse5';
import { defaultTreeAdapter, parse } from 'parse5';
import { alert, BEARER, bearer, payload } from '../daemon/http/harness.ts';
import { asking, begin } from './answering.ts';
import { hostileText } from './hostile.ts';
import { type FuzzTarget, must } from './target.ts';

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
    /** An alert that counts, with these words in it; then the page that shows it. */
    const shown = async (summary: string, labels: Record<string, string>, description = ''): Promise<string | null> => {
      count += 1;
      const one = alert({
        labels: { alertname: 'RegionDown', region: 'us-east-1', ...labels },
        annotations: { summary, description },
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
      const page = await asking(served, {
        method: 'GET',
        url: `/status?refresh=off&group=orders`,
        headers: { accept: 'text/html' },
      });
      await send([{ ...one, status: 'resolved' }]);
      return page.text;
    };
    const plain = await shown('words', { job: 'words' }, 'words');
    if (plain === null) throw new Error('a plain alert was refused');
    const usual = lookAt(plain);
    return {
      property: fc.asyncProperty(written, async ({ summary, description, label, name }) => {
        const html = await shown(summary, { job: label, [name]: label }, description);
        if (html === null) return;
        const page = lookAt(html);
        const strange = [...page.elements.difference(usual.elements), ...page.attributes.difference(usual.attributes)];
        must(strange.length === 0, () => `the page has ${strange.join(', ')}`);
        must(JSON.stringify(page.scripts) === JSON.stringify(usual.scripts), () => 'the page has another script');
      }),
      close: () => served.close(),
    };
  },
};
