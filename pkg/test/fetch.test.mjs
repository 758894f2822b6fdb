import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { after, afterEach, before, test } from 'node:test';
import { runInNewContext } from 'node:vm';
import { gzipSync } from 'node:zlib';

import { assets } from '../dist/modules/assets.js';
import { bundleSource, loadBundle } from '../dist/modules/bundle.js';
import { MixedFeelingsError } from '../dist/modules/errors.js';
import { fetchBytes } from '../dist/modules/fetch.js';
import { BUNDLE_SHA256 } from '../dist/modules/release.js';
import { web } from '../dist/modules/web.js';
import { serve } from './lib/node.mjs';

const { fetch } = web;
const platform = { ...web, assets };
const body = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * i) % 251));
const LARGE = 12_000_000;
const sha256 = createHash('sha256').update(body).digest('hex');

let server;
let requests;
let online;

before(async () => {
  server = await serve((request, response) => {
    requests.push(request.url);
    if (!online) return request.socket.destroy();
    if (request.url === '/bundle') {
      response.setHeader('content-length', body.length);
      response.write(body.subarray(0, 100_000));
      return setTimeout(() => response.end(body.subarray(100_000)), 10);
    }
    if (request.url === '/page') return response.end('\n<!DOCTYPE html><title>App</title>');
    if (request.url === '/silent') return undefined;
    if (request.url === '/stuck') return response.write('some');
    if (request.url === '/large') return response.end(Buffer.alloc(LARGE));
    if (request.url === '/chunked') {
      response.write(body.subarray(0, 10));
      return response.end(body.subarray(10));
    }
    if (request.url === '/gzip') {
      response.setHeader('content-encoding', 'gzip');
      return response.end(gzipSync(body));
    }
    if (request.url === '/cut-off') {
      response.setHeader('content-length', body.length);
      response.write(body.subarray(0, 100_000));
      return setTimeout(() => request.socket.destroy(), 10);
    }
    response.statusCode = 503;
    return response.end();
  });
});
after(() => server.close());

/** Cache Storage, as far as it is used: Node has none. */
function installCache() {
  const stored = new Map();
  const cache = {
    match: async (url) => stored.get(String(url))?.clone(),
    // As a browser's: what breaks off is not stored.
    put: async (url, response) => {
      const bytes = await response.arrayBuffer();
      stored.set(String(url), new Response(bytes, { headers: response.headers }));
    },
  };
  globalThis.caches = { open: async () => cache };
  return stored;
}
afterEach(() => delete globalThis.caches);

/** A destination in Node's own memory. */
class Heap {
  bytes = Buffer.alloc(0);
  /** The lengths that were announced. */
  begun = [];

  begin(length) {
    this.begun.push(length);
    this.bytes = Buffer.alloc(0);
  }

  append(chunk) {
    this.bytes = Buffer.concat([this.bytes, chunk]);
  }

  async sha256() {
    return Uint8Array.from(createHash('sha256').update(this.bytes).digest()).buffer;
  }
}

async function load(path, { digits, cache = false, signal, patience = 30_000, heap = new Heap() } = {}) {
  const source = bundleSource(new URL(path, server.url), digits, platform);
  const steps = [];
  await loadBundle(source, heap, { fetch, cache, signal, patience }, (loaded, total, cached) => steps.push({ loaded, total, cached }));
  return { bytes: heap.bytes, begun: heap.begun, steps };
}

const cachedBytes = async (stored, path) => {
  const entry = stored.get(new URL(path, server.url).href);
  return entry && Buffer.from(await entry.clone().arrayBuffer());
};

function reset() {
  requests = [];
  online = true;
}
reset();

test('progress grows to the whole', async () => {
  const { bytes, steps } = await load('bundle');
  assert.deepEqual(Buffer.from(bytes), body);
  assert.ok(steps.length >= 3);
  assert.deepEqual(steps[0], { loaded: 0, total: body.length, cached: false });
  assert.deepEqual(steps.at(-1), { loaded: body.length, total: body.length, cached: false });
  for (let i = 1; i < steps.length; i++) assert.ok(steps[i].loaded >= steps[i - 1].loaded);
});

