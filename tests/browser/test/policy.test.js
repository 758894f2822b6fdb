// A page with exactly the content security policy that the package's README recommends: every documented kind of input works.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { deflateSync } from 'node:zlib';

import { collectErrors, newPage, openAnalyzer, start } from '../lib/browser.js';
import { ROOT } from '../lib/demo.js';
import { png } from '../lib/files.js';

const POLICY = /\*\*Content security policy\*\*:\s+`([^`]+)`/.exec(readFileSync(`${ROOT}pkg/docs/csp.md`, 'utf8'))?.[1].replace(/\s+/g, ' ');

/** A grey picture that gets lighter to the right: PNG loses nothing, so every form has the same pixels. */
function gradient() {
  const [width, height] = [90, 60];
  const row = Buffer.from([0, ...Array.from({ length: width }, (_, x) => 40 + 2 * x)]); // filter 0, then the pixels
  return png(width, height, deflateSync(Buffer.concat(Array(height).fill(row))));
}

describe('the policy of the README', () => {
  let stage;
  let page;
  let errors;

  before(async () => {
    assert.ok(POLICY, 'the README has a policy');
    stage = await start();
    stage.network.answer('/picture.png', { type: 'image/png', body: gradient() });
    const body = `<!doctype html><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${POLICY}"><title>policy</title>`;
    stage.network.answer('/favicon.ico', { type: 'image/png', body: gradient() });
    stage.network.answer('/policy.html', { type: 'text/html', body });
    page = await newPage(await stage.newContext());
    errors = collectErrors(page);
    await page.goto(`${stage.url}policy.html`);
  });
  after(() => stage?.stop());

  it('is in force', async () => {
    assert.deepEqual(errors, []);
    const refused = await page.evaluate(() => {
      const script = document.createElement('script');
      script.textContent = 'window.isOpen = true;';
      document.head.append(script);
      return window.isOpen === undefined;
    });
    assert.ok(refused, 'a script in the page is not run');
    errors.length = 0; // the browser tells of it
  });

  for (const worker of [true, false]) {
    it(`every kind of input is read, ${worker ? 'in a worker' : 'without one'}`, async () => {
      assert.equal((await openAnalyzer(page, { worker })).worker, worker);
      const answers = await page.evaluate(async () => {
        const file = await (await fetch('/picture.png')).blob();
        const bytes = await file.arrayBuffer();
        const img = new Image();
        img.src = '/picture.png';
        await img.decode();
        const canvas = document.createElement('canvas');
        const offscreen = new OffscreenCanvas(90, 60);
        [canvas.width, canvas.height] = [90, 60];
        for (const surface of [canvas, offscreen]) surface.getContext('2d').drawImage(img, 0, 0);
        const data = `data:image/png;base64,${btoa(String.fromCharCode(...new Uint8Array(bytes)))}`;
        const sources = {
          Blob: file,
          File: new File([file], 'picture.png'),
          ArrayBuffer: bytes,
          Uint8Array: new Uint8Array(bytes),
          'data: URL': data,
          'blob: URL': URL.createObjectURL(file),
          'URL of the same origin': new URL('/picture.png', location.href),
          'path of the same origin': '/picture.png',
          '<img>': img,
          '<canvas>': canvas,
          OffscreenCanvas: offscreen,
          ImageBitmap: await createImageBitmap(file),
          ImageData: canvas.getContext('2d').getImageData(0, 0, 90, 60),
        };
        const answers = {};
        for (const [name, image] of Object.entries(sources)) {
          // Another picture in between, so that nothing is answered from memory.
          await window.analyzer.analyze({ image: new ImageData(5, 5) });
          answers[name] = await window.analyzer.analyze({ text: 'Perfect solitude', image }).then(({ scores }) => scores, String);
        }
        await window.analyzer.dispose();
        return answers;
      });
      assert.equal(Object.keys(answers).length, 13);
      assert.equal(typeof answers.Blob.positive, 'number', `${answers.Blob}`);
      for (const [name, scores] of Object.entries(answers)) assert.deepEqual(scores, answers.Blob, name);
      assert.deepEqual(errors, [], 'nothing was refused');
    });
  }
});
