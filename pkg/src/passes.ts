/** The posts of a batch on their way to the engines: those that wait go together, in passes. */

import type { EnginePost, Refused, TimedAnalysis } from './engine.js';
import { MixedFeelingsError } from './errors.js';

/** How much is read at a time. */
export interface PassSize {
  readonly posts: number;
  /** In characters of text; a picture costs as much as {@link PICTURE}. */
  readonly weight: number;
}

/** Milliseconds of work that are asked for at once, at most: so long another call waits. */
const PATIENCE = 200;

/** What a worker is asked at once: about 200 ms of work. */
export const IN_WORKER: PassSize = { posts: 32, weight: 6000 };
/** What stops the caller's own thread: about 40 ms. */
export const IN_THREAD: PassSize = { posts: 8, weight: 1200 };
/** What a GPU that is software is asked at once: a second of work. */
export const ON_SOFTWARE: PassSize = { posts: 4, weight: 800 };

/** What a GPU is asked at once that takes so many milliseconds for a short text: the faster it is, the more it needs to be busy. */
export function onGpu(milliseconds: number): PassSize {
  const posts = Math.min(256, Math.max(IN_WORKER.posts, Math.floor(PATIENCE / milliseconds)));
  return { posts, weight: (posts * IN_WORKER.weight) / IN_WORKER.posts };
}

/** What a picture weighs, by the time that it takes. */
const PICTURE = 400;
/** What is read of a long text ends about here. */
const LONGEST = 700;

/** An answer of a pass: an analysis, or why there is none. */
export type PassAnswer = TimedAnalysis | MixedFeelingsError;

/** An engine's answer, as it is told. */
export function passAnswer(answer: TimedAnalysis | Refused): PassAnswer {
  return 'error' in answer ? new MixedFeelingsError(answer.code, answer.error) : answer;
}

/** How a pass is read. */
export interface PassReader {
  /** How much may be asked now. */
  size(): PassSize;
  /** How many read now, each a pass at a time. */
  count(): number;
  /**
   * Waits for the turn of the one with this number, then asks for the posts, and answers each. `take` may give none, when
   * nobody wants any.
   */
  read(number: number, take: () => readonly EnginePost[]): Promise<readonly PassAnswer[]>;
}

interface Waiting {
  readonly post: EnginePost;
  readonly signal: AbortSignal;
  readonly resolve: (answer: TimedAnalysis) => void;
  readonly reject: (error: unknown) => void;
}

/** The passes of one batch. Who has read one takes the next of what has come meanwhile. */
export class Passes {
  #waiting: Waiting[] = [];
  readonly #running = new Set<number>();

  constructor(private readonly reader: PassReader) {}

  /** The answer to `post`, unless its signal aborts before it is its turn: then nobody waits for one. */
  read(post: EnginePost, signal: AbortSignal): Promise<TimedAnalysis> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ post, signal, resolve, reject });
      for (let number = 0; number < this.reader.count(); number++) {
        if (!this.#running.has(number)) void this.#run(number);
      }
    });
  }

  /** How many posts may be got ready: while some are read in passes, those of the next. */
  get ahead(): number {
    return this.reader.size().posts * (this.reader.count() + 1);
  }

  async #run(number: number): Promise<void> {
    this.#running.add(number);
    while (this.#waiting.length > 0 && number < this.reader.count()) await this.#pass(number);
    this.#running.delete(number);
  }

  async #pass(number: number): Promise<void> {
    let taken: readonly Waiting[] = [];
    try {
      const answers = await this.reader.read(number, () => (taken = this.#take()).map(({ post }) => post));
      taken.forEach((one, i) => settle(one, answers[i]));
    } catch (error) {
      // A post may have broken the engine: each is read alone, and that one's place is the only one that it costs.
      if (taken.length > 1) return this.#eachAlone(number, taken);
      // If there is no turn for it, there is none for those that wait either.
      for (const { reject } of taken.length > 0 ? taken : this.#waiting.splice(0)) reject(error);
    }
  }

  async #eachAlone(number: number, posts: readonly Waiting[]): Promise<void> {
    for (const one of posts) {
      if (one.signal.aborted) continue;
      try {
        const [answer] = await this.reader.read(number, () => [one.post]);
        settle(one, answer);
      } catch (error) {
        one.reject(error);
      }
    }
  }

  /** As many as fit, and one at least; a share, where others read too. Who has given up is forgotten. */
  #take(): Waiting[] {
    this.#waiting = this.#waiting.filter(({ signal }) => !signal.aborted);
    const { posts, weight } = this.reader.size();
    const share = Math.ceil(this.#waiting.length / this.reader.count());
    let left = weight;
    let count = 0;
    for (const { post } of this.#waiting) {
      left -= weightOf(post);
      if (count === posts || count === share || (left < 0 && count > 0)) break;
      count++;
    }
    return this.#waiting.splice(0, count);
  }
}

function weightOf({ text, picture }: EnginePost): number {
  return Math.min(text?.length ?? 0, LONGEST) + (picture ? PICTURE : 0);
}

function settle({ resolve, reject }: Waiting, answer: PassAnswer | undefined): void {
  if (answer instanceof MixedFeelingsError) reject(answer);
  else if (answer) resolve(answer);
  else reject(new MixedFeelingsError('crashed', 'the program answered fewer posts than it was asked'));
}