test('no total is better than a wrong one', async () => {
  for (const path of ['chunked', 'gzip']) {
    const { bytes, steps } = await load(path);
    assert.deepEqual(Buffer.from(bytes), body);
    assert.ok(steps.every(({ total }) => total === null), path);
    assert.equal(steps.at(-1).loaded, body.length);
  }
});

test('what does not arrive, or not whole, is an error that names the URL', async () => {
  await assert.rejects(load('gone'), { code: 'bundle-fetch', message: /gone cannot be fetched: the server answers 503/ });
  await assert.rejects(load('cut-off'), { code: 'bundle-fetch', message: /cut-off: the connection broke/ });
  await assert.rejects(load('http://127.0.0.1:1/'), { code: 'bundle-fetch' });
});

test('a checksum is held to', async () => {
  await load('bundle', { digits: sha256.toUpperCase() });
  const wrong = sha256.replace(/^./, (digit) => (digit === '0' ? '1' : '0'));
  await assert.rejects(load('bundle', { digits: wrong }), { code: 'bundle-checksum' });
  await assert.rejects(load('bundle', { digits: 'abc' }), { code: 'bundle-checksum', message: /64 hexadecimal/ });
  const given = bundleSource(body, wrong, platform);
  await assert.rejects(loadBundle(given, new Heap(), { fetch, cache: false, patience: 1000 }, () => {}), { code: 'bundle-checksum' });
});

test('with a checksum the second visit asks the cache alone', async () => {
  reset();
  installCache();
  await load('bundle', { digits: sha256, cache: true });
  const { bytes, steps } = await load('bundle', { digits: sha256, cache: true });
  assert.deepEqual(Buffer.from(bytes), body);
  assert.deepEqual(requests, ['/bundle']);
  assert.ok(steps.every(({ cached }) => cached));
});

test('offline, what was there once is still there', async () => {
  reset();
  installCache();
  await load('bundle', { digits: sha256, cache: true });
  await load('chunked', { cache: true });
  online = false;
  for (const options of [{ cache: true }, { digits: sha256, cache: true }]) {
    assert.deepEqual(Buffer.from((await load('bundle', options)).bytes), body);
  }
  const { bytes, steps } = await load('chunked', { cache: true });
  assert.deepEqual(Buffer.from(bytes), body);
  assert.ok(steps.at(-1).cached);
  await assert.rejects(load('gzip', { cache: true }), { code: 'bundle-fetch' });
  online = true;
});

test('a cache entry that is damaged or out of date is replaced', async () => {
  reset();
  const stored = installCache();
  const url = new URL('bundle', server.url).href;
  stored.set(url, new Response('yesterday'));
  const { bytes, begun } = await load('bundle', { digits: sha256, cache: true });
  assert.deepEqual(bytes, body);
  assert.equal(begun.length, 2, 'what came from the cache is forgotten');
  assert.deepEqual(await cachedBytes(stored, 'bundle'), body);
});

test('the length is announced once, and again when it comes from the cache', async () => {
  reset();
  installCache();
  for (const _ of ['network', 'cache']) {
    assert.deepEqual((await load('bundle', { digits: sha256, cache: true })).begun, [body.length]);
  }
  assert.deepEqual((await load('gzip')).begun, [null]);
});

test('what does not come whole, or is not right, does not reach the cache', async () => {
  reset();
  const stored = installCache();
  const wrong = sha256.replace(/^./, (digit) => (digit === '0' ? '1' : '0'));
  await assert.rejects(load('bundle', { digits: wrong, cache: true }), { code: 'bundle-checksum' });
  await assert.rejects(load('cut-off', { cache: true }), { code: 'bundle-fetch' });
  await assert.rejects(load('cut-off', { digits: sha256, cache: true }), { code: 'bundle-fetch' });
  const refusing = new Heap();
  refusing.append = () => {
    throw new MixedFeelingsError('bundle-memory', 'no room');
  };
  await assert.rejects(load('bundle', { cache: true, heap: refusing }), { code: 'bundle-memory' });
  const controller = new AbortController();
  const leaving = new Heap();
  leaving.append = () => controller.abort(new Error('the user left'));
  await assert.rejects(load('bundle', { cache: true, heap: leaving, signal: controller.signal }), /the user left/);
  assert.deepEqual([...stored.keys()], []);

  stored.set(new URL('cut-off', server.url).href, new Response('of last time'));
  await assert.rejects(load('cut-off', { cache: true }), { code: 'bundle-fetch' });
  assert.equal(String(await cachedBytes(stored, 'cut-off')), 'of last time', 'what was whole stays');

  assert.deepEqual((await load('bundle', { digits: sha256, cache: true })).bytes, body);
  assert.deepEqual(await cachedBytes(stored, 'bundle'), body, 'and the next call works');
});

