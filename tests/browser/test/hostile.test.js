// Bad bundles and bad posts in the browser: a typed error each, and the next call works.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';

import { analyze, openAnalyzer, openBlank, startBrowser } from '../lib/browser.js';
import { ROOT, startDemo } from '../lib/demo.js';
import { imageBomb, png } from '../lib/files.js';

const BUNDLE = '**/mixed-feelings-small.safetensors';
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
  let demo;
  let browser;
  let page;
  let context;
  const bundle = readFileSync(`${ROOT}pkg/mixed-feelings-small.safetensors`);
  before(async () => {
    demo = await startDemo();
    browser = await startBrowser();
    context = await browser.newContext();
    page = await openBlank(context, demo.url);
  });
  after(async () => {
    await browser?.close();
    await demo?.stop();
  });

  /** What loading says when the server answers with `answer` in place of the bundle (no checksum is published). */
  async function loading(answer) {
    await context.route(`${BUNDLE}.sha256`, (route) => route.fulfill({ status: 404 }));
    await context.route(BUNDLE, (route) => route.fulfill(answer));
    const outcome = await openAnalyzer(page);
    await context.unroute(BUNDLE);
    await context.unroute(`${BUNDLE}.sha256`);
    return outcome;
  }

  const bytes = (body) => ({ status: 200, contentType: 'application/octet-stream', body });
  const flipped = Buffer.from(bundle);
  flipped.fill(0xa5, 8, 40);

  const bundles = [
    ['missing', { status: 404, body: 'not here' }, ['bundle-fetch']],
    ['empty', bytes(Buffer.alloc(0)), ['not-a-bundle', 'bundle-truncated']],
    ['a web page', bytes('<!doctype html><title>Not found</title>'), ['not-a-bundle', 'bundle-header', 'bundle-truncated']],
    ['cut in the header', bytes(bundle.subarray(0, 1000)), ['bundle-truncated']],
    ['cut in the weights', bytes(bundle.subarray(0, bundle.length - 4096)), ['bundle-truncated']],
    ['a broken header', bytes(flipped), ['bundle-header', 'not-a-bundle', 'bundle-truncated']],
    ['another format', bytes(withHeader(bundle, (h) => (delete h.__metadata__.format, h))), ['not-a-bundle', 'bundle-metadata']],
    [
      'a later version',
      bytes(withHeader(bundle, (h) => ((h.__metadata__.version = '999'), h))),
      ['bundle-version'],
    ],
    ['a wrong config', bytes(withHeader(bundle, withConfig((c) => (c.text.num_attention_heads = 7)))), ['bad-config']],
    ['an unknown config key', bytes(withHeader(bundle, withConfig((c) => (c.surprise = 1)))), ['bad-config', 'bundle-metadata']],
    [
      'a config that wants larger tensors',
      bytes(withHeader(bundle, withConfig((c) => (c.text.intermediate_size *= 2)))),
      ['bundle-tensor'],
    ],
    ['no tokenizer', bytes(withHeader(bundle, (h) => ((h.__metadata__.tokenizer = '{}'), h))), ['bad-tokenizer']],
  ];
  for (const [name, answer, codes] of bundles) {
    it(`refuses a bundle: ${name}`, async () => {
      const { code, message } = await loading(answer);
      assert.ok(codes.includes(code), `${code} (${message}) is none of ${codes}`);
      assert.ok(message.length > 10, 'the error says something');
    });
  }

  it('refuses a bundle that differs from its checksum', async () => {
    const digest = createHash('sha256').update(bundle).digest('hex');
    const changed = Buffer.from(bundle);
    changed[changed.length - 1] ^= 1;
    await context.route(`${BUNDLE}.sha256`, (route) => route.fulfill({ body: `${digest}  bundle\n` }));
    await context.route(BUNDLE, (route) => route.fulfill(bytes(changed)));
    assert.equal((await openAnalyzer(page)).code, 'bundle-checksum');
    await context.unroute(BUNDLE);
    await context.unroute(`${BUNDLE}.sha256`);
  });

  it('then loads the right bundle and refuses bad posts one by one', async () => {
    const opened = await openAnalyzer(page);
    assert.equal(opened.worker, true, JSON.stringify(opened));
    const good = { text: 'What a lovely cup of coffee', image: PHOTO };
    const first = await analyze(page, good);
    assert.ok(first.scores, JSON.stringify(first));

    const posts = [
      ['nothing at all', {}, ['empty-post']],
      ['an empty text', { text: '' }, ['empty-post']],
      ['only white space', { text: ' \n\t\u00a0\u3000' }, ['empty-post']],
      ['10 MB of text', { text: 'word '.repeat(2_000_000) }, ['text-too-long']],
      ['no image', { image: Buffer.from('this is no image at all') }, ['not-an-image']],
      ['an empty file', { image: Buffer.alloc(1).subarray(0, 0), text: null, empty: true }, ['image-empty']],
      ['an image bomb', { image: imageBomb() }, ['image-too-large']],
      ['an image bomb beside a text', { text: 'hello', image: imageBomb() }, ['image-too-large']],
      ['a cut photo', { image: PHOTO.subarray(0, 900) }, ['image-corrupt']],
      ['a PNG of noise', { image: png(64, 64, Buffer.from('these are no compressed rows')) }, ['image-corrupt']],
    ];
    for (const [name, post, codes] of posts) {
      const outcome = post.empty ? await analyzeEmptyFile() : await analyze(page, post);
      assert.ok(codes.includes(outcome.code), `${name}: ${JSON.stringify(outcome).slice(0, 200)} is none of ${codes}`);
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
