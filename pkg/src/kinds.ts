/**
 * What a value is, told by its tag and not by `instanceof`: what comes from another frame, from `node:vm` or from a test
 * environment is as good, and has other classes.
 */

import { MixedFeelingsError } from './errors.js';

/** `'Blob'`, `'ArrayBuffer'`, `'HTMLImageElement'`, `'Undefined'`, ... */
export function kindOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice('[object '.length, -1);
}

/** Whether `value` is an `ArrayBuffer`, a shared one too, or a view of one. */
export function isBytes(value: unknown): value is ArrayBuffer | ArrayBufferView {
  return ArrayBuffer.isView(value) || /^(Shared)?ArrayBuffer$/.test(kindOf(value));
}

/**
 * The bytes that `source` shows, still its own.
 *
 * @throws {MixedFeelingsError} `bad-input` when its buffer was given away; `what` names it.
 */
export function viewOf(source: ArrayBuffer | ArrayBufferView, what: string): Uint8Array {
  try {
    return ArrayBuffer.isView(source)
      ? new Uint8Array(source.buffer, source.byteOffset, source.byteLength)
      : new Uint8Array(source);
  } catch (cause) {
    throw new MixedFeelingsError('bad-input', `${what} is detached: its buffer was transferred elsewhere`, { cause });
  }
}