test('a cache that is behind is waited for, and not when it gives up', async () => {
  reset();
  const slow = { taken: 0 };
  let ahead = 0;
  const heap = new Heap();
  const append = heap.append.bind(heap);
  heap.append = (chunk) => {
    append(chunk);
    ahead = Math.max(ahead, heap.bytes.length - slow.taken);
  };
  const cache = {
    match: async () => undefined,
    put: async (_, response) => {
      for await (const chunk of response.body) {
        await new Promise((resolve) => setImmediate(resolve));
        slow.taken += chunk.length;
      }
    },
  };
  globalThis.caches = { open: async () => cache };
  await load('large', { cache: true, heap });
  assert.equal(slow.taken, LARGE, 'all of it was offered');
  assert.ok(ahead <= 2_500_000, `${ahead} bytes waited`);

  cache.put = async (_, response) => {
    for await (const _chunk of response.body) break;
    throw new Error('quota');
  };
  assert.equal((await load('large', { cache: true })).bytes.length, LARGE);
});

test('a cache that fails is no obstacle', async () => {
  reset();
  globalThis.caches = { open: () => Promise.reject(new Error('private window')) };
  assert.equal((await load('bundle', { digits: sha256, cache: true })).bytes.length, body.length);
  const full = { match: () => Promise.reject(new Error('broken')), put: () => Promise.reject(new Error('quota')) };
  globalThis.caches = { open: async () => full };
  assert.equal((await load('bundle', { digits: sha256, cache: true })).bytes.length, body.length);
  assert.equal((await load('chunked', { cache: true })).bytes.length, body.length);
});

test('aborted, it rejects with the reason', async () => {
  const controller = new AbortController();
  const reason = new Error('the user left');
  const source = bundleSource(new URL('bundle', server.url), undefined, platform);
  const loading = loadBundle(source, new Heap(), { fetch, cache: false, patience: 1000, signal: controller.signal }, (loaded) => {
    if (loaded > 0) controller.abort(reason);
  });
  await assert.rejects(loading, (error) => error === reason);
});

test('the digest of the bundle that comes along is part of the code: nothing is asked for it', () => {
  const published = readFileSync(new URL('../mixed-feelings-small.safetensors.sha256', import.meta.url), 'utf8');
  for (const nothing of [undefined, null]) {
    const { from, sha256: digits } = bundleSource(nothing, nothing, platform);
    assert.match(from, /mixed-feelings-small\.safetensors$/);
    assert.equal(digits, BUNDLE_SHA256);
    assert.equal(digits, published.slice(0, 64));
  }
  assert.equal(bundleSource(undefined, sha256, platform).sha256, sha256, 'unless another one is given');
  assert.throws(() => bundleSource(undefined, undefined, web), { code: 'bad-input', message: /none comes along/ });
});

test('what can be read once is read once', async () => {
  for (const given of [() => new Response(body), () => new Response(body).body, () => new Blob([body])]) {
    const source = bundleSource(given(), sha256, platform);
    const heap = new Heap();
    const options = { fetch, cache: false, patience: 1000 };
    assert.equal(await loadBundle(source, heap, options, () => {}), sha256);
    assert.deepEqual(heap.bytes, body);
    if (source.from instanceof Blob) continue;
    await assert.rejects(loadBundle(source, heap, options, () => {}), { code: 'bundle-fetch', retriable: false, message: /used up/ });
  }
  const gone = bundleSource(new Response('no', { status: 404 }), undefined, platform);
  await assert.rejects(loadBundle(gone, new Heap(), { fetch, cache: false, patience: 1000 }, () => {}), { code: 'bundle-fetch', message: /404/ });
  const read = new Response('x');
  await read.text();
  assert.throws(() => bundleSource(read, undefined, platform), { code: 'bad-input', message: /read already/ });
});

