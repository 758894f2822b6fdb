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

/** Of each batch the largest difference, and where it is. */
async function* differences(session, batches) {
  for (const { what, inputs, outputs } of batches) {
    const feeds = Object.fromEntries(Object.entries(inputs).map(([input, value]) => [input, tensor(value)]));
    const found = await session.run(feeds, Object.keys(outputs));
    const all = Object.entries(outputs).map(([output, expected]) => ({
      off: difference(expected, found[output].data),
      where: `${output} of ${what}`,
    }));
    yield all.reduce((most, next) => (next.off > most.off ? next : most));
  }
}

async function check(folder, name) {
  const file = await readFile(join(folder, `${name}.onnx`));
  let good = true;
  for (const run of JSON.parse(await readFile(join(folder, `${name}.json`), 'utf8'))) {
    const graphOptimizationLevel = run.optimize ? 'all' : 'disabled';
    const session = await ort.InferenceSession.create(file, { graphOptimizationLevel });
    const ranked = [];
    for await (const batch of differences(session, run.batches)) ranked.push(batch);
    await session.release();
    ranked.sort((a, b) => a.off - b.off);
    const count = Math.ceil(run.quorum * ranked.length);
    const { off, where } = ranked[count - 1];
    const verdict = off <= run.bound ? 'ok  ' : 'FAIL';
    const how = run.optimize ? '' : ', as written';
    const most = `${off.toExponential(1)} of ${run.bound}`;
    console.log(`${verdict} ${name}${how}: ${most} in ${where}, ${count} of ${ranked.length}`);
    good &&= off <= run.bound;
  }
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
