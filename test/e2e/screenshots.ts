/**
 * Takes screenshots of the status page in all its states: `npm run pages -- FOLDER [STATE...]`. Without a folder it
 * takes the few that are kept in docs/images.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { EXPLAIN_PAGES, PAGE_STATES } from '../support/page-states.ts';
import { repositoryRoot } from '../support/repository.ts';
import { openBrowser } from './browser.ts';
import { serveStates } from './serve-states.ts';

type Shot = {
  /** A state of the status page, or a page that explains. */
  readonly state: string;
  readonly width: number;
  readonly scheme: 'light' | 'dark';
  readonly file: string;
  /** Only so much of the page, pixels; null = all of it. */
  readonly height: number | null;
};

const KEPT: readonly Shot[] = [
  { state: 'hold', width: 1280, scheme: 'light', height: 900, file: 'hold.png' },
  { state: 'run', width: 1280, scheme: 'dark', height: 1000, file: 'run.png' },
  { state: 'after', width: 1280, scheme: 'light', height: 1000, file: 'after.png' },
  { state: 'explain-hold', width: 1280, scheme: 'light', height: 800, file: 'explain.png' },
  { state: 'proposal', width: 390, scheme: 'dark', height: 844, file: 'proposal-phone.png' },
];

const every = (states: readonly string[]): readonly Shot[] =>
  states.flatMap((state) =>
    [1280, 390].flatMap((width) =>
      (['light', 'dark'] as const).map((scheme) => ({
        state,
        width,
        scheme,
        height: null,
        file: `${state}-${width}-${scheme}.png`,
      })),
    ),
  );

const [folder, ...only] = process.argv.slice(2);
const target = folder ?? join(repositoryRoot, 'docs/images');
const shots =
  folder === undefined ? KEPT : every(only.length === 0 ? Object.keys({ ...PAGE_STATES, ...EXPLAIN_PAGES }) : only);
mkdirSync(target, { recursive: true });
const [browser, served] = await Promise.all([openBrowser(), serveStates()]);
try {
  for (const { state, width, scheme, height, file } of shots) {
    const explained = EXPLAIN_PAGES[state];
    const make = PAGE_STATES[explained?.state ?? state];
    if (make === undefined)
      throw new RangeError(
        `no such state: ${state}; there are ${Object.keys({ ...PAGE_STATES, ...EXPLAIN_PAGES }).join(', ')}`,
      );
    served.show(make());
    const context = await browser.newContext({ viewport: { width, height: height ?? 900 }, colorScheme: scheme });
    const page = await context.newPage();
    await page.goto(`${served.url}${explained?.path ?? '/status?refresh=off'}`);
    await page.screenshot({ path: join(target, file), fullPage: height === null });
    await context.close();
    process.stdout.write(`${file}\n`);
  }
} finally {
  await browser.close();
  await served.close();
}
