// The status page in a real browser: everyone can read it, in every state, on a phone and a desk, by day and by night.
import axe from 'axe-core';
import type { BrowserContext, Page } from 'playwright-core';
import t, { type Test } from 'tap';
import { EXPLAIN_PAGES, PAGE_STATES, type PageState } from '../support/page-states.ts';
import { openBrowser } from './browser.ts';
import { type Served, serveStates } from './serve-states.ts';

t.setTimeout(300_000);
const browser = await openBrowser();
t.teardown(() => browser.close());
const served = await serveStates();
t.teardown(() => served.close());

const states = new Map<string, PageState>(Object.entries(PAGE_STATES).map(([name, make]) => [name, make()]));
const state = (name: string): PageState => {
  const found = states.get(name);
  if (found === undefined) throw new RangeError(`no such state: ${name}`);
  return found;
};

type Look = { readonly width?: number; readonly scheme?: 'light' | 'dark'; readonly scripts?: boolean };

/** What the browser complained of, and what it asked for: both belong to what is judged. */
type Opened = { readonly page: Page; readonly complaints: string[]; readonly asked: string[] };

async function open(t: Test, path: string, look: Look = {}, at: Served = served): Promise<Opened> {
  const { width = 1280, scheme = 'light', scripts = true } = look;
  const context: BrowserContext = await browser.newContext({
    viewport: { width, height: 900 },
    colorScheme: scheme,
    javaScriptEnabled: scripts,
  });
  t.teardown(() => context.close());
  const page = await context.newPage();
  const complaints: string[] = [];
  const asked: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => asked.push(request.url()));
  await page.goto(`${at.url}${path}`);
  return { page, complaints, asked };
}

