/** An engine on the GPU, beside the one on the processor: whether there is one, what it is good for, and that it may go. */

import { Lifetime, after } from './abort.js';
import { findAdapter, type Adapter } from './adapter.js';
import { isAtHand } from './bundle.js';
import { Remembered, measure, told, worth, type Ask } from './choice.js';
import type { EngineHandle, EngineOptions } from './engine.js';
import type { Engines } from './engines.js';
import { MixedFeelingsError, shown } from './errors.js';
import type { Settings } from './options.js';
import { IN_WORKER, ON_SOFTWARE, onGpu, type PassSize } from './passes.js';
import { openRemote, type Start } from './remote.js';
import { VERSION } from './release.js';
import { Places } from './turns.js';

/** Milliseconds of the processor's work after which it is worth looking for something faster. */
const ENOUGH_WORK = 1000;
/** Milliseconds without a call that are a moment of rest, or that are waited for one at most. */
const REST = 2000;
/** Milliseconds after which a GPU hangs. A pass takes a second on the slowest that are chosen. */
const HANGS = 10_000;
/** The same of software, which is as slow as it is: its passes are small. */
const SOFTWARE_HANGS = 60_000;

/** What it reads. */
export interface Use {
  readonly posts: boolean;
  readonly batches: boolean;
}

/** At most one engine in its life: what went wrong once is not tried again. */
export class Gpu {
  why: string;
  adapter: Adapter | undefined;
  /** How much it is asked at once. */
  pass: PassSize = IN_WORKER;
  #use: Use = { posts: false, batches: false };
  #engine: EngineHandle | undefined;
  #trying: Promise<void> | undefined;
  #worked = 0;
  readonly #life = new Lifetime();
  readonly #turns = new Places(1);

  constructor(
    private readonly settings: Pick<Settings, 'engine' | 'device' | 'gpuProgram' | 'fetch' | 'ownFetch'>,
    private readonly start: (() => ReturnType<Start['worker']>) | undefined,
    private readonly engines: Engines,
  ) {
    if (settings.device === 'cpu') this.why = "device: 'cpu' was given";
    else if (!start) this.why = 'this platform has no WebGPU that the package knows of';
    else this.why = settings.device === 'webgpu' ? 'the GPU is being got ready' : 'there was no work yet that a GPU would be worth it for';
    if (settings.device === 'webgpu' && start) this.#trying = this.#try();
  }

  get use(): Use {
    return this.#use;
  }

  /** Done when it is clear what it reads, if that is being found out. */
  async settled(): Promise<void> {
    await this.#trying;
  }

  /** The processor has worked for so long on posts. */
  worked(milliseconds: number): void {
    if (this.settings.device !== 'auto' || !this.start || this.#trying) return;
    this.#worked += milliseconds;
    if (this.#worked >= ENOUGH_WORK) this.#trying = rest().then(() => this.#try());
  }

  /** What `call` comes to on the GPU; nothing when it does not come to anything: then it is the processor's. */
  async ask<T>(call: (engine: EngineHandle) => Promise<T>): Promise<{ readonly value: T } | undefined> {
    const giveBack = await this.#turns.take();
    let stop = () => {};
    try {
      const engine = this.#engine;
      if (!engine) return undefined;
      const patience = this.adapter?.software ? SOFTWARE_HANGS : HANGS;
      const hangs = new Promise<never>((_, reject) => {
        stop = after(patience, () => reject(new Error(`it did not answer for ${patience / 1000} s`)));
      });
      return { value: await Promise.race([call(engine), hangs]) };
    } catch (error) {
      // That much is too much for it, and the next may not be.
      if ((error as Partial<MixedFeelingsError>).code !== 'gpu-too-large') this.failed(error);
      return undefined;
    } finally {
      stop();
      giveBack();
    }
  }

  /** It is of no use any more. */
  failed(error: unknown): void {
    if (this.#life.aborted || !this.#engine) return;
    this.#off(`the GPU failed, and is not tried again: ${shown(error instanceof Error ? error.message : error)}`);
  }

  dispose(): void {
    this.#life.end(new MixedFeelingsError('disposed', 'the analyzer was disposed of'));
    this.#off('the analyzer was disposed of');
  }

  async #try(): Promise<void> {
    try {
      await this.#open();
    } catch (error) {
      this.#off(shown(error instanceof Error ? error.message : error));
    }
  }

  async #open(): Promise<void> {
    const { device, engine: options, gpuProgram } = this.settings;
    const auto = device === 'auto';
    const adapter = await findAdapter();
    if (auto && adapter.software) return this.#off(`the GPU is software: ${adapter.name}`);
    if (!gpuProgram) return this.#off('no program for the GPU is given: give wasm: { webgpu }');
    const { bundle, backend } = this.engines.first.engine.opened;
    const { most: workers } = this.engines;
    const remembered = new Remembered(options.cache, [VERSION, String(bundle.sha256), backend, adapter.name]);
    let measured = auto ? await remembered.recall() : undefined;
    if (measured && !isWorth(worth(measured, workers))) return this.#off(`${told(measured, workers)} (measured before)`);
    if (auto && !(await isAtHand(options.bundle, options.cache))) return this.#off('the bundle is not kept here, and is not downloaded again for a GPU');
    const engine = await this.#opened({ ...options, wasm: { webgpu: gpuProgram } });
    this.#engine = engine;
    void engine.end.then(() => this.failed('its worker has ended'));
    if (auto && !measured) {
      measured = await measure(this.#onCpu, this.#onGpu);
      await remembered.keep(measured);
    }
    // It may have gone in the meantime.
    if (!this.#engine) return;
    const use = measured ? worth(measured, workers) : { posts: true, batches: true };
    if (!isWorth(use)) return this.#off(measured ? told(measured, workers) : '');
    this.adapter = adapter;
    if (adapter.software) this.pass = ON_SOFTWARE;
    else if (measured) this.pass = onGpu(measured.gpu.batch);
    this.#use = use;
    this.why = measured ? told(measured, workers) : "device: 'webgpu' was given";
  }

  #opened(options: EngineOptions): Promise<EngineHandle> {
    const { fetch, ownFetch } = this.settings;
    const start = { worker: this.start!, why: 'the GPU has a worker of its own', running: false };
    return this.#life.during((signal) => openRemote(start, options, { fetch, ownFetch, onProgress: () => {}, signal }));
  }

  readonly #onGpu: Ask = async (call) => {
    const answer = await this.ask(call);
    if (!answer) throw new Error(this.why);
    return answer.value;
  };

  readonly #onCpu: Ask = (call) => this.engines.first.run(call, { picture: false, signal: new AbortController().signal });

  #off(why: string): void {
    this.why = why;
    this.adapter = undefined;
    this.#use = { posts: false, batches: false };
    const engine = this.#engine;
    this.#engine = undefined;
    engine?.dispose();
  }
}

function isWorth({ posts, batches }: Use): boolean {
  return posts || batches;
}

/** A moment in which the thread has nothing else to do. */
function rest(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof requestIdleCallback === 'function') requestIdleCallback(() => resolve(), { timeout: REST });
    else after(0, resolve);
  });
}
