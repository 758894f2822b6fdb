/** What wasm-bindgen makes of `src/web/`: written by hand, so that the TypeScript compiles before the wasm does. */

export class Picture {
  /** The pixels that the encoder reads, as the decoder's program makes them. */
  constructor(pixels: Uint8Array, incomplete: boolean);
  free(): void;
}

export class BundleBuffer {
  /** With room for so many bytes; 0 where the length is not known. */
  constructor(capacity: number);
  /** Copies the bytes to the end of those that are there. */
  append(chunk: Uint8Array): void;
  /** Of what is there now; rejects or throws outside of secure contexts. */
  sha256(): Promise<ArrayBuffer>;
  free(): void;
}

export class Engine {
  /** Takes the buffer over, whether it succeeds or not. */
  constructor(bundle: BundleBuffer);
  /** The bundle's labels as JSON, `[{ name, polarity }]`, in the order of the logits. */
  labels(): string;
  /** How the encoder wants its pixels, as JSON: `{ size, fit, filter }`, numbers for the decoder's program. */
  preprocess(): string;
  /** The analysis as JSON, with `timings`. Takes the picture over. */
  analyze(text: string | undefined, picture: Picture | undefined): string;
  free(): void;
}

/** Throws when this engine computes wrong numbers. */
export function selfTest(): void;

export function initSync(options: { module: WebAssembly.Module }): unknown;

/** Instantiates the program anew: what it made before throws when it is called, and frees nothing. */
export function __wbg_reset_state(): void;
