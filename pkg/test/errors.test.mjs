import assert from 'node:assert/strict';
import { test } from 'node:test';

import { MixedFeelingsError } from '../dist/errors.js';
import { fromMessage, toMessage } from '../dist/messages.js';

test('an error has a code, a message and a cause', () => {
  const cause = new Error('below');
  const error = new MixedFeelingsError('bad-input', 'not this', { cause });
  assert.ok(error instanceof Error);
  assert.equal(error.name, 'MixedFeelingsError');
  assert.equal(error.code, 'bad-input');
  assert.equal(error.cause, cause);
  assert.equal(String(error), 'MixedFeelingsError: not this');
});

test('code and message survive the way out of a worker', () => {
  const sent = structuredClone(toMessage(new MixedFeelingsError('image-corrupt', 'PNG image is damaged')));
  const error = fromMessage(sent);
  assert.ok(error instanceof MixedFeelingsError);
  assert.equal(error.code, 'image-corrupt');
  assert.equal(error.message, 'PNG image is damaged');
  assert.equal(fromMessage(toMessage(new RangeError('stack'))).code, 'crashed');
});
