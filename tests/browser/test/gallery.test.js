// Many large pictures at once, as pages with galleries send them: what waits is a handle, or is refused with a hint.
//
// GALLERY chooses how many.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout } from 'node:timers/promises';

import { openAnalyzer, openBlank, start } from '../lib/browser.js';
import { residentBytes } from '../lib/memory.js';

const COUNT = Number(process.env.GALLERY ?? 40);
/**
 * Bytes that the browser's processes may take more than before: pixels of all of them would take 48 MB each, beside what the
 * browser itself keeps of an `<img>`. Measured 1.3 to 1.4 GB at most, of 40 pictures as of 64; 1.55 on a busy machine.
 */
const MOST_MORE = 1.8e9;

describe(`${COUNT} pictures of 12 megapixels at once`, () => {
  let stage;
  let page;
  before(async () => {
    stage = await start();
    page = await openBlank(stage, await stage.newContext());
    assert.ok((await openAnalyzer(page)).backend);
    await page.evaluate(async () => {
      const canvas = new OffscreenCanvas(4000, 3000);
      const context = canvas.getContext('2d');
      const gradient = context.createLinearGradient(0, 0, 4000, 3000);
      ['#123', '#e83', '#fed'].forEach((colour, i) => gradient.addColorStop(i / 2, colour));
      context.fillStyle = gradient;
      context.fillRect(0, 0, 4000, 3000);
      const jpeg = await canvas.convertToBlob({ type: 'image/jpeg' });
      /** A photo of its own for each number, which is written into its comment. */
      window.photo = (number) => new Blob([jpeg, String(number)], { type: 'image/jpeg' });
      window.element = async (number) => {
        const image = new Image();
        image.src = URL.createObjectURL(window.photo(number));
        await new Promise((resolve, reject) => Object.assign(image, { onload: resolve, onerror: reject }));
        return image;
      };
      window.outcome = (image) => window.analyzer.analyze({ image }).then(({ valence }) => valence, ({ code }) => code);
      // Everything has been needed once.
      for (let i = 0; i < 4; i++) await Promise.all([window.outcome(window.photo(i)), window.outcome(await window.element(i))]);
    });
  });
  after(() => stage?.stop());

  const forms = {
    files: (number) => window.photo(number),
    'byte arrays': async (number) => new Uint8Array(await window.photo(number).arrayBuffer()),
    '<img>': (number) => window.element(number),
    '<img> whose URLs are revoked': async (number) => {
      const image = await window.element(number);
      URL.revokeObjectURL(image.src);
      return image;
    },
    '<canvas>': (number) => {
      const canvas = (window.canvas ??= Object.assign(document.createElement('canvas'), { width: 4000, height: 3000 }));
      const context = canvas.getContext('2d');
      context.fillStyle = `rgb(${number % 256} 100 50)`;
      context.fillRect(0, 0, 4000, 3000);
      return canvas;
    },
    ImageData: () => (window.data ??= new ImageData(4000, 3000)),
    'ImageBitmap, the same': async () => (window.bitmap ??= await createImageBitmap(window.photo(0))),
  };

  for (const [name, make] of Object.entries(forms)) {
    it(name, async (t) => {
      const resident = () => residentBytes('renderer') + residentBytes('gpu-process') + residentBytes('utility');
      const start = resident();
      let peak = 0;
      let going = true;
      const watching = (async () => {
        for (; going; await setTimeout(50)) peak = Math.max(peak, resident());
      })();
      const outcomes = await page.evaluate(
        async (make, count) => {
          make = eval(`(${make})`);
          const calls = [];
          for (let number = 0; number < count; number++) calls.push(window.outcome(await make(number)));
          const outcomes = await Promise.all(calls);
          return outcomes;
        },
        String(make),
        COUNT,
      );
      going = false;
      await watching;
      const answered = outcomes.filter((outcome) => typeof outcome === 'number').length;
      const others = [...new Set(outcomes.filter((outcome) => typeof outcome !== 'number'))];
      t.diagnostic(`${answered} of ${COUNT} answered, others ${others}; ${(start / 1e6).toFixed(0)} MB before, ${((peak - start) / 1e6).toFixed(0)} more at most`);
      assert.ok(peak - start <= MOST_MORE, `${peak - start} bytes more`);
      if (['<canvas>', 'ImageData'].includes(name)) {
        assert.ok(answered >= Math.min(COUNT, 20), `${answered} answered`);
        assert.deepEqual(others, answered < COUNT ? ['image-memory'] : []);
      } else {
        assert.equal(answered, COUNT, String(others));
      }
      assert.equal(typeof (await page.evaluate(() => window.outcome(window.photo(0)))), 'number');
    });
  }
});
