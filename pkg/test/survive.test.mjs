// Nothing that goes wrong costs more than the call that met it.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, afterEach, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';

import { createAnalyzer, MixedFeelingsError } from '../dist/index.js';
import { fill, memories } from './lib/memories.mjs';
import { bmp, cannotRun, installFileFetch, installWorker, readBundle, serve, uninstallWorker } from './lib/node.mjs';

installFileFetch();
const photo = bmp(40, 30, [200, 120, 40]);
const PATIENCE = { timeout: 60_000 };
let bundle;
let server;
let hits = [];
let closed = [];
before(async () => {
  if (!cannotRun) bundle = await readBundle();
  server = await serve((request, response) => {
    hits.push(request.url);
    response.on('close', () => closed.push(request.url));
    if (request.url.startsWith('/photo')) return response.end(Buffer.from(photo));
    if (request.url.startsWith('/stuck')) return response.write('BM');
    return undefined; // says nothing
  });
});
after(() => server.close());

async function until(condition) {
  while (!condition()) await pause(5);
}

for (const worker of [false, true]) {
  describe(worker ? 'in a worker' : 'in this thread', { skip: cannotRun }, () => {
    let analyzer;
    let good;
    before(async () => {
      if (worker) installWorker();
      analyzer = await createAnalyzer({ bundle, worker });
      good = await analyzer.analyze({ text: 'as before' });
      await analyzer.analyze({ image: photo }); // the decoder is here
    });
    after(() => {
      analyzer.dispose();
      uninstallWorker();
    });
    const asBefore = async () => assert.deepEqual((await analyzer.analyze({ text: 'as before' })).scores, good.scores);

    test('a text does not wait for a picture that never comes', PATIENCE, async () => {
      const controller = new AbortController();
      const stuck = Array.from({ length: 9 }, (_, i) =>
        analyzer.analyze({ image: `${server.url}${i % 2 ? 'stuck' : 'silent'}${i}`, signal: controller.signal }),
      );
      await asBefore();
      // Nor does a picture, for long: those that stand still give their places away.
      assert.ok((await analyzer.analyze({ image: photo })).image);
      controller.abort(new Error('left'));
      for (const call of stuck) await assert.rejects(call, /left/);
      await asBefore();
    });

    test('a picture that takes too long is an error of its own', PATIENCE, async () => {
      closed = [];
      const call = analyzer.analyze({ image: `${server.url}silent-late`, timeout: 50 });
      await assert.rejects(call, { code: 'image-timeout', retriable: true, message: /silent-late was not ready within 50 ms/ });
      await until(() => closed.includes('/silent-late'));
      await asBefore();
    });

    test('only so many downloads run at once', PATIENCE, async () => {
      hits = [];
      const controller = new AbortController();
      const calls = Array.from({ length: 30 }, (_, i) => analyzer.analyze({ image: `${server.url}silent${i}`, signal: controller.signal }));
      await until(() => hits.length >= 4);
      await pause(200);
      assert.equal(hits.length, 4);
      controller.abort();
      await Promise.allSettled(calls);
    });

    test('hundreds of files are read one after another', PATIENCE, async () => {
      let open = 0;
      let most = 0;
      const files = Array.from({ length: 200 }, (_, i) => {
        const blob = new Blob([bmp(8, 8, [i, i, i])]);
        const { arrayBuffer } = Blob.prototype;
        blob.arrayBuffer = async function () {
          most = Math.max(most, ++open);
          const bytes = await arrayBuffer.call(this);
          await pause(1);
          open--;
          return bytes;
        };
        return blob;
      });
      const answers = await Promise.all(files.map((image) => analyzer.analyze({ image })));
      assert.ok(answers.every(({ image, decodedBy }) => image && decodedBy === 'package'));
      assert.ok(most <= 4, `${most} at once`);
    });

    test('a dispose ends what is on its way, and nothing is asked for after it', PATIENCE, async () => {
      hits = [];
      closed = [];
      const other = await createAnalyzer({ bundle, worker });
      const call = other.analyze({ image: `${server.url}silent-disposed` });
      await until(() => hits.length === 1);
      other.dispose();
      await assert.rejects(call, { code: 'disposed' });
      // Those of the test before may close late.
      await until(() => closed.includes('/silent-disposed'));
      await assert.rejects(other.analyze({ image: `${server.url}photo` }), { code: 'disposed' });
      await pause(50);
      assert.deepEqual(hits, ['/silent-disposed']);
    });

    test('it works in pieces and behind a proxy', async () => {
      const { analyze } = analyzer;
      assert.ok(Object.isFrozen(analyzer) && Object.isFrozen(analyzer.labels), 'Vue leaves what is frozen alone');
      assert.deepEqual((await analyze({ text: 'as before' })).scores, good.scores);
      const proxy = new Proxy(analyzer, { get: (target, key, receiver) => Reflect.get(target, key, receiver) });
      assert.deepEqual((await proxy.analyze({ text: 'as before' })).scores, good.scores);
      assert.equal(proxy.backend, analyzer.backend);
    });

    test('wrong input is bad input', async () => {
      const gone = new ArrayBuffer(8);
      structuredClone(gone, { transfer: [gone] });
      for (const post of [
        { text: 'x', signal: new AbortController() },
        { text: 'x', signal: 7 },
        { image: gone },
        { image: photo, timeout: -1 },
        { image: photo, timeout: 'soon' },
        { image: new Blob([photo]), timeout: NaN },
      ]) {
        await assert.rejects(analyzer.analyze(post), (error) => error instanceof MixedFeelingsError && error.code === 'bad-input');
      }
      await assert.rejects(analyzer.analyze({ text: 'x'.repeat(2e8) }), { code: 'text-too-long' });
      assert.deepEqual((await analyzer.analyze({ text: 'as before', image: '', signal: null, timeout: null })).scores, good.scores);
      await assert.rejects(analyzer.analyze({ image: '' }), { code: 'empty-post' });
    });

    test('many calls share a signal quietly', PATIENCE, async () => {
      const warnings = [];
      const hear = (warning) => warnings.push(String(warning));
      process.on('warning', hear);
      const { signal } = new AbortController();
      await Promise.all(Array.from({ length: 30 }, (_, i) => analyzer.analyze({ text: `text ${i}`, signal, image: i % 3 ? undefined : photo })));
      await pause(20);
      process.off('warning', hear);
      assert.deepEqual(warnings, []);
    });

    test('an onProgress that throws is told of once, and stops nothing', async () => {
      const { error } = console;
      const told = [];
      console.error = (...what) => told.push(what);
      try {
        const onProgress = () => {
          throw new Error('mine');
        };
        (await createAnalyzer({ bundle, worker, onProgress })).dispose();
      } finally {
        console.error = error;
      }
      assert.equal(told.length, 1);
      assert.match(String(told[0]), /onProgress throws/);
    });

    test('null is as good as undefined', async () => {
      const nothing = { onProgress: null, signal: null, cache: null, sha256: null, timeout: null, browserDecoder: null };
      (await createAnalyzer({ bundle, worker, ...nothing })).dispose();
      for (const [options, told] of [
        [{ signal: new AbortController() }, /give its \.signal/],
        [{ onProgress: 7 }, /onProgress/],
        [{ bundle: [] }, /bundle is Array/],
        [{ timeout: 0 }, /timeout/],
        ['options', /options/],
      ]) {
        await assert.rejects(createAnalyzer(options), { name: 'MixedFeelingsError', code: 'bad-input', message: told });
      }
    });
  });
}

