// Node.js as it is, Deno and Bun where they are: files are read as files, workers are threads, nothing holds up the process.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';

import { createAnalyzer as createFromCore } from '../dist/core-node.js';
import { cached, createAnalyzer, MixedFeelingsError } from '../dist/index-node.js';
import { bmp, bundleFile, cannotRun, dist, serve } from './lib/node.mjs';

const path = (name) => fileURLToPath(new URL(name, dist));
const PATIENCE = { timeout: 120_000 };
const photo = bmp(40, 30, [200, 120, 40]);
const POST = { text: 'Perfect solitude', image: photo };
const simd128 = path('simd128/engine_bg.wasm');
const decoder = path('decoder.wasm');
const workerScript = new URL('worker-node.js', dist);

describe('in Node.js', { skip: cannotRun }, () => {
  let folder;
  let file;
  let good;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'mixed-feelings-'));
    writeFileSync((file = join(folder, 'a photo.bmp')), photo);
    const analyzer = await createAnalyzer({ bundle: bundleFile });
    good = (await analyzer.analyze(POST)).scores;
    analyzer.dispose();
  });
  after(() => rmSync(folder, { recursive: true }));

  for (const worker of [true, false]) {
    describe(worker ? 'in a thread' : 'in this one', () => {
      let analyzer;
      before(async () => (analyzer = await createAnalyzer({ bundle: bundleFile, worker })));
      after(() => analyzer[Symbol.dispose]());

      test('pictures may be paths and file: URLs', PATIENCE, async () => {
        for (const image of [file, relative('.', file), pathToFileURL(file), String(pathToFileURL(file))]) {
          assert.deepEqual((await analyzer.analyze({ ...POST, image })).scores, good);
        }
        await assert.rejects(analyzer.analyzeImage(join(folder, 'none.png')), { code: 'image-fetch', message: /ENOENT/ });
        await assert.rejects(analyzer.analyzeImage(folder), { code: 'image-fetch' });
      });

      test('it says what runs, where and why', PATIENCE, async () => {
        const info = await analyzer.info();
        const { version } = JSON.parse(readFileSync(new URL('../package.json', dist), 'utf8'));
        assert.equal(info.version, version);
        assert.match(info.bundle.sha256, /^[0-9a-f]{64}$/);
        assert.equal(info.bundle.bytes, readFileSync(bundleFile).length);
        assert.deepEqual([info.labels, info.backend, info.worker, info.device], [analyzer.labels, analyzer.backend, worker, 'cpu']);
        assert.ok(info.memory > info.bundle.bytes);
        for (const reason of Object.values(info.why)) assert.ok(reason.length > 5);
      });

      test('many posts are answered in their order, the bad ones too', PATIENCE, async () => {
        const progress = [];
        const posts = [{ text: 'good' }, {}, POST, { image: 'none.png' }, { text: 'bad' }];
        const results = [];
        for await (const result of analyzer.analyzeBatch(posts, { onProgress: (one) => progress.push(one) })) results.push(result);
        assert.deepEqual(results.map(({ index, error }) => [index, error?.code]), [[0, undefined], [1, 'empty-post'], [2, undefined], [3, 'image-fetch'], [4, undefined]]);
        assert.ok(results[1].error instanceof MixedFeelingsError && results[1].analysis === null);
        assert.deepEqual(results[2].analysis.scores, good);
        assert.deepEqual(progress, posts.map((_, i) => ({ done: i + 1, total: posts.length })));
      });

      test('of endless posts only those are asked for whose answers are taken', PATIENCE, async () => {
        let asked = 0;
        let returned = false;
        async function* endless() {
          try {
            for (;;) yield { text: `post ${asked++}` };
          } finally {
            returned = true;
          }
        }
        let taken = 0;
        for await (const { error } of analyzer.analyzeBatch(endless())) {
          assert.equal(error, null);
          assert.ok(asked - ++taken <= 64, `${asked} asked for, ${taken} taken`);
          if (taken === 10) break;
        }
        assert.ok(returned, 'it is told that no more are wanted');
        const controller = new AbortController();
        const reason = new Error('closed');
        const batch = analyzer.analyzeBatch(endless(), { signal: controller.signal });
        assert.equal((await batch.next()).value.index, 0);
        controller.abort(reason);
        await assert.rejects(batch.next(), (error) => error === reason);
        await assert.rejects(analyzer.analyzeBatch(7).next(), { code: 'bad-input' });
      });

      test('the call comes before the post, and either signal ends it', PATIENCE, async () => {
        await analyzer.warmup();
        assert.ok((await analyzer.analyzeText('a text')).text);
        assert.ok((await analyzer.analyzeImage(photo)).image);
        const late = AbortSignal.abort(new Error('late'));
        await assert.rejects(analyzer.analyze({ ...POST, signal: late }), /late/);
        await assert.rejects(analyzer.analyze(POST, { signal: late }), /late/);
        await assert.rejects(analyzer.warmup({ signal: late }), /late/);
        await assert.rejects(analyzer.analyze({ ...POST, timeout: 5 }, { timeout: -1 }), { code: 'bad-input' });
      });
    });
  }

  test('lower limits are held to', PATIENCE, async () => {
    const analyzer = await createAnalyzer({ bundle: bundleFile, worker: false, limits: { textBytes: 8, imageBytes: 100 } });
    assert.ok(await analyzer.analyzeText('12345678'));
    await assert.rejects(analyzer.analyzeText('123456789'), { code: 'text-too-long' });
    await assert.rejects(analyzer.analyzeText('\u{1f600}\u{1f600}\u{1f600}'), { code: 'text-too-long' });
    for (const image of [photo, new Blob([photo]), file]) await assert.rejects(analyzer.analyzeImage(image), { code: 'image-too-large' });
    // Of 40 x 30 pixels, told by the first bytes.
    for (const worker of [true, false]) {
      const options = { bundle: bundleFile, worker };
      const [less, enough] = await Promise.all([1199, 1200].map((imagePixels) => createAnalyzer({ ...options, limits: { imagePixels } })));
      await assert.rejects(less.analyzeImage(photo), { code: 'image-too-large', message: /40x30.*1199/ });
      await assert.rejects(less.analyzeImage(new Blob([photo.subarray(0, 100)])), { code: 'image-too-large' });
      assert.ok((await enough.analyzeImage(photo)).image);
      for (const analyzer of [less, enough]) analyzer.dispose();
    }
  });

  test('what cannot be chosen is said', PATIENCE, async () => {
    for (const [options, code] of [
      [{ device: 'abacus' }, 'bad-input'],
      [{ worker: 7 }, 'bad-input'],
      [{ cache: {} }, 'bad-input'],
      [{ fetch: 'fetch' }, 'bad-input'],
      [{ wasm: { simd128: 7 } }, 'bad-input'],
      [{ limits: { textBytes: '7' } }, 'bad-input'],
      [{ limits: { imagePixels: -1 } }, 'bad-input'],
      [{ limits: { imagePixels: NaN } }, 'bad-input'],
      [{ bundle: 'no such file' }, 'bundle-fetch'],
      [{ wasm: { simd128: 'no such file' } }, 'wasm-fetch'],
    ]) {
      await assert.rejects(createAnalyzer({ worker: false, ...options }), { name: 'MixedFeelingsError', code }, JSON.stringify(options));
    }
    await assert.rejects(createFromCore(), { code: 'bad-input', message: /no bundle/ });
    await assert.rejects(createFromCore({ bundle: bundleFile }), { code: 'bad-input', message: /no program/ });
    await assert.rejects(createFromCore({ bundle: bundleFile, wasm: { simd128 }, worker: true }), { code: 'worker-failed' });
  });

  test('programs may be compiled already, or bytes; without a decoder only pictures are missing', PATIENCE, async () => {
    const module = await WebAssembly.compile(readFileSync(simd128));
    for (const worker of [false, () => new Worker(workerScript)]) {
      const analyzer = await createFromCore({ bundle: bundleFile, wasm: { simd128: module }, worker });
      assert.ok((await analyzer.analyzeText('a text')).text);
      await assert.rejects(analyzer.analyze(POST), { code: 'unsupported', message: /decoder/ });
    }
    const bytes = { simd128: readFileSync(simd128), decoder: readFileSync(decoder) };
    const analyzer = await createFromCore({ bundle: bundleFile, wasm: bytes });
    assert.deepEqual((await analyzer.analyze(POST)).scores, good);
  });

  test('a stream comes in as it comes, and into a worker', PATIENCE, async () => {
    for (const worker of [false, true]) {
      const steps = [];
      const bytes = readFileSync(bundleFile);
      const bundle = ReadableStream.from(Array.from({ length: 20 }, (_, i) => bytes.subarray((i * bytes.length) / 20, ((i + 1) * bytes.length) / 20)));
      const analyzer = await createAnalyzer({ bundle, worker, onProgress: ({ loaded }) => steps.push(loaded) });
      assert.deepEqual((await analyzer.analyze(POST)).scores, good);
      assert.ok(steps.length > 10);
    }
  });

  test("a worker of the caller's: one that runs already, and a function that starts another after a crash", PATIENCE, async () => {
    const running = new Worker(workerScript);
    await new Promise((resolve) => running.once('message', resolve)); // its hello is gone
    const one = await createAnalyzer({ bundle: bundleFile, worker: running });
    assert.deepEqual((await one.analyze(POST)).scores, good);
    await running.terminate();
    await assert.rejects(one.analyze(POST), { code: 'worker-failed', message: /only a function could start another/ });
    one.dispose();

    const workers = [];
    const start = () => workers[workers.push(new Worker(workerScript)) - 1];
    const other = await createAnalyzer({ bundle: bundleFile, worker: start });
    await workers[0].terminate();
    assert.deepEqual((await other.analyze(POST)).scores, good);
    assert.equal(workers.length, 2);
  });

  test("the caller's fetch and cache are used for all, also of a worker", PATIENCE, async () => {
    for (const worker of [false, () => new Worker(workerScript)]) {
      const server = await serve((request, response) => response.end(readFileSync(request.url === '/bundle' ? bundleFile : path(request.url.slice(1)))));
      const at = (name) => `${server.url}${name}`;
      const files = { bundle: at('bundle'), wasm: { simd128: at('simd128/engine_bg.wasm'), decoder: at('decoder.wasm') } };
      try {
        const kept = new Map();
        const asked = [];
        const cache = {
          match: async (url) => kept.get(url)?.clone(),
          put: async (url, response) => void kept.set(url, new Response(await response.arrayBuffer())),
        };
        const own = { ...files, worker, cache, fetch: (url, init) => (asked.push(url), fetch(url, init)) };
        const sha256 = (await (await createFromCore(own)).info()).bundle.sha256;
        assert.equal(await cached(own), true);
        const first = asked.length;
        const analyzer = await createFromCore({ ...own, sha256 });
        assert.deepEqual((await analyzer.analyze(POST)).scores, good);
        assert.ok(asked.includes(files.bundle) && asked.includes(files.wasm.simd128), asked.join(' '));
        assert.ok(!asked.slice(first).includes(files.bundle), 'the second time the cache had it');
        assert.equal(await cached({ ...own, bundle: at('other') }), false);
        analyzer.dispose();
      } finally {
        await server.close();
      }
    }
  });

  test('memory is given back, also of this thread', PATIENCE, async () => {
    const bundle = readFileSync(bundleFile);
    const rounds = async (count) => {
      for (let round = 0; round < count; round++) (await createAnalyzer({ bundle, worker: false })).dispose();
    };
    await rounds(3);
    const before = process.memoryUsage().arrayBuffers + process.memoryUsage().external;
    await rounds(10);
    const grown = process.memoryUsage().arrayBuffers + process.memoryUsage().external - before;
    assert.ok(grown < 6 * bundle.length, `${grown} bytes more`);
  });
});

