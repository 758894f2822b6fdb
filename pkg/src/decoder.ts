/**
 * The program that turns a picture's file or pixels into those that the encoder reads. It meets whatever bytes there are,
 * so it has a memory of its own that is thrown away: after a trap, when there is no more of it, and when it has grown.
 */

import { MixedFeelingsError, shown } from './errors.js';

/** How the encoder wants its pixels: numbers that the engine gives for the decoder to take. */
export interface Preprocess {
  /** Pixels a side. */
  readonly size: number;
  readonly fit: number;
  readonly filter: number;
}

/** A picture as the encoder reads it; survives a message. */
export interface Decoded {
  readonly pixels: Uint8Array<ArrayBuffer>;
  /** Whether parts of the picture were missing. */
  readonly incomplete: boolean;
}

/** What the program exports; see `pkg/decoder/`. */
interface Exports {
  readonly memory: WebAssembly.Memory;
  /** Where the next call's input goes; 0 when there is no memory for it. */
  allocate(bytes: number): number;
  inspect(pointer: number, length: number, mostPixels: number): number;
  decode(pointer: number, length: number, mostPixels: number, size: number, fit: number, filter: number): number;
  rgba(pointer: number, length: number, width: number, height: number, size: number, fit: number, filter: number): number;
  output(): number;
  output_length(): number;
  incomplete(): number;
}

/** A memory that has grown beyond this is given back: it would never shrink. */
const MOST_KEPT = 16 << 20;
/** From here on, a trap is a lack of memory: the program stops when an allocation fails. */
const SCARCE = 512 << 20;

/** The decoder of one engine. */
export class Decoder {
  #loading: Promise<void> | undefined;
  #module: WebAssembly.Module | undefined;
  #instance: Exports | undefined;

  /**
   * `compiled` gives the program, with the first picture; nothing of it ends with a call: it is for all that come. Files of
   * more than `mostPixels` are refused.
   */
  constructor(
    private readonly compiled: () => Promise<WebAssembly.Module>,
    private readonly mostPixels: number,
  ) {}

  /** Must be done before the calls below, which then need nobody. */
  load(): Promise<void> {
    this.#loading ??= this.#load().catch((error: unknown) => {
      // The next picture tries again.
      this.#loading = undefined;
      throw error;
    });
    return this.#loading;
  }

  async #load(): Promise<void> {
    try {
      this.#module = await this.compiled();
    } catch (cause) {
      if (cause instanceof MixedFeelingsError) throw cause;
      const message = `the decoder cannot be compiled: ${shown(cause)}`;
      throw new MixedFeelingsError('wasm-fetch', message, { cause, retriable: true });
    }
  }

  /** @throws {MixedFeelingsError} when the first bytes of a file say that the rest is not worth reading. */
  inspect(head: Uint8Array): void {
    this.#call(head, (program, pointer) => program.inspect(pointer, head.length, this.mostPixels));
  }

  /** From a file's bytes. */
  decode(file: Uint8Array, { size, fit, filter }: Preprocess): Decoded {
    return this.#call(file, (program, pointer) => program.decode(pointer, file.length, this.mostPixels, size, fit, filter));
  }

  /** From pixels with straight alpha. */
  rgba(pixels: Uint8Array, width: number, height: number, { size, fit, filter }: Preprocess): Decoded {
    return this.#call(pixels, (program, pointer) => program.rgba(pointer, pixels.length, width, height, size, fit, filter));
  }

  /** Lets go of the memory. */
  free(): void {
    this.#instance = undefined;
  }

  #call(input: Uint8Array, call: (program: Exports, pointer: number) => number): Decoded {
    const program = this.#started();
    let refusal: Refusal;
    try {
      const pointer = program.allocate(input.length) >>> 0;
      if (pointer === 0) throw new MixedFeelingsError('image-memory', 'there is no memory for the image');
      new Uint8Array(program.memory.buffer, pointer, input.length).set(input);
      const ok = call(program, pointer) === 0;
      // A copy: the memory goes on to other pictures.
      const output = new Uint8Array(program.memory.buffer, program.output() >>> 0, program.output_length()).slice();
      if (ok) return { pixels: output, incomplete: program.incomplete() !== 0 };
      refusal = JSON.parse(new TextDecoder().decode(output)) as Refusal;
    } catch (cause) {
      this.free();
      throw broken(cause, program.memory.buffer.byteLength);
    } finally {
      if (program.memory.buffer.byteLength > MOST_KEPT) this.free();
    }
    throw new UndecodedError(refusal.code, refusal.message, refusal.format);
  }

  #started(): Exports {
    if (!this.#module) throw new Error('the decoder is not loaded');
    try {
      this.#instance ??= new WebAssembly.Instance(this.#module, {}).exports as unknown as Exports;
    } catch (cause) {
      throw new MixedFeelingsError('image-memory', `there is no memory for the decoder: ${shown(cause)}`, { cause });
    }
    return this.#instance;
  }
}

/** What the program says of a picture that it does not read. */
interface Refusal {
  readonly code: string;
  readonly message: string;
  /** The format as far as it is known: another decoder may have it. */
  readonly format: string | null;
}

/** A picture that the program does not read. */
export class UndecodedError extends MixedFeelingsError {
  constructor(code: string, message: string, readonly format: string | null) {
    super(code, message);
  }
}

function broken(cause: unknown, memory: number): MixedFeelingsError {
  if (cause instanceof MixedFeelingsError) return cause;
  return memory >= SCARCE
    ? new MixedFeelingsError('image-memory', 'there is not enough memory for the image', { cause })
    : new MixedFeelingsError('image-corrupt', `the image breaks its decoder: ${shown(cause)}`, { cause });
}
