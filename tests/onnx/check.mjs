// The same as check.py in onnxruntime-web, on one thread as in a page that is not cross-origin isolated.
//
//     node tests/onnx/check.mjs FOLDER

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import * as ort from 'onnxruntime-web';

ort.env.wasm.numThreads = 1;

const ARRAYS = { float32: Float32Array, int64: BigInt64Array };

function tensor({ type, dims, data }) {
  return new ort.Tensor(type, ARRAYS[type].from(data, type === 'int64' ? BigInt : Number), dims);
}

/** The largest difference, relative to what is expected where that is above 1. */
function difference(expected, found) {
  if (expected.length !== found.length) return Infinity;
  const differences = expected.map((value, index) => {
    if (value === null) return 0;
    const off = Math.abs(value - found[index]) / Math.max(1, Math.abs(value));
    return Number.isNaN(off) ? Infinity : off;
  });
  return Math.max(0, ...differences);
}

async function check(folder, name) {
  const { bound, batches } = JSON.parse(await readFile(join(folder, `${name}.json`), 'utf8'));
  const session = await ort.InferenceSession.create(await readFile(join(folder, `${name}.onnx`)));
  let [largest, where] = [0, ''];
  for (const { what, inputs, outputs } of batches) {
    const feeds = Object.fromEntries(Object.entries(inputs).map(([input, value]) => [input, tensor(value)]));
    const found = await session.run(feeds, Object.keys(outputs));
    for (const [output, expected] of Object.entries(outputs)) {
      const off = difference(expected, found[output].data);
      if (off >= largest) [largest, where] = [off, `${output} of ${what}`];
    }
  }
  await session.release();
  const good = largest <= bound;
  console.log(
    `${good ? 'ok  ' : 'FAIL'} ${name}: ${largest.toExponential(1)} of ${bound.toExponential(0)} in ${where}`,
  );
  return good;
}

const folder = process.argv[2];
const names = (await readdir(folder)).filter((file) => file.endsWith('.onnx')).map((file) => file.slice(0, -5));
console.log(`onnxruntime-web ${ort.env.versions.web}`);
let differ = 0;
for (const name of names.sort()) if (!(await check(folder, name))) differ += 1;
if (names.length === 0 || differ > 0) {
  console.error(`${differ} of ${names.length} files differ`);
  process.exitCode = 1;
}
