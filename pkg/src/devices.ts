/** The last step of posts: on the GPU where that is faster, else on the processor, and always on one of them. */

import type { EngineHandle, EnginePost, Refused, TimedAnalysis } from './engine.js';
import type { Engines } from './engines.js';
import { MixedFeelingsError } from './errors.js';
import type { Gpu, Use } from './gpu.js';
import type { Profile } from './learning.js';
import { IN_THREAD, IN_WORKER, passAnswer, type PassAnswer, type PassReader } from './passes.js';

/** Reads a post, alone or with others. */
export interface Reader {
  read(post: EnginePost, signal: AbortSignal): Promise<TimedAnalysis>;
}

/** Those of an analyzer. */
export class Devices {
  // What a pass waits for goes on with whoever still waits, and each post of it has a signal of its own.
  readonly #never = new AbortController().signal;

  constructor(
    private readonly engines: Engines,
    private readonly gpu: Gpu,
    private readonly profile: Profile,
  ) {}

  /** What the GPU reads; nothing while a profile is in use, which only the processor's engine knows. */
  get use(): Use {
    return this.profile.bytes ? { posts: false, batches: false } : this.gpu.use;
  }

  /** Why it is the processor or the GPU, in a few words. */
  get why(): string {
    return this.profile.bytes && this.gpu.adapter ? 'the GPU does not know what was learned, so the processor reads' : this.gpu.why;
  }

  /** Of single posts. */
  readonly alone: Reader = {
    read: (post, signal) => (this.use.posts ? this.#oneOnGpu(post, signal) : this.#one(post, signal)),
  };

  /** Of the passes of a batch. */
  readonly passes: PassReader = {
    size: () => {
      if (this.use.batches) return this.gpu.pass;
      return this.engines.first.engine.worker ? IN_WORKER : IN_THREAD;
    },
    count: () => (this.use.batches ? 1 : this.engines.all.length),
    read: (number, take) => {
      let taken: readonly EnginePost[] | undefined;
      const once = () => (taken ??= take());
      return this.use.batches ? this.#manyOnGpu(once) : this.#many(number, once);
    },
  };

  async #one({ text, picture }: EnginePost, signal: AbortSignal): Promise<TimedAnalysis> {
    const analysis = await this.engines.first.run((engine) => engine.analyze(text, picture), { picture: false, signal });
    this.gpu.worked(timeOf(analysis));
    return analysis;
  }

  async #oneOnGpu(post: EnginePost, signal: AbortSignal): Promise<TimedAnalysis> {
    const answer = await this.gpu.ask(async (engine) => {
      try {
        return await engine.analyze(post.text, post.picture);
      } catch (error) {
        if (isOfEngine(error)) throw error;
        return undefined;
      }
    });
    // Nothing came of it: that is no fault of the GPU's, or was told.
    if (!answer) return this.#one(post, signal);
    return answer.value ?? this.#again(post, signal);
  }

  async #many(number: number, take: () => readonly EnginePost[]): Promise<readonly PassAnswer[]> {
    let began = performance.now();
    const ask = async (engine: EngineHandle) => {
      const posts = take();
      began = performance.now();
      return posts.length > 0 ? engine.analyzeMany(posts) : [];
    };
    const answers = await this.engines.run(number, ask, { picture: false, signal: this.#never });
    const took = performance.now() - began;
    this.engines.worked(took);
    this.gpu.worked(took);
    return answers.map(passAnswer);
  }

  async #manyOnGpu(take: () => readonly EnginePost[]): Promise<readonly PassAnswer[]> {
    const asked = await this.gpu.ask(async (engine) => {
      const posts = take();
      return posts.length > 0 ? engine.analyzeMany(posts) : [];
    });
    if (!asked) return this.#many(0, take);
    const posts = take();
    // What it does not read, the processor does; or says why not.
    return Promise.all(posts.map((post, i) => this.#orAgain(post, asked.value[i])));
  }

  async #orAgain(post: EnginePost, answer: TimedAnalysis | Refused | undefined): Promise<PassAnswer> {
    if (answer && !('error' in answer)) return answer;
    try {
      return await this.#again(post, this.#never);
    } catch (error) {
      if (error instanceof MixedFeelingsError) return error;
      throw error;
    }
  }

  /** On the processor, what the GPU did not read. That there is an answer after all is the GPU's fault. */
  async #again(post: EnginePost, signal: AbortSignal): Promise<TimedAnalysis> {
    const analysis = await this.#one(post, signal);
    this.gpu.failed('it does not read what the processor reads');
    return analysis;
  }
}

/** Milliseconds that the engine took. */
function timeOf({ timings: { tokenize, text, image, fusion } }: TimedAnalysis): number {
  return tokenize + text + image + fusion;
}

/** Whether an error is of the engine, and not of the post. */
function isOfEngine(error: unknown): boolean {
  const { code = 'crashed' } = error as Partial<MixedFeelingsError>;
  return code.startsWith('gpu-') || code === 'crashed' || code === 'worker-failed' || code === 'disposed';
}
