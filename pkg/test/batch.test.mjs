// Many posts: the answers of one by one, in their order, whatever happens to a post of them.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';

import { createAnalyzer } from '../dist/index-node.js';
import { fill, memories } from './lib/memories.mjs';
import { bmp, bundleFile as bundle, cannotRun } from './lib/node.mjs';

const PATIENCE = { timeout: 120_000 };
const WORDS = 'what a lovely day in the rain with nobody but you and this silly old umbrella I hate so much'.split(' ');
const textOf = (number, words) => Array.from({ length: words }, (_, i) => WORDS[(i * 7 + number * 3 + (i * number) % 5) % WORDS.length]).join(' ');
const photos = [bmp(40, 30, [200, 120, 40]), bmp(64, 64, [10, 20, 200])];

/** Posts of all kinds and lengths. */
const POSTS = Array.from({ length: 45 }, (_, number) => ({
  ...(number % 11 !== 5 && { text: textOf(number, 1 + ((number * 5) % (number === 7 ? 400 : 12))) }),
  ...(number % 11 === 5 || number % 17 === 3 ? { image: photos[number % 2] } : {}),
}));

async function all(batch) {
  const results = [];
  for await (const result of batch) results.push(result);
  return results;
}

/** All of an answer but how long it took. */
const untimed = ({ timings, ...analysis }) => analysis;

for (const worker of [true, false]) {
  describe(worker ? 'in a thread' : 'in this one', { skip: cannotRun }, () => {
    let analyzer;
    // One worker, so that it is known what is in a pass; workers.test.mjs has several.
    before(async () => (analyzer = await createAnalyzer({ bundle, worker, batchWorkers: 1 })));
    after(() => analyzer.dispose());

    test('the answers are those of one by one, to the last bit', PATIENCE, async () => {
      const results = await all(analyzer.analyzeBatch(POSTS));
      assert.deepEqual(results.map(({ index }) => index), POSTS.map((_, index) => index));
      for (const { index, analysis, error } of results) {
        assert.equal(error, null);
        assert.deepEqual(untimed(analysis), untimed(await analyzer.analyze(POSTS[index])), JSON.stringify(POSTS[index].text));
        assert.ok(analysis.timings.total > 0);
      }
    });

    test('an iterator need only do what for await asks of it', PATIENCE, async () => {
      // A thenable whose then() returns nothing.
      const later = (value) => ({ then: (give) => void queueMicrotask(() => give(value)) });
      let left = 2;
      const next = () => later(left-- > 0 ? { done: false, value: POSTS[0] } : { done: true });
      const results = await all(analyzer.analyzeBatch({ [Symbol.asyncIterator]: () => ({ next }) }));
      assert.deepEqual(results.map(({ error }) => error), [null, null]);
      for (const nothing of [7, undefined, Promise.resolve(null)]) {
        const odd = { [Symbol.asyncIterator]: () => ({ next: () => nothing }) };
        await assert.rejects(all(analyzer.analyzeBatch(odd)), { code: 'bad-input' });
      }
      assert.throws(() => analyzer.analyzeBatch(POSTS, 5), { code: 'bad-input' });
    });

    test('a bad post costs its own place', PATIENCE, async () => {
      const bad = { 3: {}, 30: { text: '' }, 31: { text: 7 }, 32: null, 40: { image: new Uint8Array(9) }, 41: { text: 'x'.repeat(100_001) } };
      const codes = { 3: 'empty-post', 31: 'bad-input', 32: 'bad-input', 40: 'not-an-image', 41: 'text-too-long' };
      const posts = POSTS.map((post, i) => (i in bad ? bad[i] : post));
      for (const { index, error } of await all(analyzer.analyzeBatch(posts))) {
        if (index !== 30) assert.equal(error?.code, codes[index], `post ${index}`);
      }
    });

    test('of a source that is slow, each post is answered before the next is there', PATIENCE, async () => {
      let answered = 0;
      async function* slow() {
        for (let asked = 0; asked < 4; asked++) {
          while (answered < asked) await pause(1);
          yield { text: `post ${asked}` };
        }
      }
      for await (const { index } of analyzer.analyzeBatch(slow())) assert.equal(index, answered++);
      assert.equal(answered, 4);
    });

    test('what the posts throw comes after the answers to those before', PATIENCE, async () => {
      function* broken() {
        yield* POSTS.slice(0, 3);
        throw new Error('no more of them');
      }
      const results = [];
      await assert.rejects(async () => {
        for await (const result of analyzer.analyzeBatch(broken())) results.push(result);
      }, /no more of them/);
      assert.equal(results.length, 3);
    });

    test('a source that never goes on does not keep an aborted batch', PATIENCE, async () => {
      async function* stuck() {
        yield { text: 'one' };
        await new Promise(() => {});
      }
      const controller = new AbortController();
      const batch = analyzer.analyzeBatch(stuck(), { signal: controller.signal });
      assert.equal((await batch.next()).value.index, 0);
      const next = batch.next();
      controller.abort(new Error('enough'));
      await assert.rejects(next, /enough/);
    });

    test('the signal of a post ends that post', PATIENCE, async () => {
      const controller = new AbortController();
      const posts = POSTS.map((post, i) => (i === 40 ? { ...post, signal: controller.signal } : post));
      const results = [];
      for await (const result of analyzer.analyzeBatch(posts)) {
        if (results.push(result) === 1) controller.abort();
      }
      assert.deepEqual(results.filter(({ error }) => error).map(({ index, error }) => [index, error.code]), [[40, 'aborted']]);
    });

    test('whoever breaks off leaves nothing behind, and another call goes between two passes', PATIENCE, async () => {
      for await (const { index } of analyzer.analyzeBatch(POSTS)) if (index === 2) break;
      const batch = analyzer.analyzeBatch([...POSTS, ...POSTS, ...POSTS]);
      await batch.next();
      let taken = 1;
      const between = analyzer.analyzeImage(photos[0]).then(() => taken);
      while (!(await batch.next()).done) taken++;
      assert.ok((await between) < 3 * POSTS.length, 'it was not answered after all others');
    });
  });
}

test('a program that breaks in the middle of a pass answers all others', { ...PATIENCE, skip: cannotRun }, async () => {
  const analyzer = await createAnalyzer({ bundle, worker: false });
  const good = await all(analyzer.analyzeBatch(POSTS));
  const batch = analyzer.analyzeBatch(POSTS);
  const results = [(await batch.next()).value];
  fill(memories.at(-1));
  for await (const result of batch) results.push(result);
  const failed = results.filter(({ error }) => error);
  assert.ok(failed.length <= 1 && failed.every(({ error }) => error.code === 'crashed'), JSON.stringify(failed));
  assert.equal(results.length, POSTS.length);
  for (const { index, analysis } of results) if (analysis) assert.deepEqual(untimed(analysis), untimed(good[index].analysis));
  analyzer.dispose();
});
