// A headless Chromium whose pages reach the demo and nothing else, and what tests do in its pages.

import { startDemo } from './demo.js';
import { launch } from './launch.js';
import { startNetwork } from './network.js';

/** Milliseconds in which what a test waits for must happen. */
const PATIENCE = 60_000;

/**
 * Starts demo, browser, and the network between them. `newContext()` is a fresh profile on that network; `gpu`
 * says whether there is WebGPU.
 */
export async function start({ gpu } = {}) {
  const demo = await startDemo();
  const network = await startNetwork();
  let browser;
  async function stop() {
    await browser?.close();
    await network.stop();
    await demo.stop();
  }
  try {
    browser = await launch({ program: process.env.CHROMIUM ?? '/usr/bin/chromium', gpu });
  } catch (error) {
    await stop(); // what is left running would keep the tests from ending
    throw error;
  }
  const proxy = { proxyServer: network.url, proxyBypassList: ['<-loopback>'] };
  return { url: demo.url, network, newContext: () => browser.createBrowserContext(proxy), stop };
}

/** A new page in `context`, as large as a desk's unless `width` and `height` say else; `media` are CSS media features. */
export async function newPage(context, { width = 1280, height = 900, media = {} } = {}) {
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  await page.setViewport({ width, height });
  await page.emulateMediaFeatures(Object.entries(media).map(([name, value]) => ({ name, value })));
  return page;
}

/** A page of the demo's origin with nothing on it, for tests of the package itself. */
export async function openBlank({ url, network }, context) {
  network.answer('/blank.html', { type: 'text/html', body: '<!doctype html><meta charset="utf-8"><title>blank</title>' });
  const page = await newPage(context);
  await page.goto(`${url}blank.html`);
  return page;
}

/** Collects any error that a page logs or throws. */
export function collectErrors(page) {
  const errors = [];
  page.on('pageerror', (error) => errors.push(String(error)));
  page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
  return errors;
}

/** Waits until what `selector` names is seen, and returns it. */
export const seen = (page, selector) => page.waitForSelector(selector, { visible: true });

/** Waits until nothing that `selector` names is seen. */
export const hidden = (page, selector) => page.waitForSelector(selector, { hidden: true });

/** Waits until something that `selector` names contains `text`. */
export const says = (page, selector, text) =>
  page.waitForFunction((s, t) => [...document.querySelectorAll(s)].some((e) => e.textContent.includes(t)), {}, selector, text);

/** Clicks on one of those that `selector` names. */
export async function click(page, selector, number = 0) {
  await (await page.$$(selector))[number].click();
}

/** Puts `text` into a field. */
export const fill = (page, selector, text) =>
  page.$eval(
    selector,
    (field, text) => {
      field.focus();
      field.value = text;
      field.dispatchEvent(new InputEvent('input', { bubbles: true }));
    },
    text,
  );

/** Chooses a file that is not on the disk. */
export const choose = (page, selector, file) =>
  page.$eval(
    selector,
    (field, { name, type, text }) => {
      const chosen = new DataTransfer();
      chosen.items.add(new File([text], name, { type }));
      field.files = chosen.files;
      field.dispatchEvent(new Event('change', { bubbles: true }));
    },
    file,
  );

/** The text of an element. */
export const textOf = (page, selector) => page.$eval(selector, (element) => element.textContent);

/** An attribute of an element. */
export const attribute = (page, selector, name) => page.$eval(selector, (element, name) => element.getAttribute(name), name);

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

/** Analyses a post in `page`. The image is bytes, or absent. Returns the analysis or `{ code, message }`. */
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
