// The GPU in Chromium: SwiftShader where WebGPU is switched on, none where it is not. Software says nothing about speed, but
// everything about what becomes of a post.
//
// GPU_ROUNDS chooses how often a device is destroyed, and how many analyzers are made one after another.

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';

import { EXAMPLES } from '../../../www/examples.js';
import { newPage, openBlank, start } from '../lib/browser.js';
import { ROOT } from '../lib/demo.js';
import { residentBytes } from '../lib/memory.js';
import { TEXTS } from '../lib/posts.js';

const ROUNDS = Number(process.env.GPU_ROUNDS ?? 10);
const PATIENCE = { timeout: 1_200_000 };
const skip = !existsSync(`${ROOT}pkg/dist/gpu/engine_bg.wasm`) && 'left out: no program for the GPU in pkg/dist';
const texts = TEXTS.slice(0, 6);

/** In the page, before anything else: the GPU's worker starts with a switch that destroys its devices. */
function withSwitch() {
  const { Worker } = window;
  window.gpuWorkers = 0;
  window.Worker = class extends Worker {
    constructor(url, options) {
      if (!String(url).endsWith('gpu-worker.js')) return super(url, options);
      window.gpuWorkers++;
      const script = `const told = new BroadcastChannel('destroy');
        const { requestDevice } = GPUAdapter.prototype;
        GPUAdapter.prototype.requestDevice = async function (...given) {
          const device = await requestDevice.apply(this, given);
          told.onmessage = () => device.destroy();
          return device;
        };
        await import(${JSON.stringify(String(url))});`;
      super(URL.createObjectURL(new Blob([script], { type: 'text/javascript' })), options);
    }
  };
}

async function blank(stage) {
  const page = await openBlank(stage, await stage.newContext());
  await page.evaluate(withSwitch);
  return page;
}

/** Opens an analyzer in `page`, waits for its GPU, and returns what it says of it. */
const open = (page, options) =>
  page.evaluate(async (options) => {
    const { createAnalyzer } = await import('/pkg/dist/index.js');
    window.analyzer?.dispose();
    window.analyzer = await createAnalyzer(options);
    await window.analyzer.warmup();
    const { device, gpu, why } = await window.analyzer.info();
    return { device, gpu, why: why.device };
  }, options);

/** Labels and scores of a batch; with `destroy`, the device goes after so many answers. */
const readAll = (page, texts, destroy = Infinity) =>
  page.evaluate(
    async (texts, destroy) => {
      const answers = [];
      const channel = new BroadcastChannel('destroy');
      if (destroy === 0) channel.postMessage('');
      for await (const { analysis, error } of window.analyzer.analyzeBatch(texts.map((text) => ({ text })))) {
        answers.push(error ? error.code : { label: analysis.label, scores: analysis.scores });
        if (answers.length === destroy) channel.postMessage('');
      }
      channel.close();
      const { device, why } = await window.analyzer.info();
      return { answers, device, why: why.device };
    },
    texts,
    destroy,
  );

function near(answers, expected) {
  assert.equal(answers.length, expected.length);
  for (const [i, { label, scores }] of answers.entries()) {
    assert.equal(label, expected[i].label, `text ${i}`);
    for (const [name, score] of Object.entries(scores)) {
      assert.ok(Math.abs(score - expected[i].scores[name]) < 1e-3, `text ${i}: ${name} is ${score}, not ${expected[i].scores[name]}`);
    }
  }
}

describe('without a GPU', PATIENCE, () => {
  let stage;
  before(async () => (stage = await start()));
  after(() => stage?.stop());

  it('the processor reads, whatever is chosen, and nothing is loaded for a GPU', async () => {
    const page = await blank(stage);
    for (const device of ['webgpu', 'auto', 'cpu']) {
      const info = await open(page, { device });
      assert.deepEqual([info.device, info.gpu], ['cpu', null]);
      if (device === 'webgpu') assert.match(info.why, /no GPU|no WebGPU/);
      const { answers } = await readAll(page, texts.slice(0, 5));
      assert.ok(answers.every(({ label }) => label));
    }
    assert.equal(await page.evaluate(() => window.gpuWorkers), 0);
    assert.ok(!stage.network.requests.some(({ url }) => /gpu-|gpu\/engine/.test(url)));
  });

  it('the page offers no choice', async () => {
    const page = await newPage(await stage.newContext());
    await page.goto(stage.url);
    await page.waitForSelector('#status[data-state=offline]');
    assert.equal(await page.$eval('#device', ({ hidden }) => hidden), true);
  });
});

