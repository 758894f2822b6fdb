/** What a caller gives, looked at before anything is done with it. `null` is as good as `undefined`. */

import { signalOf } from './abort.js';
import type { AnalyzerOptions, CacheLike, Progress, WorkerLike } from './api.js';
import { bundleSource } from './bundle.js';
import type { EngineOptions } from './engine.js';
import { MixedFeelingsError, shown } from './errors.js';
import { isBytes, kindOf, viewOf } from './kinds.js';
import { checkText, LIMITS, type TakenLimits } from './limits.js';
import type { Fetch, Platform, WasmName } from './platform.js';
import type { AnalyzeOptions, ImageSource, Post } from './types.js';
import { isModule, type WasmSource, type WasmSources } from './wasm.js';

/** Milliseconds for what has no other limit. */
const TIMEOUT = 30_000;

const MOST_WORKERS = 16;

/** What may compute. */
export type Device = NonNullable<AnalyzerOptions['device']>;

/** The options of `createAnalyzer`, as they are used. */
export interface Settings {
  readonly engine: EngineOptions;
  readonly device: Device;
  /** The program for the GPU, which is loaded when that is tried. */
  readonly gpuProgram: WasmSource | undefined;
  readonly worker: AnalyzerOptions['worker'];
  /** Where nothing is said, it is for the bundle's size and the machine to say. */
  readonly batchWorkers: number | undefined;
  readonly fetch: Fetch;
  /** Whether only this thread can fetch and cache as the caller wants it. */
  readonly ownFetch: boolean;
  readonly persist: boolean;
  readonly browserDecoder: boolean;
  readonly limits: TakenLimits;
  readonly timeout: number;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: (progress: Progress) => void;
}

export function settingsOf(options: AnalyzerOptions | null | undefined, platform: Platform): Settings {
  const given = objectOf(options ?? {}, 'the options');
  const { sha256, onProgress, signal, worker, batchWorkers, timeout, browserDecoder, device, persist, limits } = given;
  const patience = timeoutOf(timeout) ?? TIMEOUT;
  checkWorker(worker);
  const fetch = functionOf(given.fetch, 'fetch');
  const taken = limitsOf(limits);
  const files = filesOf(given, platform, sha256);
  const { webgpu, ...wasm } = files.wasm;
  const engine = { ...files, wasm, patience, hello: patience, imagePixels: taken.imagePixels };
  return {
    engine,
    device: deviceOf(device),
    gpuProgram: webgpu,
    worker,
    batchWorkers: workersOf(batchWorkers),
    fetch: fetch ?? platform.fetch,
    ownFetch: fetch !== undefined || typeof engine.cache === 'object',
    persist: !!persist,
    browserDecoder: browserDecoder ?? true,
    limits: taken,
    timeout: patience,
    signal: signalOf(signal),
    onProgress: harmless(onProgress),
  };
}

/** Where the files are. */
export function filesOf(
  { bundle, wasm, cache }: Pick<AnalyzerOptions, 'bundle' | 'wasm' | 'cache'>,
  platform: Platform,
  sha256?: unknown,
): Pick<EngineOptions, 'bundle' | 'wasm' | 'cache'> {
  return { bundle: bundleSource(bundle, sha256, platform), wasm: wasmOf(wasm, platform), cache: cacheOf(cache) };
}

const WASM_NAMES: readonly WasmName[] = ['relaxed-simd', 'simd128', 'decoder', 'webgpu'];

function wasmOf(wasm: AnalyzerOptions['wasm'], platform: Platform): WasmSources {
  const files = objectOf(wasm ?? {}, 'wasm');
  // Whoever gives one program means that one.
  const chosen = files['relaxed-simd'] != null || files.simd128 != null;
  const sources: Partial<Record<WasmName, WasmSource>> = {};
  for (const name of WASM_NAMES) {
    const source = files[name];
    const own = chosen && name !== 'decoder' && name !== 'webgpu' ? undefined : platform.assets?.wasm[name];
    if (source != null) sources[name] = wasmSource(source, name, platform);
    else if (own) sources[name] = platform.resolve(String(own())).href;
  }
  return sources;
}

function wasmSource(source: unknown, name: WasmName, platform: Platform): WasmSource {
  if (isModule(source)) return source as WebAssembly.Module;
  const kind = kindOf(source);
  if (kind === 'String' || kind === 'URL') return platform.resolve(source as string | URL).href;
  if (isBytes(source)) return new Blob([viewOf(source, name).slice() as Uint8Array<ArrayBuffer>]);
  throw new MixedFeelingsError('bad-input', `wasm.${name} is ${kind}: give a WebAssembly.Module, a URL or bytes`);
}

function cacheOf(cache: AnalyzerOptions['cache']): boolean | CacheLike {
  if (typeof cache !== 'object' || cache === null) return !!(cache ?? true);
  const { match, put } = cache as Partial<CacheLike>;
  if (typeof match === 'function' && typeof put === 'function') return cache;
  throw new MixedFeelingsError('bad-input', `cache is ${kindOf(cache)}: give true, false or an object with match and put`);
}

