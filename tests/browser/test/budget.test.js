// What the package may weigh: on the wire, and in memory. Needs pkg/dist as `cargo pack` builds it.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { brotliCompressSync, gzipSync } from 'node:zlib';

import { EXAMPLES } from '../../../www/examples.js';
import { analyze, openAnalyzer, openBlank, start } from '../lib/browser.js';
import { ROOT } from '../lib/demo.js';

const DIST = `${ROOT}pkg/dist/`;
const BUNDLE = `${ROOT}pkg/mixed-feelings-small.safetensors`;
/** The programs that are shipped; the float model beside them is for tests. */
const BUILDS = ['simd128', 'relaxed-simd'];

// Bytes of gzip: all of it, the worker's and the bindings of both programs included, of which a page loads one. It was
// 15,000 before pictures had a decoder of their own, limits, timeouts and a browser's help, and engines came up again.
const MOST_JS = 27_000;
const MOST_WASM = 1_000_000; // bytes of brotli, each
const MOST_MEMORY = 1.5 * statSync(BUNDLE).size + 64e6; // bytes of wasm memory, which never shrinks

const gzipped = (file) => gzipSync(readFileSync(file), { level: 9 }).length;
const sum = (sizes) => sizes.reduce((total, { bytes }) => total + bytes, 0);
/** The largest first, for whoever looks for what grew. */
const table = (sizes) =>
  sizes
    .toSorted((a, b) => b.bytes - a.bytes)
    .map(({ name, bytes }) => `${String(bytes).padStart(9)} ${name}`)
    .join('\n');

describe('on the wire', () => {
  it(`our JavaScript is at most ${MOST_JS} bytes of gzip`, (t) => {
    const facade = readdirSync(DIST)
      .filter((name) => name.endsWith('.js'))
      .map((name) => ({ name, bytes: gzipped(DIST + name) }));
    const glue = BUILDS.map((build) => `${build}/engine.js`).map((name) => ({ name, bytes: gzipped(DIST + name) }));
    const whole = sum([...facade, ...glue]);
    t.diagnostic(`${sum(facade)} bytes of gzip, with the bindings of both programs ${whole}`);
    assert.ok(
      whole <= MOST_JS,
      `${whole} bytes of gzip, ${whole - MOST_JS} too many. The files of pkg/dist/, made from pkg/src/ by tsc and ` +
        `from src/web/ by wasm-bindgen, minified by \`cargo pack\`:\n${table([...facade, ...glue])}`,
    );
  });

  for (const file of [...BUILDS.map((build) => `${build}/engine_bg.wasm`), 'decoder.wasm']) {
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
    // In the page's own thread, where its memory can be seen.
    const { backend } = await openAnalyzer(page, { worker: false });
    const memory = () =>
      page.evaluate(async (backend) => {
        const { initSync } = await import(`/pkg/dist/${backend}/engine.js`);
        return initSync().memory.buffer.byteLength;
      }, backend);
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
