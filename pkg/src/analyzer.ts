/** The facade: options with their defaults, posts in their turn, one way to an engine here or in a worker. */

import { bundleSource } from './bundle.js';
import { openEngine, type EngineHandle, type EngineOptions, type PreparedPost } from './engine.js';
import { MixedFeelingsError } from './errors.js';
import { readImage, release } from './image.js';
import { NoWorkerError, openRemote } from './remote.js';
import type { Analysis, Analyzer, AnalyzerOptions, Backend, Label, Post, Progress, SentimentLabel } from './types.js';

/**
 * Loads the model. Everything is chosen by itself: the program that suits the engine, a worker, the bundle that comes
 * with the package, the cache.
 *
 * `L` is for TypeScript alone: the names of the labels in a `bundle` of your own, `string` where they are not known
 * beforehand. `analyzer.labels` says what they are.
 *
 * @throws {MixedFeelingsError} when the bundle or the program cannot be had; the signal's reason when it is aborted.
 */
export async function createAnalyzer<L extends string = SentimentLabel>(options: AnalyzerOptions = {}): Promise<Analyzer<L>> {
  const { bundle, sha256, onProgress = () => {}, signal, worker, cache = true } = options;
  const engine: EngineOptions = { bundle: bundleSource(bundle, sha256), cache };
  return new QueueingAnalyzer<L>(await openWhereItRuns(engine, worker, onProgress, signal));
}

/** In a worker if that is wanted; here if not, or if nobody insists and no worker starts. */
async function openWhereItRuns(
  options: EngineOptions,
  worker: boolean | undefined,
  onProgress: (progress: Progress) => void,
  signal: AbortSignal | undefined,
): Promise<EngineHandle> {
  if (worker === false) return openEngine(options, onProgress, signal);
  try {
    return await openRemote(options, onProgress, signal);
  } catch (error) {
    if (worker === true || !(error instanceof NoWorkerError)) throw error;
    return openEngine(options, onProgress, signal);
  }
}

class QueueingAnalyzer<L extends string> implements Analyzer<L> {
  readonly #engine: EngineHandle;
  /** Settles when the last post so far is done; never rejects. Of nothing, or each turn would hold on to all before it. */
  #turn: Promise<void> = Promise.resolve();
  readonly #disposed = new AbortController();

  constructor(engine: EngineHandle) {
    this.#engine = engine;
  }

  get labels(): readonly Label<L>[] {
    return this.#engine.labels as readonly Label<L>[];
  }

  get backend(): Backend {
    return this.#engine.backend;
  }

  get worker(): boolean {
    return this.#engine.worker;
  }

  analyze(post: Post): Promise<Analysis<L>> {
    const began = performance.now();
    const signals = [this.#disposed.signal, ...(post?.signal ? [post.signal] : [])];
    // The picture is taken at once, while it is what the caller sees; only the engine is waited for.
    const prepared = prepare(post);
    const answer = Promise.all([prepared, this.#turn]).then(async ([ready]) => {
      try {
        for (const signal of signals) signal.throwIfAborted();
        const analysis = await this.#engine.analyze(ready);
        const timings = { ...analysis.timings, total: performance.now() - began };
        return { ...analysis, timings } as Analysis<L>;
      } finally {
        release(ready.image);
      }
    });
    const settled = answer.catch(() => {});
    this.#turn = Promise.all([this.#turn, settled]).then(() => {});
    return untilAborted(answer, signals);
  }

  dispose(): void {
    this.#disposed.abort(new MixedFeelingsError('disposed', 'the analyzer was disposed of'));
    this.#engine.dispose();
  }
}

async function prepare(post: Post): Promise<PreparedPost> {
  if (typeof post !== 'object' || post === null) {
    throw new MixedFeelingsError('bad-input', 'analyze takes an object: { text, image }');
  }
  const { text, image, signal } = post;
  signal?.throwIfAborted();
  if (text != null && typeof text !== 'string') {
    throw new MixedFeelingsError('bad-input', `text is a ${typeof text}: give a string`);
  }
  return { text: text ?? undefined, image: image == null ? undefined : await readImage(image, signal) };
}

/** `promise`, or the reason of the first of `signals` that aborts before it settles. */
function untilAborted<T>(promise: Promise<T>, signals: readonly AbortSignal[]): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const listening = new AbortController();
    for (const signal of signals) {
      const abort = () => reject(signal.reason);
      if (signal.aborted) abort();
      else signal.addEventListener('abort', abort, { signal: listening.signal });
    }
    promise.then(resolve, reject).finally(() => listening.abort());
  });
}
