// The browsers of the table, each with the same few calls.

import { existsSync } from 'node:fs';

import { launch } from '../../browser/lib/launch.js';
import { openWebKit, webKitPrograms } from './webkit.js';

/** Milliseconds until a page has set `window.outcome`, and until that is there. */
const [SET, SETTLED] = [60_000, 240_000];

/** The first of these programs that is here. */
const found = (...programs) => programs.find((program) => program && existsSync(program));

const FIREFOX_PREFS = {
  'network.proxy.type': 0,
  // Without it, imports from a little server may stand still for minutes.
  'network.http.max-persistent-connections-per-server': 2,
};

export const BROWSERS = {
  chromium: {
    title: 'Chromium',
    program: () => found(process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'),
    open: (program, options) => openPuppeteer({ ...options, name: 'chromium', program }),
  },
  firefox: {
    title: 'Firefox',
    program: () => found(process.env.FIREFOX, '/usr/bin/firefox-esr', '/usr/bin/firefox'),
    open: (program, options) => openPuppeteer({ ...options, name: 'firefox', program, prefs: FIREFOX_PREFS }),
  },
  webkit: {
    title: 'WebKitGTK',
    program: () => webKitPrograms()?.driver,
    open: () => openWebKit(),
  },
};

/** For rows that need a browser: a function that says why there is none. */
export const needs = (name) => () => (BROWSERS[name].program() ? undefined : `there is no ${BROWSERS[name].title} here`);

/** Starts a browser. Returns `{ version, visit(url), close() }`; a visit has `outcome()`, `errors` and `reload()`. */
export function openBrowser(name, options = {}) {
  const { program, open } = BROWSERS[name];
  return open(program(), options);
}

async function openPuppeteer(options) {
  const browser = await launch(options);
  return {
    version: (await browser.version()).replace(/^Headless/i, '').replace(/^\w+\//, ''),
    browser,
    async visit(url) {
      const page = await browser.newPage();
      const errors = [];
      page.on('pageerror', (error) => errors.push(String(error?.stack ?? error)));
      // Every browser asks for an icon, and a project has none.
      const matters = (message) => message.type() === 'error' && !message.location()?.url?.endsWith('/favicon.ico');
      page.on('console', (message) => matters(message) && errors.push(message.text()));
      await page.goto(url, { waitUntil: 'domcontentloaded' });
      return { page, errors, outcome: () => outcomeOf(page, errors), reload: () => page.reload({ waitUntil: 'domcontentloaded' }) };
    },
    close: () => browser.close(),
  };
}

/** What the page's `window.outcome` comes to. */
export async function outcomeOf(page, errors) {
  const outcome = await page.evaluate(
    async (set, settled) => {
      const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
      const began = performance.now();
      while (!globalThis.outcome && performance.now() - began < set) await wait(50);
      if (!globalThis.outcome) return { error: `the page's script did not come so far within ${set / 1000} s` };
      return Promise.race([globalThis.outcome, wait(settled).then(() => ({ error: `no answer within ${settled / 1000} s` }))]);
    },
    errors.length > 0 ? 5000 : SET,
    SETTLED,
  );
  return outcome.error && errors.length > 0 ? { error: `${outcome.error}; the page says: ${errors.join(' | ')}` } : outcome;
}
