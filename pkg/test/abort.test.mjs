// Signals, on the real program: a call that is given up rejects before the thread does anything else, and the next one works.

import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';

import { createAnalyzer } from '../dist/index.js';
import { bmp, cannotRun, installFileFetch, installWorker, readBundle, uninstallWorker } from './lib/node.mjs';

installFileFetch();
/** 48 MB: the decoder is busy with it for a while. */
const LARGE = { image: bmp(4000, 4000, [200, 120, 40]) };
const LONG = { text: 'a long way home in the rain, and nobody there '.repeat(40) };
const left = new Error('left');

/** What has happened with `call` in the first task after the one in which `controller` aborted. */
function outcome(call, controller) {
  let seen = 'nothing';
  call.then(() => (seen = 'answered'), (error) => (seen = error));
  controller.abort(left);
  return new Promise((resolve) => setImmediate(() => resolve(seen)));
}

for (const worker of [false, true]) {
  describe(worker ? 'in a worker' : 'in this thread', { skip: cannotRun, timeout: 120_000 }, () => {
    let analyzer;
    let bundle;
    let right;
    before(async () => {
      if (worker) installWorker();
      bundle = await readBundle();
      analyzer = await createAnalyzer({ bundle, worker });
      right = (await analyzer.analyze(LONG)).valence;
    });
    test.after(() => {
      analyzer.dispose();
      uninstallWorker();
    });

    for (const [name, post] of Object.entries({ 'a large picture': LARGE, 'a long text': LONG, both: { ...LARGE, ...LONG } })) {
      test(`${name} is given up wherever it is`, async () => {
        for (let turns = 0; turns < 12; turns++) {
          const controller = new AbortController();
          const call = analyzer.analyze(post, { signal: controller.signal });
          let done = false;
          call.then(() => (done = true), () => {});
          for (let turn = 0; turn < turns ** 2; turn++) await new Promise((resolve) => setImmediate(resolve));
          const seen = await outcome(call, controller);
          if (!done) assert.equal(seen, left, `after ${turns ** 2} turns`);
        }
        assert.equal((await analyzer.analyze(LONG)).valence, right);
      });
    }

    test('a batch is, while it computes and while it waits for posts', async () => {
      const controller = new AbortController();
      const { signal } = controller;
      let answers = 0;
      const texts = Array.from({ length: 500 }, (_, i) => ({ text: `${i} ${LONG.text}` }));
      setTimeout(() => controller.abort(left), 200);
      await assert.rejects(async () => {
        for await (const { error } of analyzer.analyzeBatch(texts, { signal })) answers += error === null;
      }, left);
      assert.ok(answers < texts.length, 'the timer never had a turn');

      let closed = false;
      async function* waiting() {
        try {
          yield LONG;
          await new Promise(() => {});
        } finally {
          closed = true;
        }
      }
      const other = new AbortController();
      const batch = analyzer.analyzeBatch(waiting(), { signal: other.signal });
      setTimeout(() => other.abort(left), 200);
      await assert.rejects(async () => {
        for await (const { error } of batch) assert.equal(error, null);
      }, left);
      assert.equal(closed, false, 'it is in the middle of something');
      assert.equal((await analyzer.analyze(LONG)).valence, right);
    });

    test('a batch that is left lets its generator end', async () => {
      let closed = false;
      async function* posts() {
        try {
          for (;;) yield LONG;
        } finally {
          await null;
          closed = true;
        }
      }
      for await (const { analysis } of analyzer.analyzeBatch(posts())) {
        assert.equal(analysis.valence, right);
        break;
      }
      assert.equal(closed, true);
    });

    test('opening is, at any of its steps', async () => {
      for (let turns = 0; turns < 16; turns++) {
        const controller = new AbortController();
        const opening = createAnalyzer({ bundle, worker, signal: controller.signal });
        let opened;
        opening.then((analyzer) => (opened = analyzer), () => {});
        for (let turn = 0; turn < turns ** 2; turn++) await new Promise((resolve) => setImmediate(resolve));
        const seen = await outcome(opening, controller);
        if (!opened) assert.equal(seen, left, `after ${turns ** 2} turns`);
        opened?.dispose();
      }
      assert.equal((await analyzer.analyze(LONG)).valence, right);
    });
  });
}
