// Nothing that a page does takes the analyzer down: killed workers, pictures that never come, files of any size.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { deflateSync } from 'node:zlib';

import { analyze, openAnalyzer, openBlank, start } from '../lib/browser.js';
import { ROOT } from '../lib/demo.js';
import { png } from '../lib/files.js';

const PHOTO = readFileSync(`${ROOT}www/photos/coffee.jpg`);
const BUNDLE = '/pkg/mixed-feelings-small.safetensors';
const MOST_MEMORY = 1.5 * readFileSync(`${ROOT}${BUNDLE.slice(1)}`).length + 64e6;
/** Has a worker keep the memory of its program where a test can get at it. */
const KEEP_MEMORY = `
  const { Instance } = WebAssembly;
  WebAssembly.Instance = class extends Instance {
    constructor(...of) {
      super(...of);
      if (this.exports.engine_new) globalThis.programMemory = this.exports.memory;
    }
  };`;
const GOOD = { text: 'What a lovely cup of coffee', image: PHOTO };

describe('the analyzer survives', () => {
  let stage;
  let page;
  let first;
  before(async () => {
    stage = await start();
    const script = readFileSync(`${ROOT}pkg/dist/worker.js`, 'utf8');
    stage.network.answer('/pkg/dist/worker.js', { type: 'text/javascript', body: `${script}\n${KEEP_MEMORY}` });
    page = await openBlank(stage, await stage.newContext());
    await opens();
    first = await analyze(page, GOOD);
  });
  after(() => stage?.stop());

  async function opens(options) {
    const opened = await openAnalyzer(page, { cache: true, ...options });
    assert.ok(opened.backend, JSON.stringify(opened));
  }

  async function asBefore() {
    assert.deepEqual((await analyze(page, GOOD)).scores, first.scores);
  }

  /** The package's worker that lives now. */
  async function living() {
    for (;;) {
      const worker = page.workers().at(-1);
      // One that is gone is listed until the browser says so, and does not answer.
      const answer = worker && (await Promise.race([worker.evaluate(() => 'here').catch(() => {}), setTimeout(500)]));
      if (answer) return worker;
      await setTimeout(20);
    }
  }

  for (const [name, kill] of [
    ['closes itself', (worker) => worker.evaluate(() => self.close())],
    ['is closed by the browser', (worker) => worker.close()],
  ]) {
    it(`a worker that ${name}: one call at most is told, the next works`, async (t) => {
      for (let round = 0; round < 3; round++) {
        const worker = await living();
        await page.evaluate(() => {
          const posts = Array.from({ length: 20 }, (_, i) => ({ text: `post ${i} `.repeat(100) }));
          const outcome = ({ code, retriable }) => ({ code, retriable });
          window.calls = posts.map((post) => window.analyzer.analyze(post).then(() => 'answered', outcome));
        });
        kill(worker).catch(() => {});
        const failures = (await page.evaluate(() => Promise.all(window.calls))).filter((outcome) => outcome !== 'answered');
        assert.ok(failures.length <= 1, JSON.stringify(failures));
        for (const failure of failures) assert.deepEqual(failure, { code: 'worker-failed', retriable: true });
        t.diagnostic(`${failures.length} of 20 calls`);
        await asBefore();
      }
    });
  }

  it('a worker that is ended while nobody asks: the next call does not notice', async (t) => {
    const worker = await living();
    worker.evaluate(() => self.close()).catch(() => {});
    await setTimeout(100);
    const began = performance.now();
    await asBefore();
    t.diagnostic(`${(performance.now() - began).toFixed(0)} ms to the next answer`);
    assert.notEqual(await living(), worker);
  });

  it('a worker whose program breaks', async () => {
    const worker = await living();
    await worker.evaluate(() => {
      new Uint8Array(globalThis.programMemory.buffer).fill(0xff);
    });
    const outcome = await analyze(page, { text: 'the one that meets it' });
    assert.equal(outcome.code, 'crashed');
    await asBefore();
  });

  it('pictures that never come hold up nobody', async () => {
    const outcome = await page.evaluate(async () => {
      const lazy = new Image();
      lazy.loading = 'lazy';
      document.body.append(Object.assign(document.createElement('div'), { style: 'height: 100000px' }), lazy);
      lazy.src = '/never.png';
      const code = ({ code, message }) => ({ code, message });
      const stuck = window.analyzer.analyze({ image: lazy, timeout: 500 }).catch(code);
      const text = (await window.analyzer.analyze({ text: 'at once' })).label;
      return { text, stuck: await stuck };
    });
    assert.ok(outcome.text);
    assert.equal(outcome.stuck.code, 'image-timeout');
    assert.match(outcome.stuck.message, /lazy/);
  });

  it('an <img> is read as it is at the call', async () => {
    const url = (bytes) => `data:image/png;base64,${bytes.toString('base64')}`;
    const [white, black] = [255, 0].map((level) => {
      const rows = Buffer.alloc(65 * 64, level);
      for (let y = 0; y < 64; y++) rows[65 * y] = 0;
      return url(png(64, 64, deflateSync(rows)));
    });
    const answers = await page.evaluate(async (white, black) => {
      const image = new Image();
      image.src = white;
      await image.decode();
      const atTheCall = window.analyzer.analyze({ image });
      image.src = black;
      const scores = async (image) => (await window.analyzer.analyze({ image })).scores;
      const first = (await atTheCall).scores;
      const broken = new Image();
      broken.src = white;
      await broken.decode();
      broken.decode = () => Promise.reject(new Error('no memory'));
      return { first, white: await scores(white), black: await scores(black), rejected: await scores(broken) };
    }, white, black);
    assert.deepEqual(answers.first, answers.white);
    assert.deepEqual(answers.rejected, answers.white);
    assert.notDeepEqual(answers.black, answers.white);
  });

  it('what the browser alone can read is read by it, unless that is forbidden', async () => {
    const svg = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><rect width="9" height="9" fill="red"/></svg>';
    const ask = () =>
      page.evaluate(async (svg) => {
        const outcome = (image) => window.analyzer.analyze({ image }).then(({ decodedBy }) => decodedBy, ({ code }) => code);
        return [await outcome(new Blob([svg])), await outcome(`data:image/svg+xml,${encodeURIComponent(svg)}`)];
      }, svg);
    assert.deepEqual(await ask(), ['browser', 'browser']);
    await opens({ browserDecoder: false });
    assert.deepEqual(await ask(), ['image-unsupported', 'image-unsupported']);
    await opens();
  });

  it('ImageData of another colour space is what it shows', async () => {
    const { wide, plain } = await page.evaluate(async () => {
      const fill = (colorSpace, colour) => {
        const context = new OffscreenCanvas(64, 64).getContext('2d', { colorSpace });
        context.fillStyle = colour;
        context.fillRect(0, 0, 64, 64);
        return context.getImageData(0, 0, 64, 64);
      };
      const read = async (image) => (await window.analyzer.analyze({ image })).image.valence;
      return { wide: await read(fill('display-p3', '#e03010')), plain: await read(fill('srgb', '#e03010')) };
    });
    assert.ok(Math.abs(wide - plain) < 0.02, `${wide} against ${plain}`);
  });
});

