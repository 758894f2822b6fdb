import assert from 'node:assert/strict';
import { test } from 'node:test';

import { UndecodedError } from '../dist/modules/decoder.js';
import { Download } from '../dist/modules/download.js';
import { MixedFeelingsError, shown } from '../dist/modules/errors.js';
import { fromMessage, toMessage } from '../dist/modules/messages.js';

test('an error has a code, a message and a cause', () => {
  const cause = new Error('below');
  const error = new MixedFeelingsError('bad-input', 'not this', { cause });
  assert.ok(error instanceof Error);
  assert.equal(error.name, 'MixedFeelingsError');
  assert.equal(error.code, 'bad-input');
  assert.equal(error.cause, cause);
  assert.equal(String(error), 'MixedFeelingsError: not this');
  assert.equal(error.retriable, false);
});

test('code and message survive the way out of a worker', () => {
  const sent = structuredClone(toMessage(new MixedFeelingsError('image-corrupt', 'PNG image is damaged')));
  const error = fromMessage(sent);
  assert.ok(error instanceof MixedFeelingsError);
  assert.equal(error.code, 'image-corrupt');
  assert.equal(error.message, 'PNG image is damaged');
  assert.equal(fromMessage(toMessage(new RangeError('stack'))).code, 'crashed');
});

test('whether it may pass survives too, and what format a picture has', () => {
  for (const retriable of [true, false]) {
    const sent = structuredClone(toMessage(new MixedFeelingsError('image-fetch', 'no', { retriable })));
    assert.equal(fromMessage(sent).retriable, retriable);
  }
  for (const code of ['crashed', 'worker-failed', 'image-timeout']) assert.equal(new MixedFeelingsError(code, '').retriable, true);
  const avif = fromMessage(structuredClone(toMessage(new UndecodedError('image-unsupported', 'AVIF', 'AVIF'))));
  assert.ok(avif instanceof UndecodedError);
  assert.equal(avif.format, 'AVIF');
});

test('a message is short whatever was given', () => {
  assert.equal(new MixedFeelingsError('bad-input', 'x'.repeat(1e6)).message.length, 300);
});

test('no message tells the name and the password in a URL', async () => {
  const url = 'http://anna:secret@127.0.0.1:1/photo.png';
  for (const message of [url, `cannot load ${url}, nor https://anna:secret@elsewhere.test`, `http://anna:${'secret'.repeat(1000)}@elsewhere.test`]) {
    for (const told of [shown(message), new MixedFeelingsError('image-fetch', message).message]) {
      assert.doesNotMatch(told, /anna|secret/);
      assert.match(told, /127\.0\.0\.1:1\/photo|elsewhere/);
    }
  }
  assert.equal(shown('https://example.test/@anna?to=anna@example.test'), 'https://example.test/@anna?to=anna@example.test');
  // The runtime's own message, which is quoted, has the URL.
  const reading = Download.of(new URL(url), 'image-fetch', { fetch, patience: 1000 });
  await assert.rejects(reading, ({ code, message }) => code === 'image-fetch' && !/anna|secret/.test(message) && message.includes('127.0.0.1'));
});
