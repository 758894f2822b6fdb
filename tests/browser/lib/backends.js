// The package with one of its two programs, whichever a test wants.

import assert from 'node:assert/strict';

import { openAnalyzer, openBlank } from './browser.js';

/** The programs, the fastest first. */
export const BACKENDS = ['relaxed-simd', 'simd128'];

const RELAXED = '/pkg/dist/relaxed-simd/engine_bg.wasm';

/** A blank page in a profile of its own that has an analyzer with this program as `window.analyzer`. */
export async function openBackend(stage, backend) {
  const page = await openBlank(stage, await stage.newContext());
  // What a browser sees whose relaxed SIMD does not work: the package must fall back by itself.
  const broken = { type: 'application/wasm', body: Buffer.from('\0asm broken', 'latin1') };
  stage.network.answer(RELAXED, backend === 'simd128' ? broken : undefined);
  const opened = await openAnalyzer(page);
  stage.network.answer(RELAXED);
  assert.equal(opened.backend, backend, JSON.stringify(opened));
  return page;
}
