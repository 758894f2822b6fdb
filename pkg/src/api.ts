/// <reference lib="esnext.disposable" preserve="true" />
/** What one calls: how an analyzer is made, what it does, and what it says of itself. */

import type { LearnReport } from './analysis.js';
import type {
  Analysis,
  AnalyzeOptions,
  BatchOptions,
  BatchProgress,
  BatchResult,
  ImageSource,
  Known,
  Label,
  Post,
  SentimentLabel,
} from './types.js';

/** How far {@link Library.createAnalyzer} has come. */
export interface Progress {
  /** `download`: bytes of the bundle are arriving; `load`: they are checked and unpacked; `ready`: done. */
  readonly stage: 'download' | 'load' | 'ready';
  /** Bytes of the bundle that are here. */
  readonly loaded: number;
  /** Bytes of the whole bundle, where the server says so. */
  readonly total: number | null;
  /** Whether they come from the cache and not over the network. */
  readonly cached: boolean;
}

/** Which of the package's programs runs: the one with relaxed SIMD is about twice as fast, the answers are the same. */
export type Backend = 'simd128' | 'relaxed-simd';

/** A compiled program; what `import` gives for a `.wasm` in workerd, and `WebAssembly.compile` elsewhere. */
export type WasmModule = typeof globalThis extends { WebAssembly: { Module: { prototype: infer Module } } } ? Module : never;

/** A program: compiled, or where it is, or its bytes. */
export type WasmSource = WasmModule | string | Known<'URL'> | ArrayBuffer | Uint8Array;

/** The package's wasm files, where they are not beside its JavaScript. Of the first two, one is enough; the faster is used. */
export interface WasmFiles {
  /** `mixed-feelings/relaxed-simd.wasm`. */
  readonly 'relaxed-simd'?: WasmSource | null | undefined;
  /** `mixed-feelings/simd128.wasm`. */
  readonly simd128?: WasmSource | null | undefined;
  /** `mixed-feelings/decoder.wasm`, which reads pictures: loaded with the first one. */
  readonly decoder?: WasmSource | null | undefined;
  /** `mixed-feelings/webgpu.wasm`, which computes on the GPU: loaded only when that is tried. */
  readonly webgpu?: WasmSource | null | undefined;
}

/** The weights: where they are, or their bytes. What can be read only once is read once. */
export type BundleOption =
  | string
  | ArrayBuffer
  | Uint8Array
  | Known<'URL'>
  | Known<'Blob'>
  | Known<'Response'>
  | Known<'ReadableStream'>;

/** A web worker, or a `Worker` of `node:worker_threads`, that runs `mixed-feelings/worker`. */
export interface WorkerLike {
  postMessage(message: any, transfer?: any): void;
  terminate(): unknown;
}

/** Where files may be kept, as in a browser's `Cache`: what is put in is whole and right. */
export interface CacheLike {
  match(url: string): Promise<Known<'Response'> | undefined>;
  put(url: string, response: Known<'Response'>): Promise<void>;
}

/** How something is fetched, as `fetch` takes it. All but the signal is for the file behind an `<img>`, as the element asked for it. */
export interface FetchInit {
  readonly signal: Known<'AbortSignal'>;
  readonly cache?: 'force-cache';
  readonly mode?: 'same-origin' | 'cors';
  readonly credentials?: 'same-origin' | 'include';
  readonly referrerPolicy?:
    | ''
    | 'no-referrer'
    | 'no-referrer-when-downgrade'
    | 'origin'
    | 'origin-when-cross-origin'
    | 'same-origin'
    | 'strict-origin'
    | 'strict-origin-when-cross-origin'
    | 'unsafe-url';
}

/** The most that is read of a post; above the package's own limits nothing is, whatever is given here. */
export interface Limits {
  /** Bytes of a text in UTF-8: 100,000. */
  readonly textBytes?: number | null | undefined;
  /** Bytes of a picture's file: 64,000,000. */
  readonly imageBytes?: number | null | undefined;
  /**
   * Pixels of a picture's file, judged by its header before anything is decoded, or of an `ImageData`: 64,000,000. What the
   * browser draws, elements and canvases and bitmaps, is scaled down and not refused.
   */
  readonly imagePixels?: number | null | undefined;
}

