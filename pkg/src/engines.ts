/** The engines of an analyzer: one always; beside it, while there is a lot to read, others, each in a worker of its own. */

import { Lifetime, idle } from './abort.js';
import type { EngineHandle } from './engine.js';
import { MixedFeelingsError } from './errors.js';
import { Supervisor, type Open, type RunOptions } from './supervisor.js';

/** Milliseconds of a batch's work after which others are opened: opening one takes about as long. */
const ENOUGH_WORK = 500;
/** Milliseconds without work after which they are closed, which gives their memory back. */
const IDLE = 10_000;

/** Engines of a long batch, where the caller does not say how many. */
const USUAL = 4;
/** Bytes that all of them may need then. */
const MEMORY = 256e6;
/** Bytes of a program for each of its bundle: 34 MB for 13.7. */
const OF_BUNDLE = 2.5;

/** How many engines with a bundle of so many bytes suit this machine: one core is left to the page, if there are three. */
export function usualEngines(cores: number, bundle: number): number {
  return Math.max(1, Math.min(USUAL, cores, Math.max(2, cores - 1), Math.floor(MEMORY / (OF_BUNDLE * bundle))));
}

/** How others are opened. */
export interface Others {
  readonly open: Open;
  /** How many engines there may be, the first among them. */
  readonly most: () => number;
  /** Whether another can be had without the network. */
  readonly isAtHand: () => Promise<boolean>;
}

export class Engines {
  #others: readonly Supervisor[] = [];
  #opening = false;
  /** What did not work once is not tried again: one engine is enough. */
  #refused = false;
  /** Milliseconds. */
  #worked = 0;
  /** How often they were closed: what was begun before is of no use after it. */
  #closed = 0;
  #stopIdling = () => {};
  readonly #life = new Lifetime();

  /** `first` is always there. */
  constructor(
    readonly first: Supervisor,
    private readonly others: Others,
  ) {}

  /** How many there may be. In the caller's own thread another would only take time from the first. */
  get most(): number {
    return this.first.engine.worker ? this.others.most() : 1;
  }

  get all(): readonly Supervisor[] {
    return [this.first, ...this.#others];
  }

  /** Does `call` with the engine of this number, or the first one where there is none. */
  run<T>(number: number, call: (engine: EngineHandle) => Promise<T>, options: RunOptions): Promise<T> {
    return this.#runOn(this.#others[number - 1] ?? this.first, call, options);
  }

  /** Does `call` with the engine that has the least to do. */
  runAnywhere<T>(call: (engine: EngineHandle) => Promise<T>, options: RunOptions): Promise<T> {
    const idlest = this.all.reduce((least, one) => (one.load < least.load ? one : least));
    return this.#runOn(idlest, call, options);
  }

  /** One of them has worked for so long on a batch. */
  worked(milliseconds: number): void {
    this.#rest();
    this.#worked += milliseconds;
    if (this.#worked >= ENOUGH_WORK) void this.#openOthers();
  }

  /** Each ends what it is at. The next long batch opens others, which know what was learned meanwhile. */
  closeOthers(): void {
    this.#closed++;
    this.#worked = 0;
    this.#stopIdling();
    this.#others.forEach((other) => void other.close());
    this.#others = [];
  }

  dispose(): void {
    this.#life.end(new MixedFeelingsError('disposed', 'the analyzer was disposed of'));
    this.#closed++;
    this.#stopIdling();
    this.all.forEach((one) => one.dispose());
  }

  /** From now on the others wait for work. */
  #rest(): void {
    this.#stopIdling();
    if (this.#others.length > 0) this.#stopIdling = idle(IDLE, () => this.closeOthers());
  }

  async #runOn<T>(one: Supervisor, call: (engine: EngineHandle) => Promise<T>, options: RunOptions): Promise<T> {
    try {
      return await one.run(call, options);
    } catch (error) {
      // It was closed before its turn came.
      const { code } = error as Partial<MixedFeelingsError>;
      if (code !== 'disposed' || one === this.first) throw error;
      return this.first.run(call, options);
    }
  }

  async #openOthers(): Promise<void> {
    if (this.#opening || this.#refused || this.all.length >= this.most) return;
    this.#opening = true;
    const closed = this.#closed;
    try {
      this.#refused = !(await this.others.isAtHand());
      // One after the other: each takes a core for a while, and the posts go on.
      while (!this.#refused && closed === this.#closed && this.all.length < this.most) {
        const engine = await this.#life.during(this.others.open);
        if (closed === this.#closed) this.#others = [...this.#others, new Supervisor(engine, this.others.open)];
        else engine.dispose();
        // The batch may have ended meanwhile.
        this.#rest();
      }
    } catch {
      this.#refused = true;
    } finally {
      this.#opening = false;
    }
  }
}
