// One bundle, one answer: native program, both wasm builds, and the float model that the int8 path stands in for.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';

import { BACKENDS, openBackend } from '../lib/backends.js';
import { openBlank, start } from '../lib/browser.js';
import { PROGRAM, ROOT } from '../lib/demo.js';
import { makePictures, makePosts } from '../lib/posts.js';

const PAIRS = 160;
const LEAST_POSTS = 200;
const TOLERANCE = 1e-3;

describe('the same post, the same answer', () => {
  let stage;
  let folder;
  let posts;
  let native;
  const inBrowser = {}; // backend -> analyses

  before(async () => {
    stage = await start();
    folder = await mkdtemp(join(tmpdir(), 'mixed-feelings-'));
    const pictures = await makePictures(await openBlank(stage, await stage.newContext()));
    posts = makePosts(pictures, PAIRS);
    native = await readNatively(pictures);
    for (const backend of BACKENDS) inBrowser[backend] = await readInBrowser(backend, pictures);
  });
  after(async () => {
    await stage?.stop();
    if (folder) await rm(folder, { recursive: true });
  });

  /** The native program's analyses, one a post. */
  async function readNatively(pictures) {
    for (const { name, bytes } of pictures) await writeFile(join(folder, name), bytes);
    const file = join(folder, 'posts.jsonl');
    await writeFile(file, posts.map(({ text, picture }) => `${JSON.stringify({ text, image: picture?.name ?? null })}\n`).join(''));
    const bundle = `${ROOT}pkg/mixed-feelings-small.safetensors`;
    const options = { maxBuffer: 1 << 28 };
    const { stdout } = await promisify(execFile)(PROGRAM, ['predict', '--posts', file, '--json', '--bundle', bundle], options);
    return stdout.trim().split('\n').map((line) => JSON.parse(line));
  }

  /** The analyses of one wasm build, in a page of its own. */
  async function readInBrowser(backend, pictures) {
    const page = await openBackend(stage, backend);
    await page.evaluate((files) => {
      const blob = (base64) => new Blob([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))]);
      window.pictures = new Map(files.map(({ name, base64 }) => [name, blob(base64)]));
    }, pictures.map(({ name, bytes }) => ({ name, base64: Buffer.from(bytes).toString('base64') })));
    const plain = posts.map(({ text, picture }) => ({ text, image: picture?.name ?? null }));
    const analyses = await page.evaluate(async (posts) => {
      const analyses = [];
      for (const { text, image } of posts) {
        const post = { text, image: image === null ? null : window.pictures.get(image) };
        try {
          const { timings, ...analysis } = await window.analyzer.analyze(post);
          analyses.push(analysis);
        } catch (error) {
          analyses.push({ error: { code: error.code, message: error.message } });
        }
      }
      return analyses;
    }, plain);
    await page.browserContext().close();
    return analyses;
  }

  const named = (i) => `post ${i}: ${JSON.stringify({ text: posts[i].text?.slice(0, 60), image: posts[i].picture?.name })}`;

  it('has enough posts, and all of them are read', () => {
    assert.ok(posts.length >= LEAST_POSTS, `${posts.length} posts`);
    assert.equal(native.length, posts.length);
    native.forEach((analysis, i) => assert.equal(analysis.error, undefined, `${named(i)}: ${JSON.stringify(analysis.error)}`));
    const labels = new Set(native.map((analysis) => analysis.label));
    assert.ok(labels.size > 1, 'posts that all feel the same prove little');
  });

  it('is the same natively and in the browser', (t) => {
    let worst = 0;
    for (const [i, here] of inBrowser['relaxed-simd'].entries()) {
      const there = native[i];
      assert.equal(here.error, undefined, `${named(i)}: ${JSON.stringify(here.error)}`);
      assert.equal(here.label, there.label, named(i));
      assert.equal(here.truncated, there.truncated, named(i));
      for (const [a, b] of numbers(here, there)) {
        const apart = Math.abs(a - b);
        worst = Math.max(worst, apart);
        assert.ok(apart <= TOLERANCE, `${named(i)}: ${a} here, ${b} natively`);
      }
    }
    t.diagnostic(`${posts.length} posts, largest difference ${worst.toExponential(1)}`);
  });

  it('is the same to the last bit in both wasm builds', () => {
    assert.deepEqual(inBrowser.simd128, inBrowser['relaxed-simd']);
  });
});

/** Pairs of numbers that must agree: scores and valence of the post, of its text and its image, and the contradiction. */
function* numbers(here, there) {
  for (const part of ['post', 'text', 'image']) {
    const [a, b] = part === 'post' ? [here, there] : [here[part], there[part]];
    assert.equal(a == null, b == null, `the ${part} is read by one of them alone`);
    if (a == null) continue;
    const labels = Object.keys(a.scores);
    assert.deepEqual(labels, Object.keys(b.scores));
    for (const label of labels) yield [a.scores[label], b.scores[label]];
    yield [a.valence, b.valence];
  }
  assert.equal(here.contradiction == null, there.contradiction == null);
  if (here.contradiction != null) yield [here.contradiction, there.contradiction];
}
