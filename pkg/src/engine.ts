/** The program with its weights, in whatever thread this is. One call at a time. */

import { onAbort, throwIfAborted } from './abort.js';
import type { Backend, CacheLike, Info, Progress } from './api.js';
import type { Engine } from './bindings.js';
import { ProgramBuffer } from './buffer.js';
import { loadBundle, type BundleSource, type SentBundle } from './bundle.js';
import { Decoder, type Decoded, type Preprocess } from './decoder.js';
import { MixedFeelingsError } from './errors.js';
import type { Fetch } from './platform.js';
import { readBitmap, type Bitmap, type Pixels } from './snapshot.js';
import type { EngineAnalysis, Label, LearnReport, StageTimings } from './analysis.js';
import { compiled, guard, loadProgram, type Program, type WasmSources } from './wasm.js';

/** What an engine is opened with, as often as one must be. */
export interface EngineOptions {
  readonly bundle: BundleSource;
  readonly wasm: WasmSources;
  readonly cache: boolean | CacheLike;
  /** Milliseconds that a download may stand still, and that a worker may be busy without a word. */
  readonly patience: number;
  /** Milliseconds that a worker may take to say that it runs. */
  readonly hello: number;
  /** Most pixels of a picture's file. */
  readonly imagePixels: number;
}

/** The same without what a worker cannot be sent. */
export interface SentOptions extends EngineOptions {
  readonly bundle: SentBundle;
  readonly cache: boolean;
}

/** How it is opened. */
export interface OpenContext {
  readonly fetch: Fetch;
  readonly onProgress: (progress: Progress) => void;
  readonly signal?: AbortSignal | undefined;
  /** Why it works in this thread. */
  readonly why: string;
}

