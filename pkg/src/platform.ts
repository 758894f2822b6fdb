/** What differs between a page, Node.js and an edge runtime; everything else is the same everywhere. */

import type { FetchInit, WorkerLike } from './api.js';

/** What fetches; as in `AnalyzerOptions`. */
export type Fetch = (url: string, init: FetchInit) => Promise<Response>;

/** The wasm files by their names in the options. */
export type WasmName = 'relaxed-simd' | 'simd128' | 'decoder' | 'webgpu';

/** Where the package's own files are, as far as the JavaScript beside them knows. */
export interface Assets {
  bundle(): URL;
  readonly wasm: Readonly<Record<WasmName, () => URL>>;
}

/** Where the package runs. */
export interface Platform {
  readonly fetch: Fetch;
  /**
   * The URL that `url` names here: seen from the page, or a path.
   *
   * @throws {MixedFeelingsError} `bad-input` when it names none.
   */
  resolve(url: string | URL): URL;
  /** None where the caller brings them. */
  readonly assets?: Assets;
  /** Starts a worker of the package's script; none where there is none, or where the caller brings it. */
  readonly startWorker?: (() => WorkerLike) | undefined;
  /** Starts a worker of the script for the GPU; none where there can be no GPU. */
  readonly startGpuWorker?: (() => WorkerLike) | undefined;
  /** How many threads may compute at a time. */
  cores(): number;
}
