// What the decoder costs when it breaks, and what memory it keeps: on a program of a few bytes that breaks when it is told to.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Decoder } from '../dist/modules/decoder.js';
import { compiled } from '../dist/modules/wasm.js';

const I32 = 0x7f;
const section = (id, ...bytes) => [id, bytes.length, ...bytes];
const name = (text) => [text.length, ...Buffer.from(text)];
const type = (parameters) => [0x60, parameters, ...Array(parameters).fill(I32), 1, I32];
const body = (...code) => [code.length + 2, 0, ...code, 0x0b];
const byteOfInput = [0x20, 0, 0x2d, 0, 0];
/** `if (first byte of the input === byte) { ... }` */
const when = (byte, ...then) => [...byteOfInput, 0x41, byte, 0x46, 0x04, 0x40, ...then, 0x0b];
const [TRAP, GROW, REFUSE, FINE] = [1, 2, 3, 4];
/** Counts its calls, which `incomplete` tells, so that a test sees whether an instance is a new one. */
const count = [0x23, 0, 0x41, 1, 0x6a, 0x24, 0];
const JSON_AT = 64;
const REFUSAL = '{"code":"image-unsupported","message":"no","format":"AVIF"}';

/** `allocate` gives 1024; `decode` does what the first byte of its input says. */
const program = Uint8Array.from([
  ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  ...section(1, 5, ...type(1), ...type(2), ...type(5), ...type(7), ...type(0)),
  ...section(3, 7, 0, 1, 2, 3, 4, 4, 4),
  ...section(5, 1, 0, 2),
  ...section(6, 2, I32, 1, 0x41, 0, 0x0b, I32, 1, 0x41, 12, 0x0b),
  ...section(
    7,
    8,
    ...name('memory'), 2, 0,
    ...['allocate', 'inspect', 'decode', 'rgba', 'output', 'output_length', 'incomplete'].flatMap((n, i) => [...name(n), 0, i]),
  ),
  // The code is longer than 127 bytes, so its length takes two.
  ...long(10, [
    7,
    ...body(0x41, 0x80, 0x08), // allocate
    ...body(0x41, 0), // inspect
    ...body(
      ...count,
      ...when(TRAP, 0x00),
      ...when(GROW, 0x41, 0x80, 0x04, 0x40, 0, 0x1a),
      ...when(REFUSE, 0x41, REFUSAL.length, 0x24, 1, 0x41, 1, 0x0f),
      ...[0x41, 12, 0x24, 1, 0x41, 0],
    ),
    ...body(0x41, 0), // rgba
    ...body(0x41, 0xc0, 0), // output: JSON_AT
    ...body(0x23, 1), // output_length
    ...body(0x23, 0), // incomplete: how many calls
  ]),
  ...long(11, [1, 0, 0x41, 0xc0, 0, 0x0b, REFUSAL.length, ...Buffer.from(REFUSAL)]),
]);
function long(id, bytes) {
  return [id, (bytes.length & 127) | 128, bytes.length >> 7, ...bytes];
}

let instances = 0;
const { Instance } = WebAssembly;
WebAssembly.Instance = class extends Instance {
  constructor(...args) {
    super(...args);
    instances++;
  }
};
let answers = [];
let requests = 0;
const network = globalThis.fetch;
globalThis.fetch = async (url) => {
  if (!String(url).endsWith('decoder.wasm')) return network(url);
  requests++;
  return answers.shift() ?? new Response(program);
};

const url = new URL('../dist/decoder.wasm', import.meta.url).href;
const open = () => new Decoder(() => compiled('decoder', url, { fetch: globalThis.fetch, cache: false, patience: 1000 }), 64e6);
const how = { size: 2, fit: 0, filter: 0 };
const decoder = open();
const decode = (byte) => decoder.decode(Uint8Array.of(byte), how);

test('it is fetched with the first picture, again after a failure, and then never', async () => {
  answers = [new Response('', { status: 503 }), new Response('<!doctype html>')];
  await assert.rejects(decoder.load(), { code: 'wasm-fetch', retriable: true });
  await assert.rejects(decoder.load(), { code: 'wasm-fetch', message: /decoder\.wasm: a web page/ });
  await Promise.all([decoder.load(), decoder.load()]);
  await open().load();
  assert.equal(requests, 3);
});

test('one instance decodes one picture after another', () => {
  for (let call = 0; call < 3; call++) assert.equal(decode(FINE).pixels.length, 12);
  assert.equal(instances, 1);
});

test('a trap costs its instance and its call, and the next call works at once', () => {
  for (let round = 1; round <= 3; round++) {
    assert.throws(() => decode(TRAP), { name: 'MixedFeelingsError', code: 'image-corrupt', retriable: false });
    assert.equal(decode(FINE).pixels.length, 12);
    assert.equal(instances, 1 + round);
  }
});

test('memory that has grown is given back', () => {
  const before = instances;
  assert.equal(decode(GROW).pixels.length, 12);
  decode(FINE);
  assert.equal(instances, before + 1);
});

test('what it says of a picture that it refuses is the error', () => {
  const before = instances;
  assert.throws(() => decode(REFUSE), { code: 'image-unsupported', message: 'no', format: 'AVIF' });
  decode(FINE);
  assert.equal(instances, before, 'a refusal is not a crash');
});

test('an instance that cannot be had is a lack of memory', () => {
  decoder.free();
  const { Instance: counting } = WebAssembly;
  WebAssembly.Instance = function () {
    throw new RangeError('could not allocate memory');
  };
  try {
    assert.throws(() => decode(FINE), { code: 'image-memory', retriable: true });
  } finally {
    WebAssembly.Instance = counting;
  }
  assert.equal(decode(FINE).pixels.length, 12);
});