describe('with SwiftShader', PATIENCE, () => {
  let stage;
  let page;
  let expected;
  before(async () => {
    stage = await start({ gpu: true });
    page = await blank(stage);
    await open(page, { device: 'cpu' });
    expected = (await readAll(page, texts)).answers;
  });
  after(() => stage?.stop());

  it('auto leaves software alone', async () => {
    await open(page, { device: 'auto' });
    const look = () => page.evaluate(async () => (await window.analyzer.warmup(), window.analyzer.info()));
    let { device, why } = await look();
    // It looks once the processor has worked for a second, which takes more texts the faster it is.
    for (let i = 0; i < 500 && /no work/.test(why.device); i++) {
      await readAll(page, texts);
      ({ device, why } = await look());
    }
    assert.equal(device, 'cpu');
    assert.match(why.device, /software/);
    assert.equal(await page.evaluate(() => window.gpuWorkers), 0);
  });

  it('where it is asked for it reads what the processor reads', { skip }, async (t) => {
    const info = await open(page, { device: 'webgpu' });
    assert.deepEqual([info.device, info.gpu], ['webgpu', { adapter: 'google swiftshader', posts: true, batches: true }], info.why);
    const { answers, device, why } = await readAll(page, texts);
    assert.equal(device, 'webgpu', why);
    near(answers, expected);
    const [{ text, photo }] = EXAMPLES;
    const image = readFileSync(`${ROOT}www/photos/${photo}`).toString('base64');
    const both = await page.evaluate(async (text, image) => {
      const blob = await (await fetch(`data:image/jpeg;base64,${image}`)).blob();
      const onGpu = await window.analyzer.analyze({ text, image: blob });
      const { device, why } = await window.analyzer.info();
      window.analyzer.dispose();
      const { createAnalyzer } = await import('/pkg/dist/index.js');
      window.analyzer = await createAnalyzer({ device: 'cpu' });
      return [onGpu, await window.analyzer.analyze({ text, image: blob }), device, why.device];
    }, text, image);
    assert.equal(both[2], 'webgpu', both[3]);
    near([both[0]], [both[1]]);
    t.diagnostic(`${info.why}; timings ${JSON.stringify(both[0].timings)}`);
  });

  it(`a device that is destroyed in the middle of a batch costs no answer, ${ROUNDS} times`, { skip }, async () => {
    for (let round = 0; round < ROUNDS; round++) {
      assert.equal((await open(page, { device: 'webgpu' })).device, 'webgpu');
      const { answers, device } = await readAll(page, texts, round % 3);
      near(answers, expected);
      // The last pass may have been on its way already.
      if (device === 'webgpu') near((await readAll(page, texts.slice(0, 2))).answers, expected.slice(0, 2));
      assert.equal((await page.evaluate(() => window.analyzer.info())).device, 'cpu');
    }
  });

  it(`${ROUNDS} analyzers one after another leave nothing behind`, { skip }, async (t) => {
    const memory = [];
    for (let round = 0; round <= ROUNDS; round++) {
      assert.equal((await open(page, { device: 'webgpu' })).device, 'webgpu');
      await page.evaluate(() => (window.analyzer.dispose(), new Promise((resolve) => setTimeout(resolve, 300))));
      memory.push(residentBytes('renderer') + residentBytes('gpu-process'));
    }
    const warm = Math.max(...memory.slice(0, Math.ceil(ROUNDS / 4) + 1));
    t.diagnostic(memory.map((bytes) => Math.round(bytes / 1e6)).join(' '));
    assert.ok(memory.at(-1) < 1.25 * warm, `from ${warm} to ${memory.at(-1)} bytes`);
  });
});
