/** The script of a thread of Node.js, Deno or Bun, or of a web worker of the latter two. */

import { parentPort } from 'node:worker_threads';

import { openEngine } from './engine.js';
import type { Request, Response } from './messages.js';
import { node } from './node.js';
import { serve } from './serve.js';

const scope = globalThis as unknown as {
  postMessage(message: Response): void;
  addEventListener(type: 'message' | 'messageerror', listener: (event: MessageEvent<Request>) => void): void;
};

// That a thread ended is heard of, so it needs no lock.
void serve(
  {
    send: (message) => (parentPort ?? scope).postMessage(message),
    listen(heard, lost) {
      if (parentPort) {
        parentPort.on('message', heard);
        parentPort.on('messageerror', lost);
      } else {
        scope.addEventListener('message', ({ data }) => heard(data));
        scope.addEventListener('messageerror', lost);
      }
    },
  },
  node.fetch,
  openEngine,
);
