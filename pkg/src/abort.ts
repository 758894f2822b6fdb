/** Signals: the caller's, looked at before they are trusted, and our own for what must end. */

import { MixedFeelingsError } from './errors.js';
import { kindOf } from './kinds.js';

/** What can end: an `AbortSignal`, or a {@link Lifetime}. */
export type Ending = Pick<AbortSignal, 'aborted' | 'reason'> & {
  addEventListener(type: 'abort', listener: () => void, options: { once: true }): void;
};

/**
 * Ends when what it is of does. It is no `AbortController`, because an analyzer may outlive the request that it was made in,
 * and edge runtimes let no other request listen to that one's signals.
 */
export class Lifetime implements Ending {
  aborted = false;
  reason: unknown;
  readonly #listeners = new Set<() => void>();

  addEventListener(_: 'abort', listener: () => void): void {
    this.#listeners.add(listener);
  }

  end(reason: unknown): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    this.#listeners.forEach((listener) => listener());
  }

  /** What `call` comes to, whose signal aborts when this ends. */
  async during<T>(call: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const giving = new AbortController();
    const forget = onAbort(this, () => giving.abort(this.reason));
    try {
      return await call(giving.signal);
    } finally {
      forget();
    }
  }
}

/** Who wants to hear of a signal. One listener each, however many calls share it: Node warns of more than ten. */
const listening = new WeakMap<Ending, Set<() => void>>();

/**
 * `signal` if it is one, of whatever realm.
 *
 * @throws {MixedFeelingsError} `bad-input` when it is something else.
 */
export function signalOf(signal: unknown): AbortSignal | undefined {
  if (signal == null) return undefined;
  const { aborted, addEventListener } = signal as Partial<AbortSignal>;
  if (typeof aborted === 'boolean' && typeof addEventListener === 'function') return signal as AbortSignal;
  const kind = kindOf(signal);
  const instead = kind === 'AbortController' ? 'give its .signal' : 'give an AbortSignal';
  throw new MixedFeelingsError('bad-input', `signal is ${kind}: ${instead}`);
}

/** Calls `then` when `signal` aborts, at once if it has. Returns how to stop that. */
export function onAbort(signal: Ending | undefined, then: () => void): () => void {
  if (!signal) return () => {};
  if (signal.aborted) {
    then();
    return () => {};
  }
  let waiting = listening.get(signal);
  if (!waiting) {
    const all = new Set<() => void>();
    signal.addEventListener('abort', () => all.forEach((call) => call()), { once: true });
    listening.set(signal, (waiting = all));
  }
  // A function of its own, so that one that is given twice is called twice.
  const call = () => then();
  waiting.add(call);
  return () => waiting.delete(call);
}

/** @throws the signal's reason if it has aborted. */
export function throwIfAborted(signal: Ending | undefined): void {
  if (signal?.aborted) throw signal.reason;
}

/** `promise`, or the signal's reason if that comes first. */
export function orAborted<T>(promise: PromiseLike<T>, signal: Ending | undefined): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const stop = onAbort(signal, () => reject(signal?.reason));
    promise.then(
      (value) => (stop(), resolve(value)),
      (error: unknown) => (stop(), reject(error)),
    );
  });
}

/** The longest time that a timer of JavaScript's can wait. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** Calls `then` after so many milliseconds; never after more than a timer can count. Returns how to stop that. */
export function after(milliseconds: number, then: () => void): () => void {
  if (milliseconds > LONGEST_TIMER) return () => {};
  const timer = setTimeout(then, milliseconds);
  return () => clearTimeout(timer);
}

/** As {@link after}, but a process that has nothing else to do does not wait for it. */
export function idle(milliseconds: number, then: () => void): () => void {
  const timer: unknown = setTimeout(then, milliseconds);
  const { Deno } = globalThis as { Deno?: { unrefTimer(timer: number): void } };
  if (typeof timer === 'number') Deno?.unrefTimer(timer);
  else (timer as { unref(): void }).unref();
  return () => clearTimeout(timer as number);
}
