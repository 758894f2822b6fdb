// A headless Chromium that can reach nothing but this machine.

import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

import { chromium } from 'playwright-core';

// Requests of service workers count too; this Playwright reports them only when told to.
process.env.PW_EXPERIMENTAL_SERVICE_WORKER_NETWORK_EVENTS = '1';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];

function findChromium() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    for (const name of NAMES) if (existsSync(join(folder, name))) return join(folder, name);
  }
  throw new Error('Chromium is needed: install it (on Debian: apt-get install chromium) or set CHROMIUM to one');
}

/** Starts Chromium. */
export function startBrowser() {
  return chromium.launch({
    executablePath: findChromium(),
    args: [
      '--no-sandbox', // containers run as root
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--no-first-run',
      // Any other name does not resolve, so a request that slips out fails as well as being counted.
      '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
    ],
  });
}

/** Collects every request of a context, workers and service workers included, as `{ url, at }`. */
export function countRequests(context) {
  const requests = [];
  context.on('request', (request) => requests.push({ url: request.url(), at: Date.now() }));
  return requests;
}

/** Fails the test on any error that a page logs or throws; returns the list, for tests that expect some. */
export function collectErrors(page) {
  const errors = [];
  page.on('pageerror', (error) => errors.push(String(error)));
  page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
  return errors;
}

/** A page of the demo's origin with nothing on it, for tests of the package itself. */
export async function openBlank(context, url) {
  await context.route('**/blank.html', (route) =>
    route.fulfill({ contentType: 'text/html', body: '<!doctype html><meta charset="utf-8"><title>blank</title>' }),
  );
  const page = await context.newPage();
  await page.goto(`${url}blank.html`);
  return page;
}

/** Loads an analyzer into `page` as `window.analyzer`; returns its `backend`, or the error's `code`. */
export function openAnalyzer(page, options = {}) {
  return page.evaluate(async (options) => {
    const { createAnalyzer } = await import('/pkg/dist/index.js');
    try {
      window.analyzer = await createAnalyzer({ cache: false, ...options });
      return { backend: window.analyzer.backend, worker: window.analyzer.worker };
    } catch (error) {
      return { code: error.code, message: error.message, name: error.name };
    }
  }, options);
}

/** Analyses a post in `page`. The image is a base64 string, or absent. Returns the analysis or `{ code, message }`. */
export function analyze(page, { text, image }) {
  return page.evaluate(
    async ({ text, image }) => {
      const bytes = image && Uint8Array.from(atob(image), (c) => c.charCodeAt(0));
      try {
        return await window.analyzer.analyze({ text, image: bytes ? new Blob([bytes]) : undefined });
      } catch (error) {
        return { code: error.code, message: error.message };
      }
    },
    { text, image: image && Buffer.from(image).toString('base64') },
  );
}
