// rten, in the fastest build that this browser runs.

import { normalise, softmax } from './inputs.js';
import { load } from './ours.js';

export async function openRten(file, job, { texts, pictures }) {
  if (job.kind === 'jpeg') throw new Error('left out: it decodes nothing');
  const program = await load('/made/dist/relaxed-simd/bench').catch(() => load('/made/dist/simd128/bench'));
  const model = new program.OtherModel(new Uint8Array(await (await fetch(file.url)).arrayBuffer()));
  const none = { ids: new Int32Array(), planes: new Float32Array() };
  const ids = texts.map((text) => Int32Array.from(text.ids));
  const planes = pictures.map((pixels) => {
    const planes = new Float32Array((3 * pixels.length) / 4);
    normalise(pixels, job.picture, planes);
    return planes;
  });
  const ask = (i) =>
    model.run(ids[i % ids.length] ?? none.ids, planes[i % planes.length] ?? none.planes, job.output);
  let turn = 0;
  return {
    run() {
      const i = turn++;
      const began = performance.now();
      if (job.kind === 'pixels') normalise(pictures[i % pictures.length], job.picture, planes[i % planes.length]);
      ask(i);
      return performance.now() - began;
    },
    answer: () => softmax(ask(0), job.temperature),
    close: () => model.free(),
  };
}
