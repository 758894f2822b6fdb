/** The page, as the script of a web worker sees it. */

import type { Request, Response } from './messages.js';
import type { Port } from './serve.js';

/** The global scope of a worker, as far as it is needed; the DOM's types describe a window's. */
const scope = globalThis as unknown as {
  postMessage(message: Response): void;
  addEventListener(type: 'message' | 'messageerror', listener: (event: MessageEvent<Request>) => void): void;
};

export const port: Port = {
  send: (message) => scope.postMessage(message),
  listen(heard, lost) {
    scope.addEventListener('message', ({ data }) => heard(data));
    scope.addEventListener('messageerror', lost);
  },
};
