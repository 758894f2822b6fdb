// The way to the first answer, as a visitor waits for it.

import { createAnalyzer, heapBytes, pictureOf, textOf, wasmBytes } from './package.js';

/** Milliseconds until the analyzer is there and until it has answered, and the memory that it has then. */
export async function load({ bundle, device }) {
  const picture = pictureOf(1);
  const began = performance.now();
  let cached = false;
  const analyzer = await createAnalyzer({ device, onProgress: (progress) => (cached = progress.cached) });
  const ready = performance.now() - began;
  await analyzer.analyze({ text: textOf(1), image: picture });
  const answered = performance.now() - began;
  const bytes = await wasmBytes(analyzer);
  const backend = analyzer.backend;
  analyzer.dispose();
  const size = Number((await fetch(bundle, { method: 'HEAD' })).headers.get('Content-Length'));
  return { backend, cached, ready, answered, wasmBytes: bytes, bundleBytes: size, heapBytes: heapBytes() };
}
