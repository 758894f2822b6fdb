// What a page may give for a picture: taken hold of at the call, read as a file.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { runInNewContext } from 'node:vm';

import { takePicture } from '../dist/modules/image.js';
import { LIMITS } from '../dist/modules/limits.js';
import { openSource } from '../dist/modules/source.js';
import { web } from '../dist/modules/web.js';
import { serve } from './lib/node.mjs';

const bytes = Uint8Array.of(1, 2, 3, 4);
const reading = (signal = new AbortController().signal) => ({ signal, alive() {}, fetch: web.fetch, limits: LIMITS });
const take = (source) => takePicture(source, { resolve: web.resolve, limits: LIMITS });
let server;
let requests = [];
let closed = 0;

before(async () => {
  server = await serve((request, response) => {
    requests.push(request.url);
    // A connection that Node.js keeps may be closed while the next request is on its way.
    response.setHeader('connection', 'close');
    response.on('close', () => closed++);
    if (request.url === '/photo') return response.end(Buffer.from(bytes));
    if (request.url === '/slow') return undefined;
    if (request.url === '/endless') {
      const more = () => response.write(Buffer.alloc(1 << 20)) && setImmediate(more);
      response.on('drain', more);
      return more();
    }
    if (request.url === '/announced') {
      response.setHeader('content-length', 64_000_001);
      return response.write('P');
    }
    response.statusCode = request.url === '/busy' ? 503 : 404;
    return response.end('no');
  });
});
after(() => server.close());

async function readFile(source, signal) {
  const opened = await openSource(take(source), reading(signal));
  try {
    assert.deepEqual([...(await opened.head())].slice(0, 4), [...bytes]);
    return await opened.all();
  } finally {
    opened.end();
  }
}

test('bytes, views, blobs, files and URLs are taken as files', async () => {
  const within = new DataView(Uint8Array.of(9, ...bytes, 9).buffer, 1, 4);
  const sources = [
    bytes,
    bytes.buffer,
    within,
    Buffer.from(bytes),
    new Blob([bytes]),
    new File([bytes], 'photo.jpg'),
    new URL('photo', server.url),
    `${server.url}photo`,
    `data:image/jpeg;base64,${Buffer.from(bytes).toString('base64')}`,
    'data:,%01%02%03%04#fragment',
    'data:;base64,AQIDBA%3D%3D',
    runInNewContext('Uint8Array.of(1, 2, 3, 4)'),
    runInNewContext('Uint8Array.of(1, 2, 3, 4).buffer'),
    new SharedArrayBuffer(4),
  ];
  new Uint8Array(sources.at(-1)).set(bytes);
  sources[sources.length - 1] = new Uint8Array(sources.at(-1));
  for (const source of sources) assert.deepEqual(await readFile(source), bytes, String(source));
});

test('data: URLs need no request, and say what is wrong with them', async () => {
  const { fetch } = globalThis;
  globalThis.fetch = () => assert.fail('fetched');
  try {
    assert.deepEqual(await readFile('data:,%01%02%03%04'), bytes);
    await assert.rejects(readFile('data:image/png'), { code: 'image-fetch' });
    await assert.rejects(readFile('data:;base64,~~~'), { code: 'image-fetch', message: /not base64/ });
    await assert.rejects(readFile(`data:;base64,${'A'.repeat(90_000_000)}`), { code: 'image-too-large' });
  } finally {
    globalThis.fetch = fetch;
  }
});

test('the caller keeps his bytes: what a worker takes over is a copy', async () => {
  for (const source of [bytes, bytes.buffer]) {
    const { bytes: taken } = take(source);
    structuredClone(taken, { transfer: [taken.buffer] });
    assert.deepEqual([...bytes], [1, 2, 3, 4]);
  }
});

/** As a browser's, which Node has not. */
const imageData = (data, width, height, more) => ({ data, width, height, [Symbol.toStringTag]: 'ImageData', ...more });

const taken = async (image) => (await take(image).held).read();

