// Every form in which a page has a picture: the same picture, the same answer.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';

import { openAnalyzer, openBlank, start } from '../lib/browser.js';
import { png } from '../lib/files.js';

describe('the forms of a picture', () => {
  let stage;
  let page;
  let answers;

  before(async () => {
    stage = await start();
    page = await openBlank(stage, await stage.newContext());
    assert.ok((await openAnalyzer(page)).backend);
    answers = await page.evaluate(async () => {
      const drawn = document.createElement('canvas');
      [drawn.width, drawn.height] = [90, 60];
      const context = drawn.getContext('2d');
      const gradient = context.createLinearGradient(0, 0, 90, 60);
      ['#123', '#e83', '#fed'].forEach((colour, i) => gradient.addColorStop(i / 2, colour));
      context.fillStyle = gradient;
      context.fillRect(0, 0, 90, 60);
      // PNG loses nothing, so every form has the same pixels.
      const file = await new Promise((resolve) => drawn.toBlob(resolve));
      const img = new Image();
      img.src = URL.createObjectURL(file);
      const offscreen = new OffscreenCanvas(90, 60);
      offscreen.getContext('2d').drawImage(drawn, 0, 0);
      const frame = document.body.appendChild(document.createElement('iframe')).contentWindow;
      const foreign = new frame.Image();
      foreign.src = img.src;
      const sources = {
        Blob: file,
        File: new File([file], 'gradient.png'),
        ArrayBuffer: await file.arrayBuffer(),
        Uint8Array: new Uint8Array(await file.arrayBuffer()),
        'blob: URL': img.src,
        'data: URL': drawn.toDataURL(),
        '<img>': img,
        '<img> of another frame': foreign,
        '<canvas>': drawn,
        OffscreenCanvas: offscreen,
        ImageBitmap: await createImageBitmap(file),
        ImageData: context.getImageData(0, 0, 90, 60),
      };
      const answers = {};
      for (const [name, image] of Object.entries(sources)) {
        // Another picture in between, so that nothing is answered from memory.
        await window.analyzer.analyze({ image: new ImageData(5, 5) });
        answers[name] = await window.analyzer.analyze({ image }).then(({ scores }) => scores, String);
      }
      return answers;
    });
  });
  after(() => stage?.stop());

  it('each gives the answer of the file', () => {
    for (const [name, scores] of Object.entries(answers)) assert.deepEqual(scores, answers.Blob, name);
    assert.equal(Object.keys(answers).length, 12);
    assert.equal(typeof answers.Blob.positive, 'number');
  });

  it('a picture of 50 megapixels in a canvas is scaled down, not refused', async () => {
    const { scores } = await page.evaluate(() => window.analyzer.analyze({ image: new OffscreenCanvas(10_000, 5_000) }));
    assert.equal(typeof scores.positive, 'number');
  });

  it('a photo that the browser scales down in an <img> is read like its file', async () => {
    const { element, file } = await page.evaluate(async () => {
      const photo = new OffscreenCanvas(4000, 3000);
      const context = photo.getContext('2d');
      const gradient = context.createLinearGradient(0, 0, 4000, 3000);
      ['#123', '#e83', '#fed'].forEach((colour, i) => gradient.addColorStop(i / 2, colour));
      context.fillStyle = gradient;
      context.fillRect(0, 0, 4000, 3000);
      const blob = await photo.convertToBlob({ type: 'image/jpeg' });
      const image = new Image();
      image.src = URL.createObjectURL(blob);
      const element = await window.analyzer.analyze({ image });
      return { element, file: await window.analyzer.analyze({ image: blob }) };
    });
    assert.equal(element.image.label, file.image.label);
    const shift = Math.abs(element.image.scores.positive - file.image.scores.positive);
    assert.ok(shift < 0.05, `${shift} apart`);
  });

  it('a photo that lies on its side in the file stands upright in an <img>', async () => {
    const photo = await readFile(new URL('../../fixtures/images/exif6.jpg', import.meta.url));
    const { element, file } = await page.evaluate(async (url) => {
      const image = new Image();
      image.src = url;
      const element = await window.analyzer.analyze({ image });
      await window.analyzer.analyze({ image: new ImageData(5, 5) });
      return { element, file: await window.analyzer.analyze({ image: url }) };
    }, `data:image/jpeg;base64,${photo.toString('base64')}`);
    const shift = Math.abs(element.image.scores.positive - file.image.scores.positive);
    assert.ok(shift < 0.02, `${shift} apart`);
    const heaviest = ({ explanation: { regions } }) => regions.weights.indexOf(Math.max(...regions.weights));
    assert.equal(heaviest(element), heaviest(file));
  });

  it('an SVG without a size of its own is drawn', async () => {
    const { scores } = await page.evaluate(() => {
      const image = new Image();
      image.src = `data:image/svg+xml,${encodeURIComponent('<svg xmlns="http://www.w3.org/2000/svg"><rect width="9" height="9" fill="red"/></svg>')}`;
      return window.analyzer.analyze({ image });
    });
    assert.equal(typeof scores.positive, 'number');
  });

  it('a bitmap stays its owner\'s, and a queue that is given up leaves the next call working', async () => {
    const [again, aborted, after] = await page.evaluate(async () => {
      const image = await createImageBitmap(new ImageData(40, 30));
      await window.analyzer.analyze({ image });
      const again = [image.width, (await window.analyzer.analyze({ image, text: 'again' })).label];
      const abort = new AbortController();
      const first = window.analyzer.analyze({ image, text: 'the one before' });
      const queued = window.analyzer.analyze({ image, signal: abort.signal }).then(() => 'answered', ({ name }) => name);
      abort.abort();
      await first;
      return [again, await queued, (await window.analyzer.analyze({ image, text: 'after' })).label];
    });
    assert.equal(again[0], 40);
    assert.equal(aborted, 'AbortError');
    assert.ok(again[1] && after);
  });

  it('what has no pixels says so', async () => {
    const codes = await page.evaluate(async () => {
      const code = (image) => window.analyzer.analyze({ image }).then(() => 'answered', (error) => error.code);
      const broken = new Image();
      broken.src = 'data:image/png;base64,AAAA';
      const closed = await createImageBitmap(new ImageData(2, 2));
      closed.close();
      return Promise.all([code(new Image()), code(broken), code(new OffscreenCanvas(0, 0)), code(closed)]);
    });
    assert.deepEqual(codes, ['image-fetch', 'image-fetch', 'image-empty', 'image-empty']);
  });

  it('a picture of another site that forbids reading it says so', async () => {
    const elsewhere = 'http://elsewhere.test/photo.png';
    stage.network.answer(elsewhere, { type: 'image/png', body: png(2, 2) });
    const outcome = await page.evaluate(async (url) => {
      const image = new Image();
      image.src = url;
      return window.analyzer.analyze({ image }).then(() => 'answered', ({ code, message }) => ({ code, message }));
    }, elsewhere);
    assert.equal(outcome.code, 'image-fetch');
    assert.match(outcome.message, /crossorigin/);
  });

  it('of fewer pixels if the page wants so: files and ImageData are refused, what is drawn is not', async () => {
    const avif = await readFile(new URL('../fixtures/drawing.avif', import.meta.url));
    const small = await openBlank(stage, await stage.newContext());
    await openAnalyzer(small, { limits: { imagePixels: 100 } });
    const outcomes = await small.evaluate(async (avif) => {
      const outcome = (image) => window.analyzer.analyze({ image }).then(({ decodedBy }) => decodedBy, ({ code }) => code);
      const file = await (await fetch(`data:image/avif;base64,${avif}`)).blob();
      const png = (width) => {
        const canvas = new OffscreenCanvas(width, 10);
        canvas.getContext('2d');
        return canvas.convertToBlob();
      };
      return [
        await outcome(new ImageData(11, 10)),
        await outcome(new ImageData(10, 10)),
        await outcome(await png(11)),
        await outcome(await png(10)),
        await outcome(file),
        await outcome(new OffscreenCanvas(20, 20)),
      ];
    }, avif.toString('base64'));
    assert.deepEqual(outcomes, ['image-too-large', 'package', 'image-too-large', 'package', 'image-too-large', 'browser']);
  });
});
