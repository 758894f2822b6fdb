// A long batch and the workers that read it: the same answers in the same order, whatever becomes of a worker, and memory
// that comes back.

import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

import { createAnalyzer } from '../dist/index-node.js';
import { usualEngines } from '../dist/modules/engines.js';
import { bmp, bundleFile as bundle, cannotRun, dist } from './lib/node.mjs';

const PATIENCE = { timeout: 240_000 };
const KINDS = ['good', 'bad', 'so so', 'great, really', 'a mess'];
const photo = (number) => bmp(48, 32, [number % 256, 90, 40]);
/** Longer than the half second after which others are opened. */
const post = (number) => ({
  text: `Post number ${number} is ${KINDS[number % 5]}, and nobody knows what comes of it`,
  ...(number % 40 === 7 && { image: photo(number) }),
});
const untimed = ({ timings, ...analysis }) => analysis;

let analyzer;
afterEach(() => analyzer?.dispose());

/** Posts without an end. */
function* endless() {
  for (let number = 0; ; number++) yield post(number);
}

/** Reads until `done` says so of the number of answers; each is checked. */
async function readUntil(done, check = () => {}) {
  let count = 0;
  for await (const result of analyzer.analyzeBatch(endless())) {
    assert.equal(result.index, count++);
    await check(result);
    if (await done(count)) return count;
  }
  return count;
}

const workers = async () => (await analyzer.info()).workers;
/** Asked at every 20th answer only: asking takes a turn. */
const until = (wanted) => async (count) => count % 20 === 0 && (await workers()) === wanted;

test('as many workers as cores and memory allow, if nobody says how many', () => {
  const small = 13_740_000;
  const counts = [1, 2, 3, 4, 8, 64].map((cores) => usualEngines(cores, small));
  assert.deepEqual(counts, [1, 2, 2, 3, 4, 4]);
  assert.deepEqual([usualEngines(8, 40e6), usualEngines(8, 135e6), usualEngines(8, 2e9)], [2, 1, 1]);
});

describe('a long batch', { skip: cannotRun }, () => {
  test('is read by as many workers as there may be, and answered as by one', PATIENCE, async () => {
    analyzer = await createAnalyzer({ bundle, batchWorkers: 3 });
    const { memory } = await analyzer.info();
    assert.equal(await workers(), 1);
    const answers = [];
    await readUntil(until(3), ({ analysis }) => answers.push(untimed(analysis)));
    const info = await analyzer.info();
    assert.ok(info.memory > 2.5 * memory, `${info.memory} bytes in three, ${memory} in one`);
    const first = answers.length;
    await readUntil((count) => count === first + 300, ({ index, analysis }) => {
      if (index < first) assert.deepEqual(untimed(analysis), answers[index], `post ${index}`);
      else answers.push(untimed(analysis));
    });
    for (let index = 0; index < answers.length; index += 29) {
      assert.deepEqual(untimed(await analyzer.analyze(post(index))), answers[index], `post ${index} alone`);
    }
  });

  test('is read by one where no more are wanted, or there is no worker', PATIENCE, async () => {
    for (const options of [{ batchWorkers: 1 }, { worker: false, batchWorkers: 3 }]) {
      analyzer = await createAnalyzer({ bundle, ...options });
      const began = performance.now();
      await readUntil(() => performance.now() - began > 1500);
      assert.equal(await workers(), options.worker === false ? 0 : 1);
      analyzer.dispose();
    }
    for (const batchWorkers of [0, 1.5, 17, NaN, '2']) {
      await assert.rejects(createAnalyzer({ bundle, batchWorkers }), { code: 'bad-input', message: /batchWorkers is .*: give a whole number/ });
    }
  });

  test('loses no post with a worker, and another takes its place', PATIENCE, async () => {
    const threads = [];
    const start = () => threads[threads.push(new Worker(new URL('worker-node.js', dist))) - 1];
    analyzer = await createAnalyzer({ bundle, worker: start, batchWorkers: 2 });
    await readUntil(until(2));
    let errors = 0;
    await readUntil((count) => count >= 400 && threads.length >= 5, async ({ index, analysis, error }) => {
      if (error) {
        assert.equal(error.code, 'worker-failed');
        errors++;
      } else assert.match(analysis.label, /^(negative|neutral|positive)$/);
      if (index === 100 || index === 200 || index === 300) await threads.at(-1).terminate();
    });
    assert.ok(errors <= 3, `${errors} posts were lost with three workers`);
    assert.equal(await workers(), 2);
  });

  test('goes on with one worker where no second one can be had', PATIENCE, async () => {
    let started = 0;
    const start = () => {
      if (started++ > 0) throw new Error('that was the last one');
      return new Worker(new URL('worker-node.js', dist));
    };
    analyzer = await createAnalyzer({ bundle, worker: start, batchWorkers: 4 });
    const began = performance.now();
    await readUntil(() => performance.now() - began > 2000, ({ error }) => assert.equal(error, null));
    assert.equal(started, 2, 'it is not tried again');
    assert.equal(await workers(), 1);
  });

  test('reads with what was learned meanwhile, in all workers', PATIENCE, async () => {
    analyzer = await createAnalyzer({ bundle, batchWorkers: 2 });
    await readUntil(until(2));
    const examples = Array.from({ length: 24 }, (_, i) => ({ text: post(i).text, label: i % 2 ? 'positive' : 'negative' }));
    await analyzer.learn(examples);
    assert.equal(await workers(), 1, 'who does not know it is closed');
    await readUntil(until(2));
    const answers = [];
    await readUntil((count) => count === 200, ({ analysis }) => answers.push(untimed(analysis)));
    for (let index = 0; index < answers.length; index += 13) {
      assert.deepEqual(untimed(await analyzer.analyze(post(index))), answers[index], `post ${index}`);
    }
  });

  test('gives the memory back some seconds after it', PATIENCE, async () => {
    analyzer = await createAnalyzer({ bundle, batchWorkers: 2 });
    const { memory } = await analyzer.info();
    await readUntil(until(2));
    await pause(11_000);
    const info = await analyzer.info();
    assert.equal(info.workers, 1);
    assert.ok(info.memory < 1.5 * memory, `${info.memory} bytes`);
  });

  test('gives it back too when it ended before another worker was open', PATIENCE, async () => {
    const threads = [];
    const start = () => threads[threads.push(new Worker(new URL('worker-node.js', dist))) - 1];
    analyzer = await createAnalyzer({ bundle, worker: start, batchWorkers: 2 });
    await readUntil(() => threads.length === 2);
    while ((await workers()) < 2) await pause(50);
    await pause(11_000);
    assert.equal(await workers(), 1);
  });

  test('ends with the analyzer, in the middle of opening others too', PATIENCE, async () => {
    for (let after = 0; after < 900; after += 150) {
      const threads = [];
      const start = () => {
        const thread = new Worker(new URL('worker-node.js', dist));
        threads.push(new Promise((resolve) => thread.once('exit', resolve)));
        return thread;
      };
      analyzer = await createAnalyzer({ bundle, worker: start, batchWorkers: 3 });
      const reading = readUntil(() => false, ({ error }) => {
        if (error) throw error;
      });
      reading.catch(() => {});
      await pause(300 + after);
      analyzer.dispose();
      await assert.rejects(reading, { code: 'disposed' });
      await Promise.all(threads);
    }
  });
});
