/** What page and worker say to each other. */

import { MixedFeelingsError } from './errors.js';
import type { EngineAnalysis, EngineOptions, PreparedPost } from './engine.js';
import type { Backend, Label, Progress } from './types.js';

/** To the worker. */
export type Request =
  | { readonly type: 'open'; readonly options: EngineOptions }
  | { readonly type: 'analyze'; readonly id: number; readonly post: PreparedPost };

/** From the worker. */
export type Response =
  /** The script runs: from here on, what fails is not the worker's fault. */
  | { readonly type: 'hello' }
  | { readonly type: 'progress'; readonly progress: Progress }
  | { readonly type: 'opened'; readonly opened: Opened }
  | { readonly type: 'not-opened'; readonly error: ErrorMessage }
  | { readonly type: 'answer'; readonly id: number; readonly analysis: EngineAnalysis }
  | { readonly type: 'failure'; readonly id: number; readonly error: ErrorMessage };

/** What the page must know of the worker's engine. */
export interface Opened {
  readonly labels: readonly Label<string>[];
  readonly backend: Backend;
}

/** An error that survives a message: `structuredClone` keeps neither class nor `code`. */
export interface ErrorMessage {
  readonly code: string;
  readonly message: string;
}

export function toMessage(error: unknown): ErrorMessage {
  if (error instanceof MixedFeelingsError) return { code: error.code, message: error.message };
  return { code: 'crashed', message: String(error) };
}

export function fromMessage({ code, message }: ErrorMessage): MixedFeelingsError {
  return new MixedFeelingsError(code, message);
}

/** The buffers and bitmaps of a request, which the sender does not need any more. */
export function transferables(request: Request): Transferable[] {
  if (request.type === 'open') {
    const { from } = request.options.bundle;
    return from instanceof Uint8Array ? [from.buffer] : [];
  }
  const { image } = request.post;
  if (!image) return [];
  return [image.kind === 'bitmap' ? image.bitmap : image.bytes.buffer];
}
