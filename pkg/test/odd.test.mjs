// Odd values in place of posts, pictures and options, and odd answers in place of files: a typed, short error or the right
// answer each, and the next call works.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';

import { createAnalyzer, MixedFeelingsError } from '../dist/index.js';
import { bmp, cannotRun, installFileFetch, installWorker, readBundle, serve, uninstallWorker } from './lib/node.mjs';

installFileFetch();
const photo = bmp(40, 30, [200, 120, 40]);
const boom = () => {
  throw new TypeError('mine');
};
/** An object that says that it is a `kind`. */
const forged = (kind, object = {}) => Object.defineProperty(object, Symbol.toStringTag, { value: kind });
const getter = (key) => Object.defineProperty({}, key, { enumerable: true, get: boom });
const cyclic = {};
cyclic.itself = cyclic;
const { proxy: revoked, revoke } = Proxy.revocable({}, {});
revoke();
const throwing = new Proxy({}, { get: boom });
const ring = (buffer) => (new Uint8Array(buffer).set(photo), buffer);
const shared = ring(new SharedArrayBuffer(photo.length));
const resizable = ring(new ArrayBuffer(photo.length, { maxByteLength: 2 * photo.length }));
const shrunk = new ArrayBuffer(64, { maxByteLength: 64 });
const outside = new Uint8Array(shrunk, 32, 16);
shrunk.resize(8);
const pixels = (width, height, more) => forged('ImageData', { data: new Uint8ClampedArray(4), width, height, ...more });