function deviceOf(device: unknown): Device {
  if (device == null) return 'auto';
  if (device === 'auto' || device === 'cpu' || device === 'webgpu') return device;
  throw new MixedFeelingsError('bad-input', `device is ${shown(device)}: give 'auto', 'cpu' or 'webgpu'`);
}

function workersOf(workers: unknown): number | undefined {
  if (workers == null) return undefined;
  if (typeof workers === 'number' && Number.isInteger(workers) && workers >= 1 && workers <= MOST_WORKERS) return workers;
  const given = shown(typeof workers === 'number' ? workers : kindOf(workers));
  throw new MixedFeelingsError('bad-input', `batchWorkers is ${given}: give a whole number from 1 to ${MOST_WORKERS}`);
}

function checkWorker(worker: unknown): void {
  if (worker == null || typeof worker === 'boolean' || typeof worker === 'function' || isWorker(worker)) return;
  throw new MixedFeelingsError('bad-input', `worker is ${kindOf(worker)}: give true, false, a Worker or a function that starts one`);
}

/** Whether it can be talked to as a worker, of whatever kind. */
export function isWorker(worker: unknown): worker is WorkerLike {
  if (typeof worker !== 'object' || worker === null) return false;
  const { postMessage, terminate } = worker as Partial<WorkerLike>;
  return typeof postMessage === 'function' && typeof terminate === 'function';
}

function limitsOf(limits: AnalyzerOptions['limits']): TakenLimits {
  const { textBytes, imageBytes, imagePixels } = objectOf(limits ?? {}, 'limits');
  return {
    textBytes: limitOf('textBytes', textBytes),
    imageBytes: limitOf('imageBytes', imageBytes),
    imagePixels: Math.floor(limitOf('imagePixels', imagePixels)),
  };
}

function limitOf(name: keyof TakenLimits, most: unknown): number {
  if (most == null) return LIMITS[name];
  if (typeof most === 'number' && most >= 0) return Math.min(most, LIMITS[name]);
  throw new MixedFeelingsError('bad-input', `limits.${name} is ${shown(typeof most === 'number' ? most : kindOf(most))}: give a number`);
}

/** A post, as it is used. */
export interface TakenPost {
  readonly text: string | undefined;
  readonly image: ImageSource | undefined;
  readonly timeout: number | undefined;
  /** Any of them ends the call. */
  readonly signals: readonly (AbortSignal | undefined)[];
}

export function postOf(post: Post, options: AnalyzeOptions | null | undefined, limits: TakenLimits): TakenPost {
  if (typeof post !== 'object' || post === null) {
    throw new MixedFeelingsError('bad-input', 'analyze takes an object: { text, image }');
  }
  const { text, image, signal, timeout } = post;
  const call = objectOf(options ?? {}, 'the options');
  if (text != null && typeof text !== 'string') {
    throw new MixedFeelingsError('bad-input', `text is ${kindOf(text)}: give a string`);
  }
  if (text != null) checkText(text, limits);
  // An empty field of a form is no picture, as an empty text is no text.
  const given = typeof image === 'string' && image.trim() === '' ? undefined : image;
  const signals = [signalOf(call.signal), signalOf(signal)];
  return { text: text ?? undefined, image: given ?? undefined, timeout: timeoutOf(call.timeout ?? timeout), signals };
}

/** `value`, if it is an object. */
export function objectOf<T>(value: T, what: string): T {
  if (typeof value === 'object') return value;
  throw new MixedFeelingsError('bad-input', `${what} are a ${typeof value}: give an object`);
}

function timeoutOf(timeout: number | null | undefined): number | undefined {
  if (timeout == null) return undefined;
  if (typeof timeout === 'number' && timeout > 0) return timeout;
  throw new MixedFeelingsError('bad-input', `timeout is ${shown(kindOf(timeout) === 'Number' ? timeout : kindOf(timeout))}: give milliseconds`);
}

/** A callback whose errors are the caller's affair: they are told once, and stop nothing. */
export function harmless<T>(onProgress: ((progress: T) => void) | null | undefined): (progress: T) => void {
  const call = functionOf(onProgress, 'onProgress');
  if (!call) return () => {};
  let told = false;
  // Asynchronous, so that what an `async` one throws is caught too.
  return async (progress) => {
    try {
      await call(progress);
    } catch (error) {
      if (!told) console.error('mixed-feelings: onProgress throws', error);
      told = true;
    }
  };
}

function functionOf<T>(given: T | null | undefined, name: string): T | undefined {
  if (given == null) return undefined;
  if (typeof given === 'function') return given;
  throw new MixedFeelingsError('bad-input', `${name} is ${kindOf(given)}: give a function`);
}
