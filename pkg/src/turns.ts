/** Who may use what there is a bounded number of: the engine, and the places for pictures that are being prepared. */

import { after, onAbort, throwIfAborted } from './abort.js';

/** A bounded number of places, and those who wait for one. */
export class Places {
  #free: number;
  readonly #first: (() => void)[] = [];
  readonly #others: (() => void)[] = [];

  readonly #places: number;

  constructor(places: number) {
    this.#places = this.#free = places;
  }

  get full(): boolean {
    return this.#free === 0;
  }

  /** How many have a place or wait for one. */
  get load(): number {
    return this.#places - this.#free + this.#first.length + this.#others.length;
  }

  /**
   * Waits for a place, in the order of the calls but those `first` before the others. Returns how to give it back.
   *
   * @throws the signal's reason when it aborts before.
   */
  async take({ first = false, signal }: { first?: boolean; signal?: AbortSignal | undefined } = {}): Promise<() => void> {
    throwIfAborted(signal);
    if (this.#free > 0) this.#free--;
    else await this.#wait(first ? this.#first : this.#others, signal);
    let taken = true;
    return () => {
      if (taken) this.#giveBack();
      taken = false;
    };
  }

  #wait(line: (() => void)[], signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = onAbort(signal, () => {
        line.splice(line.indexOf(go), 1);
        reject(signal?.reason);
      });
      const go = () => {
        leave();
        resolve();
      };
      line.push(go);
    });
  }

  #giveBack(): void {
    const next = this.#first.shift() ?? this.#others.shift();
    if (next) next();
    else this.#free++;
  }
}

/** Milliseconds after which a thread that computes lets others have a turn: clicks, timers, the signal that ends all this. */
const MOST_BUSY = 30;

let turned = 0;

/** Lets the thread do what has come meanwhile, if it was not asked to for a while. */
export async function breath(): Promise<void> {
  if (performance.now() - turned < MOST_BUSY) return;
  await new Promise<void>((resolve) => setTimeout(resolve));
  turned = performance.now();
}

/** A place that whoever waits for the network or a disk gives to the next one when nothing comes. */
export class Lease {
  #waiting = false;
  #stop = () => {};

  private constructor(
    private readonly giveBack: () => void,
    private readonly patience: number,
  ) {}

  /** One of `places`. */
  static async of(places: Places, patience: number, signal: AbortSignal | undefined): Promise<Lease> {
    return new Lease(await places.take({ signal }), patience);
  }

  /** What `coming` comes to; without the place if nothing comes for `patience` milliseconds. */
  async during<T>(coming: Promise<T>): Promise<T> {
    this.#waiting = true;
    this.alive();
    try {
      return await coming;
    } finally {
      this.#waiting = false;
      this.#stop();
    }
  }

  /** Something came. */
  alive(): void {
    this.#stop();
    if (this.#waiting) this.#stop = after(this.patience, this.giveBack);
  }

  /** It is done. */
  end(): void {
    this.giveBack();
  }
}
