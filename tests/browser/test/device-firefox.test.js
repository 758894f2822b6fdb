// The GPU in Firefox: Mesa's lavapipe where WebGPU is switched on, none where it is not. FIREFOX names the program.
//
// Firefox ESR has WebGPU on Linux behind `dom.webgpu.enabled`, and offers no software unless the list of blocked drivers is ignored.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';

import { near, open, readAll, readPair, skip as noProgram, texts, withSwitch } from '../lib/devices.js';
import { startDemo } from '../lib/demo.js';
import { launch } from '../lib/launch.js';

const PROGRAM = [process.env.FIREFOX, '/usr/bin/firefox-esr', '/usr/bin/firefox'].find((program) => program && existsSync(program));
const skip = (!PROGRAM && 'left out: no Firefox here; FIREFOX names one') || noProgram;
if (skip) console.log(skip);

/** Without them, imports from the demo's little server may stand still for minutes. */
const SERVER = { 'network.proxy.type': 0, 'network.http.max-persistent-connections-per-server': 2 };
const ENABLED = { 'dom.webgpu.enabled': true };
const ANY_DRIVER = { 'gfx.webgpu.ignore-blocklist': true };

/** A Firefox with these settings, and a page with nothing on it: that of the demo has an analyzer of its own. */
async function start(demo, prefs) {
  const browser = await launch({ name: 'firefox', program: PROGRAM, prefs: { ...SERVER, ...prefs } });
  const page = await browser.newPage();
  await page.goto(`${demo.url}photos/LICENSES.md`, { waitUntil: 'domcontentloaded' });
  await page.evaluate(() => document.body.replaceChildren());
  await page.evaluate(withSwitch);
  return { browser, page };
}

describe('the GPU in Firefox', { skip, timeout: 1_200_000 }, () => {
  let demo;
  before(async () => (demo = await startDemo()));
  after(() => demo?.stop());

  for (const [name, prefs, reason] of [
    ['WebGPU is switched off', { 'dom.webgpu.enabled': false }, /no WebGPU/],
    ['the driver is blocked', { ...ENABLED, 'gfx.webgpu.ignore-blocklist': false }, /no GPU/],
  ]) {
    it(`where ${name} the processor reads, and says why`, async (t) => {
      const { browser, page } = await start(demo, prefs);
      try {
        const info = await open(page, { device: 'webgpu' });
        t.diagnostic(`${await browser.version()}: ${info.why}`);
        if (name === 'the driver is blocked' && info.gpu) return t.skip('left out: the driver here is not blocked');
        assert.deepEqual([info.device, info.gpu], ['cpu', null]);
        assert.match(info.why, reason);
        assert.ok((await readAll(page, texts.slice(0, 2))).answers.every(({ label }) => label));
        assert.equal(await page.evaluate(() => window.gpuWorkers), 0);
      } finally {
        await browser.close();
      }
    });
  }

  describe('with any driver allowed', () => {
    let browser;
    let page;
    let missing;
    let expected;
    before(async () => {
      ({ browser, page } = await start(demo, { ...ENABLED, ...ANY_DRIVER }));
      missing = await page.evaluate(async () => {
        if (!navigator.gpu) return 'navigator.gpu is undefined';
        return (await navigator.gpu.requestAdapter()) ? undefined : 'requestAdapter() gives null: is a driver for Vulkan installed?';
      });
      if (missing) missing = `left out: ${await browser.version()} has no WebGPU: ${missing}`;
      await open(page, { device: 'cpu' });
      expected = (await readAll(page, texts)).answers;
    });
    after(() => browser?.close());

    it('auto leaves software alone', async (t) => {
      if (missing) return t.skip(missing);
      await open(page, { device: 'auto' });
      const look = () => page.evaluate(async () => (await window.analyzer.warmup(), window.analyzer.info()));
      let { device, why } = await look();
      // It looks once the processor has worked for a second, which takes more texts the faster it is.
      for (let i = 0; i < 500 && /no work/.test(why.device); i++) {
        await readAll(page, texts);
        ({ device, why } = await look());
      }
      const software = await page.evaluate(async () => (await navigator.gpu.requestAdapter()).info.isFallbackAdapter);
      if (!software) return t.skip('left out: the GPU here is a real one');
      assert.equal(device, 'cpu');
      assert.match(why.device, /software/);
    });

    it('where it is asked for it reads what the processor reads', async (t) => {
      if (missing) return t.skip(missing);
      const info = await open(page, { device: 'webgpu' });
      assert.equal(info.device, 'webgpu', info.why);
      assert.deepEqual([info.gpu.posts, info.gpu.batches], [true, true]);
      const { answers, device, why } = await readAll(page, texts);
      assert.equal(device, 'webgpu', why);
      const pair = await readPair(page);
      assert.equal(pair.device, 'webgpu', pair.why);
      const most = Math.max(near(answers, expected), near([pair.onGpu], [pair.onCpu]));
      t.diagnostic(`${await browser.version()}, ${info.gpu.adapter}: ${texts.length} texts and a pair, scores at most ${most.toExponential(1)} apart`);
    });

    it('a device that is destroyed in the middle of a batch costs no answer', async (t) => {
      if (missing) return t.skip(missing);
      for (const destroy of [0, 1, 2]) {
        assert.equal((await open(page, { device: 'webgpu' })).device, 'webgpu');
        near((await readAll(page, texts, destroy)).answers, expected);
        // The last pass may have been on its way already.
        near((await readAll(page, texts.slice(0, 2))).answers, expected.slice(0, 2));
        assert.equal((await page.evaluate(() => window.analyzer.info())).device, 'cpu');
      }
    });
  });
});
