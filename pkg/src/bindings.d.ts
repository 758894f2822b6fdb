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
  readonly Lessons: typeof Lessons;
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

export declare class Lessons {
  constructor();
  /** Adds what `readExample` gave, and the place of its label among the bundle's. */
  add(numbers: Float32Array, label: number): void;
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
  /** Says what the bundle's SHA-256 is: profiles of others are refused from then on. */
  identify(sha256: string): void;
  /** The numbers that stand for an example. Takes the picture over. */
  readExample(text: string | undefined, picture: Picture | undefined): Float32Array<ArrayBuffer>;
  /** Learns, in place of what was learned before. The report as JSON. Takes the lessons over. */
  learn(lessons: Lessons): string;
  /** What was learned, as a file. */
  profile(): Uint8Array<ArrayBuffer> | undefined;
  /** Goes on with a profile; returns how many examples it was learned from. */
  setProfile(bytes: Uint8Array): number;
  /** Answers as it was shipped again. */
  forget(): void;
  /**
   * As many analyses as posts in a JSON list, in their order, or `{ error, code }` in the place of a post that cannot be
   * read. `timings` are the post's even share of a pass. Takes the pictures over.
   */
  analyzeMany(texts: (string | undefined)[], pictures: (Picture | undefined)[]): string;
  free(): void;
}
