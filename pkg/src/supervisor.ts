/** Keeps an engine at hand: one that is gone costs the call that it was at, and another is opened in its place. */

import { Lifetime, throwIfAborted } from './abort.js';
import type { EngineHandle } from './engine.js';
import { MixedFeelingsError } from './errors.js';
import { Places, breath } from './turns.js';

/** Opens an engine; the signal gives it up. */
export type Open = (signal: AbortSignal) => Promise<EngineHandle>;

/** How a call is done. */
export interface RunOptions {
  /** Whether it needs the decoder. Other calls go first: they are a text's, or the last step of a picture. */
  readonly picture: boolean;
  readonly signal: AbortSignal;
}

/** How often in a row an engine may go while it is opened, or while the decoder is loaded, before a call is told. */
const ATTEMPTS = 3;

/** One engine after another. */
export class Supervisor {
  #engine: EngineHandle;
  #opening: Promise<EngineHandle> | undefined;
  readonly #life = new Lifetime();
  /** The engine does one thing at a time; who waits, waits here, where nothing is lost with it. */
  readonly #turns = new Places(1);

  constructor(engine: EngineHandle, private readonly open: Open) {
    this.#engine = this.#watched(engine);
  }

  /** The engine that is there now, or was last. */
  get engine(): EngineHandle {
    return this.#engine;
  }

  /** How many calls it is at, or has to do. */
  get load(): number {
    return this.#turns.load;
  }

  /** Does `call` with an engine that works, when it is its turn. */
  async run<T>(call: (engine: EngineHandle) => Promise<T>, { picture, signal }: RunOptions): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      const engine = await this.#living();
      if (picture) {
        try {
          await engine.loadDecoder();
        } catch (error) {
          // This call is not what the engine died of.
          if (engine.gone && attempt < ATTEMPTS) continue;
          throw error;
        }
      }
      const giveBack = await this.#turns.take({ first: !picture, signal });
      try {
        if (!engine.worker) await breath();
        throwIfAborted(this.#life);
        throwIfAborted(signal);
        if (!engine.gone) return await call(engine);
      } finally {
        giveBack();
      }
    }
  }

  /** As {@link dispose}, but what it is at is done first. */
  async close(): Promise<void> {
    const giveBack = await this.#turns.take({ first: true });
    this.dispose();
    giveBack();
  }

  dispose(): void {
    this.#life.end(new MixedFeelingsError('disposed', 'the analyzer was disposed of'));
    this.#engine.dispose();
  }

  async #living(): Promise<EngineHandle> {
    throwIfAborted(this.#life);
    return this.#engine.gone ? this.#reopen() : this.#engine;
  }

  /** At once when it is gone, so that the next call finds another. If none can be opened, that call tries again. */
  #watched(engine: EngineHandle): EngineHandle {
    void engine.end.then(() => {
      if (engine.gone && !this.#life.aborted) this.#reopen().catch(() => {});
    });
    return engine;
  }

  #reopen(): Promise<EngineHandle> {
    this.#opening ??= this.#openAgain().finally(() => (this.#opening = undefined));
    return this.#opening;
  }

  #openAgain(): Promise<EngineHandle> {
    this.#engine.dispose();
    return this.#life.during(async (signal) => {
      for (let attempt = 1; ; attempt++) {
        try {
          const engine = await this.open(signal);
          if (signal.aborted) engine.dispose();
          throwIfAborted(signal);
          return (this.#engine = this.#watched(engine));
        } catch (error) {
          throwIfAborted(signal);
          const { code } = error as Partial<MixedFeelingsError>;
          if (attempt === ATTEMPTS || (code !== 'worker-failed' && code !== 'crashed')) throw error;
        }
      }
    });
  }
}
