// onnxruntime-web on one of its execution providers: its WebAssembly, or WebGPU.

import * as ort from '/ort/ort.webgpu.min.mjs';

import { normalise, softmax } from './inputs.js';

ort.env.wasm.wasmPaths = '/ort/';
ort.env.wasm.numThreads = 1;
ort.env.wasm.proxy = false;
ort.env.logLevel = 'error';

export async function openProvider({ device, url, kind, picture, output, temperature }, { texts, pictures }) {
  const executionProviders = [device === 'webgpu' ? 'webgpu' : 'wasm'];
  const model = new Uint8Array(await (await fetch(url)).arrayBuffer());
  const session = await ort.InferenceSession.create(model, { executionProviders, graphOptimizationLevel: 'all', logSeverityLevel: 3 });

  const feedsOf = (which) => (kind === 'text' ? ofTexts(which.map((i) => texts[i].ids)) : ofPictures(which.map((i) => pictures[i]), picture));

  /** The probabilities of each post. */
  async function ask(which) {
    const said = await session.run(feedsOf(which), [output]);
    const { data, dims } = said[output];
    return which.map((_, row) => softmax(data.subarray(row * dims[1], (row + 1) * dims[1]), temperature));
  }

  return { ask };
}

/** How many nodes of a graph each provider computes, as a session says that is asked to say everything. */
export async function placed({ url }) {
  ort.env.logLevel = 'verbose';
  const kept = { ...console };
  const said = [];
  for (const name of ['log', 'info', 'debug', 'warn', 'error']) console[name] = (...words) => said.push(words.join(' '));
  try {
    const options = { executionProviders: ['webgpu'], graphOptimizationLevel: 'all', logSeverityLevel: 0, logVerbosityLevel: 1 };
    await (await ort.InferenceSession.create(url, options)).release();
  } finally {
    Object.assign(console, kept);
  }
  const found = said.join('\n').matchAll(/placed on \[(\w+)ExecutionProvider\]\. Number of nodes: (\d+)/g);
  return Object.fromEntries(Array.from(found, ([, provider, count]) => [provider, Number(count)]));
}

function ofTexts(ids) {
  const shape = [ids.length, ids[0].length];
  const all = ids.flat();
  return {
    input_ids: new ort.Tensor('int64', BigInt64Array.from(all, BigInt), shape),
    attention_mask: new ort.Tensor('int64', new BigInt64Array(all.length).fill(1n), shape),
  };
}

function ofPictures(pictures, { side, ...range }) {
  const size = 3 * side * side;
  const planes = new Float32Array(pictures.length * size);
  pictures.forEach((pixels, i) => normalise(pixels, { side, ...range }, planes.subarray(i * size, (i + 1) * size)));
  return { pixel_values: new ort.Tensor('float32', planes, [pictures.length, 3, side, side]) };
}
