/** What page and worker say to each other. */

import type { Progress } from './api.js';
import { UndecodedError, type Decoded } from './decoder.js';
import type { EnginePost, ImageInput, Lesson, Opened, SentOptions } from './engine.js';
import { MixedFeelingsError } from './errors.js';

/** A call of the worker's engine. */
export type Call =
  | { readonly method: 'loadDecoder' }
  | { readonly method: 'inspect'; readonly head: Uint8Array<ArrayBuffer> }
  | { readonly method: 'decode'; readonly image: ImageInput }
  | { readonly method: 'analyze'; readonly text: string | undefined; readonly picture: Decoded | undefined }
  | { readonly method: 'readExample'; readonly text: string | undefined; readonly picture: Decoded | undefined }
  | { readonly method: 'learn'; readonly lessons: readonly Lesson[] }
  | { readonly method: 'setProfile'; readonly profile: Uint8Array | undefined }
  | { readonly method: 'analyzeMany'; readonly posts: readonly EnginePost[] }
  | { readonly method: 'memory' };

/** To the worker. */
export type Request =
  | { readonly type: 'open'; readonly options: SentOptions }
  | { readonly type: 'call'; readonly id: number; readonly call: Call }
  /** Whether it is there: it says hello again. */
  | { readonly type: 'ask' };

/** From the worker. */
export type Response =
  /** The script runs: from here on, what fails is not the worker's fault. It holds this Web Lock while it lives. */
  | { readonly type: 'hello'; readonly lock: string | undefined }
  | { readonly type: 'progress'; readonly progress: Progress }
  | { readonly type: 'opened'; readonly opened: Opened }
  | { readonly type: 'not-opened'; readonly error: ErrorMessage }
  | { readonly type: 'answer'; readonly id: number; readonly answer: unknown }
  | { readonly type: 'failure'; readonly id: number; readonly error: ErrorMessage };

/** An error that survives a message: `structuredClone` keeps neither class nor `code`. */
export interface ErrorMessage {
  readonly code: string;
  readonly message: string;
  readonly retriable: boolean;
  /** Of an {@link UndecodedError}. */
  readonly format?: string | null;
}

export function toMessage(error: unknown): ErrorMessage {
  if (!(error instanceof MixedFeelingsError)) return { code: 'crashed', message: String(error), retriable: true };
  const { code, message, retriable } = error;
  return { code, message, retriable, ...(error instanceof UndecodedError && { format: error.format }) };
}

export function fromMessage({ code, message, retriable, format }: ErrorMessage): MixedFeelingsError {
  if (format !== undefined) return new UndecodedError(code, message, format);
  return new MixedFeelingsError(code, message, { retriable });
}

/** The buffers and bitmaps of a call, which the sender does not need any more. */
export function transferables(call: Call): Transferable[] {
  if (call.method === 'inspect') return [call.head.buffer];
  if (call.method !== 'decode') return [];
  const { image } = call;
  return [image.kind === 'bitmap' ? image.bitmap : image.bytes.buffer];
}
