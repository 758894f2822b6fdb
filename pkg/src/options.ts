/** What a caller gives, looked at before anything is done with it. `null` is as good as `undefined`. */

import { signalOf } from './abort.js';
import { bundleSource } from './bundle.js';
import type { EngineOptions } from './engine.js';
import { MixedFeelingsError, shown } from './errors.js';
import { kindOf } from './kinds.js';
import { checkText } from './limits.js';
import type { AnalyzerOptions, ImageSource, Post, Progress } from './types.js';

/** Milliseconds for what has no other limit. */
const TIMEOUT = 30_000;

/** The options of `createAnalyzer`, as they are used. */
export interface Settings {
  readonly engine: EngineOptions;
  readonly worker: boolean | undefined;
  readonly browserDecoder: boolean;
  readonly timeout: number;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: (progress: Progress) => void;
}

export function settingsOf(options: AnalyzerOptions | null | undefined): Settings {
  const { bundle, sha256, onProgress, signal, worker, cache, timeout, browserDecoder } = objectOf(options ?? {}, 'the options');
  const patience = timeoutOf(timeout) ?? TIMEOUT;
  return {
    engine: { bundle: bundleSource(bundle, sha256), cache: !!(cache ?? true), patience, hello: patience },
    worker: worker ?? undefined,
    browserDecoder: browserDecoder ?? true,
    timeout: patience,
    signal: signalOf(signal),
    onProgress: harmless(onProgress),
  };
}

/** A post, as it is used. */
export interface TakenPost {
  readonly text: string | undefined;
  readonly image: ImageSource | undefined;
  readonly timeout: number | undefined;
  readonly signal: AbortSignal | undefined;
}

export function postOf(post: Post): TakenPost {
  if (typeof post !== 'object' || post === null) {
    throw new MixedFeelingsError('bad-input', 'analyze takes an object: { text, image }');
  }
  const { text, image, signal, timeout } = post;
  if (text != null && typeof text !== 'string') {
    throw new MixedFeelingsError('bad-input', `text is ${kindOf(text)}: give a string`);
  }
  if (text != null) checkText(text);
  // An empty field of a form is no picture, as an empty text is no text.
  const given = typeof image === 'string' && image.trim() === '' ? undefined : image;
  return { text: text ?? undefined, image: given ?? undefined, timeout: timeoutOf(timeout), signal: signalOf(signal) };
}

function objectOf<T>(value: T, what: string): T {
  if (typeof value === 'object') return value;
  throw new MixedFeelingsError('bad-input', `${what} are a ${typeof value}: give an object`);
}

function timeoutOf(timeout: number | null | undefined): number | undefined {
  if (timeout == null) return undefined;
  if (typeof timeout === 'number' && timeout > 0) return timeout;
  throw new MixedFeelingsError('bad-input', `timeout is ${shown(kindOf(timeout) === 'Number' ? timeout : kindOf(timeout))}: give milliseconds`);
}

/** A callback whose errors are the caller's affair: they are told once, and stop nothing. */
function harmless(onProgress: AnalyzerOptions['onProgress']): (progress: Progress) => void {
  if (onProgress == null) return () => {};
  if (typeof onProgress !== 'function') {
    throw new MixedFeelingsError('bad-input', `onProgress is ${kindOf(onProgress)}: give a function`);
  }
  let told = false;
  // Asynchronous, so that what an `async` one throws is caught too.
  return async (progress) => {
    try {
      await onProgress(progress);
    } catch (error) {
      if (!told) console.error('mixed-feelings: onProgress throws', error);
      told = true;
    }
  };
}
