/** The browser that end-to-end tests and screenshots use: the machine's own Chromium, found and never fetched. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const REMEDY = 'install it (Debian: apt-get install chromium), or name one in FAILOVERD_CHROMIUM';
/** Nothing but the page that is tested is asked for. */
const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export class NoBrowser extends Error {
  constructor(message: string) {
    super(`${message}: ${REMEDY}`);
    this.name = 'NoBrowser';
  }
}

const runs = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
};

function findChromium(): string {
  const { FAILOVERD_CHROMIUM: named, PATH = '' } = process.env;
  if (named !== undefined) {
    if (!runs(named)) throw new NoBrowser(`FAILOVERD_CHROMIUM names ${named}, which can’t be run`);
    return named;
  }
  const found = PATH.split(delimiter)
    .flatMap((folder) => NAMES.map((name) => join(folder, name)))
    .find(runs);
  if (found === undefined) throw new NoBrowser(`no Chromium is on the path (looked for ${NAMES.join(', ')})`);
  return found;
}

/** Throws {@link NoBrowser} where the machine has none. */
export const openBrowser = (): Promise<Browser> =>
  chromium.launch({ executablePath: findChromium(), args: ARGS, timeout: 30_000 });