/** Everything about {@link Library.createAnalyzer} that can be chosen; the defaults suit a page. */
export interface AnalyzerOptions {
  /** The bundle. By default the one that comes with the package. */
  readonly bundle?: BundleOption | null | undefined;
  /**
   * The bundle's SHA-256 in hexadecimal digits. That of the default bundle is known; another one is held to nothing unless
   * this is given, and asked of the network at each visit: the cache is for when that fails.
   */
  readonly sha256?: string | null | undefined;
  /** The programs. By default those beside the package's JavaScript. */
  readonly wasm?: WasmFiles | null | undefined;
  /** Told how far loading has come. What it throws is logged once and stops nothing. */
  readonly onProgress?: ((progress: Progress) => void) | null | undefined;
  /** Gives up: the promise rejects with the signal's reason, and nothing stays behind. */
  readonly signal?: Known<'AbortSignal'> | null | undefined;
  /**
   * Whether to work in a web worker (a thread in Node.js, Deno and Bun), so that the page stays smooth: by default
   * wherever there are any, `false` for this thread, `true` to fail rather than that. Or a worker of one's own that runs
   * `mixed-feelings/worker`, or a function that starts one: only with a function can another be started after a crash.
   * It belongs to the analyzer, which ends it.
   */
  readonly worker?: boolean | WorkerLike | (() => WorkerLike) | null | undefined;
  /**
   * Most workers that read a batch. A batch that has read for half a second gets others beside the first one, each with the
   * weights in a memory of its own, if they can be had without the network again; ten seconds after the last batch they
   * are closed. A whole number up to 16, 1 for no others; by default one less than there are cores, between 2 and 4, but no
   * more than 256 MB hold: with a bundle of more than 50 MB that is one.
   */
  readonly batchWorkers?: number | null | undefined;
  /**
   * What computes. The processor answers first, whatever is chosen. `'auto'`, the default: when it has read for a second in
   * all, the GPU is tried beside it in a moment of rest, and gets what it reads faster by a fifth at least; which that is,
   * is kept with the bundle. A GPU that is software is not tried. `'webgpu'`: the GPU reads all as soon as it can, whatever
   * it is; where there is none, the processor does, and {@link Analyzer.info} says why. `'cpu'`: no GPU is looked for.
   * A GPU that fails costs time alone: the processor reads that post and those that come.
   */
  readonly device?: 'auto' | 'cpu' | 'webgpu' | null | undefined;
  /**
   * Where to keep bundle and programs, so that the next visit needs no network: by default in the browser's Cache Storage,
   * `false` for nowhere.
   */
  readonly cache?: boolean | CacheLike | null | undefined;
  /** Whether to ask the browser not to clear what this site keeps when it runs out of room. By default `false`. */
  readonly persist?: boolean | null | undefined;
  /** What to fetch with in place of the global `fetch`: bundle, programs and pictures. */
  readonly fetch?: ((url: string, init: FetchInit) => Promise<Known<'Response'>>) | null | undefined;
  readonly limits?: Limits | null | undefined;
  /**
   * Milliseconds, 30,000 by default: how long a picture may take to be there (downloaded, read, decoded), how long a
   * worker may take to start, or be busy without a word (10,000 at least) before it is taken for stuck, and how long a
   * download of the package's own files may stand still.
   */
  readonly timeout?: number | null | undefined;
  /**
   * Whether the browser may decode pictures of formats that the package cannot. Then what it shows is what is read, which
   * may differ from browser to browser: see {@link Analysis.decodedBy}. By default `true`.
   */
  readonly browserDecoder?: boolean | null | undefined;
}

/** What runs, where and why. */
export interface Info<L extends string = SentimentLabel> {
  /** The package's version. */
  readonly version: string;
  readonly bundle: {
    /** SHA-256 of the bundle in hexadecimal digits; `null` where none can be computed (plain http). */
    readonly sha256: string | null;
    readonly bytes: number;
  };
  readonly labels: readonly Label<L>[];
  readonly backend: Backend;
  /** `'webgpu'` where the GPU reads single posts, batches or both. */
  readonly device: 'cpu' | 'webgpu';
  /** The GPU, and what it reads; `null` where it reads nothing. */
  readonly gpu: { readonly adapter: string; readonly posts: boolean; readonly batches: boolean } | null;
  /** Whether it works in a worker. */
  readonly worker: boolean;
  /** Workers that read now: 0 in the caller's own thread; more than one during a long batch, and shortly after it. */
  readonly workers: number;
  /** In a few words each. */
  readonly why: { readonly backend: string; readonly device: string; readonly worker: string };
  /** Bytes of the program's memory, weights included, in all workers; that of the decoder comes and goes. */
  readonly memory: number;
  /** What it has learned from, if anything: see {@link Analyzer.learn}. */
  readonly profile: { readonly examples: number } | null;
}

/** A post, and what it ought to be called. It teaches the head that answers for such posts: of text, picture, or both. */
export interface Example<L extends string = SentimentLabel> extends Post {
  readonly label: L;
}

/** How {@link Analyzer.learn} is called. */
export interface LearnOptions extends AnalyzeOptions {
  /** Told after each example. What it throws is logged once and stops nothing. */
  readonly onProgress?: ((progress: BatchProgress) => void) | null | undefined;
}

