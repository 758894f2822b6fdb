// What befalls a page and its elements: stuck workers, the way back from another page, service workers, styles that turn a
// picture, formats that the browser alone can read.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { setTimeout } from 'node:timers/promises';

import { ENDLESS } from '../../../pkg/test/lib/endless.mjs';
import { openAnalyzer, openBlank, start } from '../lib/browser.js';
import { ROOT } from '../lib/demo.js';
import { turned } from '../lib/files.js';

const PHOTO = readFileSync(`${ROOT}www/photos/coffee.jpg`);
const base64 = (bytes) => bytes.toString('base64');
const drawing = (ending) => base64(readFileSync(new URL(`../fixtures/drawing.${ending}`, import.meta.url)));

describe('in a page', () => {
  let stage;
  let page;
  let good;
  before(async () => {
    stage = await start();
    page = await openBlank(stage, await stage.newContext());
    await opens();
  });
  after(() => stage?.stop());

  async function opens(options) {
    assert.ok((await openAnalyzer(page, { cache: true, ...options })).backend);
    await page.evaluate(() => {
      window.outcome = (post) =>
        window.analyzer.analyze(post).then(
          ({ valence, decodedBy }) => ({ valence, decodedBy }),
          ({ code, retriable, message }) => ({ code, retriable, message }),
        );
      window.bytes = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    });
    good ??= await ask('as before');
  }
  const ask = (text) => page.evaluate((text) => window.outcome({ text }), text);

  it('a worker in an endless loop: the call that it is at is told, the next works', async () => {
    await opens({ timeout: 1000 });
    page.workers().at(-1).evaluate(() => { for (;;); }).catch(() => {});
    await setTimeout(200);
    const [stuck, waiting] = await page.evaluate(() =>
      Promise.all(['stuck', 'as before'].map((text) => window.outcome({ text }))));
    assert.equal(stuck.code, 'worker-failed');
    assert.equal(stuck.retriable, true);
    assert.match(stuck.message, /did not say anything/);
    assert.deepEqual(waiting, good);
    await opens();
  });

  it('a decoder in an endless loop: the picture takes too long, the next call works', async () => {
    const other = await openBlank(stage, await stage.newContext());
    stage.network.answer('/pkg/dist/decoder.wasm', { type: 'application/wasm', body: Buffer.from(ENDLESS) });
    await openAnalyzer(other, { timeout: 1000 });
    const read = (post) => other.evaluate((post) => window.analyzer.analyze(post).then(({ valence }) => valence, ({ code }) => code), post);
    const image = `data:image/jpeg;base64,${base64(PHOTO)}`;
    assert.equal(await read({ image }), 'image-timeout');
    stage.network.answer('/pkg/dist/decoder.wasm');
    assert.equal(await read({ text: 'as before' }), good.valence);
    assert.equal(typeof (await read({ image, timeout: 30_000 })), 'number');
    await other.close();
  });

  it('a page that comes back from the back/forward cache answers, also what was under way', async (t) => {
    await page.evaluate(() => {
      addEventListener('pageshow', ({ persisted }) => (window.persisted = persisted));
      window.calls = Array.from({ length: 30 }, (_, i) => window.outcome({ text: `post ${i} `.repeat(100) }));
    });
    stage.network.answer('/other.html', { type: 'text/html', body: '<!doctype html><title>other</title>' });
    await page.goto(`${stage.url}other.html`);
    await setTimeout(1000);
    await page.goBack();
    const persisted = await page.evaluate(() => window.persisted);
    t.diagnostic(`persisted: ${persisted}`);
    assert.equal(persisted, true, 'the analyzer keeps the page out of the back/forward cache');
    const outcomes = await page.evaluate(() => Promise.all(window.calls));
    assert.ok(outcomes.every(({ valence }) => typeof valence === 'number'), JSON.stringify(outcomes));
    assert.deepEqual(await ask('as before'), good);
  });

  it('a service worker reads posts too', async () => {
    const body = `
      import { createAnalyzer } from '/pkg/dist/index.js';
      const answered = async () => {
        const analyzer = await createAnalyzer();
        const photo = await (await fetch('/photos/coffee.jpg')).blob();
        const { valence, decodedBy } = await analyzer.analyze({ text: 'as before', image: photo });
        return { valence, decodedBy, info: await analyzer.info() };
      };
      addEventListener('message', async ({ source }) => {
        source.postMessage(await answered().catch(({ name, code, message }) => ({ name, code, message })));
      });`;
    stage.network.answer('/sw.js', { type: 'text/javascript', body });
    const outcome = await page.evaluate(async () => {
      const registration = await navigator.serviceWorker.register('/sw.js', { type: 'module', scope: '/nowhere/' });
      const worker = registration.installing ?? registration.waiting ?? registration.active;
      const answer = new Promise((resolve) => (navigator.serviceWorker.onmessage = ({ data }) => resolve(data)));
      worker.postMessage('open');
      const outcome = await answer;
      await registration.unregister();
      return outcome;
    });
    const { info, ...answer } = outcome;
    const here = (photo) => window.outcome({ text: 'as before', image: new Blob([window.bytes(photo)]) });
    assert.deepEqual(answer, await page.evaluate(here, base64(PHOTO)), JSON.stringify(outcome));
    assert.equal(info.worker, false);
    assert.match(info.why.worker, /no workers here/);
  });

  it('an <img> is read upright, as a canvas draws it, whatever its style says', async () => {
    const shown = (style, photo) =>
      page.evaluate(async (style, photo) => {
        const blob = new Blob([window.bytes(photo)], { type: 'image/jpeg' });
        const image = Object.assign(new Image(), { style, src: URL.createObjectURL(blob) });
        document.body.append(image);
        await image.decode();
        const call = window.outcome({ image });
        image.remove();
        return (await call).valence;
      }, style, base64(photo));
    const lying = await shown('', PHOTO);
    const upright = await shown('', turned(PHOTO, 6));
    assert.ok(Math.abs(upright - lying) > 0.01, 'the two can be told apart');
    assert.equal(await shown('image-orientation: none', turned(PHOTO, 6)), upright);
  });

  it('what the package cannot read the browser reads, or the error says what it is', async () => {
    const read = (ending) =>
      page.evaluate((text) => window.outcome({ image: new File([window.bytes(text)], 'drawing') }), drawing(ending));
    const png = await read('png');
    assert.equal(png.decodedBy, 'package');
    const avif = await read('avif');
    assert.equal(avif.decodedBy, 'browser', JSON.stringify(avif));
    assert.ok(Math.abs(avif.valence - png.valence) < 0.05, `${avif.valence} against ${png.valence}`);
    // Chromium reads one of these in some versions, and never both.
    for (const [ending, told] of [['heic', /HEI[CF]/], ['jxl', /JPEG XL/]]) {
      const outcome = await read(ending);
      if (outcome.decodedBy === 'browser') assert.ok(Math.abs(outcome.valence - png.valence) < 0.05);
      else assert.equal(outcome.code, 'image-unsupported', JSON.stringify(outcome)) ?? assert.match(outcome.message, told);
    }
    await opens({ browserDecoder: false });
    for (const [ending, told] of [['avif', /AVIF/], ['heic', /HEI[CF]/], ['jxl', /JPEG XL/]]) {
      const { code, message } = await read(ending);
      assert.equal(code, 'image-unsupported');
      assert.match(message, told);
    }
  });
});
