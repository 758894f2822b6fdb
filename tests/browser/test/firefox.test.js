// What Firefox does otherwise than Chromium: an SVG without a size, a lazy picture, its own decoders. FIREFOX names the program.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';

import { startDemo } from '../lib/demo.js';
import { launch } from '../lib/launch.js';
import { fixtures, largePair, pairOf, prepare } from '../lib/pairs.js';

const PROGRAM = [process.env.FIREFOX, '/usr/bin/firefox-esr', '/usr/bin/firefox'].find((program) => program && existsSync(program));
const skip = !PROGRAM && 'left out: no Firefox here; FIREFOX names one';
if (skip) console.log(skip);

describe('in Firefox', { skip, timeout: 600_000 }, () => {
  let demo;
  let browser;
  let page;
  before(async () => {
    demo = await startDemo();
    // Without them, imports from the demo's little server may stand still for minutes.
    const prefs = { 'network.proxy.type': 0, 'network.http.max-persistent-connections-per-server': 2 };
    browser = await launch({ name: 'firefox', program: PROGRAM, prefs });
    page = await browser.newPage();
    // A page with nothing on it: that of the demo has an analyzer of its own.
    await page.goto(`${demo.url}photos/LICENSES.md`, { waitUntil: 'domcontentloaded' });
    const opened = await page.evaluate(async () => {
      document.body.replaceChildren();
      const { createAnalyzer } = await import('/pkg/dist/index.js');
      window.analyzer = await createAnalyzer({ cache: false });
      return window.analyzer.worker;
    });
    assert.equal(opened, true);
    await prepare(page);
  });
  after(async () => {
    await browser?.close();
    await demo?.stop();
  });

  it('an SVG that has a viewBox and no size is drawn, as <img> and as a file', async () => {
    const outcomes = await page.evaluate(async () => {
      const svg = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><rect width="9" height="9" fill="red"/></svg>';
      const image = new Image();
      image.src = `data:image/svg+xml,${encodeURIComponent(svg)}`;
      const loading = await window.outcome({ image });
      return [loading, await window.outcome({ image }), await window.outcome({ image: new Blob([svg]) })];
    });
    for (const outcome of outcomes) {
      assert.equal(outcome.decodedBy, 'browser', JSON.stringify(outcomes));
      assert.ok(Math.abs(outcome.valence - outcomes[0].valence) < 0.02, JSON.stringify(outcomes));
    }
  });

  it('a lazy <img> out of sight is waited for, holds up nobody, and the error says why', async () => {
    const { stuck, text, seen } = await page.evaluate(async () => {
      const lazy = Object.assign(new Image(), { loading: 'lazy' });
      document.body.append(Object.assign(document.createElement('div'), { style: 'height: 100000px' }), lazy);
      lazy.src = '/photos/coffee.jpg';
      const calls = [window.outcome({ image: lazy, timeout: 1000 }), window.outcome({ text: 'at once' })];
      const [stuck, text] = await Promise.all(calls);
      const later = window.outcome({ image: lazy });
      lazy.scrollIntoView();
      return { stuck, text, seen: await later };
    });
    assert.equal(stuck.code, 'image-timeout', JSON.stringify(stuck));
    assert.match(stuck.message, /lazy/);
    assert.equal(typeof text.valence, 'number');
    assert.equal(typeof seen.valence, 'number', JSON.stringify(seen));
  });

  it('a picture of every kind gives the answer of its file as an <img>, to the last bit', async () => {
    for (const [name, bytes] of fixtures()) {
      const { element, file } = await pairOf(page, name, bytes);
      assert.deepEqual(element, file, name);
      assert.equal(file.decodedBy, 'package', name);
    }
  });

  it('so does a noisy photo of 12 megapixels', async () => {
    const { element, file } = await largePair(page, '/photos/friends.jpg', 20);
    assert.equal(typeof file.valence, 'number', JSON.stringify(file));
    assert.deepEqual(element, file);
  });

  it('an <img> that is changed behind the call is read as it was', async () => {
    const { first, white, black } = await page.evaluate(async () => {
      const url = (colour) => {
        const canvas = Object.assign(document.createElement('canvas'), { width: 64, height: 64 });
        const context = canvas.getContext('2d');
        context.fillStyle = colour;
        context.fillRect(0, 0, 64, 64);
        return canvas.toDataURL();
      };
      const image = new Image();
      image.src = url('white');
      await image.decode();
      const atTheCall = window.outcome({ image });
      image.src = url('black');
      return { first: await atTheCall, black: await window.outcome({ image }), white: await window.outcome({ image: url('white') }) };
    });
    assert.equal(first.valence, white.valence);
    assert.notEqual(black.valence, white.valence);
  });
});
