/** Which of the two reads faster: measured once for each GPU, with the real model, and kept. */

import type { CacheLike } from './api.js';
import { openCache } from './cache.js';
import type { EngineHandle, EnginePost } from './engine.js';

/** Milliseconds a post. */
export interface Speed {
  /** Of one alone. */
  readonly post: number;
  /** Of several in one pass. */
  readonly batch: number;
}

/** What was measured. */
export interface Measured {
  readonly cpu: Speed;
  readonly gpu: Speed;
}

/** Does something with one of the engines, when it is its turn. */
export type Ask = <T>(call: (engine: EngineHandle) => Promise<T>) => Promise<T>;

/** The GPU must take this share of the processor's time at most: it costs memory, and heat. */
const WORTH = 0.8;
/** Texts of a probe. On a GPU that is worth it they take a fraction of the 50 ms that a probe may. */
const MANY = 16;
/** The best of so many counts: what disturbs a probe makes it longer, never shorter. */
const TIMES = 3;
/** What takes longer is not repeated. */
const LONG = 50;

/** Short texts, no two of which are the same: an engine remembers its last one. */
function probes(count: number): EnginePost[] {
  return Array.from({ length: count }, () => {
    const text = `What a lovely day it was, and then the rain came: number ${next++ % 90 + 10} of the bus was late again.`;
    return { text, picture: undefined };
  });
}
let next = 0;

/** Both have read before: what is done at the first time only does not count. */
export async function measure(cpu: Ask, gpu: Ask): Promise<Measured> {
  await gpu((engine) => readMany(engine, MANY));
  await gpu(readOne);
  const onGpu = await speedOf(gpu);
  return { gpu: onGpu, cpu: await speedOf(cpu) };
}

async function speedOf(ask: Ask): Promise<Speed> {
  const batch = await best(() => ask((engine) => timed(() => readMany(engine, MANY))));
  return { batch: batch / MANY, post: await best(() => ask((engine) => timed(() => readOne(engine)))) };
}

async function best(time: () => Promise<number>): Promise<number> {
  let least = Infinity;
  for (let i = 0; i < TIMES; i++) {
    const one = await time();
    least = Math.min(least, one);
    if (one > LONG) break;
  }
  return least;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

const readMany = (engine: EngineHandle, count: number): Promise<unknown> => engine.analyzeMany(probes(count));
const readOne = (engine: EngineHandle): Promise<unknown> => engine.analyze(probes(1)[0]?.text, undefined);

/** What the GPU is worth: for single posts, and for batches, which as many engines as `workers` read on the processor. */
export function worth({ cpu, gpu }: Measured, workers: number): { posts: boolean; batches: boolean } {
  return { posts: gpu.post < WORTH * cpu.post, batches: gpu.batch < (WORTH * cpu.batch) / workers };
}

/** In a few words. */
export function told({ cpu, gpu }: Measured, workers: number): string {
  const ms = (batch: number, post: number) => `${batch.toFixed(1)} ms a post of a batch, ${post.toFixed(1)} ms alone`;
  return `the GPU takes ${ms(gpu.batch, gpu.post)}; the processor ${ms(cpu.batch / workers, cpu.post)}`;
}

/** Where the measurements are kept: where the bundle is, by a name that no file has. */
export class Remembered {
  readonly #url: string;

  /** `what` are all things that the speed depends on. */
  constructor(private readonly cache: boolean | CacheLike, what: readonly string[]) {
    this.#url = `https://mixed-feelings.invalid/speed?${what.map(encodeURIComponent).join('&')}`;
  }

  async recall(): Promise<Measured | undefined> {
    try {
      const kept = await (await openCache(this.cache))?.match(this.#url);
      const measured = (await kept?.json()) as Measured | undefined;
      // Whatever else lies there is measured anew.
      return measured && [measured.cpu, measured.gpu].every(({ post, batch }) => post > 0 && batch > 0) ? measured : undefined;
    } catch {
      return undefined;
    }
  }

  async keep(measured: Measured): Promise<void> {
    try {
      await (await openCache(this.cache))?.put(this.#url, new Response(JSON.stringify(measured)));
    } catch {
      // The next visit measures again.
    }
  }
}