test('ImageData are pixels', async () => {
  const data = Uint8ClampedArray.from({ length: 8 }, (_, i) => i);
  const pixels = taken(imageData(data, 2, 1));
  assert.deepEqual(await pixels, { kind: 'rgba', width: 2, height: 1, bytes: Uint8Array.from(data) });
  await assert.rejects(taken(imageData(new Float32Array(8), 2, 1)), { code: 'bad-input' });
  await assert.rejects(taken(imageData(new Uint8ClampedArray(0), 0, 1)), { code: 'image-empty' });
  await assert.rejects(taken(imageData(new Uint8ClampedArray(0), 8001, 8000)), { code: 'image-too-large' });
});

test('ImageData of many pixels are averaged over white', async () => {
  // In each square of four one pixel is transparent, which is white, and three are black.
  const data = new Uint8ClampedArray(4 * 16_000 * 4000);
  for (let y = 0; y < 4000; y++) {
    for (let x = 0; x < 16_000; x++) data[4 * (16_000 * y + x) + 3] = x % 2 && y % 2 ? 0 : 255;
  }
  const { width, height, bytes } = await taken(imageData(data, 16_000, 4000));
  assert.deepEqual([width, height, bytes.length], [8000, 2000, 64_000_000]);
  for (const i of [0, 4 * 12_345_678, bytes.length - 4]) assert.deepEqual([...bytes.subarray(i, i + 4)], [64, 64, 64, 255]);
});

test('what was given away is bad input', async () => {
  const gone = new ArrayBuffer(8);
  const view = new Uint8Array(gone);
  const data = new Uint8ClampedArray(4);
  structuredClone([gone, data.buffer], { transfer: [gone, data.buffer] });
  for (const source of [gone, view]) {
    assert.throws(() => take(source), { name: 'MixedFeelingsError', code: 'bad-input', message: /detached/ });
  }
  await assert.rejects(taken(imageData(data, 1, 1)), { code: 'bad-input', message: /detached/ });
});

test('what is no picture is refused by name', () => {
  for (const source of [7, true, {}, [], () => {}, new Map()]) {
    assert.throws(() => take(source), { name: 'MixedFeelingsError', code: 'bad-input' });
  }
  assert.throws(() => take(new Map()), /image is Map: give a Blob/);
  assert.throws(() => take('not a URL'), { code: 'bad-input', message: '"not a URL" is not a URL' });
  assert.throws(() => take('x'.repeat(1e6)), ({ code, message }) => code === 'bad-input' && message.length <= 300);
  assert.throws(() => take({ width: 0, height: 5, [Symbol.toStringTag]: 'ImageBitmap' }), { code: 'image-empty' });
});

test('a file is judged by its size before a byte is read', () => {
  const blob = { size: 2_100_000_000, [Symbol.toStringTag]: 'File', slice: assert.fail, arrayBuffer: assert.fail };
  assert.throws(() => take(blob), { code: 'image-too-large' });
  assert.throws(() => take(new Uint8Array(64_000_001)), { code: 'image-too-large' });
});

test('a URL that leads nowhere says so, and whether it may later', async () => {
  const gone = { code: 'image-fetch', retriable: false, message: /gone cannot be fetched.*404/ };
  await assert.rejects(readFile(`${server.url}gone`), gone);
  await assert.rejects(readFile(`${server.url}busy`), { code: 'image-fetch', retriable: true });
  await assert.rejects(readFile('http://127.0.0.1:1/'), { code: 'image-fetch', retriable: true });
  await assert.rejects(readFile('blob:nodedata:gone'), { code: 'image-fetch', message: /connect-src/ });
});

test('a URL that sends too much is left', async () => {
  const opened = await openSource(take(`${server.url}endless`), reading());
  closed = 0;
  assert.equal((await opened.head()).length, 65_536);
  await assert.rejects(opened.all(), { code: 'image-too-large' });
  opened.end();
  await assert.rejects(readFile(`${server.url}announced`), { code: 'image-too-large' });
  while (closed < 2) await new Promise((resolve) => setTimeout(resolve, 5));
});

test('an aborted fetch rejects with the reason, and the request ends', async () => {
  closed = 0;
  const controller = new AbortController();
  const opening = readFile(`${server.url}slow`, controller.signal);
  while (requests.at(-1) !== '/slow') await new Promise((resolve) => setTimeout(resolve, 5));
  const reason = new Error('changed my mind');
  controller.abort(reason);
  await assert.rejects(opening, (error) => error === reason);
  while (closed < 1) await new Promise((resolve) => setTimeout(resolve, 5));
});
