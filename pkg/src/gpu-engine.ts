/**
 * The program for the GPU with its weights, in a worker of its own. It decodes no pictures, which come as the
 * encoder reads them, and learns nothing.
 */

import { findAdapter } from './adapter.js';
import { ProgramBuffer } from './buffer.js';
import { loadBundle } from './bundle.js';
import type { Decoded } from './decoder.js';
import type {
  EngineHandle,
  EngineOptions,
  EnginePost,
  Learned,
  OpenContext,
  Opened,
  Refused,
  TimedAnalysis,
  TimedDecoded,
} from './engine.js';
import { MixedFeelingsError } from './errors.js';
import { bindings, type GpuBindings, type GpuEngine } from './gpu-bindings.js';
import type { Label } from './types.js';
import { compiled, told } from './wasm.js';

interface GpuProgram extends GpuBindings {
  readonly memory: WebAssembly.Memory;
}

/** Opens an engine on this thread's GPU, which has passed its self-test. */
export async function openGpuEngine({ bundle, wasm, cache, patience }: EngineOptions, { fetch, why }: OpenContext): Promise<EngineHandle> {
  const getting = { fetch, cache, patience };
  // Asked for first, because without one nothing need be loaded.
  await findAdapter();
  const loading = compiled('webgpu', wasm.webgpu, getting).then(started);
  const buffer = new ProgramBuffer(() => loading);
  let bytes = 0;
  const arriving = loadBundle(bundle, buffer, getting, (loaded) => (bytes = loaded));
  const [program, sha256] = await Promise.all([loading, arriving]);
  const engine = await guarded(program.GpuEngine.create(buffer.take()));
  await guarded(engine.selfTest());
  const labels = JSON.parse(engine.labels()) as Label<string>[];
  const opened: Opened = { labels, backend: 'simd128', reason: `it passes its self-test: ${engine.adapter()}`, bundle: { sha256, bytes } };
  return new OnGpu(opened, why, program, engine);
}

function started(module: WebAssembly.Module): GpuProgram {
  const made = bindings();
  const { memory } = made.initSync({ module });
  return Object.assign(made, { memory });
}

class OnGpu implements EngineHandle {
  readonly worker = true;
  readonly gone = false;
  /** It ends with its worker. */
  readonly end = new Promise<void>(() => {});

  constructor(
    readonly opened: Opened,
    readonly why: string,
    private readonly program: GpuProgram,
    private readonly engine: GpuEngine,
  ) {}

  async analyze(text: string | undefined, picture: Decoded | undefined): Promise<TimedAnalysis> {
    const began = performance.now();
    const answer = await guarded(this.engine.analyze(text, this.#picture(picture)));
    return timed(JSON.parse(answer) as TimedAnalysis, performance.now() - began);
  }

  async analyzeMany(posts: readonly EnginePost[]): Promise<readonly (TimedAnalysis | Refused)[]> {
    const began = performance.now();
    const pictures = posts.map(({ picture }) => this.#picture(picture));
    const answers = await guarded(this.engine.analyzeMany(posts.map(({ text }) => text), pictures));
    const share = (performance.now() - began) / posts.length;
    return (JSON.parse(answers) as (TimedAnalysis | Refused)[]).map((one) => ('error' in one ? one : timed(one, share)));
  }

  async memory(): Promise<number> {
    return this.program.memory.buffer.byteLength;
  }

  loadDecoder = (): Promise<void> => elsewhere();
  inspect = (): Promise<void> => elsewhere();
  decode = (): Promise<TimedDecoded> => elsewhere();
  readExample = (): Promise<Float32Array> => elsewhere();
  learn = (): Promise<Learned> => elsewhere();
  setProfile = (): Promise<number> => elsewhere();
  dispose(): void {}

  #picture(picture: Decoded | undefined) {
    return picture && new this.program.Picture(picture.pixels, picture.incomplete);
  }
}

/** Both encoders run as one: where the program does not tell them apart, the time is the text's, or else the picture's. */
function timed(analysis: TimedAnalysis, milliseconds: number): TimedAnalysis {
  const [text, image] = analysis.text ? [milliseconds, 0] : [0, milliseconds];
  return { timings: { tokenize: 0, text, decode: 0, image, fusion: 0 }, ...(analysis as Partial<TimedAnalysis>) } as TimedAnalysis;
}

async function elsewhere(): Promise<never> {
  throw new MixedFeelingsError('unsupported', 'pictures are decoded, and examples learned from, on the processor');
}

async function guarded<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    throw told(error);
  }
}