/** What is known of an engine once it is open; survives a message. */
export interface Opened {
  readonly labels: readonly Label<string>[];
  readonly backend: Backend;
  /** Why it is this one. */
  readonly reason: string;
  readonly bundle: Info['bundle'];
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
export type TimedAnalysis = EngineAnalysis<string> & { readonly timings: StageTimings };

/** An example that was read, and the place of its label among the bundle's. */
export interface Lesson {
  readonly numbers: Float32Array;
  readonly label: number;
}

/** What an engine has learned. */
export interface Learned {
  readonly report: LearnReport;
  /** As a file. */
  readonly profile: Uint8Array<ArrayBuffer>;
}

/** What an engine reads. */
export interface EnginePost {
  readonly text: string | undefined;
  readonly picture: Decoded | undefined;
}

/** Why a post of several has no analysis; the others have theirs. */
export interface Refused {
  readonly error: string;
  readonly code: string;
}

/** What the page talks to: an engine here, or one in a worker. Only {@link loadDecoder} may be under way beside a call. */
export interface EngineHandle {
  readonly opened: Opened;
  readonly worker: boolean;
  /** Why it is in a worker or not. */
  readonly why: string;
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
  analyze(text: string | undefined, picture: Decoded | undefined): Promise<TimedAnalysis>;
  /** Several in one pass, answered each as {@link analyze} answers it. */
  analyzeMany(posts: readonly EnginePost[]): Promise<readonly (TimedAnalysis | Refused)[]>;
  /** The numbers that stand for an example. */
  readExample(text: string | undefined, picture: Decoded | undefined): Promise<Float32Array>;
  /** Learns, in place of what was learned before. */
  learn(lessons: readonly Lesson[]): Promise<Learned>;
  /** Goes on with a profile, or as shipped without one. Resolves to how many examples it was learned from. */
  setProfile(profile: Uint8Array | undefined): Promise<number>;
  /** Bytes of the program's memory. */
  memory(): Promise<number>;
  dispose(): void;
}

/** Opens an engine in this thread. */
export async function openEngine(options: EngineOptions, context: OpenContext): Promise<EngineHandle> {
  const { bundle, wasm, cache, patience, imagePixels } = options;
  const { fetch, onProgress, signal, why } = context;
  throwIfAborted(signal);
  const fetching = new AbortController();
  const forget = onAbort(signal, () => fetching.abort(signal?.reason));
  const getting = { fetch, cache, patience };
  const loading = loadProgram(wasm, { ...getting, signal: fetching.signal });
  // The bundle is asked for at once, and comes in when the program is there to take it.
  const buffer = new ProgramBuffer(async () => (await loading).program);
  try {
    let last: Progress = { stage: 'download', loaded: 0, total: null, cached: false };
    const arriving = loadBundle(bundle, buffer, { ...getting, signal: fetching.signal }, (loaded, total, cached) => {
      onProgress((last = { stage: 'download', loaded, total, cached }));
    });
    const [{ program, backend, reason }, sha256] = await Promise.all([loading, arriving]);
    onProgress((last = { ...last, stage: 'load', total: last.loaded }));
    throwIfAborted(signal);
    const engine = guard(() => new program.Engine(buffer.take()));
    const labels = guard(() => JSON.parse(engine.labels()) as Label<string>[]);
    if (sha256) guard(() => engine.identify(sha256));
    const opened = { labels, backend, reason, bundle: { sha256, bytes: last.loaded } };
    const decoder = new Decoder(() => compiled('decoder', wasm.decoder, getting), imagePixels);
    const local = new LocalEngine(opened, why, program, engine, decoder);
    onProgress({ ...last, stage: 'ready' });
    return local;
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
  readonly end: Promise<void>;
  readonly #preprocess: Preprocess;
  /** Its memory goes with the last who knows of it. */
  #running: { readonly program: Program; readonly engine: Engine } | undefined;
  #gone = false;
  #ended = () => {};

  constructor(
    readonly opened: Opened,
    readonly why: string,
    program: Program,
    engine: Engine,
    private readonly decoder: Decoder,
  ) {
    this.#preprocess = guard(() => JSON.parse(engine.preprocess()) as Preprocess);
    this.end = new Promise((resolve) => (this.#ended = resolve));
    this.#running = { program, engine };
  }

  get gone(): boolean {
    return this.#gone;
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

  async analyze(text: string | undefined, picture: Decoded | undefined): Promise<TimedAnalysis> {
    return this.#call(({ program, engine }) => JSON.parse(engine.analyze(text, pictureOf(program, picture))) as TimedAnalysis);
  }

  async analyzeMany(posts: readonly EnginePost[]): Promise<readonly (TimedAnalysis | Refused)[]> {
    return this.#call(({ program, engine }) => {
      const pictures = posts.map(({ picture }) => pictureOf(program, picture));
      return JSON.parse(engine.analyzeMany(posts.map(({ text }) => text), pictures)) as (TimedAnalysis | Refused)[];
    });
  }

  async readExample(text: string | undefined, picture: Decoded | undefined): Promise<Float32Array> {
    return this.#call(({ program, engine }) => engine.readExample(text, pictureOf(program, picture)));
  }

  async learn(given: readonly Lesson[]): Promise<Learned> {
    return this.#call(({ program, engine }) => {
      const lessons = new program.Lessons();
      for (const { numbers, label } of given) lessons.add(numbers, label);
      const report = JSON.parse(engine.learn(lessons)) as LearnReport;
      return { report, profile: engine.profile()! };
    });
  }

  async setProfile(profile: Uint8Array | undefined): Promise<number> {
    return this.#call(({ engine }) => {
      if (profile) return engine.setProfile(profile);
      engine.forget();
      return 0;
    });
  }

  #call<T>(call: (running: { readonly program: Program; readonly engine: Engine }) => T): T {
    const running = this.#alive();
    try {
      return guard(() => call(running));
    } catch (error) {
      this.#gone = (error as MixedFeelingsError).code === 'crashed';
      if (this.#gone) this.#ended();
      throw error;
    }
  }

  async memory(): Promise<number> {
    return this.#alive().program.memory.buffer.byteLength;
  }

  dispose(): void {
    this.decoder.free();
    this.#running = undefined;
    this.#ended();
  }

  #alive(): { readonly program: Program; readonly engine: Engine } {
    if (this.#running) return this.#running;
    throw new MixedFeelingsError('disposed', 'the analyzer was disposed of');
  }
}

function pictureOf(program: Program, picture: Decoded | undefined) {
  return picture && new program.Picture(picture.pixels, picture.incomplete);
}
