// What the package ships: a bundle that is whole, small enough and of this release's format, and says what it is made of.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

const NAME = 'mixed-feelings-small.safetensors';
/** Bytes that a page may ask its visitors to download. */
const MOST = 14_000_000;

const file = (name) => readFileSync(new URL(`../${name}`, import.meta.url));
const bundle = file(NAME);

/** The strings in a safetensors header; see src/bundle/format.rs. */
function metadataOf(bytes) {
  const length = Number(bytes.readBigUInt64LE(0));
  return JSON.parse(bytes.subarray(8, 8 + length).toString()).__metadata__;
}

test('the bundle is small enough to download', () => {
  assert.ok(bundle.length <= MOST, `${bundle.length} bytes`);
});

test('the checksum beside it is its own', () => {
  const [digits, name] = file(`${NAME}.sha256`).toString().trim().split(/\s+/);
  assert.equal(digits, createHash('sha256').update(bundle).digest('hex'));
  assert.equal(name, NAME);
});

test('it is of the format that this release reads', () => {
  const { format, version } = metadataOf(bundle);
  assert.deepEqual({ format, version }, { format: 'mixed-feelings', version: '3' });
});

test('it says what it is made of', () => {
  const metadata = metadataOf(bundle);
  for (const note of ['base', 'licence', 'trained_on']) assert.ok(metadata[note]?.trim(), `the metadata have no ${note}`);
});

test('the model card comes along', () => {
  const { files } = JSON.parse(file('package.json').toString());
  for (const name of [NAME, `${NAME}.sha256`, 'MODEL_CARD.md']) assert.ok(files.includes(name), `${name} is not shipped`);
  assert.match(file('MODEL_CARD.md').toString(), /^# Model card: `mixed-feelings-small`/);
});
