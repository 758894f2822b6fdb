// The int8 path against the float model, both in the browser: the same posts, nearly the same answers.

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';

import { EXAMPLES } from '../../../www/examples.js';
import { analyze, openAnalyzer, openBlank, start } from '../lib/browser.js';
import { ROOT } from '../lib/demo.js';

const BUILT = existsSync(`${ROOT}pkg/dist/reference/engine_bg.wasm`);
/** Largest distance of a probability that 7-bit activations may cause. */
const TOLERANCE = 0.05;

describe('int8 against float', { skip: !BUILT && 'needs `cargo pack --reference`' }, () => {
  let stage;
  let page;
  before(async () => {
    stage = await start();
    page = await openBlank(stage, await stage.newContext());
    await openAnalyzer(page);
    await page.evaluate(async () => {
      const reference = await import('/pkg/dist/reference/engine.js');
      const bytes = async (url) => new Uint8Array(await (await fetch(url)).arrayBuffer());
      reference.initSync({ module: await WebAssembly.compile(await bytes('/pkg/dist/reference/engine_bg.wasm')) });
      const bundle = await bytes('/pkg/mixed-feelings-small.safetensors');
      const buffer = new reference.BundleBuffer(bundle.length);
      buffer.append(bundle);
      const engine = new reference.ReferenceEngine(buffer);
      const { Decoder } = await import('/pkg/dist/modules/decoder.js');
      const decoder = new Decoder(async () => WebAssembly.compile(await (await fetch('/pkg/dist/decoder.wasm')).arrayBuffer()), 64_000_000);
      await decoder.load();
      const preprocess = JSON.parse(engine.preprocess());
      window.float = (text, image) => {
        const decoded = image && decoder.decode(Uint8Array.from(atob(image), (c) => c.charCodeAt(0)), preprocess);
        const picture = decoded && new reference.Picture(decoded.pixels, decoded.incomplete);
        return JSON.parse(engine.analyze(text, picture));
      };
    });
  });
  after(() => stage?.stop());

  const posts = EXAMPLES.map(({ text, photo }, i) => ({
    text: i % 4 === 3 ? undefined : text,
    image: i % 4 === 2 ? undefined : readFileSync(`${ROOT}www/photos/${photo}`),
  }));

  for (const [i, post] of posts.entries()) {
    it(`agrees on ${EXAMPLES[i].photo} with ${post.text ? (post.image ? 'both' : 'the text') : 'the picture'}`, async (t) => {
      const int8 = await analyze(page, post);
      const float = await page.evaluate(({ text, image }) => window.float(text, image), {
        text: post.text,
        image: post.image?.toString('base64'),
      });
      let worst = 0;
      for (const part of ['post', 'text', 'image']) {
        const [a, b] = part === 'post' ? [int8, float] : [int8[part], float[part]];
        assert.equal(a == null, b == null, `the ${part} is read by one of them alone`);
        if (a == null) continue;
        const apart = Object.keys(a.scores).map((label) => Math.abs(a.scores[label] - b.scores[label]));
        worst = Math.max(worst, ...apart);
        assert.ok(Math.max(...apart) <= TOLERANCE, `the ${part}: ${JSON.stringify(a.scores)} against ${JSON.stringify(b.scores)}`);
      }
      t.diagnostic(`largest difference ${worst.toFixed(4)}`);
    });
  }
});
