// The file behind an <img>: read wherever the page may, so that both give one answer; and what the element shows where not.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';

import { collectErrors, openAnalyzer, openBlank, start } from '../lib/browser.js';
import { ROOT } from '../lib/demo.js';
import { fixtures, largePair, pairOf, prepare, typeOf } from '../lib/pairs.js';

const photo = (name) => readFileSync(`${ROOT}www/photos/${name}.jpg`);
const COFFEE = { type: 'image/jpeg', body: photo('coffee') };
const FRIENDS = { type: 'image/jpeg', body: photo('friends') };
/** Of another site, which lets everybody read. */
const ELSEWHERE = 'http://elsewhere.test/coffee.jpg';
const OPEN = { 'Access-Control-Allow-Origin': '*', 'Cache-Control': 'max-age=600' };

describe('the file behind an <img>', () => {
  let stage;
  let page;
  before(async () => {
    stage = await start();
    page = await opened();
  });
  after(() => stage?.stop());

  async function opened(options) {
    const page = await openBlank(stage, await stage.newContext());
    assert.ok((await openAnalyzer(page, options)).backend);
    await prepare(page);
    return page;
  }
  const asFile = (page, { body }) => page.evaluate((text) => window.outcome({ image: new Blob([window.bytes(text)]) }), body.toString('base64'));
  const asElement = (page, properties) =>
    page.evaluate(async (properties) => window.outcome({ image: await window.element(properties) }), properties);
  const asked = (part) => stage.network.requests.filter(({ url }) => url.includes(part)).length;

  it('a picture of every kind gives the answer of its file, to the last bit', async () => {
    for (const [name, bytes] of fixtures()) {
      const { element, file } = await pairOf(page, name, bytes);
      assert.deepEqual(element, file, name);
      assert.equal(file.decodedBy, 'package', name);
    }
  });

  it('so do noisy photos of 12 megapixels', async () => {
    for (const [name, grain] of [['coffee', 12], ['friends', 20], ['coffee', 40], ['friends', 40]]) {
      const { element, file } = await largePair(page, `/photos/${name}.jpg`, grain);
      assert.equal(typeof file.valence, 'number', JSON.stringify(file));
      assert.deepEqual(element, file, `${name} with a grain of ${grain}`);
    }
  });

  it('so does one that ends early', async () => {
    const { element, file } = await pairOf(page, 'half.jpg', COFFEE.body.subarray(0, COFFEE.body.length / 2));
    assert.equal(file.incomplete, true);
    assert.deepEqual(element, file);
  });

  it('what Chromium shows of a picture of any kind is told from no other', async () => {
    for (const [name, body] of fixtures()) {
      stage.network.answer(`/kinds/${name}`, { type: typeOf(name), body });
      assert.deepEqual(await asElement(page, { src: `/kinds/${name}` }), await asFile(page, { body }), name);
    }
  });

  it('from the network, from a data: URL, and what srcset or <picture> chose', async () => {
    stage.network.answer('/coffee.jpg', COFFEE);
    stage.network.answer('/friends.jpg', FRIENDS);
    const file = await asFile(page, COFFEE);
    assert.equal(file.decodedBy, 'package');
    assert.deepEqual(await asElement(page, { src: '/coffee.jpg' }), file);
    assert.deepEqual(await asElement(page, { src: `data:image/jpeg;base64,${COFFEE.body.toString('base64')}` }), file);
    assert.deepEqual(await asElement(page, { srcset: '/friends.jpg 9x, /coffee.jpg 1x' }), file);
    const inPicture = await page.evaluate(async () => {
      const picture = document.createElement('picture');
      picture.innerHTML = '<source srcset="/coffee.jpg 2x" media="all"><img src="/friends.jpg">';
      const image = picture.querySelector('img');
      await image.decode();
      return window.outcome({ image });
    });
    assert.deepEqual(inPicture, file);
  });

  it('what the server gives by now is not what is shown', async () => {
    const file = await asFile(page, COFFEE);
    const read = () => page.evaluate(() => window.outcome({ image: window.shown }));
    for (const answer of [FRIENDS, { status: 404 }, { type: 'text/html', body: '<!doctype html>' }, 'abort']) {
      // Another element each time: of one whose file failed, no file is asked for again.
      stage.network.answer('/now.jpg', COFFEE);
      await page.evaluate(async () => (window.shown = await window.element({ src: '/now.jpg' })));
      stage.network.answer('/now.jpg', answer);
      const before = asked('/now.jpg');
      const outcome = await read();
      const then = asked('/now.jpg');
      assert.ok(then > before, 'its file was not asked for');
      assert.equal(outcome.decodedBy, 'browser', JSON.stringify(outcome));
      assert.ok(Math.abs(outcome.valence - file.valence) < 0.02, `${outcome.valence}, and ${file.valence} of its file`);
      assert.deepEqual(await read(), outcome);
      assert.equal(asked('/now.jpg'), then, 'it was asked for again');
    }
  });

  it('an <img> that is changed behind the call is read as it was', async () => {
    const file = await asFile(page, COFFEE);
    stage.network.answer('/coffee.jpg', COFFEE);
    stage.network.answer('/friends.jpg', FRIENDS);
    const outcomes = await page.evaluate(async () => {
      const image = await window.element({ src: '/coffee.jpg' });
      const calls = [window.outcome({ image })];
      image.src = '/friends.jpg';
      // One that is loading is read when it is there,
      calls.push(window.outcome({ image }));
      await calls[1];
      image.src = '/coffee.jpg?';
      calls.push(window.outcome({ image }));
      // or the next one, if the page changes it as soon as it hears of it.
      image.onload = () => {
        image.onload = null;
        image.src = '/friends.jpg?';
      };
      return Promise.all(calls);
    });
    const other = await asFile(page, FRIENDS);
    assert.deepEqual(outcomes, [file, other, other]);
  });

  it('a blob: URL that was revoked, AVIF and SVG are drawn', async () => {
    const revoked = await page.evaluate(async (text) => {
      const image = await window.element({ src: URL.createObjectURL(new Blob([window.bytes(text)])) });
      URL.revokeObjectURL(image.src);
      return [await window.outcome({ image }), await window.outcome({ image })];
    }, COFFEE.body.toString('base64'));
    const file = await asFile(page, COFFEE);
    for (const { valence, decodedBy } of revoked) {
      assert.equal(decodedBy, 'browser');
      assert.ok(Math.abs(valence - file.valence) < 0.02, `${valence}, and ${file.valence} of its file`);
    }
    const avif = readFileSync(new URL('../fixtures/drawing.avif', import.meta.url)).toString('base64');
    const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9" fill="red"/></svg>';
    for (const src of [`data:image/avif;base64,${avif}`, `data:image/svg+xml,${encodeURIComponent(svg)}`]) {
      assert.equal((await asElement(page, { src })).decodedBy, 'browser', src.slice(0, 20));
    }
  });

  it('a file of another site is read where its element could read it, and not asked for where not', async () => {
    stage.network.answer(ELSEWHERE, { ...COFFEE, headers: OPEN });
    const file = await asFile(page, COFFEE);
    assert.deepEqual(await asElement(page, { src: ELSEWHERE, crossOrigin: 'anonymous' }), file);
    const other = await opened();
    const before = asked('elsewhere.test');
    const errors = collectErrors(other);
    const refused = await asElement(other, { src: ELSEWHERE });
    assert.equal(refused.code, 'image-fetch');
    assert.match(refused.message, /crossorigin/);
    assert.equal(asked('elsewhere.test'), before + 1);
    assert.deepEqual(errors, []);
  });

  it('it is fetched as the page says, from the cache, and not waited for where it does not come', async () => {
    stage.network.answer(ELSEWHERE, { ...COFFEE, headers: OPEN });
    stage.network.answer('/coffee.jpg', COFFEE);
    const outcome = await page.evaluate(async (elsewhere) => {
      const { createAnalyzer } = await import('/pkg/dist/index.js');
      const asked = [];
      const analyzer = await createAnalyzer({
        cache: false,
        fetch(url, { signal, ...init }) {
          if (!url.endsWith('.jpg')) return fetch(url, { signal, ...init });
          asked.push([new URL(url).pathname, init]);
          return new Promise(() => {});
        },
      });
      const elements = [
        await window.element({ src: '/coffee.jpg', referrerPolicy: 'no-referrer' }),
        await window.element({ src: elsewhere, crossOrigin: 'anonymous' }),
      ];
      const answers = [];
      for (const image of elements) answers.push((await analyzer.analyze({ image })).decodedBy);
      analyzer.dispose();
      return { asked, answers };
    }, ELSEWHERE);
    const init = { cache: 'force-cache', credentials: 'same-origin' };
    assert.deepEqual(outcome.asked, [
      ['/coffee.jpg', { ...init, mode: 'same-origin', referrerPolicy: 'no-referrer' }],
      ['/coffee.jpg', { ...init, mode: 'cors', referrerPolicy: '' }],
    ]);
    assert.deepEqual(outcome.answers, ['browser', 'browser']);
  });

  it('a policy that forbids it costs one line in the console, and the pictures are drawn', async () => {
    const policy = `default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; img-src 'self' blob: http://elsewhere.test`;
    const body = `<!doctype html><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${policy}"><title>policy</title>`;
    stage.network.answer('/strict.html', { type: 'text/html', body });
    stage.network.answer('/favicon.ico', COFFEE);
    stage.network.answer(ELSEWHERE, { ...COFFEE, headers: OPEN });
    const page = await openBlank(stage, await stage.newContext());
    await page.goto(`${stage.url}strict.html`);
    await openAnalyzer(page);
    await prepare(page);
    const errors = collectErrors(page);
    const outcomes = await page.evaluate(async (elsewhere) => {
      const outcomes = [];
      for (let i = 0; i < 3; i++) {
        outcomes.push(await window.outcome({ image: await window.element({ src: elsewhere, crossOrigin: 'anonymous' }) }));
      }
      return outcomes;
    }, ELSEWHERE);
    assert.deepEqual(outcomes.map(({ decodedBy }) => decodedBy), ['browser', 'browser', 'browser'], JSON.stringify(outcomes));
    const told = errors.filter((text) => /Content Security Policy|connect/i.test(text));
    assert.ok(new Set(told).size <= 2 && told.length <= 2, told.join('\n'));
  });
});
