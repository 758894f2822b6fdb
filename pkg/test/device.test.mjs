// The GPU beside the processor: whatever becomes of it, every post has its answer. The engine that stands for the GPU is the
// real program in a thread of its own; tests/browser/test/device.test.js has real devices.
//
// DEVICE_ROUNDS chooses how often one is lost.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';

import { createAnalyzer as createInNode } from '../dist/index-node.js';
import { libraryOn } from '../dist/modules/library.js';
import { startNodeWorker } from '../dist/modules/node-worker.js';
import { node } from '../dist/modules/node.js';
import { bmp, bundleFile as bundle, cannotRun, dist } from './lib/node.mjs';

const ROUNDS = Number(process.env.DEVICE_ROUNDS ?? 3);
const PATIENCE = { timeout: 240_000 };
const path = (name) => fileURLToPath(new URL(name, dist));
const wasm = { simd128: path('simd128/engine_bg.wasm'), decoder: path('decoder.wasm'), webgpu: path('simd128/engine_bg.wasm') };
const POSTS = Array.from({ length: 20 }, (_, i) => ({ text: `Post number ${i} is ${['good', 'bad', 'so so'][i % 3]}`, ...(i % 9 === 4 && { image: bmp(32, 32, [i, 90, 40]) }) }));
const untimed = ({ timings, ...analysis }) => analysis;

/** Threads that were started for the GPU, and how the next ones behave. */
let gpuThreads;
let behaviour;
let adapter;
const { createAnalyzer } = libraryOn({
  ...node,
  startWorker: startNodeWorker,
  startGpuWorker() {
    const thread = new Worker(new URL('lib/second-worker.mjs', import.meta.url), { workerData: behaviour });
    gpuThreads.push(thread);
    return thread;
  },
});
const open = (options) => createAnalyzer({ bundle, wasm, ...options });
const navigator = Object.getOwnPropertyDescriptor(globalThis, 'navigator');

beforeEach(() => {
  gpuThreads = [];
  behaviour = undefined;
  adapter = { info: { vendor: 'acme', architecture: 'one', device: '', description: '' } };
  Object.defineProperty(globalThis, 'navigator', { configurable: true, value: { gpu: { requestAdapter: async () => adapter } } });
});
afterEach(() => {
  if (navigator) Object.defineProperty(globalThis, 'navigator', navigator);
  else delete globalThis.navigator;
});

async function all(batch) {
  const answers = [];
  for await (const { analysis, error } of batch) answers.push(error ?? untimed(analysis));
  return answers;
}

async function good() {
  const analyzer = await open({ device: 'cpu' });
  const answers = await all(analyzer.analyzeBatch(POSTS));
  assert.deepEqual(await analyzer.info().then(({ device, gpu }) => [device, gpu]), ['cpu', null]);
  assert.equal(gpuThreads.length, 0);
  analyzer.dispose();
  return answers;
}

