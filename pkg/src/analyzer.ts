/** The facade: each post on its way through. */

import { Lifetime, onAbort, orAborted, signalOf, throwIfAborted, type Ending } from './abort.js';
import type { Analyzer, Info } from './api.js';
import { batch } from './batch.js';
import type { EngineAnalysis, EngineHandle, EnginePost } from './engine.js';
import { MixedFeelingsError, seen, shown } from './errors.js';
import { takePicture } from './image.js';
import { LIMITS } from './limits.js';
import { harmless, postOf, type Settings } from './options.js';
import type { Platform } from './platform.js';
import { Preparer } from './prepare.js';
import { IN_THREAD, IN_WORKER, Passes, passAnswer, type PassReader } from './passes.js';
import { VERSION } from './release.js';
import type { Pixels } from './snapshot.js';
import type { Supervisor } from './supervisor.js';
import type { Analysis, AnalyzeOptions, BatchOptions, ImageSource, Label, Post } from './types.js';

/** The last step of a post: alone, or with others. */
interface Reader {
  read(post: EnginePost, signal: AbortSignal): Promise<EngineAnalysis>;
}

/** An object of functions that need no `this`, frozen: it works in pieces, behind a proxy, and in a store of Vue's. */
export function analyzerOf<L extends string>(
  supervisor: Supervisor,
  { browserDecoder, timeout, limits, fetch }: Settings,
  { resolve }: Pick<Platform, 'resolve'>,
): Analyzer<L> {
  const preparer = new Preparer(supervisor, { fetch, limits });
  const life = new Lifetime();
  const labels = Object.freeze(supervisor.engine.opened.labels.map((label) => Object.freeze(label))) as readonly Label<L>[];

  const alone: Reader = {
    read: ({ text, picture }, signal) => supervisor.run((engine) => engine.analyze(text, picture), { picture: false, signal }),
  };

  // What a pass waits for goes on with whoever still waits, and each post of it has a signal of its own.
  const never = new AbortController().signal;
  const manyTogether: PassReader = {
    size: () => (supervisor.engine.worker ? IN_WORKER : IN_THREAD),
    async read(take) {
      const ask = async (engine: EngineHandle) => {
        const posts = take();
        return posts.length > 0 ? engine.analyzeMany(posts) : [];
      };
      return (await supervisor.run(ask, { picture: false, signal: never })).map(passAnswer);
    },
  };

  /** A signal that aborts when the analyzer is disposed of, or with any of these; `end` aborts it, and listens no more. */
  function ending(signals: readonly (AbortSignal | undefined)[]): { signal: AbortSignal; end: () => void } {
    const controller = new AbortController();
    const forward = (signal: Ending | undefined) => onAbort(signal, () => controller.abort(signal?.reason));
    const stops = seen(() => [life, ...signals].map(forward));
    const end = () => {
      stops.forEach((stop) => stop());
      controller.abort();
    };
    return { signal: controller.signal, end };
  }

  async function read(
    post: Post,
    options?: AnalyzeOptions | null,
    { reader = alone, signal: batch }: { reader?: Reader; signal?: AbortSignal } = {},
  ): Promise<Analysis<L>> {
    const began = performance.now();
    const given = seen(() => postOf(post, options, limits));
    const { signal, end } = ending([...given.signals, batch]);
    try {
      throwIfAborted(signal);
      // The picture is taken at once, while it is what the caller sees.
      const picture = given.image === undefined ? undefined : seen(() => takePicture(given.image!, { resolve, limits, signal }));
      const preparing = picture && preparer.prepare(picture, { timeout: given.timeout ?? timeout, signal, browserDecoder });
      const prepared = preparing && (await orAborted(preparing, signal));
      const reading = reader.read({ text: given.text, picture: prepared }, signal);
      const { timings, ...analysis } = await orAborted(reading, signal);
      return {
        ...analysis,
        decodedBy: prepared?.decodedBy ?? null,
        timings: { ...timings, decode: timings.decode + (prepared?.decode ?? 0), total: performance.now() - began },
      } as Analysis<L>;
    } catch (cause) {
      if (signal.aborted || cause instanceof MixedFeelingsError) throw cause;
      throw new MixedFeelingsError('crashed', `nobody foresaw this: ${shown(cause)}`, { cause });
    } finally {
      end();
    }
  }

  const analyze = (post: Post, options?: AnalyzeOptions | null) => read(post, options);

  function analyzeBatch(posts: Iterable<Post> | AsyncIterable<Post>, options?: BatchOptions | null) {
    const { signal, timeout, onProgress } = seen(() => ({ ...options }));
    const reader = new Passes(manyTogether);
    return batch<L>(posts, {
      read: (post, given) => read(post, { timeout }, { reader, signal: given }),
      signal: seen(() => signalOf(signal)),
      onProgress: harmless(onProgress),
    });
  }

  async function warmup(options?: AnalyzeOptions | null): Promise<void> {
    const text = 'warm up';
    const { signal, end } = ending(seen(() => postOf({ text }, options, LIMITS)).signals);
    const pixel: Pixels = { kind: 'rgba', width: 1, height: 1, bytes: new Uint8Array(4) };
    try {
      const decoding = supervisor.run((engine) => engine.decode(pixel), { picture: true, signal });
      const decoded = await orAborted(decoding, signal);
      await orAborted(supervisor.run((engine) => engine.analyze(text, decoded), { picture: false, signal }), signal);
    } finally {
      end();
    }
  }

  function dispose(): void {
    life.end(new MixedFeelingsError('disposed', 'the analyzer was disposed of'));
    supervisor.dispose();
  }

  async function info(): Promise<Info<L>> {
    const { signal, end } = ending([]);
    const asking = supervisor.run((engine) => engine.memory(), { picture: false, signal });
    const memory = await orAborted(asking, signal).finally(end);
    const { opened, worker, why } = supervisor.engine;
    const { backend, reason, bundle } = opened;
    const reasons = { backend: reason, device: 'this release computes on the processor only', worker: why };
    return { version: VERSION, bundle, labels, backend, device: 'cpu', worker, why: reasons, memory };
  }

  return Object.freeze({
    labels,
    get backend() {
      return supervisor.engine.opened.backend;
    },
    get worker() {
      return supervisor.engine.worker;
    },
    analyze,
    analyzeText: (text: string, options?: AnalyzeOptions | null) => analyze({ text }, options),
    analyzeImage: (image: ImageSource, options?: AnalyzeOptions | null) => analyze({ image }, options),
    analyzeBatch,
    info,
    warmup,
    dispose,
    ...(Symbol.dispose && { [Symbol.dispose]: dispose }),
    ...(Symbol.asyncDispose && { [Symbol.asyncDispose]: async () => dispose() }),
  }) as Analyzer<L>;
}
