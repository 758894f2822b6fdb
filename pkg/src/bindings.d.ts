/**
 * What wasm-bindgen makes of `src/web/`, the same for both programs: written by hand, so that the TypeScript compiles before
 * the wasm does. wasm-bindgen's module has one instance; `cargo pack` makes a function of it that gives as many as are wanted.
 */

/** Bindings of their own, for one instance. */
export function bindings(): Bindings;

export interface Bindings {
  readonly Picture: typeof Picture;
  readonly BundleBuffer: typeof BundleBuffer;
  readonly Engine: typeof Engine;
  /** Throws when this engine computes wrong numbers. */
  selfTest(): void;
  /** Instantiates the program; must be called first, and once. */
  initSync(options: { module: WebAssembly.Module }): { readonly memory: WebAssembly.Memory };
}

export declare class Picture {
  /** The pixels that the encoder reads, as the decoder's program makes them. */
  constructor(pixels: Uint8Array, incomplete: boolean);
  free(): void;
}

export declare class BundleBuffer {
  /** With room for so many bytes; 0 where the length is not known. */
  constructor(capacity: number);
  /** Copies the bytes to the end of those that are there. */
  append(chunk: Uint8Array): void;
  /** Of what is there now; rejects or throws outside of secure contexts. */
  sha256(): Promise<ArrayBuffer>;
  free(): void;
}

export declare class Engine {
  /** Takes the buffer over, whether it succeeds or not. */
  constructor(bundle: BundleBuffer);
  /** The bundle's labels as JSON, `[{ name, polarity }]`, in the order of the logits. */
  labels(): string;
  /** How the encoder wants its pixels, as JSON: `{ size, fit, filter }`, numbers for the decoder's program. */
  preprocess(): string;
  /** The analysis as JSON, with `timings`. Takes the picture over. */
  analyze(text: string | undefined, picture: Picture | undefined): string;
  /**
   * As many analyses as posts in a JSON list, in their order, or `{ error, code }` in the place of a post that cannot be
   * read. `timings` are the post's even share of a pass. Takes the pictures over.
   */
  analyzeMany(texts: (string | undefined)[], pictures: (Picture | undefined)[]): string;
  free(): void;
}
