/** What wasm-bindgen makes of the program for the GPU; see `bindings.d.ts`, which is the same for the other two. */

import type { BundleBuffer, Picture } from './bindings.js';

/** Bindings of their own, for one instance. */
export function bindings(): GpuBindings;

export interface GpuBindings {
  readonly Picture: typeof Picture;
  readonly BundleBuffer: typeof BundleBuffer;
  readonly GpuEngine: typeof GpuEngine;
  /** Instantiates the program; must be called first, and once. */
  initSync(options: { module: WebAssembly.Module }): { readonly memory: WebAssembly.Memory };
}

export declare class GpuEngine {
  private constructor();
  /** Takes the buffer over. Rejects where there is no adapter, or none that can do what is needed. */
  static create(bundle: BundleBuffer): Promise<GpuEngine>;
  /** Rejects when this GPU computes other integers than the processor. */
  selfTest(): Promise<void>;
  /** As those of `Engine`. */
  labels(): string;
  preprocess(): string;
  /** What it computes on, as JSON. */
  adapter(): string;
  /** The analysis as JSON, with `timings`. Takes the picture over. */
  analyze(text: string | undefined, picture: Picture | undefined): Promise<string>;
  /** A list of analyses or `{ error, code }` as JSON. Takes the pictures over. */
  analyzeMany(texts: (string | undefined)[], pictures: (Picture | undefined)[]): Promise<string>;
  free(): void;
}
