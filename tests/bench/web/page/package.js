// The npm package as a page has it, and how large it is in memory.

import { createAnalyzer } from '/pkg/dist/index.js';

export { createAnalyzer };

/** Bytes of wasm memory in the analyzer's worker; memory never shrinks. */
export async function wasmBytes(analyzer) {
  return (await analyzer.info()).memory;
}

/** Bytes of the page's own heap, where the browser tells: of what is in use, its garbage collected. */
export function heapBytes() {
  globalThis.gc?.();
  return performance.memory?.usedJSHeapSize ?? null;
}

const WORDS = 'what a day in the rain with nobody but you and this silly old umbrella that never opens when we need it at all'.split(' ');

/** A text of 24 words, another one for each number. */
export function textOf(number) {
  return Array.from({ length: 24 }, (_, i) => WORDS[(i * (1 + (number % 5)) + number) % WORDS.length]).join(' ');
}

/** A picture of 224 x 224 pixels, another one for each number. */
export function pictureOf(number) {
  const image = new ImageData(224, 224);
  for (let i = 0; i < image.data.length; i += 4) {
    image.data[i] = i / 800 + number * 40;
    image.data[i + 1] = (i >> 4) + number;
    image.data[i + 2] = 90;
    image.data[i + 3] = 255;
  }
  return image;
}
