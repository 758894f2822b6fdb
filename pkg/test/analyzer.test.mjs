// The whole package on the real program and a real bundle, in this thread and in a worker.

import assert from 'node:assert/strict';
import { afterEach, before, describe, test } from 'node:test';

import { createAnalyzer, MixedFeelingsError } from '../dist/index.js';
import { bmp, cannotRun, installFileFetch, installWorker, readBundle, uninstallWorker } from './lib/node.mjs';

/** A worker of this script. */
const script = (code) => () => `data:text/javascript,${encodeURIComponent(code)}`;

installFileFetch();
const photo = bmp(40, 30, [200, 120, 40]);
let bundle;
before(async () => {
  if (!cannotRun) bundle = await readBundle();
});

for (const worker of [false, true]) {
  describe(worker ? 'in a worker' : 'in this thread', { skip: cannotRun }, () => {
    let analyzer;
    before(async () => {
      if (worker) installWorker();
      analyzer = await createAnalyzer({ bundle, worker });
    });
    test.after(() => {
      analyzer.dispose();
      uninstallWorker();
    });

    test('says where and how it works', () => {
      assert.equal(analyzer.worker, worker);
      assert.ok(['simd128', 'relaxed-simd'].includes(analyzer.backend));
    });

    test('says what labels the bundle has', () => {
      assert.ok(analyzer.labels.length >= 2);
      for (const { name, polarity } of analyzer.labels) {
        assert.equal(typeof name, 'string');
        assert.ok(polarity >= -1 && polarity <= 1, `${name}: ${polarity}`);
      }
      if (process.env.MIXED_FEELINGS_BUNDLE) return; // a bundle of any labels
      assert.deepEqual(analyzer.labels, [
        { name: 'negative', polarity: -1 },
        { name: 'neutral', polarity: 0 },
        { name: 'positive', polarity: 1 },
      ]);
    });

    test('a text, a picture, both', async () => {
      const text = await analyzer.analyze({ text: 'I love this \u{1f600} day' });
      checkReading(text, analyzer.labels);
      checkSum(text.explanation);
      assert.deepEqual(text.text, { label: text.label, scores: text.scores, valence: text.valence });
      assert.deepEqual([text.image, text.contradiction, text.explanation.regions], [null, null, null]);
      assert.equal(text.contradicts, null);
      for (const { text: word, start, end } of text.explanation.words) {
        assert.equal('I love this \u{1f600} day'.slice(start, end), word);
      }

      const image = await analyzer.analyze({ image: photo });
      checkReading(image, analyzer.labels);
      checkSum(image.explanation);
      assert.deepEqual([image.text, image.contradiction, image.explanation.words], [null, null, null]);
      const { columns, rows, weights } = image.explanation.regions;
      assert.equal(weights.length, columns * rows);

      const both = await analyzer.analyze({ text: 'I love this \u{1f600} day', image: new Blob([photo]) });
      checkReading(both, analyzer.labels);
      checkSum(both.explanation);
      assert.deepEqual([both.text, both.image], [text.text, image.image]);
      assert.ok(both.contradiction >= 0 && both.contradiction <= 1);
      // The bundle of these tests has no thresholds: one half, and none.
      assert.equal(both.contradicts, both.contradiction >= 0.5);
      assert.deepEqual([both.confidence, both.sure], [Math.max(...Object.values(both.scores)), true]);
      assert.equal(both.truncated, false);
    });

    test('pixels and the file that they come from give the same answer', async () => {
      const data = new Uint8ClampedArray(4 * 40 * 30);
      for (let i = 0; i < data.length; i += 4) data.set([200, 120, 40, 255], i);
      const pixels = { data, width: 40, height: 30, [Symbol.toStringTag]: 'ImageData' };
      const [file, drawn] = await Promise.all([photo, pixels].map((image) => analyzer.analyze({ image })));
      assert.deepEqual(drawn.scores, file.scores);
    });

    test('timings are milliseconds of what was done', async () => {
      const { timings } = await analyzer.analyze({ text: 'never said before', image: bmp(9, 9, [1, 2, 3]) });
      const stages = ['tokenize', 'text', 'decode', 'image', 'fusion'];
      assert.deepEqual(Object.keys(timings), [...stages, 'total']);
      for (const stage of stages) assert.ok(timings[stage] >= 0);
      assert.ok(timings.text > 0 && timings.image > 0);
      assert.ok(timings.total >= timings.text + timings.image);
    });

    test('bad input is an error with a code, and the next call works', async () => {
      const good = await analyzer.analyze({ text: 'as before' });
      const bomb = Uint8Array.of(0x89, 80, 78, 71, 13, 10, 26, 10, 0, 0, 0, 13, 73, 72, 68, 82, 0, 0, 234, 96, 0, 0, 234, 96, 8, 2, 0, 0, 0);
      for (const [post, code] of [
        [{}, 'empty-post'],
        [{ text: '  \n' }, 'empty-post'],
        [{ text: null, image: undefined }, 'empty-post'],
        [{ text: 'so '.repeat(3_500_000) }, 'text-too-long'],
        [{ text: 7 }, 'bad-input'],
        [null, 'bad-input'],
        [undefined, 'bad-input'],
        ['text', 'bad-input'],
        [{ image: 7 }, 'bad-input'],
        [{ image: new Uint8Array(0) }, 'image-empty'],
        [{ image: new TextEncoder().encode('an image, honestly') }, 'not-an-image'],
        [{ text: 'fine', image: photo.slice(0, 54) }, 'image-corrupt'],
        [{ image: bomb }, 'image-too-large'],
      ]) {
        await assert.rejects(analyzer.analyze(post), (error) => {
          assert.ok(error instanceof MixedFeelingsError, String(error));
          assert.equal(error.code, code, error.message);
          return true;
        });
        assert.deepEqual((await analyzer.analyze({ text: 'as before' })).scores, good.scores);
      }
    });

    test('texts are answered in their order, and do not wait for pictures', async () => {
      const done = [];
      const posts = [{ image: photo }, { text: 'one' }, {}, { text: 'two', image: photo }, { image: Uint8Array.of(1) }, { text: 'three' }];
      const calls = posts.map((post, i) => analyzer.analyze(post).then(() => done.push(i), () => done.push(-i)));
      await Promise.all(calls);
      assert.deepEqual(done.slice(0, 3), [1, -2, 5]);
      assert.deepEqual(done.slice(3).sort(), [-4, 0, 3].sort());
    });

    test('an aborted call rejects with the reason; the others go on', async () => {
      const controller = new AbortController();
      const reason = new Error('typed on');
      const calls = [
        analyzer.analyze({ text: 'first', image: bmp(50, 50, [9, 9, 9]) }),
        analyzer.analyze({ text: 'second', signal: controller.signal }),
        analyzer.analyze({ text: 'third' }),
      ];
      controller.abort(reason);
      await assert.rejects(calls[1], (error) => error === reason);
      checkReading(await calls[0], analyzer.labels);
      checkReading(await calls[2], analyzer.labels);
      await assert.rejects(analyzer.analyze({ text: 'late', signal: AbortSignal.abort(reason) }), (e) => e === reason);
    });

    test('progress ends with ready', async () => {
      const stages = [];
      const other = await createAnalyzer({ bundle, worker, onProgress: ({ stage }) => stages.push(stage) });
      other.dispose();
      assert.deepEqual(stages, ['download', 'load', 'ready']);
    });

    test('a bundle that is none is refused', async () => {
      const flipped = bundle.slice();
      flipped[100] ^= 0xff;
      for (const [bytes, code] of [
        [new Uint8Array(0), 'not-a-bundle'],
        [new TextEncoder().encode('<!doctype html>'), 'not-a-bundle'],
        [bundle.slice(0, 1000), 'bundle-truncated'],
        [bundle.slice(0, -1), 'bundle-truncated'],
        [flipped, 'bundle-header'],
      ]) {
        await assert.rejects(createAnalyzer({ bundle: bytes, worker }), (error) => {
          assert.ok(error instanceof MixedFeelingsError);
          assert.equal(error.code, code, error.message);
          return true;
        });
      }
    });

    test('disposed of, it rejects what waits and what comes', async () => {
      const other = await createAnalyzer({ bundle, worker });
      const waiting = [other.analyze({ text: 'one' }), other.analyze({ text: 'two' })];
      other.dispose();
      other.dispose();
      for (const call of [...waiting, other.analyze({ text: 'three' })]) {
        await assert.rejects(call, { code: 'disposed' });
      }
    });

    test('opening can be aborted', async () => {
      const controller = new AbortController();
      const reason = new Error('closed the dialog');
      const opening = createAnalyzer({ bundle, worker, signal: controller.signal });
      controller.abort(reason);
      await assert.rejects(opening, (error) => error === reason);
    });
  });
}

