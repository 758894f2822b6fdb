// What a project without a browser's types writes. It is compiled, never run.
import { createAnalyzer, type Analyzer, type Info } from 'mixed-feelings';
import { createAnalyzer as createFromCore } from 'mixed-feelings/core';

export async function use(): Promise<Info> {
  const analyzer: Analyzer = await createFromCore({ bundle: new Uint8Array(1), wasm: { simd128: 'simd128.wasm' }, worker: false });
  const { label, scores } = await analyzer.analyze({ text: 'x', image: new ArrayBuffer(8) });
  const positive: number = scores.positive;
  // @ts-expect-error: there is no such label
  if (label === 'joy') throw new Error(String(positive));
  const other = await createAnalyzer();
  other.dispose();
  return analyzer.info();
}
