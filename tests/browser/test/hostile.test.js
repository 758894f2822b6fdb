// Bad bundles and bad posts in the browser: a typed error each, and the next call works.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';

import { analyze, openAnalyzer, openBlank, start } from '../lib/browser.js';
import { ROOT } from '../lib/demo.js';
import { imageBomb, png } from '../lib/files.js';

const BUNDLE = '/pkg/mixed-feelings-small.safetensors';
const PHOTO = readFileSync(`${ROOT}www/photos/coffee.jpg`);

/** The bundle with its JSON header replaced by `change(header)`; the tensors stay as they are. */
function withHeader(bundle, change) {
  const length = Number(bundle.readBigUInt64LE(0));
  const header = JSON.parse(bundle.subarray(8, 8 + length).toString());
  let text = JSON.stringify(change(header));
  text = text.padEnd(Math.ceil(text.length / 8) * 8);
  const head = Buffer.from(text);
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(head.length));
  return Buffer.concat([size, head, bundle.subarray(8 + length)]);
}

/** A header whose model config is changed by `change`. */
function withConfig(change) {
  return (header) => {
    const config = JSON.parse(header.__metadata__.config);
    change(config);
    header.__metadata__.config = JSON.stringify(config);
    return header;
  };
}

describe('bad input in the browser', () => {
  let stage;
  let page;
  const bundle = readFileSync(`${ROOT}pkg/mixed-feelings-small.safetensors`);
  before(async () => {
    stage = await start();
    page = await openBlank(stage, await stage.newContext());
  });
  after(() => stage?.stop());

  /** What loading says when the server answers with `answer` in place of the bundle: one of the caller's, held to nothing. */
  async function loading(answer, options = { bundle: BUNDLE }) {
    stage.network.answer(BUNDLE, answer);
    const outcome = await openAnalyzer(page, options);
    stage.network.answer(BUNDLE);
    return outcome;
  }

  const bytes = (body) => ({ body });
  /** The bundle with bytes of its header overwritten. */
  const scrawled = (start, end) => bytes(Buffer.from(bundle).fill(0xa5, start, end));

  const bundles = [
    ['missing', { status: 404, body: 'not here' }, 'bundle-fetch', /mixed-feelings-small\.safetensors cannot be fetched.*404/],
    ['empty', bytes(Buffer.alloc(0)), 'not-a-bundle', /bundle: it has 0 bytes/],
    ['a web page', bytes('<!doctype html><title>Not found</title>'), 'bundle-fetch', /safetensors: a web page came in place of the file/],
    ['cut in the header', bytes(bundle.subarray(0, 1000)), 'bundle-truncated', /bundle is cut off: \d+ bytes announced, 1000 there/],
    [
      'cut in the weights',
      bytes(bundle.subarray(0, bundle.length - 4096)),
      'bundle-truncated',
      new RegExp(`bundle is cut off: ${bundle.length} bytes announced, ${bundle.length - 4096} there`),
    ],
    ['no header', scrawled(8, 40), 'not-a-bundle', /bundle: it does not start with a safetensors header/],
    ['a broken header', scrawled(9, 40), 'bundle-header', /bundle's header is damaged: ./],
    [
      'another format',
      bytes(withHeader(bundle, (h) => (delete h.__metadata__.format, h))),
      'not-a-bundle',
      /bundle: its metadata names no format/,
    ],
    [
      'a later version',
      bytes(withHeader(bundle, (h) => ((h.__metadata__.version = '999'), h))),
      'bundle-version',
      /bundle has format version "999"/,
    ],
    [
      'a wrong config',
      bytes(withHeader(bundle, withConfig((c) => (c.text.num_attention_heads = 7)))),
      'bad-config',
      /bundle's config: num_attention_heads = 7: must divide hidden_size/,
    ],
    [
      'an unknown config key',
      bytes(withHeader(bundle, withConfig((c) => (c.surprise = 1)))),
      'bad-config',
      /bundle's config: .*`surprise`/,
    ],
    [
      'a config that wants larger tensors',
      bytes(withHeader(bundle, withConfig((c) => (c.text.intermediate_size *= 2)))),
      'bundle-tensor',
      /tensor "text\..*" has shape \[.*\], expected \[.*\]/,
    ],
    [
      'no tokenizer',
      bytes(withHeader(bundle, (h) => ((h.__metadata__.tokenizer = '{}'), h))),
      'bad-tokenizer',
      /^tokenizer\.json: ./,
    ],
  ];
  for (const [name, answer, expected, told] of bundles) {
    it(`refuses a bundle: ${name}`, async () => {
      const { code, message } = await loading(answer);
      assert.equal(code, expected, message);
      assert.match(message, told);
    });
  }

  it('refuses a bundle that differs from the one that comes along', async () => {
    const changed = Buffer.from(bundle);
    changed[changed.length - 1] ^= 1;
    const { code } = await loading(bytes(changed), {});
    assert.equal(code, 'bundle-checksum');
  });

  it('then loads the right bundle and refuses bad posts one by one', async () => {
    const opened = await openAnalyzer(page);
    assert.equal(opened.worker, true, JSON.stringify(opened));
    const good = { text: 'What a lovely cup of coffee', image: PHOTO };
    const first = await analyze(page, good);
    assert.ok(first.scores, JSON.stringify(first));

    const posts = [
      ['nothing at all', {}, 'empty-post', /post is empty/],
      ['an empty text', { text: '' }, 'empty-post', /post is empty/],
      ['only white space', { text: ' \n\t\u00a0\u3000' }, 'empty-post', /post is empty/],
      ['10 MB of text', { text: 'word '.repeat(2_000_000) }, 'text-too-long', /text has 10000000 characters/],
      ['no image', { image: Buffer.from('this is no image at all') }, 'not-an-image', /not an image: it begins with 74/],
      ['an empty file', { empty: true }, 'image-empty', /image is empty/],
      ['an image bomb', { image: imageBomb() }, 'image-too-large', /image of 60000x60000 pixels/],
      ['an image bomb beside a text', { text: 'hello', image: imageBomb() }, 'image-too-large', /image of 60000x60000 pixels/],
      ['a cut photo', { image: PHOTO.subarray(0, 200) }, 'image-corrupt', /JPEG image is damaged/],
      ['a PNG of noise', { image: png(64, 64, Buffer.from('these are no compressed rows')) }, 'image-corrupt', /PNG image is damaged/],
    ];
    for (const [name, post, code, told] of posts) {
      const outcome = post.empty ? await analyzeEmptyFile() : await analyze(page, post);
      assert.equal(outcome.code, code, `${name}: ${JSON.stringify(outcome).slice(0, 200)}`);
      assert.match(outcome.message, told, name);
      const again = await analyze(page, good);
      assert.deepEqual(again.scores, first.scores, `after ${name} the next post reads as before`);
    }
  });

  function analyzeEmptyFile() {
    return page.evaluate(() =>
      window.analyzer.analyze({ image: new Blob([]) }).then(
        (analysis) => analysis,
        ({ code, message }) => ({ code, message }),
      ),
    );
  }

  it('refuses calls after dispose', async () => {
    await openAnalyzer(page);
    await page.evaluate(() => window.analyzer.dispose());
    assert.equal((await analyze(page, { text: 'hello' })).code, 'disposed');
  });
});