describe('when the program breaks', { skip: cannotRun }, () => {
  test('it costs one call of one of the analyzers in this thread', PATIENCE, async () => {
    const one = await createAnalyzer({ bundle, worker: false });
    const two = await createAnalyzer({ bundle, worker: false });
    let memory = memories.at(-2);
    const post = { text: 'What a lovely day', image: photo };
    const { scores } = await one.analyze(post);
    for (let round = 0; round < 3; round++) {
      fill(memory);
      const calls = [one.analyze({ text: 'the one that meets it' }), one.analyze(post), two.analyze(post)];
      await assert.rejects(calls[0], { code: 'crashed', retriable: true });
      for (const call of calls.slice(1)) assert.deepEqual((await call).scores, scores);
      assert.notEqual(memories.at(-1), memory, 'it came up again with another memory');
      memory = memories.at(-1);
    }
    one.dispose();
    assert.deepEqual((await two.analyze(post)).scores, scores);
    two.dispose();
  });

  test('it costs one call of the analyzer in a worker', PATIENCE, async () => {
    const threads = installWorker(() => new URL('lib/breakable-worker.mjs', import.meta.url).href);
    try {
      const analyzer = await createAnalyzer({ bundle, worker: true });
      const { scores } = await analyzer.analyze({ text: 'as before' });
      const channel = new BroadcastChannel('break');
      const broken = new Promise((resolve) => (channel.onmessage = resolve));
      channel.postMessage({});
      await broken;
      channel.close();
      const calls = [analyzer.analyze({ text: 'the one that meets it' }), analyzer.analyze({ text: 'as before' })];
      await assert.rejects(calls[0], { code: 'crashed', retriable: true });
      assert.deepEqual((await calls[1]).scores, scores);
      assert.equal(threads.length, 2);
      analyzer.dispose();
    } finally {
      uninstallWorker();
    }
  });
});

