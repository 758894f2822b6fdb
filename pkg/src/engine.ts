/** The program with its weights, in whatever thread this is. One call at a time. */

import { onAbort, throwIfAborted } from './abort.js';
import { ProgramBuffer } from './buffer.js';
import { loadBundle, type BundleSource } from './bundle.js';
import { Decoder, type Decoded, type Preprocess } from './decoder.js';
import type { Engine } from './engine-glue.js';
import { MixedFeelingsError } from './errors.js';
import { readBitmap, type Bitmap, type Pixels } from './snapshot.js';
import type { Analysis, Backend, Label, Progress, Timings } from './types.js';
import { guard, lifeOf, loadProgram, type Program } from './wasm.js';

/** What an engine is opened with; survives a message to a worker, as often as one must be opened. */
export interface EngineOptions {
  readonly bundle: BundleSource;
  readonly cache: boolean;
  /** Milliseconds that a download may stand still, and that a worker may be busy without a word. */
  readonly patience: number;
  /** Milliseconds that a worker may take to say that it runs. */
  readonly hello: number;
}

/** A picture's file. */
export interface Encoded {
  readonly kind: 'encoded';
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** A picture for the decoder; survives a message to a worker, which takes it over. */
export type ImageInput = Encoded | Pixels | Bitmap;

/** A decoded picture, and how long that took. */
export type TimedDecoded = Decoded & { readonly decode: number };

/** An analysis without what only the page knows. */
export type EngineAnalysis = Omit<Analysis<string>, 'timings' | 'decodedBy'> & { readonly timings: Omit<Timings, 'total'> };

/** What the page talks to: an engine here, or one in a worker. Only {@link loadDecoder} may be under way beside a call. */
export interface EngineHandle {
  readonly labels: readonly Label<string>[];
  readonly backend: Backend;
  readonly worker: boolean;
  /** Whether it is of no use any more, because it crashed or its worker is gone. */
  readonly gone: boolean;
  /** Settles when it is gone, or disposed of. */
  readonly end: Promise<void>;
  /** Must be done before the next two calls. */
  loadDecoder(): Promise<void>;
  /** Rejects when the first bytes of a file say that the rest is not worth reading. */
  inspect(head: Uint8Array<ArrayBuffer>): Promise<void>;
  /** To the pixels that the encoder reads. A worker that is busy with it for longer than `patience` is taken for stuck. */
  decode(image: ImageInput, patience?: number): Promise<TimedDecoded>;
  analyze(text: string | undefined, picture: Decoded | undefined): Promise<EngineAnalysis>;
  dispose(): void;
}

/** Opens an engine in this thread. */
export async function openEngine(
  { bundle, cache, patience }: EngineOptions,
  onProgress: (progress: Progress) => void,
  signal?: AbortSignal,
): Promise<EngineHandle> {
  throwIfAborted(signal);
  const fetching = new AbortController();
  const forget = onAbort(signal, () => fetching.abort(signal?.reason));
  const options = { signal: fetching.signal, cache, patience };
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
    throwIfAborted(signal);
    const engine = guard(program, () => new program.Engine(buffer.take()));
    const opened = new LocalEngine(backend, program, engine, new Decoder({ cache, patience }));
    onProgress({ ...last, stage: 'ready' });
    return opened;
  } catch (error) {
    // When program or bundle fails, the other need not go on.
    fetching.abort();
    buffer.free();
    throw error;
  } finally {
    forget();
  }
}

// Its methods are async so that everything that they throw becomes a rejection.
class LocalEngine implements EngineHandle {
  readonly worker = false;
  readonly labels: readonly Label<string>[];
  readonly end: Promise<void>;
  readonly #preprocess: Preprocess;
  readonly #life: number;
  #engine: Engine | undefined;
  #ended = () => {};

  constructor(
    readonly backend: Backend,
    private readonly program: Program,
    engine: Engine,
    private readonly decoder: Decoder,
  ) {
    this.labels = guard(program, () => JSON.parse(engine.labels()) as Label<string>[]);
    this.#preprocess = guard(program, () => JSON.parse(engine.preprocess()) as Preprocess);
    this.end = new Promise((resolve) => (this.#ended = resolve));
    this.#life = lifeOf(program);
    this.#engine = engine;
  }

  get gone(): boolean {
    return lifeOf(this.program) !== this.#life;
  }

  loadDecoder(): Promise<void> {
    return this.decoder.load();
  }

  async inspect(head: Uint8Array): Promise<void> {
    this.decoder.inspect(head);
  }

  async decode(image: ImageInput): Promise<TimedDecoded> {
    const began = performance.now();
    const input = image.kind === 'bitmap' ? readBitmap(image) : image;
    const decoded =
      input.kind === 'encoded'
        ? this.decoder.decode(input.bytes, this.#preprocess)
        : this.decoder.rgba(input.bytes, input.width, input.height, this.#preprocess);
    return { ...decoded, decode: performance.now() - began };
  }

  async analyze(text: string | undefined, picture: Decoded | undefined): Promise<EngineAnalysis> {
    const { program } = this;
    const engine = this.#engine;
    if (!engine) throw new MixedFeelingsError('disposed', 'the analyzer was disposed of');
    try {
      return guard(program, () => {
        const taken = picture && new program.Picture(picture.pixels, picture.incomplete);
        return JSON.parse(engine.analyze(text, taken)) as EngineAnalysis;
      });
    } finally {
      if (this.gone) this.#ended();
    }
  }

  dispose(): void {
    this.decoder.free();
    try {
      if (!this.gone) this.#engine?.free();
    } catch {
      // Its memory goes with the page or the worker.
    }
    this.#engine = undefined;
    this.#ended();
  }
}
