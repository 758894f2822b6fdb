/** A worker as the page uses it, whichever kind it is: a web worker, or a thread of `node:worker_threads`. */

import type { WorkerLike } from './api.js';
import type { Request, Response } from './messages.js';

/** What is told of a worker. */
export interface Listener {
  heard(response: Response): void;
  failed(reason: string): void;
}

/** The way to a worker. */
export interface Wire {
  send(message: Request, transfer: Transferable[]): void;
  /** Whether the process must wait for it: threads of Node.js that have nothing to do should not hold it up. */
  hold(busy: boolean): void;
  /** Ends it; nothing more is told. */
  end(): void;
}

/** `worker` as it may be. */
interface AnyWorker extends WorkerLike {
  addEventListener?: Worker['addEventListener'];
  on?(event: string, listener: (value: never) => void): void;
  ref?(): void;
  unref?(): void;
}

/** Listens to `worker`. */
export function wireTo(worker: AnyWorker, listener: Listener): Wire {
  let open = true;
  const failed = (reason: string) => open && listener.failed(reason);
  const heard = (response: Response) => open && listener.heard(response);
  const loaded = (message: unknown) => String(message || 'its script cannot be loaded');
  if (worker.addEventListener) {
    worker.addEventListener('error', ({ message }: ErrorEvent) => failed(loaded(message)));
    worker.addEventListener('messageerror', () => failed('an answer got lost'));
    // No browser sends it; what brings workers to Node.js may.
    worker.addEventListener('close' as 'error', () => failed('it was ended'));
    worker.addEventListener('message', ({ data }: MessageEvent<Response>) => heard(data));
  } else {
    worker.on?.('error', (error: Error) => failed(loaded(error?.message)));
    worker.on?.('messageerror', () => failed('an answer got lost'));
    worker.on?.('exit', () => failed('it was ended'));
    worker.on?.('message', heard);
  }
  return {
    send: (message, transfer) => worker.postMessage(message, transfer),
    hold: (busy) => (busy ? worker.ref?.() : worker.unref?.()),
    end() {
      open = false;
      void worker.terminate();
    },
  };
}