describe('memory after anything', () => {
  let stage;
  let page;
  before(async () => {
    stage = await start();
    page = await openBlank(stage, await stage.newContext());
    // Every memory that is made in this page, and whether it is still held is for the garbage collector to say.
    await page.evaluate(() => {
      window.memories = new Set();
      const { Instance } = WebAssembly;
      WebAssembly.Instance = class extends Instance {
        constructor(...args) {
          super(...args);
          if (this.exports.memory) window.memories.add(new WeakRef(this.exports.memory));
        }
      };
    });
    const opened = await openAnalyzer(page, { worker: false });
    assert.equal(opened.worker, false, JSON.stringify(opened));
  });
  after(() => stage?.stop());

  /** Bytes of wasm memory that are held. */
  async function memory() {
    const client = await page.createCDPSession();
    await client.send('HeapProfiler.collectGarbage');
    await client.send('HeapProfiler.collectGarbage');
    await client.detach();
    return page.evaluate(() => [...window.memories].reduce((sum, memory) => sum + (memory.deref()?.buffer.byteLength ?? 0), 0));
  }

  const cases = {
    'a Blob of 2 GB': async () => {
      const part = new Blob([new Uint8Array(64 << 20)]);
      return { image: new Blob(Array(32).fill(part)) };
    },
    'a URL without end': async () => {
      const chunk = new Uint8Array(1 << 20);
      // It begins as a PNG does.
      const canvas = new OffscreenCanvas(64, 64);
      canvas.getContext('2d').fillRect(0, 0, 32, 32);
      const png = await canvas.convertToBlob();
      chunk.set(new Uint8Array(await png.slice(0, 41).arrayBuffer()));
      const network = window.fetch;
      window.fetch = async (url, init) => {
        if (!String(url).endsWith('/endless')) return network(url, init);
        return new Response(new ReadableStream({ pull: (controller) => controller.enqueue(chunk.slice()) }));
      };
      return { image: '/endless' };
    },
    'a text of 200 MB': async () => ({ text: 'word '.repeat(4e7) }),
    'ImageData of 16,000 x 4,000': async () => ({ image: new ImageData(16_000, 4000) }),
    'a canvas of 50 megapixels': async () => ({ image: new OffscreenCanvas(10_000, 5000) }),
    'a PNG of 64 megapixels': async () => {
      const canvas = new OffscreenCanvas(8000, 8000);
      canvas.getContext('2d').fillRect(0, 0, 8000, 4000);
      return { image: await canvas.convertToBlob() };
    },
  };

  for (const [name, make] of Object.entries(cases)) {
    it(`is what the README says: ${name}`, async (t) => {
      const outcome = await page.evaluate(async (make) => {
        const post = await eval(`(${make})`)();
        return window.analyzer.analyze(post).then(() => 'answered', ({ code }) => code);
      }, String(make));
      const bytes = await memory();
      t.diagnostic(`${outcome}; ${bytes} bytes of wasm memory, ${MOST_MEMORY} at most`);
      assert.ok(bytes > 30e6 && bytes <= MOST_MEMORY, `${bytes} bytes, ${MOST_MEMORY} at most`);
      assert.ok(['answered', 'image-too-large', 'text-too-long'].includes(outcome), outcome);
      assert.equal((await analyze(page, { text: 'still here' })).code, undefined);
    });
  }
});

describe('two analyzers at once, at the first visit', () => {
  it('are one download', async () => {
    const stage = await start();
    try {
      const page = await openBlank(stage, await stage.newContext());
      stage.network.requests.length = 0;
      const backends = await page.evaluate(async () => {
        const { createAnalyzer } = await import('/pkg/dist/index.js');
        const both = await Promise.all([createAnalyzer(), createAnalyzer()]);
        return both.map(({ backend }) => backend);
      });
      assert.equal(backends.length, 2);
      const count = (end) => stage.network.requests.filter(({ url }) => url.endsWith(end)).length;
      // The program may be asked for again, as at every visit: a server says that it has not changed.
      assert.equal(count('.safetensors'), 1);
    } finally {
      await stage.stop();
    }
  });
});
