// What a project with a browser's types writes. It is compiled, never run.
import { cached, createAnalyzer, MixedFeelingsError, type Analysis, type BatchResult } from 'mixed-feelings';
import { createAnalyzer as createFromCore } from 'mixed-feelings/core';
import { MixedFeelingsElement, type Words } from 'mixed-feelings/element';
import decoder from 'mixed-feelings/decoder.wasm';

declare const element: HTMLImageElement;
declare const file: File;
declare const canvas: OffscreenCanvas;

export async function use(): Promise<Analysis> {
  await using analyzer = await createAnalyzer({
    bundle: new Response('x'),
    worker: () => new Worker('worker.js', { type: 'module' }),
    cache: await caches.open('mine'),
    fetch: (url, init) => fetch(url, init),
    signal: AbortSignal.timeout(1000),
    onProgress: ({ stage, loaded }) => console.log(stage, loaded),
  });
  // @ts-expect-error: there is no such device
  await createAnalyzer({ device: 'abacus' });
  await createFromCore({ bundle: file, wasm: { simd128: await WebAssembly.compile(new Uint8Array()), decoder } });
  const results: BatchResult[] = [];
  for await (const result of analyzer.analyzeBatch([{ text: 'a' }, { image: file }])) results.push(result);
  await analyzer.analyzeImage(canvas, { timeout: 5 });
  // @ts-expect-error: a number is no picture
  await analyzer.analyzeImage(7);
  const five = await createAnalyzer<'anger' | 'joy'>({ bundle: 'five.safetensors' });
  const joy: number = (await five.analyzeText('x')).scores.joy;
  const marker = document.createElement('mixed-feelings');
  marker.analyzer = five;
  marker.words = { unsure: 'unsicher', joy: 'Freude' } satisfies Words;
  // @ts-expect-error: nobody but the element sets it
  marker.analysis = null;
  await (document.querySelector('mixed-feelings') ?? new MixedFeelingsElement()).read();
  if (await cached()) throw new MixedFeelingsError('bad-input', String(joy));
  return analyzer.analyze({ text: 'Perfect solitude', image: element });
}
