/** A worker that is watched, so that however it goes is heard of. */

import type { WorkerLike } from './api.js';
import { MixedFeelingsError, shown } from './errors.js';
import { onDeath } from './locks.js';
import type { Request, Response } from './messages.js';
import { Watchdog } from './watchdog.js';
import { wireTo, type Wire } from './wire.js';

/** The worker itself cannot run here: no `Worker`, or a content security policy that forbids it. */
export class NoWorkerError extends MixedFeelingsError {
  constructor(reason: string, options?: ErrorOptions) {
    super('worker-failed', `no web worker can be started: ${reason}`, { ...options, retriable: false });
  }
}

/** A worker that is watched: however it goes, that is heard of. */
export class Thread {
  /** Why it is no more. */
  dead: MixedFeelingsError | undefined;
  /** Called with each message, and once when it is dead. */
  heard: (response: Response) => void = () => {};
  died: (reason: MixedFeelingsError) => void = () => {};
  #running = false;
  readonly #watching = new AbortController();
  readonly #wire: Wire;
  #expected = 0;
  readonly #watchdog = new Watchdog(
    () => this.send({ type: 'ask' }),
    (milliseconds) => this.#die(`it did not say anything for ${Math.round(milliseconds)} ms`),
  );

  constructor(worker: WorkerLike) {
    this.#wire = wireTo(worker, { heard: (response) => this.#hear(response), failed: (reason) => this.#die(shown(reason)) });
  }

  send(message: Request, transfer: Transferable[] = []): void {
    this.#wire.send(message, transfer);
  }

  /** Something is to come within so many milliseconds of work, or the thread is taken for stuck. Returns what ends that. */
  expect(patience: number): () => void {
    if (++this.#expected === 1) this.#wire.hold(true);
    const arrived = this.#watchdog.expect(patience);
    return () => {
      arrived();
      if (--this.#expected === 0) this.#wire.hold(false);
    };
  }

  /** Ends it, for the reason that is given or for none. */
  stop(reason?: MixedFeelingsError): void {
    this.#watching.abort();
    this.#watchdog.end();
    this.#wire.end();
    if (!reason || this.dead) return;
    this.dead = reason;
    this.died(reason);
  }

  #hear(response: Response): void {
    this.#watchdog.heard();
    if (response.type === 'hello' && !this.#running) {
      this.#running = true;
      // Nothing tells a page that a worker closed itself or was killed, but its lock is free then.
      if (response.lock) onDeath(response.lock, this.#watching.signal, () => this.#die('it was ended'));
    }
    this.heard(response);
  }

  #die(reason: string): void {
    const failure = new MixedFeelingsError('worker-failed', `the worker broke down: ${reason}`);
    this.stop(this.#running ? failure : new NoWorkerError(reason));
  }
}
