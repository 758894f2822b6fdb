/** The web worker's script. */

import { holdForLife } from './locks.js';
import type { Request, Response } from './messages.js';
import { serve } from './serve.js';
import { web } from './web.js';

/** The global scope of a worker, as far as it is needed; the DOM's types describe a window's. */
const scope = globalThis as unknown as {
  postMessage(message: Response): void;
  addEventListener(type: 'message' | 'messageerror', listener: (event: MessageEvent<Request>) => void): void;
};

const port = {
  send: (message: Response) => scope.postMessage(message),
  listen(heard: (request: Request) => void, lost: () => void) {
    scope.addEventListener('message', ({ data }) => heard(data));
    scope.addEventListener('messageerror', lost);
  },
};
void serve(port, web.fetch, holdForLife());