const run = promisify(execFile);
const SCRIPT = (entry) => `
  import { createAnalyzer } from ${JSON.stringify(new URL(entry, dist).href)};
  const analyzer = await createAnalyzer({ bundle: ${JSON.stringify(bundleFile)} });
  const { scores } = await analyzer.analyze({ text: 'Perfect solitude', image: new Uint8Array(${JSON.stringify([...photo])}) });
  console.log(JSON.stringify({ scores, worker: analyzer.worker }));`;

describe('elsewhere', { skip: cannotRun }, () => {
  let folder;
  let expected;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'mixed-feelings-'));
    writeFileSync(join(folder, 'ask.mjs'), SCRIPT('index-node.js'));
    const analyzer = await createAnalyzer({ bundle: bundleFile, worker: false });
    expected = (await analyzer.analyze(POST)).scores;
  });
  after(() => rmSync(folder, { recursive: true }));

  // Each ends by itself, with nothing disposed of: the timeout is against a hang.
  for (const [runtime, ...options] of [[process.execPath], ['deno', 'run', '--allow-read'], ['bun', 'run']]) {
    const name = runtime === process.execPath ? 'node' : runtime;
    test(`${name} gives the same answer, and ends`, PATIENCE, async (t) => {
      const there = await run(runtime, ['--version']).catch(() => undefined);
      if (!there) return t.skip(`there is no ${runtime} here`);
      const { stdout } = await run(runtime, [...options, join(folder, 'ask.mjs')], { timeout: 100_000 });
      assert.deepEqual(JSON.parse(stdout), { scores: expected, worker: true });
    });
  }
});