test("bytes are copied: the caller's stay his", async () => {
  const given = Uint8Array.of(1, 2, 3);
  const foreign = runInNewContext('Uint8Array.of(1, 2, 3)');
  for (const bundle of [given, given.buffer, Buffer.from(given), foreign, foreign.buffer]) {
    const { from } = bundleSource(bundle, undefined, platform);
    (ArrayBuffer.isView(bundle) ? bundle : new Uint8Array(bundle))[0] = 9;
    const heap = new Heap();
    await loadBundle({ from }, heap, { fetch, cache: false, patience: 1000 }, () => {});
    assert.deepEqual([...heap.bytes], [1, 2, 3]);
    (ArrayBuffer.isView(bundle) ? bundle : new Uint8Array(bundle))[0] = 1;
  }
});

test('what is no bundle is refused by name, in few words', () => {
  for (const bundle of [new DataView(new ArrayBuffer(8)), 7, {}, [1]]) {
    assert.throws(() => bundleSource(bundle, undefined, platform), { code: 'bad-input', message: /^bundle is \w+: give a URL, an ArrayBuffer, a Uint8Array, a Blob, a Response or a ReadableStream$/ });
  }
  const gone = new ArrayBuffer(8);
  structuredClone(gone, { transfer: [gone] });
  assert.throws(() => bundleSource(gone, undefined, platform), { code: 'bad-input', message: /detached/ });
});

test('a web page in the place of a file is named, and never kept', async () => {
  reset();
  const stored = installCache();
  for (const options of [{}, { digits: sha256 }]) {
    await assert.rejects(load('page', { ...options, cache: true }), {
      code: 'bundle-fetch',
      retriable: false,
      message: /\/page: a web page came in place of the file/,
    });
  }
  assert.deepEqual([...stored.keys()], []);
  await assert.rejects(fetchBytes(new URL('page', server.url), 'wasm-fetch', { fetch, cache: true, patience: 1000 }), {
    code: 'wasm-fetch',
    message: /\/page: a web page came/,
  });
  await assert.rejects(fetchBytes(new URL('bundle', server.url), 'wasm-fetch', { fetch, cache: true, patience: 1000 }), {
    code: 'wasm-fetch',
    message: /no WebAssembly program/,
  });
  // A page that logs in, where there once was the file: what was right is used.
  stored.set(new URL('page', server.url).href, new Response('of last time'));
  assert.equal(String((await load('page', { cache: true })).bytes), 'of last time');
  stored.set(new URL('gone', server.url).href, new Response('<!doctype html>'));
  await assert.rejects(load('gone', { cache: true }), { code: 'bundle-fetch', message: /503/ });
});

test('a server that stands still is not waited for', async () => {
  for (const path of ['silent', 'stuck']) {
    await assert.rejects(load(path, { patience: 50 }), { code: 'bundle-fetch', retriable: true, message: /nothing came for 50 ms/ });
  }
});

test('two at once are one download', async () => {
  reset();
  installCache();
  const queue = new Map();
  // Web Locks, as far as they are used: Node 20 has none.
  Object.defineProperty(globalThis, 'navigator', {
    configurable: true,
    value: {
      locks: {
        async request(name, { ifAvailable, signal }, callback) {
          if (ifAvailable && queue.has(name)) return callback(null);
          const before = queue.get(name);
          const mine = (async () => {
            await Promise.race([before, new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)))]);
            return callback({ name });
          })();
          queue.set(name, mine.then(() => {}, () => {}));
          return mine;
        },
      },
    },
  });
  try {
    for (const options of [{ digits: sha256 }, {}]) {
      reset();
      installCache();
      queue.clear();
      const both = await Promise.all([1, 2, 3].map(() => load('bundle', { ...options, cache: true })));
      for (const { bytes } of both) assert.deepEqual(bytes, body);
      assert.deepEqual(requests, ['/bundle']);
    }
    reset();
    queue.set(`mixed-feelings ${new URL('bundle', server.url).href}`, new Promise(() => {}));
    installCache();
    assert.equal((await load('bundle', { cache: true, patience: 300 })).bytes.length, body.length, 'waits only for so long');
  } finally {
    delete globalThis.navigator;
  }
});
