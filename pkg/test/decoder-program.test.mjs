// The decoder's program as it is shipped, called as the package calls it: no imports, no bindings.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

const wasm = new URL('../dist/decoder.wasm', import.meta.url);
const photo = readFileSync(new URL('../../www/photos/summer-palace.jpg', import.meta.url));
const module = new WebAssembly.Module(readFileSync(wasm));

/** More pixels than it reads in any case. */
const MOST = 0xffff_ffff;

const start = () => new WebAssembly.Instance(module, {}).exports;

function input(decoder, bytes) {
  const pointer = decoder.allocate(bytes.length);
  assert.notEqual(pointer, 0);
  new Uint8Array(decoder.memory.buffer, pointer, bytes.length).set(bytes);
  return [pointer, bytes.length];
}

const output = (decoder) =>
  Buffer.from(decoder.memory.buffer, decoder.output(), decoder.output_length());

function refusal(decoder, status) {
  assert.equal(status, 1);
  return JSON.parse(output(decoder).toString());
}

test('no imports, and the exports that its documentation has', () => {
  assert.deepEqual(WebAssembly.Module.imports(module), []);
  assert.deepEqual(
    WebAssembly.Module.exports(module).map((one) => one.name).sort(),
    ['allocate', 'decode', 'incomplete', 'inspect', 'memory', 'output', 'output_length', 'rgba'],
  );
});

test('a photo becomes the square, the same every time', () => {
  const decoder = start();
  const pixels = [0, 1].map(() => {
    assert.equal(decoder.decode(...input(decoder, photo), MOST, 224, 0, 1), 0);
    assert.equal(decoder.incomplete(), 0);
    return Buffer.from(output(decoder));
  });
  assert.equal(pixels[0].length, 224 * 224 * 3);
  assert.ok(pixels[0].equals(pixels[1]));
});

test('a cut photo is read and marked, and the next one is not', () => {
  const decoder = start();
  assert.equal(decoder.decode(...input(decoder, photo.subarray(0, photo.length >> 1)), MOST, 224, 0, 1), 0);
  assert.equal(decoder.incomplete(), 1);
  assert.equal(decoder.decode(...input(decoder, photo), MOST, 224, 0, 1), 0);
  assert.equal(decoder.incomplete(), 0);
});

test('RGBA is laid over white', () => {
  const decoder = start();
  assert.equal(decoder.rgba(...input(decoder, new Uint8Array(4 * 4 * 4)), 4, 4, 32, 0, 1), 0);
  assert.ok(output(decoder).every((value) => value === 255));
  const { code } = refusal(decoder, decoder.rgba(...input(decoder, new Uint8Array(8)), 9, 9, 32, 0, 1));
  assert.equal(code, 'image-shape');
});

test('errors have a code, a message, and the name of a format that is not read', () => {
  const decoder = start();
  const decode = (bytes) => refusal(decoder, decoder.decode(...input(decoder, bytes), MOST, 224, 0, 1));
  assert.equal(decode(Buffer.from('hello, world')).code, 'not-an-image');
  assert.equal(decode(Buffer.from('')).code, 'image-empty');
  const heic = decode(Buffer.from('\0\0\0\x18ftypheic\0\0\0\0heic', 'latin1'));
  assert.deepEqual([heic.code, heic.format], ['image-unsupported', 'HEIC']);
  assert.equal(decode(photo.subarray(0, 100)).code, 'image-corrupt');
});

test('the first bytes of a file say that it is too large, never that it is cut', () => {
  const decoder = start();
  assert.equal(decoder.inspect(...input(decoder, photo.subarray(0, 4096)), MOST), 0);
  assert.equal(decoder.inspect(...input(decoder, photo.subarray(0, 3)), MOST), 0);
  const bomb = Buffer.from(
    'ffd8ffc00011080000000003011100021100031100ffda000c03010002000300003f00ffd9'.replace('0800000000', '08ea60ea60'),
    'hex',
  );
  assert.equal(refusal(decoder, decoder.inspect(...input(decoder, bomb), MOST)).code, 'image-too-large');
  // A page may want less.
  for (const [most, ok] of [[273_279, false], [273_280, true]]) {
    assert.equal(decoder.inspect(...input(decoder, photo), most), ok ? 0 : 1);
    assert.equal(decoder.decode(...input(decoder, photo), most, 224, 0, 1), ok ? 0 : 1);
    if (!ok) assert.match(refusal(decoder, 1).message, /640x427 .* 273279/);
  }
});

test('no memory is an error, and what traps costs one instance', () => {
  const decoder = start();
  assert.equal(decoder.allocate(0x7fff_0000), 0, 'more than the program may have');
  assert.equal(decoder.decode(...input(decoder, photo), MOST, 224, 0, 1), 0);
  // As a fault inside would: this instance may be in any state now.
  assert.throws(() => decoder.decode(0xffff_0000, 16, MOST, 224, 0, 1), WebAssembly.RuntimeError);
  const next = start();
  assert.equal(next.decode(...input(next, photo), MOST, 224, 0, 1), 0);
});
