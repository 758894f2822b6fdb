/** The program with its weights, in whatever thread this is. One post at a time. */

import { ProgramBuffer } from './buffer.js';
import { loadBundle, type BundleSource } from './bundle.js';
import type { Engine, Picture } from './engine-glue.js';
import { MixedFeelingsError } from './errors.js';
import type { Encoded, ImageInput } from './image.js';
import { readBitmap, type Pixels } from './snapshot.js';
import type { Analysis, Backend, Label, Progress, Timings } from './types.js';
import { guard, loadProgram, type Program } from './wasm.js';

/** What an engine is opened with; survives a message to a worker. */
export interface EngineOptions {
  readonly bundle: BundleSource;
  readonly cache: boolean;
}

/** A post ready to be read; survives a message to a worker. */
export interface PreparedPost {
  readonly text: string | undefined;
  readonly image: ImageInput | undefined;
}

/** An analysis without the time that the way to the engine took. */
export type EngineAnalysis = Omit<Analysis<string>, 'timings'> & { readonly timings: Omit<Timings, 'total'> };

/** What the facade talks to: an engine here, or one in a worker. */
export interface EngineHandle {
  readonly labels: readonly Label<string>[];
  readonly backend: Backend;
  readonly worker: boolean;
  analyze(post: PreparedPost): Promise<EngineAnalysis>;
  dispose(): void;
}

/** Opens an engine in this thread. */
export async function openEngine(
  { bundle, cache }: EngineOptions,
  onProgress: (progress: Progress) => void,
  signal?: AbortSignal,
): Promise<EngineHandle> {
  const fetching = new AbortController();
  const abort = () => fetching.abort(signal?.reason);
  signal?.throwIfAborted();
  signal?.addEventListener('abort', abort, { once: true });
  const options = { signal: fetching.signal, cache };
  const loading = loadProgram(options);
  // The bundle is asked for at once, and comes in when the program is there to take it.
  const buffer = new ProgramBuffer(async () => (await loading).program);
  try {
    let last: Progress = { stage: 'download', loaded: 0, total: null, cached: false };
    const arriving = loadBundle(bundle, buffer, options, (loaded, total, cached) => {
      onProgress((last = { stage: 'download', loaded, total, cached }));
    });
    const [{ program, backend }] = await Promise.all([loading, arriving]);
    onProgress((last = { ...last, stage: 'load', total: last.loaded }));
    signal?.throwIfAborted();
    const engine = guard(() => new program.Engine(buffer.take()));
    const labels = guard(() => JSON.parse(engine.labels()) as Label<string>[]);
    onProgress({ ...last, stage: 'ready' });
    return new LocalEngine(labels, backend, program, engine);
  } catch (error) {
    // When program or bundle fails, the other need not go on.
    fetching.abort();
    buffer.free();
    throw error;
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}

class LocalEngine implements EngineHandle {
  readonly worker = false;
  #engine: Engine | undefined;

  constructor(
    readonly labels: readonly Label<string>[],
    readonly backend: Backend,
    private readonly program: Program,
    engine: Engine,
  ) {
    this.#engine = engine;
  }

  // Declared async so that everything that it throws becomes a rejection.
  async analyze({ text, image }: PreparedPost): Promise<EngineAnalysis> {
    const engine = this.#engine;
    if (!engine) throw new MixedFeelingsError('disposed', 'the analyzer was disposed of');
    const began = performance.now();
    const drawn = image?.kind === 'bitmap' ? readBitmap(image) : image;
    const drawing = performance.now() - began;
    const analysis = guard(() => JSON.parse(engine.analyze(text, drawn && this.#picture(drawn))) as EngineAnalysis);
    return { ...analysis, timings: { ...analysis.timings, decode: analysis.timings.decode + drawing } };
  }

  #picture(image: Encoded | Pixels): Picture {
    const { Picture } = this.program;
    return image.kind === 'encoded' ? Picture.encoded(image.bytes) : Picture.rgba(image.width, image.height, image.bytes);
  }

  dispose(): void {
    try {
      this.#engine?.free();
    } catch {
      // It crashed before; its memory goes with the page or the worker.
    }
    this.#engine = undefined;
  }
}
