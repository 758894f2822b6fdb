// This project's programs, as the package's worker runs them; and the bare register tile of each.

import { Decoder } from '/pkg/dist/modules/decoder.js';

/** The int8 program of a build, or the float model. */
export async function openOurs(build, name, job, { texts, pictures, jpegs }) {
  const program = await load(`/pkg/dist/${build}/engine`);
  if (name === 'Engine') program.selfTest();
  const bundle = new Uint8Array(await (await fetch(job.bundle)).arrayBuffer());
  const buffer = new program.BundleBuffer(bundle.length);
  buffer.append(bundle);
  const engine = new program[name](buffer);
  const decoder = new Decoder(async () => WebAssembly.compile(await (await fetch('/pkg/dist/decoder.wasm')).arrayBuffer()), 64_000_000);
  await decoder.load();
  const preprocess = JSON.parse(engine.preprocess());
  const { kind } = job;
  let turn = 0;

  function ask(i) {
    const text = texts.length > 0 ? texts[i % texts.length].text : undefined;
    const began = performance.now();
    let decoded;
    if (kind === 'jpeg') decoded = decoder.decode(jpegs[i % jpegs.length], preprocess);
    else if (job.picture) {
      const { side } = job.picture;
      decoded = decoder.rgba(new Uint8Array(pictures[i % pictures.length]), side, side, preprocess);
    }
    const picture = decoded && new program.Picture(decoded.pixels, decoded.incomplete);
    const analysis = JSON.parse(engine.analyze(text, picture));
    const whole = performance.now() - began;
    return { analysis, whole };
  }

  return {
    run() {
      const { analysis, whole } = ask(turn++);
      if (kind === 'text') return analysis.timings.text;
      return kind === 'image' ? analysis.timings.image : whole;
    },
    answer() {
      ask(1); // so that it is not the last question again
      return Object.values(ask(0).analysis.scores);
    },
    close: () => engine.free(),
  };
}

/** How many tiles of the tile's peak make a run: some milliseconds. */
const TILES = 20_000;

/** The register tile alone, over data in the first cache. */
export async function openPeak(build) {
  const program = await load(`/made/dist/${build}/bench`);
  return {
    macs: program.peak(1) * TILES,
    run() {
      const began = performance.now();
      program.peak(TILES);
      return performance.now() - began;
    },
    close() {},
  };
}

/** A program of wasm-bindgen's `web` kind: `NAME.js` and `NAME_bg.wasm`. */
export async function load(name) {
  const program = await import(`${name}.js`);
  program.initSync({ module: await WebAssembly.compileStreaming(fetch(`${name}_bg.wasm`)) });
  return program;
}