describe('when the worker is ended', { skip: cannotRun }, () => {
  test('the call that it was at is told, and those that wait are not lost', PATIENCE, async () => {
    const threads = installWorker();
    try {
      const analyzer = await createAnalyzer({ bundle, worker: true });
      const post = { text: 'What a lovely day', image: photo };
      const { scores } = await analyzer.analyze(post);
      for (let round = 1; round <= 3; round++) {
        const calls = [analyzer.analyze({ text: `long ${round} `.repeat(500) }), analyzer.analyze({ text: 'waits' }), analyzer.analyze(post)];
        await pause(0);
        await threads.at(-1).terminate();
        await assert.rejects(calls[0], { code: 'worker-failed', retriable: true });
        assert.ok((await calls[1]).text);
        assert.deepEqual((await calls[2]).scores, scores);
        assert.equal(threads.length, 1 + round);
        // While nobody asks: the next call does not notice.
        await threads.at(-1).terminate();
        await until(() => threads.length === 2 + round || threads.length > 1 + round);
        assert.deepEqual((await analyzer.analyze(post)).scores, scores);
        threads.splice(1, 1);
      }
      analyzer.dispose();
    } finally {
      uninstallWorker();
    }
  });

  test('a worker that says nothing is none', PATIENCE, async () => {
    installWorker(() => 'data:text/javascript,setInterval(() => {}, 1000)');
    try {
      await assert.rejects(createAnalyzer({ bundle, worker: true, timeout: 50 }), { code: 'worker-failed', message: /did not say anything/ });
      const analyzer = await createAnalyzer({ bundle, timeout: 500 });
      assert.equal(analyzer.worker, false);
      analyzer.dispose();
    } finally {
      uninstallWorker();
    }
  });
});

test('files that broke the decoders of the first release', { skip: cannotRun }, async () => {
  const analyzer = await createAnalyzer({ bundle, worker: false });
  const { scores } = await analyzer.analyze({ text: 'as before' });
  // A PNG whose palette has four bytes.
  const palette = Buffer.from(await readFile(new URL('lib/palette-of-4-bytes.png', import.meta.url)));
  await assert.rejects(analyzer.analyze({ image: palette }), { code: 'image-corrupt' });
  assert.deepEqual((await analyzer.analyze({ text: 'as before' })).scores, scores);
  analyzer.dispose();
});

describe('when the worker is stuck', { skip: cannotRun }, () => {
  afterEach(uninstallWorker);
  const script = (name) => new URL(`lib/${name}`, import.meta.url).href;

  test('the call that it is at is told, and those that wait are not lost', PATIENCE, async (t) => {
    const threads = installWorker((url) => (threads.length < 2 ? script('endless-worker.mjs') : url));
    const analyzer = await createAnalyzer({ bundle, worker: true, timeout: 1000 });
    t.after(analyzer.dispose);
    const { scores } = await analyzer.analyze({ text: 'as before' });
    await assert.rejects(analyzer.analyze({ image: photo }), { code: 'image-timeout', retriable: true });
    assert.deepEqual((await analyzer.analyze({ text: 'as before' })).scores, scores);
    assert.equal(threads.length, 2);
    const calls = [analyzer.analyze({ text: 'endless' }), analyzer.analyze({ text: 'as before' })];
    await assert.rejects(calls[0], { code: 'worker-failed', retriable: true, message: /did not say anything for 10000 ms/ });
    assert.deepEqual((await calls[1]).scores, scores);
    assert.ok((await analyzer.analyze({ image: photo })).image);
    assert.equal(threads.length, 3);
  });

  test('while it opens, that is an error', PATIENCE, async () => {
    installWorker(() => script('endless-worker.mjs#open'));
    await assert.rejects(createAnalyzer({ bundle, timeout: 1000 }), { code: 'worker-failed', retriable: true });
  });

  test('one that waits for the network is not stuck', PATIENCE, async (t) => {
    const threads = installWorker(() => script('endless-worker.mjs#slow'));
    const analyzer = await createAnalyzer({ bundle, worker: true, timeout: 1000 });
    t.after(analyzer.dispose);
    assert.ok((await analyzer.analyze({ image: photo, timeout: 60_000 })).image);
    assert.equal(threads.length, 1);
  });
});
