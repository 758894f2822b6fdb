import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { readImage } from '../dist/image.js';
import { serve } from './lib/node.mjs';

const bytes = Uint8Array.of(1, 2, 3, 4);
let server;

before(async () => {
  server = await serve((request, response) => {
    if (request.url === '/photo') return response.end(Buffer.from(bytes));
    if (request.url === '/slow') return undefined;
    response.statusCode = 404;
    return response.end('no');
  });
});
after(() => server.close());

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
  ];
  for (const source of sources) {
    assert.deepEqual(await readImage(source), { kind: 'encoded', bytes }, String(source));
  }
});

test('the caller keeps his bytes: what a worker takes over is a copy', async () => {
  for (const source of [bytes, bytes.buffer]) {
    const { bytes: taken } = await readImage(source);
    structuredClone(taken, { transfer: [taken.buffer] });
    assert.deepEqual([...bytes], [1, 2, 3, 4]);
  }
});

test('ImageData are pixels', async () => {
  const data = Uint8ClampedArray.from({ length: 8 }, (_, i) => i);
  const image = { data, width: 2, height: 1, [Symbol.toStringTag]: 'ImageData' };
  assert.deepEqual(await readImage(image), { kind: 'rgba', width: 2, height: 1, bytes: Uint8Array.from(data) });
  await assert.rejects(readImage({ ...image, data: new Float32Array(8) }), { code: 'bad-input' });
});

test('what is no picture is refused by name', async () => {
  for (const source of [7, true, {}, [], () => {}, new Map()]) {
    await assert.rejects(readImage(source), { name: 'MixedFeelingsError', code: 'bad-input' });
  }
  await assert.rejects(readImage(new Map()), /image is Map: give a Blob/);
  await assert.rejects(readImage('not a URL'), { code: 'bad-input', message: '"not a URL" is not a URL' });
  await assert.rejects(readImage({ width: 0, height: 5, [Symbol.toStringTag]: 'ImageBitmap' }), { code: 'image-empty' });
});

test('a URL that leads nowhere says so', async () => {
  await assert.rejects(readImage(`${server.url}gone`), { code: 'image-fetch', message: /gone cannot be fetched.*404/ });
  await assert.rejects(readImage('http://127.0.0.1:1/'), { code: 'image-fetch' });
});

test('an aborted fetch rejects with the reason', async () => {
  const controller = new AbortController();
  const reading = readImage(`${server.url}slow`, controller.signal);
  const reason = new Error('changed my mind');
  controller.abort(reason);
  await assert.rejects(reading, (error) => error === reason);
});
