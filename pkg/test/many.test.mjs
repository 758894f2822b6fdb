// The program's own many posts at once: the same analyses as one by one, an error in the place of a bad post.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

import { bindings } from '../dist/modules/bindings.js';
import { cannotRun, dist, readBundle } from './lib/node.mjs';

/** An engine with the bundle, of the program that every engine with SIMD runs. */
async function engine() {
  const program = bindings();
  program.initSync({ module: await WebAssembly.compile(await readFile(new URL('simd128/engine_bg.wasm', dist))) });
  const bytes = new Uint8Array(await readBundle());
  const buffer = new program.BundleBuffer(bytes.length);
  buffer.append(bytes);
  return { program, engine: new program.Engine(buffer) };
}

const without = ({ timings, ...analysis }) => analysis;

test('many posts are answered as one by one', { skip: cannotRun }, async () => {
  const { program, engine: reader } = await engine();
  const { size } = JSON.parse(reader.preprocess());
  const pixels = (seed) => Uint8Array.from({ length: 3 * size * size }, (_, i) => (i * seed) >> 4);
  const posts = [
    ['I love this'],
    ['so '.repeat(4_000_000)],
    [undefined, 7],
    ['Perfect solitude', 7],
    [undefined],
    ['I love this', 5],
    ['a much longer text about nothing much, which goes on and on until it ends'],
    [' '],
  ];
  const picture = ([, seed]) => seed && new program.Picture(pixels(seed), false);
  const told = JSON.parse(reader.analyzeMany(posts.map(([text]) => text), posts.map(picture)));
  assert.deepEqual(told.map(({ code }) => code), [undefined, 'text-too-long', undefined, undefined, 'empty-post', undefined, undefined, 'empty-post']);
  for (const [i, post] of posts.entries()) {
    if (told[i].code) {
      assert.throws(() => reader.analyze(post[0], picture(post)), { code: told[i].code, message: told[i].error });
      continue;
    }
    assert.deepEqual(without(told[i]), without(JSON.parse(reader.analyze(post[0], picture(post)))), `post ${i}`);
    assert.deepEqual(Object.keys(told[i].timings), ['tokenize', 'text', 'decode', 'image', 'fusion']);
  }
  assert.deepEqual(JSON.parse(reader.analyzeMany([], [])), []);
  assert.throws(() => reader.analyzeMany(['a'], []), /as many texts as pictures/);
  assert.throws(() => reader.analyzeMany([3], [undefined]), /a text is a string or undefined/);
  assert.throws(() => reader.analyzeMany(['a'], ['picture']), /a picture is a Picture or undefined/);
  reader.free();
});
