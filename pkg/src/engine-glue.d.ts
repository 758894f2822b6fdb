/** What wasm-bindgen makes of `src/web/`: written by hand, so that the TypeScript compiles before the wasm does. */

export class Picture {
  /** The bytes of an image file. */
  static encoded(bytes: Uint8Array): Picture;
  /** `4 * width * height` bytes of RGBA. */
  static rgba(width: number, height: number, pixels: Uint8Array): Picture;
  free(): void;
}

export class Engine {
  /** Takes a copy of the bundle's bytes. */
  constructor(bundle: Uint8Array);
  /** The analysis as JSON, with `timings`. Takes the picture over. */
  analyze(text: string | undefined, picture: Picture | undefined): string;
  free(): void;
}

/** Throws when this engine computes wrong numbers. */
export function selfTest(): void;

export function initSync(options: { module: WebAssembly.Module }): unknown;
