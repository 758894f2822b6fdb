// The shipped bundle's answers in the browser, to the last bit: the posts and the digest of tests/digest.rs.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';

import { BACKENDS, openBackend } from '../lib/backends.js';
import { analyze, start } from '../lib/browser.js';
import { ROOT } from '../lib/demo.js';
import { TEXTS } from '../lib/posts.js';

const TESTS = `${ROOT}tests/`;

describe('the digest', () => {
  const expected = readFileSync(`${TESTS}digest/answers.tsv`, 'utf8').trimEnd().split('\n');
  let stage;
  before(async () => {
    stage = await start();
  });
  after(async () => {
    await stage?.stop();
  });

  for (const backend of BACKENDS) {
    it(`is what ${backend} gives`, async (t) => {
      const page = await openBackend(stage, backend);
      let count = 0;
      for (const { name, text, image } of cases()) {
        const analysis = await analyze(page, { text, image });
        assert.equal(analysis.code, undefined, `${name}: ${analysis.message}`);
        assert.equal(lineOf(name, analysis), expected[count++]);
      }
      assert.equal(count, expected.length);
      t.diagnostic(`${count} posts`);
      await page.browserContext().close();
    });
  }
});

/** The posts of the digest in its order, as `{ name, text?, image? }`. */
function* cases() {
  yield* table('texts.tsv');
  yield* table('pairs.tsv');
  for (const [i, text] of TEXTS.entries()) yield { name: `text-${String(i).padStart(2, '0')}`, text };
  const folder = `${TESTS}fixtures/images/`;
  const files = readdirSync(folder).filter((file) => file.includes('.') && !file.endsWith('.safetensors'));
  for (const [i, file] of files.sort().entries()) {
    const image = readFileSync(folder + file);
    yield { name: `${file} alone`, image };
    yield { name: file, text: TEXTS[(i * 7) % TEXTS.length], image };
  }
}

/** The fields `text` and `image` (where the table has one) of each row, named by its first field. */
function* table(name) {
  const folder = `${TESTS}challenge/`;
  const [head, ...rows] = readFileSync(folder + name, 'utf8').trimEnd().split('\n').map((line) => line.split('\t'));
  const [text, image] = ['text', 'image'].map((column) => head.indexOf(column));
  for (const row of rows) yield { name: row[0], text: row[text], image: image < 0 ? undefined : readFileSync(folder + row[image]) };
}

/** Scores and valence of the post, of its text, of its image; the contradiction. */
function lineOf(name, analysis) {
  const numbers = (reading) => (reading ? bits([...Object.values(reading.scores), reading.valence]) : '-');
  const { text, image, contradiction } = analysis;
  return [name, numbers(analysis), numbers(text), numbers(image), contradiction === null ? '-' : bits([contradiction])].join('\t');
}

/** Each number as the bits of a 32-bit float, in hexadecimal. */
function bits(numbers) {
  const view = new DataView(new ArrayBuffer(4));
  return numbers
    .map((number) => {
      view.setFloat32(0, number);
      return view.getUint32(0).toString(16).padStart(8, '0');
    })
    .join(' ');
}
