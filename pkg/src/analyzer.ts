/** The facade: each post on its way through. */

import { Lifetime, onAbort, orAborted, signalOf, throwIfAborted, type Ending } from './abort.js';
import type { Analyzer, Example, Info, LearnOptions } from './api.js';
import { batch } from './batch.js';
import { Devices, type Reader } from './devices.js';
import type { Engines } from './engines.js';
import { MixedFeelingsError, seen, shown } from './errors.js';
import type { Gpu } from './gpu.js';
import { takePicture } from './image.js';
import { Learning, type Profile } from './learning.js';
import { LIMITS } from './limits.js';
import { harmless, objectOf, postOf, type Settings } from './options.js';
import type { Platform } from './platform.js';
import { Preparer } from './prepare.js';
import { Passes } from './passes.js';
import { VERSION } from './release.js';
import type { Pixels } from './snapshot.js';
import type { Analysis, AnalyzeOptions, BatchOptions, ImageSource, Label, Post } from './types.js';

/** What an analyzer is made of. */
export interface Parts {
  readonly engines: Engines;
  readonly gpu: Gpu;
  readonly profile: Profile;
  readonly settings: Settings;
  readonly platform: Pick<Platform, 'resolve'>;
}

/** An object of functions that need no `this`, frozen: it works in pieces, behind a proxy, and in a store of Vue's. */
export function analyzerOf<L extends string>({ engines, gpu, profile, settings, platform }: Parts): Analyzer<L> {
  const { browserDecoder, timeout, limits, fetch } = settings;
  const { resolve } = platform;
  const { first: supervisor } = engines;
  const preparer = new Preparer(engines, { fetch, limits });
  const devices = new Devices(engines, gpu, profile);
  const life = new Lifetime();
  const labels = Object.freeze(supervisor.engine.opened.labels.map((label) => Object.freeze(label))) as readonly Label<L>[];

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

  const learning = new Learning({ engines, preparer, profile, limits, resolve, timeout, browserDecoder, ending });

  async function read(
    post: Post,
    options?: AnalyzeOptions | null,
    { reader = devices.alone, signal: batch }: { reader?: Reader; signal?: AbortSignal } = {},
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
    const { signal, timeout, onProgress } = seen(() => ({ ...objectOf(options ?? {}, 'the options') }));
    const reader = new Passes(devices.passes);
    return batch<L>(posts, {
      read: (post, given) => read(post, { timeout }, { reader, signal: given }),
      ahead: () => reader.ahead,
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
      await orAborted(gpu.settled(), signal);
    } finally {
      end();
    }
  }

  function dispose(): void {
    life.end(new MixedFeelingsError('disposed', 'the analyzer was disposed of'));
    gpu.dispose();
    engines.dispose();
  }

  async function info(): Promise<Info<L>> {
    const { signal, end } = ending([]);
    const running = engines.all;
    const asking = running.map((one) => one.run((engine) => engine.memory(), { picture: false, signal }));
    const memories = await orAborted(Promise.all(asking), signal).finally(end);
    const { opened, worker, why } = supervisor.engine;
    const { backend, reason, bundle } = opened;
    const { adapter } = gpu;
    const { use } = devices;
    const isOnGpu = adapter && (use.posts || use.batches);
    return {
      version: VERSION,
      bundle,
      labels,
      backend,
      device: isOnGpu ? 'webgpu' : 'cpu',
      gpu: isOnGpu ? { adapter: adapter.name, ...use } : null,
      worker,
      workers: worker ? running.length : 0,
      why: { backend: reason, device: devices.why, worker: why },
      memory: memories.reduce((sum, memory) => sum + memory, 0),
      profile: profile.bytes ? { examples: profile.examples } : null,
    };
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
    learn: (examples: Iterable<Example<L>>, options?: LearnOptions | null) => learning.learn(examples, options),
    exportProfile: () => learning.exportProfile(),
    importProfile: (given: Uint8Array | ArrayBuffer | Blob) => learning.importProfile(given),
    forget: () => learning.forget(),
    info,
    warmup,
    dispose,
    ...(Symbol.dispose && { [Symbol.dispose]: dispose }),
    ...(Symbol.asyncDispose && { [Symbol.asyncDispose]: async () => dispose() }),
  }) as Analyzer<L>;
}