/**
 * Reads posts. It is frozen and its functions need no `this`: it may be taken apart, or be put behind a proxy.
 *
 * One post is read at a time, in the order in which they are ready: a text does not wait for a picture that is on its
 * way. A failed one does not disturb the next, not even when it takes the program or its worker down: those come up again
 * by themselves.
 */
export interface Analyzer<L extends string = SentimentLabel> {
  /** The labels that the bundle knows, two or more, in the order of its logits. */
  readonly labels: readonly Label<L>[];
  readonly backend: Backend;
  /** Whether it works in a worker. */
  readonly worker: boolean;
  /**
   * Reads a post.
   *
   * @throws {MixedFeelingsError} with a `code` that says what is wrong with the input, and `retriable`.
   */
  analyze(this: void, post: Post, options?: AnalyzeOptions | null): Promise<Analysis<L>>;
  /** `analyze({ text })`. */
  analyzeText(this: void, text: string, options?: AnalyzeOptions | null): Promise<Analysis<L>>;
  /** `analyze({ image })`. */
  analyzeImage(this: void, image: ImageSource, options?: AnalyzeOptions | null): Promise<Analysis<L>>;
  /**
   * Reads many posts, answered in their order. A few are under way at a time, and the next are only asked for when
   * answers are taken. A post that fails is an answer too; an aborted signal ends all with its reason.
   */
  analyzeBatch(
    this: void,
    posts: Iterable<Post> | AsyncIterable<Post>,
    options?: BatchOptions | null,
  ): AsyncIterableIterator<BatchResult<L>>;
  /**
   * Learns from posts with their labels, 5 to 50 as a rule and 500 at most, in place of what was learned before. It happens
   * on this device and nothing leaves it; the posts themselves are not kept. What it learned outlives a crash of the
   * engine, but not the analyzer: see {@link exportProfile}. The picture of an example is looked at when it is its turn: a buffer or a
   * canvas must stay as it is until then. An example's own signal gives up all of it.
   *
   * @throws {MixedFeelingsError} that names the example which is wrong; then nothing is changed.
   */
  learn(this: void, examples: Iterable<Example<L>>, options?: LearnOptions | null): Promise<LearnReport>;
  /**
   * What was learned, as a small file: about 26 kB if each head has learned. No post can be read from it, but it says
   * something about whoever taught it.
   *
   * @throws {MixedFeelingsError} `no-profile` when nothing was learned.
   */
  exportProfile(this: void): Promise<Uint8Array<ArrayBuffer>>;
  /**
   * Goes on with what {@link exportProfile} gave, in place of what was learned since.
   *
   * @throws {MixedFeelingsError} when it is damaged or belongs to another bundle; then nothing is changed.
   */
  importProfile(this: void, profile: ArrayBuffer | Uint8Array | Known<'Blob'>): Promise<void>;
  /** Answers as shipped again, to the last bit. */
  forget(this: void): Promise<void>;
  /** What runs, where and why. */
  info(this: void): Promise<Info<L>>;
  /**
   * Loads the decoder of pictures and reads a post that nobody sees, so that the first real one is fast; and waits for the
   * GPU if that is being got ready or tried.
   */
  warmup(this: void, options?: AnalyzeOptions | null): Promise<void>;
  /** Frees the memory; calls that still wait reject with the code `disposed`. Harmless when done twice. */
  dispose(this: void): void;
  /** {@link dispose}, for `using`. */
  [Symbol.dispose](this: void): void;
  /** {@link dispose}, for `await using`. */
  [Symbol.asyncDispose](this: void): Promise<void>;
}

/** What the package exports beside its error and its types. */
export interface Library {
  /**
   * Loads the model. Everything is chosen by itself: the program that suits the engine, a worker, the bundle that comes
   * with the package, the cache.
   *
   * `L` is for TypeScript alone: the names of the labels in a `bundle` of your own, `string` where they are not known
   * beforehand. `analyzer.labels` says what they are.
   *
   * @throws {MixedFeelingsError} when the bundle or the program cannot be had; the signal's reason when it is aborted.
   */
  createAnalyzer<L extends string = SentimentLabel>(this: void, options?: AnalyzerOptions | null): Promise<Analyzer<L>>;
  /**
   * Whether the next {@link createAnalyzer} with these options finds the bundle and a program in the cache, so that it
   * needs no network.
   */
  cached(this: void, options?: Pick<AnalyzerOptions, 'bundle' | 'wasm' | 'cache'> | null): Promise<boolean>;
  /** Empties the package's part of Cache Storage. Returns whether there was one. */
  clearCache(this: void): Promise<boolean>;
}
