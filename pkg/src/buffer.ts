/** The place inside the program that the bundle arrives in, so that there is never a second copy of it here. */

import type { BundleBuffer } from './engine-glue.js';
import { MixedFeelingsError } from './errors.js';
import type { CheckedDestination } from './fetch.js';
import { guard, lifeOf, type Program } from './wasm.js';

/** A {@link CheckedDestination} in the memory of a program that may still be on its way. */
export class ProgramBuffer implements CheckedDestination {
  readonly #program: () => Promise<Program>;
  #loaded: Program | undefined;
  #life = 0;
  #buffer: BundleBuffer | undefined;
  /** Whether nothing may come any more. */
  #freed = false;

  constructor(program: () => Promise<Program>) {
    this.#program = program;
  }

  async begin(length: number | null): Promise<void> {
    const program = await this.#program();
    // First, so that the new bytes can lie where the old ones lay.
    this.#release();
    this.#loaded = program;
    this.#life = lifeOf(program);
    if (!this.#freed) this.#buffer = guard(program, () => new program.BundleBuffer(length ?? 0));
  }

  append(chunk: Uint8Array): void {
    const buffer = this.#begun();
    if (this.#loaded) guard(this.#loaded, () => buffer.append(chunk));
  }

  sha256(): Promise<ArrayBuffer> {
    return this.#begun().sha256();
  }

  /** What came, for an engine to take over. */
  take(): BundleBuffer {
    const buffer = this.#begun();
    this.#buffer = undefined;
    return buffer;
  }

  /** Gives the memory back, unless an engine has it. */
  free(): void {
    this.#freed = true;
    this.#release();
  }

  #release(): void {
    const buffer = this.#buffer;
    this.#buffer = undefined;
    // The memory of a program that crashed went with it.
    if (buffer && this.#isOfThisLife()) buffer.free();
  }

  #isOfThisLife(): boolean {
    return this.#loaded !== undefined && lifeOf(this.#loaded) === this.#life;
  }

  #begun(): BundleBuffer {
    if (!this.#buffer) throw new Error('nothing is coming');
    // Another analyzer of this thread took the program down meanwhile. It runs again, without this buffer.
    if (!this.#isOfThisLife()) {
      throw new MixedFeelingsError('crashed', 'the program was started again while the bundle came in');
    }
    return this.#buffer;
  }
}
