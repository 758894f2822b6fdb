/** The GPU of this machine, as the browser tells of it. */

import { MixedFeelingsError } from './errors.js';

/** What the browser says of a GPU. */
export interface Adapter {
  readonly name: string;
  /** Whether it is none, but computes on the processor: then the processor alone is faster. */
  readonly software: boolean;
}

/** As far as it is needed; TypeScript's own library has none yet. */
interface Gpu {
  requestAdapter(): Promise<GpuAdapter | null>;
}
interface GpuAdapter {
  readonly isFallbackAdapter?: boolean;
  readonly info?: Partial<Record<(typeof NAMES)[number], string>> & { readonly isFallbackAdapter?: boolean };
}

const NAMES = ['vendor', 'architecture', 'device', 'description'] as const;
const SOFTWARE = /swiftshader|llvmpipe|lavapipe|softpipe|basic render|software/i;

/** @throws {MixedFeelingsError} `unsupported` where there is none, with the reason. */
export async function findAdapter(): Promise<Adapter> {
  const { gpu } = (globalThis as { navigator?: { gpu?: Gpu } }).navigator ?? {};
  if (!gpu) throw new MixedFeelingsError('unsupported', 'this browser has no WebGPU here');
  const adapter = await gpu.requestAdapter();
  if (!adapter) throw new MixedFeelingsError('unsupported', 'the browser offers no GPU');
  const { info } = adapter;
  const name = NAMES.map((part) => info?.[part]).filter(Boolean).join(' ') || 'a GPU without a name';
  return { name, software: !!(info?.isFallbackAdapter ?? adapter.isFallbackAdapter) || SOFTWARE.test(name) };
}
