/** Notices a worker that is stuck: while something is expected of it, it is asked again and again whether it is there. */

import { after } from './abort.js';

/** How many times it is waited for. That a page slept counts as one of them; where timers come late, so do all of them. */
const TIMES = 5;
/** Milliseconds that it may always be busy with one thing, on the slowest of phones. */
const LEAST = 10_000;

/** One for each worker. */
export class Watchdog {
  /** The patience of everything that is expected. */
  readonly #expected = new Set<{ readonly patience: number }>();
  #unanswered = 0;
  #stop = () => {};

  /** `ask` has it say something, which is to be told to {@link heard}; `stuck` is called when it said nothing for so long. */
  constructor(
    private readonly ask: () => void,
    private readonly stuck: (milliseconds: number) => void,
  ) {}

  /** Something is expected, for which it may be busy so long. Returns how to say that it has come. */
  expect(patience: number): () => void {
    const one = { patience: Math.max(patience, LEAST) };
    this.#expected.add(one);
    if (this.#expected.size === 1) {
      this.#unanswered = 0;
      this.#wait();
    }
    return () => {
      this.#expected.delete(one);
      if (this.#expected.size === 0) this.#stop();
    };
  }

  /** It said something. */
  heard(): void {
    this.#unanswered = 0;
  }

  /** Nothing is expected any more. */
  end(): void {
    this.#expected.clear();
    this.#stop();
  }

  #wait(): void {
    const patience = Math.max(...[...this.#expected].map((one) => one.patience));
    this.#stop = after(patience / TIMES, () => {
      if (++this.#unanswered === TIMES) return this.stuck(patience);
      this.ask();
      this.#wait();
    });
  }
}