describe('the GPU', { skip: cannotRun }, () => {
  test('does not know what was learned: until that is forgotten, the processor reads', PATIENCE, async () => {
    const analyzer = await open({ device: 'webgpu' });
    await analyzer.warmup();
    const device = async () => analyzer.info().then(({ device, gpu, why }) => [device, gpu?.posts ?? false, /learned/.test(why.device)]);
    assert.deepEqual(await device(), ['webgpu', true, false]);
    await analyzer.learn(['good', 'bad'].flatMap((word) => [1, 2, 3].map((i) => ({ text: `${word} ${i}`, label: word === 'good' ? 'negative' : 'positive' }))));
    assert.deepEqual(await device(), ['cpu', false, true]);
    await analyzer.forget();
    assert.deepEqual(await device(), ['webgpu', true, false]);
    analyzer.dispose();
  });

  test('that is asked for reads all, when it is ready; it goes with the analyzer', PATIENCE, async () => {
    const expected = await good();
    const analyzer = await open({ device: 'webgpu' });
    assert.deepEqual(untimed(await analyzer.analyze(POSTS[0])), expected[0], 'the processor answers first');
    await analyzer.warmup();
    const info = await analyzer.info();
    assert.deepEqual([info.device, info.gpu], ['webgpu', { adapter: 'acme one', posts: true, batches: true }]);
    assert.deepEqual(await all(analyzer.analyzeBatch(POSTS)), expected);
    assert.deepEqual(untimed(await analyzer.analyze(POSTS[4])), expected[4]);
    await assert.rejects(analyzer.analyze({}), { code: 'empty-post' });
    const { device, why } = await analyzer.info();
    assert.equal(device, 'webgpu', `a bad post is not its fault: ${why.device}`);
    const ended = new Promise((resolve) => gpuThreads[0].once('exit', resolve));
    analyzer.dispose();
    await ended;
  });

  test(`that is lost in the middle of a batch costs no answer, ${ROUNDS} times`, PATIENCE, async () => {
    const expected = await good();
    for (let round = 0; round < ROUNDS; round++) {
      const analyzer = await open({ device: 'webgpu' });
      await analyzer.warmup();
      const batch = analyzer.analyzeBatch(POSTS);
      const first = await batch.next();
      const ending = gpuThreads.at(-1).terminate();
      assert.deepEqual([untimed(first.value.analysis), ...(await all(batch))], expected);
      await ending;
      const { device, why } = await analyzer.info();
      assert.equal(device, 'cpu');
      assert.match(why.device, /failed/);
      assert.deepEqual(untimed(await analyzer.analyze(POSTS[0])), expected[0]);
      assert.equal(gpuThreads.length, round + 1, 'it is not tried again');
      analyzer.dispose();
    }
  });

  for (const [name, why] of [['hang', /did not answer/], ['refuse', /does not read/], ['broken', /other integers/]]) {
    test(`that does not do its work (${name}) costs time alone`, PATIENCE, async () => {
      const expected = await good();
      behaviour = name;
      const analyzer = await open({ device: 'webgpu' });
      await analyzer.warmup();
      assert.deepEqual(await all(analyzer.analyzeBatch(POSTS)), expected);
      const info = await analyzer.info();
      assert.equal(info.device, 'cpu');
      assert.match(info.why.device, why);
      analyzer.dispose();
    });
  }

  test('of which there is none is told, and the processor answers', PATIENCE, async () => {
    adapter = null;
    for (const [create, why] of [[open, /offers no GPU/], [(options) => createInNode({ bundle, ...options }), /no WebGPU/]]) {
      const analyzer = await create({ device: 'webgpu' });
      await analyzer.warmup();
      assert.ok((await analyzer.analyze(POSTS[0])).label);
      const info = await analyzer.info();
      assert.deepEqual([info.device, info.gpu], ['cpu', null]);
      assert.match(info.why.device, why);
      analyzer.dispose();
    }
    assert.equal(gpuThreads.length, 0);
  });

  test('is left alone by auto until there was work, and if it is software', PATIENCE, async () => {
    const kept = new Map();
    const cache = { match: async (url) => kept.get(url)?.clone(), put: async (url, response) => void kept.set(url, new Response(await response.arrayBuffer())) };
    const work = async (analyzer) => {
      for (let began = performance.now(); performance.now() - began < 3000; ) await all(analyzer.analyzeBatch(POSTS.slice(0, 8)));
      await analyzer.warmup();
      return analyzer.info();
    };
    adapter = { info: { vendor: 'google', architecture: 'swiftshader' } };
    const software = await open({ cache });
    assert.match((await software.info()).why.device, /no work yet/);
    assert.match((await work(software)).why.device, /software: google swiftshader/);
    software.dispose();
    assert.equal(gpuThreads.length, 0);

    adapter = { info: { vendor: 'acme' } };
    const bytes = new Uint8Array(await (await node.fetch(node.resolve(bundle).href, { signal: new AbortController().signal })).arrayBuffer());
    const first = await open({ cache, bundle: bytes });
    const { why, gpu } = await work(first);
    assert.match(why.device, /ms a post of a batch/);
    first.dispose();
    assert.equal(gpuThreads.length, 1);
    assert.ok([...kept.keys()].some((url) => /speed.*acme/.test(url)), [...kept.keys()].join());
    // The same program, so that neither is faster by a fifth, but for what else this machine does.
    if (!gpu) {
      const second = await open({ cache, bundle: bytes });
      assert.match((await work(second)).why.device, /measured before/);
      assert.equal(gpuThreads.length, 1, 'it is not measured again');
      second.dispose();
    }
  });
});
