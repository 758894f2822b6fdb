// onnxruntime-web on its WebAssembly backend, one thread, everything that makes it fast switched on.

import * as ort from '/ort/ort.wasm.min.mjs';

import { Decoder, normalise, softmax } from './inputs.js';

ort.env.wasm.wasmPaths = '/ort/';
ort.env.wasm.numThreads = 1;
ort.env.wasm.proxy = false;
ort.env.logLevel = 'error';

const OPTIONS = {
  executionProviders: ['wasm'],
  graphOptimizationLevel: 'all',
  executionMode: 'sequential',
  enableCpuMemArena: true,
  enableMemPattern: true,
  logSeverityLevel: 3,
};

export async function openOrt(file, job, { texts, pictures, jpegs }) {
  const session = await ort.InferenceSession.create(
    new Uint8Array(await (await fetch(file.url)).arrayBuffer()),
    OPTIONS,
  );
  const ids = texts.map(({ ids }) => tensorsOfText(ids));
  const images = pictures.map((pixels) => tensorOfPicture(pixels, job.picture));
  const both = job.kind === 'pixels' || job.kind === 'jpeg' ? { has_text: one(), has_image: one() } : {};
  const decoder = job.kind === 'jpeg' ? new Decoder(job.picture.side) : undefined;
  let turn = 0;

  /** A page gets pixels or a file; a bare encoder gets the tensor as it wants it. */
  async function ask(i) {
    const image = images[i % images.length];
    if (job.kind === 'jpeg') normalise(await decoder.pixels(jpegs[i % jpegs.length]), job.picture, image.data);
    else if (job.kind === 'pixels') normalise(pictures[i % pictures.length], job.picture, image.data);
    const feeds = { ...ids[i % ids.length], ...(image && { pixel_values: image }), ...both };
    const said = await session.run(feeds, [job.output]);
    return said[job.output].data;
  }

  return {
    async run() {
      const i = turn++;
      const began = performance.now();
      await ask(i);
      return performance.now() - began;
    },
    answer: async () => softmax(await ask(0), job.temperature),
    close: () => session.release(),
  };
}

const one = () => new ort.Tensor('float32', Float32Array.of(1), [1]);

function tensorsOfText(ids) {
  const shape = [1, ids.length];
  return {
    input_ids: new ort.Tensor('int64', BigInt64Array.from(ids, BigInt), shape),
    attention_mask: new ort.Tensor('int64', new BigInt64Array(ids.length).fill(1n), shape),
  };
}

function tensorOfPicture(pixels, { side, ...range }) {
  const planes = new Float32Array(3 * side * side);
  normalise(pixels, { side, ...range }, planes);
  return new ort.Tensor('float32', planes, [1, 3, side, side]);
}