/** What a server may answer in place of a file. */
const answers = {
  photo: (response) => response.end(photo),
  html: (response) => response.end('<!doctype html><title>x</title>'),
  empty: (response) => response.end(),
  redirect: (response) => response.writeHead(302, { location: '/photo' }).end(),
  loop: (response) => response.writeHead(302, { location: '/loop' }).end(),
  gzip: (response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(photo)),
  'no-gzip': (response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(photo),
  part: (response) => response.writeHead(206, { 'content-range': `bytes 0-99/${photo.length}` }).end(photo.subarray(0, 100)),
  nothing: (response) => response.writeHead(204).end(),
  unchanged: (response) => response.writeHead(304).end(),
  cut: (response) => response.writeHead(200, { 'content-length': photo.length }).write(photo.subarray(0, 100), () => response.destroy()),
};

/** Pictures with the code of their error; nothing where they are read. */
const images = [
  [shared], [new Uint8Array(shared)], [resizable], [new Uint8Array(resizable)], [new DataView(photo.buffer)],
  [outside, 'image-empty'], [new Float64Array(4), 'not-an-image'], [new SharedArrayBuffer(0), 'image-empty'],
  [Symbol('x'), 'bad-input'], [1n, 'bad-input'], [cyclic, 'bad-input'], [revoked, 'bad-input'], [throwing, 'bad-input'],
  [Promise.resolve(photo), 'bad-input'], [{ then: boom }, 'bad-input'], [new Response('x'), 'bad-input'], [[...photo], 'bad-input'],
  [new Blob(['x']).stream(), 'bad-input'], [forged('FileList', [new Blob([photo])]), 'bad-input'], [forged('HTMLVideoElement'), 'bad-input'],
  [{ get [Symbol.toStringTag]() { return boom(); } }, 'bad-input'], [new Proxy(photo, {}), 'bad-input'],
  [forged('File', { get size() { return boom(); } }), 'bad-input'], [forged('Blob', { size: 5 }), 'image-fetch'],
  [forged('Blob', { size: NaN }), 'image-too-large'], [forged('URL', { toString: boom }), 'bad-input'], [forged('String', { toString: boom }), 'bad-input'],
  [pixels(NaN, 1), 'image-empty'], [pixels(-1, -1), 'image-empty'], [pixels(Symbol(), 1), 'bad-input'], [pixels(1, 1, { colorSpace: 'x'.repeat(1e6) }), 'unsupported'],
  [forged('OffscreenCanvas', { width: NaN, height: {} }), 'image-empty'], [forged('ImageBitmap', { get width() { return boom(); } }), 'bad-input'],
  ['javascript:alert(1)', 'image-fetch'], ['about:blank', 'image-fetch'], ['ftp://x/y', 'image-fetch'], ['http://127.0.0.1:99999/', 'bad-input'],
  ['http://user:word@127.0.0.1:1/', 'image-fetch'], ['blob:x', 'image-fetch'], ['data:,', 'image-empty'], [`data:${'x'.repeat(1e6)}`, 'image-fetch'], [`http://${'x'.repeat(1e6)}`, 'image-fetch'],
  ['photo'], ['redirect'], ['gzip'], ['html', 'not-an-image'], ['empty', 'image-empty'], ['nothing', 'image-empty'], ['loop', 'image-fetch'],
  ['no-gzip', 'image-fetch'], ['part', 'image-fetch'], ['unchanged', 'image-fetch'], ['cut', 'image-fetch'], ['gone', 'image-fetch'],
];

const posts = [
  [Symbol('x'), 'bad-input'], [() => {}, 'bad-input'], [7n, 'bad-input'], [[], 'empty-post'], [Promise.resolve({ text: 'x' }), 'empty-post'],
  [getter('text'), 'bad-input'], [getter('image'), 'bad-input'], [getter('signal'), 'bad-input'], [getter('timeout'), 'bad-input'],
  [revoked, 'bad-input'], [throwing, 'bad-input'], [Object.assign(Object.create(null), { text: 'x' })], [Object.create({ text: 'x' })],
  ...[Symbol('x'), 7n, new String('x'), ['x'], { toString: () => 'x' }, false, 0].map((text) => [{ text }, 'bad-input']),
  [{ text: 'a\ud800b' }], [{ text: '\0' }, 'empty-post'], [{ text: '\u200d\ufeff' }, 'empty-post'], [{ text: '\u4e00'.repeat(50_000) }, 'text-too-long'],
  ...[true, Symbol(), {}, new EventTarget(), revoked, { get aborted() { return boom(); } }, { aborted: false, addEventListener: boom }].map((signal) => [{ text: 'x', signal }, 'bad-input']),
  [{ text: 'x', signal: AbortSignal.any([]) }], [{ text: 'x', signal: AbortSignal.timeout(1e6) }],
  ...[0, NaN, '5', 5n, Symbol(), { valueOf: boom }, forged('Number', { toString: boom })].map((timeout) => [{ text: 'x', timeout }, 'bad-input']),
  [{ text: 'x', timeout: Infinity }], [{ text: 'x', timeout: Number.MIN_VALUE }],
];

for (const worker of [false, true]) {
  describe(worker ? 'in a worker' : 'in this thread', { skip: cannotRun }, () => {
    let analyzer;
    let server;
    let bundle;
    before(async () => {
      if (worker) installWorker();
      server = await serve(({ url }, response) => (answers[url.slice(1)] ?? (() => response.writeHead(404).end('no')))(response));
      bundle = await readBundle();
      analyzer = await createAnalyzer({ bundle, worker });
    });
    after(async () => {
      analyzer?.dispose();
      uninstallWorker();
      await server?.close();
    });

    async function comesTo(call, code, what) {
      const outcome = await call().then(() => undefined, (error) => error);
      if (code === undefined) return assert.equal(outcome, undefined, what);
      assert.ok(outcome instanceof MixedFeelingsError, `${what}: ${outcome}`);
      assert.equal(outcome.code, code, `${what}: ${outcome.message}`);
      assert.ok(outcome.message.length <= 300, what);
    }

    test('pictures', { timeout: 120_000 }, async () => {
      for (const [i, [image, code]] of images.entries()) {
        const given = typeof image === 'string' && /^[a-z-]+$/.test(image) ? server.url + image : image;
        await comesTo(() => analyzer.analyze({ image: given }), code, `picture ${i}`);
      }
      assert.ok((await analyzer.analyze({ text: 'as before', image: photo })).image);
    });

    test('posts', { timeout: 120_000 }, async () => {
      for (const [i, [post, code]] of posts.entries()) await comesTo(() => analyzer.analyze(post), code, `post ${i}`);
      for (const signal of [AbortSignal.abort(), AbortSignal.abort(null), AbortSignal.timeout(0)]) {
        const call = analyzer.analyze({ image: `${server.url}loop`, signal });
        assert.equal(await call.then(() => 'answered', (reason) => reason), signal.reason);
      }
    });

    test('options', { timeout: 120_000 }, async () => {
      const opens = (options) => async () => (await createAnalyzer(options)).dispose();
      for (const [options, code] of [
        [Symbol('x'), 'bad-input'], [() => {}, 'bad-input'], [7, 'bad-input'], [revoked, 'bad-input'], [getter('bundle'), 'bad-input'],
        ...[7, Symbol('x'), cyclic, new Uint8Array(32)].map((sha256) => [{ bundle, worker, sha256 }, 'bad-input']),
        ...['', 'x'.repeat(1e6), '0'.repeat(64)].map((sha256) => [{ bundle, worker, sha256 }, 'bundle-checksum']),
        ...[7, Symbol('x'), Promise.resolve(bundle), new Uint16Array(4), new SharedArrayBuffer(8), throwing, ''].map((bundle) => [{ bundle, worker }, 'bad-input']),
        ...[forged('ArrayBuffer'), outside, 'data:,x', `${server.url}empty`, `${server.url}nothing`].map((bundle) => [{ bundle, worker }, 'not-a-bundle']),
        ...['html', 'no-gzip', 'loop', 'cut', 'part', 'gone'].map((name) => [{ bundle: server.url + name, worker }, 'bundle-fetch']),
        ...[{ cache: Symbol('x') }, { cache: () => {} }, { browserDecoder: Symbol('x') }].map((more) => [{ bundle, worker, ...more }]),
      ]) {
        await comesTo(opens(options), code, String(code));
      }
    });

    test('an async onProgress that rejects ends nothing', async () => {
      const { error } = console;
      const told = [];
      console.error = (...what) => told.push(what);
      try {
        (await createAnalyzer({ bundle, worker, onProgress: async () => boom() })).dispose();
        await new Promise((resolve) => setTimeout(resolve, 10));
      } finally {
        console.error = error;
      }
      assert.equal(told.length, 1);
    });

    test('dispose at odd moments', async () => {
      const other = await createAnalyzer({ bundle, worker });
      const calls = [other.analyze({ text: 'x' }), other.analyze({ image: photo }), other.analyze({ get text() { other.dispose(); return 'x'; } })];
      for (const call of calls) await assert.rejects(call, { code: 'disposed' });
      other.dispose.call(null);
      await comesTo(() => other.analyze(null), 'bad-input', 'bad input after it');
      await comesTo(() => other.analyze({ text: 'x' }), 'disposed', 'after it');
    });
  });
}
