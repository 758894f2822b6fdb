// The package with one of its two programs, whichever a test wants.

import assert from 'node:assert/strict';

import { openAnalyzer, openBlank } from './browser.js';

/** The programs, the fastest first. */
export const BACKENDS = ['relaxed-simd', 'simd128'];

/** A blank page in a profile of its own that has an analyzer with this program as `window.analyzer`. */
export async function openBackend(browser, url, backend) {
  const context = await browser.newContext();
  if (backend === 'simd128') {
    // What a browser sees whose relaxed SIMD does not work: the package must fall back by itself.
    await context.route('**/relaxed-simd/engine_bg.wasm', (route) =>
      route.fulfill({ contentType: 'application/wasm', body: Buffer.from('\0asm broken', 'latin1') }),
    );
  }
  const page = await openBlank(context, url);
  const opened = await openAnalyzer(page);
  assert.equal(opened.backend, backend, JSON.stringify(opened));
  return page;
}
