// What the programs may weigh: on the wire, and in memory. `pkg/test/package.test.mjs` has the JavaScript and the tarball. Needs pkg/dist as `cargo pack` builds it.

import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { brotliCompressSync } from 'node:zlib';

import { EXAMPLES } from '../../../www/examples.js';
import { analyze, openAnalyzer, openBlank, start } from '../lib/browser.js';
import { ROOT } from '../lib/demo.js';

const DIST = `${ROOT}pkg/dist/`;
const BUNDLE = `${ROOT}pkg/mixed-feelings-small.safetensors`;
/** The programs that are shipped; the float model beside them is for tests. */
const BUILDS = ['simd128', 'relaxed-simd'];

const MOST_WASM = 1_000_000; // bytes of brotli, each
const MOST_MEMORY = 1.5 * statSync(BUNDLE).size + 64e6; // bytes of wasm memory, which never shrinks

describe('on the wire', () => {
  for (const file of [...BUILDS.map((build) => `${build}/engine_bg.wasm`), 'gpu/engine_bg.wasm', 'decoder.wasm']) {
    it(`${file} is at most ${MOST_WASM} bytes of brotli`, (t) => {
      const bytes = readFileSync(`${DIST}${file}`);
      const size = brotliCompressSync(bytes).length;
      t.diagnostic(`${size} bytes of brotli, ${bytes.length} raw`);
      assert.ok(
        size <= MOST_WASM,
        `pkg/dist/${file}: ${size} bytes of brotli, ${size - MOST_WASM} too many. The profile "wasm" in ` +
          'Cargo.toml and the dependencies\' features there decide; a build without `strip`, in twiggy, shows which function grew',
      );
    });
  }
});

describe('in memory', () => {
  let stage;
  before(async () => {
    stage = await start();
  });
  after(() => stage?.stop());

  it('the program has at most 1.5 times the bundle and 64 MB', async (t) => {
    const page = await openBlank(stage, await stage.newContext());
    const { backend } = await openAnalyzer(page, { worker: false });
    const memory = () => page.evaluate(async () => (await window.analyzer.info()).memory);
    const loaded = await memory();
    const [{ text, photo }] = EXAMPLES;
    const { code } = await analyze(page, { text, image: readFileSync(`${ROOT}www/photos/${photo}`) });
    assert.equal(code, undefined);
    const analysed = await memory();
    t.diagnostic(`${backend}: ${loaded} bytes after loading, ${analysed} after an analysis, ${MOST_MEMORY} at most`);
    assert.ok(
      analysed <= MOST_MEMORY,
      `${loaded} bytes after loading and ${analysed} after an analysis, ${MOST_MEMORY} at most: look for a second copy of the ` +
        'weights in src/web/buffer.rs, src/plan.rs (what it drops, and when) and the buffers of the encoders',
    );
  });
});
