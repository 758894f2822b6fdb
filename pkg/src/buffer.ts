/** The place inside the program that the bundle arrives in, so that there is never a second copy of it here. */

import type { BundleBuffer } from './bindings.js';
import type { CheckedDestination } from './fetch.js';
import { guard, type Program } from './wasm.js';

/** A {@link CheckedDestination} in the memory of a program that may still be on its way. */
export class ProgramBuffer implements CheckedDestination {
  readonly #program: () => Promise<Pick<Program, 'BundleBuffer'>>;
  #buffer: BundleBuffer | undefined;
  /** Whether nothing may come any more. */
  #freed = false;

  constructor(program: () => Promise<Pick<Program, 'BundleBuffer'>>) {
    this.#program = program;
  }

  async begin(length: number | null): Promise<void> {
    const program = await this.#program();
    // First, so that the new bytes can lie where the old ones lay.
    this.#release();
    if (!this.#freed) this.#buffer = guard(() => new program.BundleBuffer(length ?? 0));
  }

  append(chunk: Uint8Array): void {
    const buffer = this.#begun();
    guard(() => buffer.append(chunk));
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
    buffer?.free();
  }

  #begun(): BundleBuffer {
    if (!this.#buffer) throw new Error('nothing is coming');
    return this.#buffer;
  }
}
