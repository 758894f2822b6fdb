// The program of the GPU, in a Chromium whose GPU is a program on the CPU (SwiftShader): the answers of the CPU, and what
// happens without a GPU or when it is lost.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';

import { EXAMPLES } from '../../../www/examples.js';
import { ROOT } from '../lib/demo.js';
import { launch } from '../lib/launch.js';
import { serveStatic } from '../lib/static.js';

const BUILT = existsSync(`${ROOT}pkg/dist/modules/gpu-bindings.js`);
/** How far a probability may be from the CPU's: floats are rounded in another order. */
const TOLERANCE = 1e-3;
/** How often the device is taken away at work. */
const LOSSES = 20;

/** A page with `window.gpu`: the program, and how its buffer with the bundle is made. */
async function openPage(browser, url) {
  const page = await browser.newPage();
  await page.goto(`${url}nothing`); // a page without anything on it
  await page.evaluate(async () => {
    const { bindings } = await import('/pkg/dist/modules/gpu-bindings.js');
    const bytes = async (url) => new Uint8Array(await (await fetch(url)).arrayBuffer());
    const program = bindings();
    const { memory } = program.initSync({ module: await WebAssembly.compile(await bytes('/pkg/dist/gpu/engine_bg.wasm')) });
    const bundle = await bytes('/pkg/mixed-feelings-small.safetensors');
    const buffer = () => {
      const buffer = new program.BundleBuffer(bundle.length);
      buffer.append(bundle);
      return buffer;
    };
    const tried = async (work) => {
      try {
        return { answer: await work() };
      } catch (error) {
        return { code: error?.code, message: String(error?.message ?? error) };
      }
    };
    window.gpu = { program, buffer, memory, tried };
  });
  return page;
}

const start = (gpu) => launch({ program: process.env.CHROMIUM ?? '/usr/bin/chromium', gpu });

describe('the GPU', { skip: !BUILT && 'needs `cargo pack`' }, () => {
  let site;
  before(async () => {
    site = await serveStatic(ROOT, '/');
  });
  after(() => site?.stop());

  it('says so where there is none', async () => {
    const browser = await start(false);
    try {
      const page = await openPage(browser, site.url);
      const told = await page.evaluate(() => window.gpu.tried(() => window.gpu.program.GpuEngine.create(window.gpu.buffer())));
      assert.equal(told.code, 'gpu-none', told.message);
    } finally {
      await browser.close();
    }
  });

  describe('that a browser has', () => {
    let browser;
    let page;
    before(async () => {
      browser = await start(true);
      page = await openPage(browser, site.url);
      const opened = await page.evaluate(async () => {
        const { program, buffer, tried } = window.gpu;
        window.cpu = new program.Engine(buffer());
        return tried(async () => {
          window.engine = await program.GpuEngine.create(buffer());
          return JSON.parse(window.engine.adapter());
        });
      });
      assert.ok(opened.answer, opened.message);
      assert.ok(opened.answer.limits.maxStorageBufferBindingSize >= 2 ** 27, JSON.stringify(opened.answer));
    });
    after(() => browser?.close());

    it('computes the integers of the CPU', async () => {
      assert.deepEqual(await page.evaluate(() => window.gpu.tried(() => window.engine.selfTest())), {});
    });

    it('gives the scores of the CPU', async (t) => {
      const photos = EXAMPLES.slice(0, 3).map(({ text, photo }) => ({ text, photo }));
      const posts = [...EXAMPLES.map(({ text }) => ({ text })), ...photos, { photo: photos[0].photo }];
      const pairs = await page.evaluate(async (posts) => {
        const { Decoder } = await import('/pkg/dist/modules/decoder.js');
        const decoder = new Decoder(async () => WebAssembly.compile(await (await fetch('/pkg/dist/decoder.wasm')).arrayBuffer()), 64_000_000);
        await decoder.load();
        const { Picture } = window.gpu.program;
        const preprocess = JSON.parse(window.cpu.preprocess());
        const pictures = [];
        for (const { photo } of posts) {
          const bytes = photo && new Uint8Array(await (await fetch(`/www/photos/${photo}`)).arrayBuffer());
          const decoded = bytes && decoder.decode(bytes, preprocess);
          pictures.push(() => decoded && new Picture(decoded.pixels.slice(), decoded.incomplete));
        }
        const texts = posts.map(({ text }) => text);
        const many = JSON.parse(await window.engine.analyzeMany(texts, pictures.map((make) => make())));
        const pairs = [];
        for (const [i, text] of texts.entries()) {
          const cpu = JSON.parse(window.cpu.analyze(text, pictures[i]()));
          pairs.push([cpu, JSON.parse(await window.engine.analyze(text, pictures[i]())), many[i]]);
        }
        return pairs;
      }, posts);
      let worst = 0;
      for (const [cpu, ...others] of pairs) {
        for (const other of others) {
          assert.equal(other.label, cpu.label);
          for (const [label, score] of Object.entries(cpu.scores)) worst = Math.max(worst, Math.abs(score - other.scores[label]));
        }
      }
      t.diagnostic(`${pairs.length} posts, scores at most ${worst} apart`);
      assert.ok(worst < TOLERANCE, `scores are ${worst} apart`);
    });

    it(`is lost at work ${LOSSES} times, and the CPU goes on`, async () => {
      const told = await page.evaluate(async (losses) => {
        const { program, buffer, tried } = window.gpu;
        const told = [];
        for (let i = 0; i < losses; i++) {
          const engine = await program.GpuEngine.create(buffer());
          const asked = tried(() => engine.analyze(`what a day ${i}`));
          if (i % 2 === 1) await new Promise((resolve) => setTimeout(resolve, i));
          engine.free();
          told.push(await asked);
        }
        return { told, label: JSON.parse(window.cpu.analyze('I love it', undefined)).label };
      }, LOSSES);
      // One that was quick enough has an answer.
      for (const { answer, code, message } of told.told) assert.ok(answer || /^gpu-/.test(code), message);
      assert.ok(told.told.some(({ code }) => code), 'none was lost');
      assert.equal(told.label, 'positive');
    });
  });
});
