// The GPU in Chromium: SwiftShader where WebGPU is switched on, none where it is not. Software says nothing about speed, but
// everything about what becomes of a post.
//
// GPU_ROUNDS chooses how often a device is destroyed, and how many analyzers are made one after another.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout } from 'node:timers/promises';

import { newPage, openBlank, start } from '../lib/browser.js';
import { near, open, readAll, readPair, skip, texts, wasmMemory, withSwitch } from '../lib/devices.js';
import { residentBytes } from '../lib/memory.js';

const ROUNDS = Number(process.env.GPU_ROUNDS ?? 10);
const PATIENCE = { timeout: 600_000 + 60_000 * ROUNDS };

async function blank(stage) {
  const page = await openBlank(stage, await stage.newContext());
  await page.evaluate(withSwitch);
  return page;
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

  it('auto asks for no GPU before the first answer', async () => {
    const asked = await page.evaluate(async () => {
      const { requestAdapter } = GPU.prototype;
      let count = 0;
      GPU.prototype.requestAdapter = function (...given) {
        count++;
        return requestAdapter.apply(this, given);
      };
      const { createAnalyzer } = await import('/pkg/dist/index.js');
      window.analyzer?.dispose();
      window.analyzer = await createAnalyzer({ device: 'auto', timeout: 300_000 });
      await window.analyzer.analyze({ text: 'What a day', image: new ImageData(224, 224) });
      const atFirst = count;
      // The same count sees it when it does ask.
      await navigator.gpu.requestAdapter();
      GPU.prototype.requestAdapter = requestAdapter;
      return { atFirst, seen: count > atFirst, workers: window.gpuWorkers };
    });
    assert.deepEqual(asked, { atFirst: 0, seen: true, workers: 0 });
  });

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
    const pair = await readPair(page);
    assert.equal(pair.device, 'webgpu', pair.why);
    near([pair.onGpu], [pair.onCpu]);
    t.diagnostic(`${info.why}; timings ${JSON.stringify(pair.onGpu.timings)}`);
  });

  it(`a device that is destroyed in the middle of a batch costs no answer, ${ROUNDS} times`, { skip }, async () => {
    for (let round = 0; round < ROUNDS; round++) {
      await openOnGpu(page, round);
      const { answers, device } = await readAll(page, texts, round % 3);
      near(answers, expected);
      // The last pass may have been on its way already.
      if (device === 'webgpu') near((await readAll(page, texts.slice(0, 2))).answers, expected.slice(0, 2));
      assert.equal((await page.evaluate(() => window.analyzer.info())).device, 'cpu');
      const held = Math.round((residentBytes('renderer') + residentBytes('gpu-process')) / 1e6);
      if ((round + 1) % Math.ceil(ROUNDS / 10) === 0) console.log(`device ${round + 1}: page and GPU process ${held} MB`);
    }
  });

  it(`${ROUNDS} analyzers one after another leave nothing behind`, { skip }, async () => {
    const rounds = [];
    for (let round = 0; round <= ROUNDS; round++) {
      await openOnGpu(page, round);
      const wasm = await wasmMemory(page);
      await page.evaluate(() => (window.analyzer.dispose(), new Promise((resolve) => setTimeout(resolve, 300))));
      for (let i = 0; i < 100 && page.workers().length > 0; i++) await setTimeout(100);
      assert.equal(page.workers().length, 0, `round ${round}: workers that are still there`);
      const heap = await heapBytes(page);
      const now = { heap, cpu: wasm.cpu, gpu: wasm.gpu, page: residentBytes('renderer'), process: residentBytes('gpu-process') };
      rounds.push(now);
      const told = Object.entries(now).map(([name, bytes]) => `${name} ${(bytes / 1e6).toFixed(1)} MB`);
      if (round % Math.ceil(ROUNDS / 10) === 0) console.log(`analyzer ${round}: ${told.join(', ')}`);
    }
    const of = (name) => rounds.map((round) => round[name]);
    // A program's memory is as large each time: nothing of the one before is in it.
    for (const name of ['cpu', 'gpu']) assert.equal(Math.max(...of(name)), Math.min(...of(name)), name);
    // The first ones fill what the browser keeps of code and pipelines.
    for (const [name, more] of [['heap', 1.1], ['page', 1.25], ['process', 1.25]]) {
      const warm = Math.max(...of(name).slice(0, Math.ceil(ROUNDS / 4) + 1));
      assert.ok(of(name).at(-1) < more * warm, `${name}: from ${warm} to ${of(name).at(-1)} bytes`);
    }
  });
});

/** Opens an analyzer whose GPU must be ready. On a machine that is busy with other things, software may be too late at first. */
async function openOnGpu(page, round) {
  let told;
  for (let i = 0; i < 5; i++) {
    told = await open(page, { device: 'webgpu' });
    if (!/did not answer/.test(told.why)) break;
    console.log(`round ${round}: ${told.why}`);
  }
  assert.equal(told.device, 'webgpu', `round ${round}: ${told.why}`);
}

/** Bytes of the page's heap that are in use, its garbage collected. */
async function heapBytes(page) {
  const session = await page.createCDPSession();
  await session.send('HeapProfiler.collectGarbage');
  const { usedSize } = await session.send('Runtime.getHeapUsage');
  await session.detach();
  return usedSize;
}