/** Breaches of accessibility, each with where it is. */
async function breaches(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const found = (await page.evaluate('axe.run(document, { resultTypes: ["violations"] })')) as axe.AxeResults;
  return found.violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id} at ${node.target.join(' ')}`));
}

/** Looks from outside: the page's policy lets nothing be evaluated in it, Playwright's own waiting included. */
async function until(page: Page, holds: string): Promise<void> {
  const end = performance.now() + 10_000;
  while ((await page.evaluate(holds)) !== true)
    if (performance.now() > end) throw new Error(`did not come: ${holds}`);
    else await page.evaluate('new Promise(requestAnimationFrame)');
}

const LOOKS = [
  ...Object.keys(PAGE_STATES).map((name) => ({ name, state: name, path: '/status?refresh=off' })),
  ...Object.entries(EXPLAIN_PAGES).map(([name, page]) => ({ name, ...page })),
];
for (const { name, state: shown, path } of LOOKS) {
  t.test(`${name}: everyone can read it, and nothing runs over the edge`, async (t) => {
    served.show(state(shown));
    for (const width of [1280, 390])
      for (const scheme of ['light', 'dark'] as const) {
        const { page, complaints, asked } = await open(t, path, { width, scheme });
        const where = `${width} px, ${scheme}`;
        await page.evaluate('for (const one of document.querySelectorAll("details")) one.open = true');
        t.strictSame(await breaches(page), [], where);
        const over = await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth');
        t.equal(over, 0, `${where}: nothing has to be scrolled sideways`);
        t.strictSame(complaints, [], where);
        t.ok(
          asked.every((url) => url.startsWith(served.url)),
          `${where}: nothing is loaded from elsewhere`,
        );
      }
  });
}

t.test('nothing runs over the edge at the widths between a phone and a desk either', async (t) => {
  for (const { name, state: shown, path } of LOOKS) {
    served.show(state(shown));
    const { page } = await open(t, path);
    await page.evaluate('for (const one of document.querySelectorAll("details")) one.open = true');
    for (const width of [320, 600, 770, 900, 1024]) {
      await page.setViewportSize({ width, height: 900 });
      const over = await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth');
      t.equal(over, 0, `${name}, ${width} px`);
    }
    await page.context().close();
  }
});

t.test('a page that breaks the rules is caught: the check itself can fail', async (t) => {
  served.show(state('quiet'));
  const { page } = await open(t, '/status?refresh=off');
  await page.evaluate(
    'document.querySelector("h1").remove(); document.querySelector("main").append(document.createElement("img"))',
  );
  t.match((await breaches(page)).join('\n'), /image-alt/);
});

t.test('without scripts the page says all and loads itself anew', async (t) => {
  served.show(state('hold'));
  const { page } = await open(t, '/status', { scripts: false });
  const text = await page.innerText('main');
  for (const part of ['us-east-1', 'Why not sooner', 'Who says so', 'bad(active.reachable)', 'timeout at connect'])
    t.ok(text.includes(part), part);
  served.show(state('report'));
  await page.waitForEvent('framenavigated', { timeout: 15_000 });
  await page.waitForSelector('#report-corruption', { timeout: 15_000 });
});

t.test('with scripts the page follows what happens, and what was folded out stays so', async (t) => {
  served.show(state('hold'));
  const { page, complaints } = await open(t, '/status');
  await page.waitForSelector('#live.ok', { timeout: 10_000 });
  const fold = 'section[id^="gates-"] details';
  await page.click(`${fold} summary`);
  await page.evaluate('window.sameDocument = true');
  served.show(state('run'));
  await page.waitForSelector('section[id^="run-"]', { timeout: 10_000 });
  t.equal(await page.evaluate('window.sameDocument'), true, 'it was not loaded anew');
  t.equal(await page.evaluate(`document.querySelector('${fold}').open`), true);
  t.strictSame(await breaches(page), []);
  served.show(state('after'));
  await page.waitForSelector('section[id^="run-"]', { state: 'detached', timeout: 10_000 });
  const { sameAs, shown } = (await page.evaluate(`(async () => {
    const text = await (await fetch('/status')).text();
    const fresh = new DOMParser().parseFromString(text, 'text/html').querySelector('main');
    for (const one of document.querySelectorAll('details')) one.removeAttribute('open');
    return { shown: document.querySelector('main').innerHTML, sameAs: fresh.innerHTML };
  })()`)) as { sameAs: string; shown: string };
  t.equal(shown, sameAs, 'after many changes it is what the server renders');
  t.strictSame(complaints, []);
});

t.test('what was folded out of a fact stays with that fact, where others come before it', async (t) => {
  served.show(state('failures'));
  const { page, complaints } = await open(t, '/status');
  await page.waitForSelector('#live.ok', { timeout: 10_000 });
  const row =
    '[...document.querySelectorAll("#facts-platform tr")].find((one) => one.id.endsWith("api%20in%20us-east-1/dublin"))';
  await page.evaluate(`${row}.querySelector('details').open = true`);
  const placeBefore = await page.evaluate(`${row}.rowIndex`);
  served.show(state('hold'));
  await until(page, 'document.querySelector("[id^=headline-]").textContent.includes("can’t be reached")');
  t.not(await page.evaluate(`${row}.rowIndex`), placeBefore, 'it has moved');
  t.strictSame(
    await page.evaluate(
      '[...document.querySelectorAll("#facts-platform tr details")].filter((one) => one.open).length',
    ),
    1,
  );
  t.equal(await page.evaluate(`${row}.querySelector('details').open`), true);
  t.strictSame(complaints, []);
});

t.test('when failoverd dies the page says that it is old, and comes back with it', async (t) => {
  const mortal = await serveStates();
  const { page } = await open(t, '/status', {}, mortal);
  await page.waitForSelector('#live.ok', { timeout: 10_000 });
  const port = Number(new URL(mortal.url).port);
  await mortal.close();
  await page.waitForSelector('#live.bad', { timeout: 20_000 });
  const back = await serveStates(port);
  t.teardown(() => back.close());
  await page.waitForSelector('#live.ok', { timeout: 20_000 });
  t.pass('it is live again');
});

t.test('a screen reader is told when the state changes, and not at every second', async (t) => {
  served.show(state('hold'));
  const { page } = await open(t, '/status');
  await page.waitForSelector('#live.ok', { timeout: 10_000 });
  const said = 'document.querySelector("[id^=headline-]").textContent';
  const before = await page.evaluate(said);
  await page.evaluate(`window.changes = 0;
    new MutationObserver(() => { window.changes += 1; }).observe(document.querySelector("[id^=headline-]"),
      { subtree: true, childList: true, characterData: true })`);
  const { state: held } = state('hold');
  served.show({ engine: 'running', state: { ...held, at: held.at + 5_000, mono: held.mono + 5_000 } });
  await until(page, 'document.querySelector(".since").textContent.endsWith("3m 14s")');
  t.equal(await page.evaluate('window.changes'), 0, 'time alone is not announced');
  t.equal(await page.evaluate(said), before);
  served.show(state('proposal'));
  await until(page, 'window.changes > 0');
  t.not(await page.evaluate(said), before);
});

t.test('it can be read and left by keyboard alone', async (t) => {
  served.show(state('proposal'));
  const { page } = await open(t, '/status?refresh=off');
  await page.keyboard.press('Tab');
  t.equal(await page.evaluate('document.activeElement.getAttribute("href")'), '#main');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Tab');
  t.equal(await page.evaluate('document.activeElement.getAttribute("href")'), '#proposal-platform', 'the first part');
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  t.equal(await page.evaluate('document.activeElement.tagName'), 'SUMMARY', 'and on from there');
  t.not(
    await page.evaluate('getComputedStyle(document.activeElement).outlineStyle'),
    'none',
    'where one is can be seen',
  );
});