// The worker is a script, so that the labels can be any: they and the answer come over as they are.
test('the labels of any bundle come out of the worker', async () => {
  const labels = [{ name: 'grim', polarity: -0.75 }, { name: '2', polarity: 0 }, { name: 'glad', polarity: 1 }, { name: 'odd', polarity: 0 }];
  const scores = { grim: 0.1, 2: 0.2, glad: 0.6, odd: 0.1 };
  installWorker(script(`
    postMessage({ type: 'hello' });
    addEventListener('message', ({ data }) => {
      if (data.type === 'open') postMessage({ type: 'opened', opened: { labels: ${JSON.stringify(labels)}, backend: 'simd128' } });
      else postMessage({ type: 'answer', id: data.id, answer: { label: 'glad', scores: ${JSON.stringify(scores)}, timings: {} } });
    });`));
  try {
    const analyzer = await createAnalyzer({ worker: true });
    assert.deepEqual(analyzer.labels, labels);
    const { label, scores: found } = await analyzer.analyze({ text: 'any' });
    assert.deepEqual([label, found], ['glad', scores]);
    analyzer.dispose();
    assert.deepEqual(analyzer.labels, labels, 'they stay when it is gone');
  } finally {
    uninstallWorker();
  }
});

describe('when there is trouble with workers', { skip: cannotRun }, () => {
  afterEach(uninstallWorker);

  test('without workers it works in this thread, unless a worker was asked for', async () => {
    const analyzer = await createAnalyzer({ bundle });
    assert.equal(analyzer.worker, false);
    analyzer.dispose();
    await assert.rejects(createAnalyzer({ bundle, worker: true }), { code: 'worker-failed' });
  });

  test('a worker that never comes up counts as none', async () => {
    installWorker(script('throw new Error("blocked")'));
    const analyzer = await createAnalyzer({ bundle });
    assert.equal(analyzer.worker, false);
    assert.equal((await analyzer.analyze({ text: 'still here' })).image, null);
    analyzer.dispose();
    await assert.rejects(createAnalyzer({ bundle, worker: true }), { code: 'worker-failed', message: /blocked/ });
  });

  test('a worker that keeps dying is an error each time', async () => {
    installWorker(script(`
      postMessage({ type: 'hello' });
      addEventListener('message', ({ data }) => {
        if (data.type === 'open') postMessage({ type: 'opened', opened: { labels: [], backend: 'simd128' } });
        else setTimeout(() => { throw new Error('out of memory'); }, 10);
      });`));
    const analyzer = await createAnalyzer({ bundle });
    const calls = [analyzer.analyze({ text: 'one' }), analyzer.analyze({ text: 'two' })];
    for (const call of calls) await assert.rejects(call, { code: 'worker-failed', retriable: true, message: /out of memory/ });
    await assert.rejects(analyzer.analyze({ text: 'three' }), { code: 'worker-failed' });
    analyzer.dispose();
  });
});

function checkReading({ label, scores, valence }, labels) {
  assert.deepEqual(Object.keys(scores), labels.map(({ name }) => name));
  assert.ok(Math.abs(sum(Object.values(scores)) - 1) < 1e-5);
  assert.ok(Math.abs(valence - sum(labels.map(({ name, polarity }) => polarity * scores[name]))) < 1e-5);
  assert.equal(scores[label], Math.max(...Object.values(scores)));
}

/** The shares of the label's logit add up to it. */
function checkSum({ logit, base, words, regions }) {
  const shares = [...(words ?? []).map(({ weight }) => weight), ...(regions?.weights ?? [])];
  assert.ok(Math.abs(base + sum(shares) - logit) <= 1e-3, `${base} and ${sum(shares)} are not ${logit}`);
}

function sum(numbers) {
  return numbers.reduce((total, number) => total + number, 0);
}
