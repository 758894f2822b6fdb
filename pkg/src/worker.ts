/** The worker's script: one engine, one call at a time, in the order in which they come. */

import { openEngine, type EngineHandle } from './engine.js';
import { holdForLife } from './locks.js';
import { toMessage, type Call, type Request, type Response } from './messages.js';

/** The global scope of a worker, as far as it is needed; the DOM's types describe a window's. */
const scope = globalThis as unknown as {
  postMessage(message: Response): void;
  addEventListener(type: 'message' | 'messageerror', listener: (event: MessageEvent<Request>) => void): void;
};

let engine: EngineHandle | undefined;

async function answer(request: Request): Promise<void> {
  if (request.type === 'ask') return scope.postMessage({ type: 'here' });
  if (request.type === 'open') {
    try {
      engine = await openEngine(request.options, (progress) => scope.postMessage({ type: 'progress', progress }));
      const { labels, backend } = engine;
      scope.postMessage({ type: 'opened', opened: { labels, backend } });
    } catch (error) {
      scope.postMessage({ type: 'not-opened', error: toMessage(error) });
    }
    return;
  }
  const { id, call } = request;
  try {
    if (!engine) throw new Error('the page asks before it has opened');
    scope.postMessage({ type: 'answer', id, answer: await done(engine, call) });
  } catch (error) {
    scope.postMessage({ type: 'failure', id, error: toMessage(error) });
  }
}

function done(engine: EngineHandle, call: Call): Promise<unknown> {
  switch (call.method) {
    case 'loadDecoder':
      return engine.loadDecoder();
    case 'inspect':
      return engine.inspect(call.head);
    case 'decode':
      return engine.decode(call.image);
    case 'analyze':
      return engine.analyze(call.text, call.picture);
  }
}

scope.addEventListener('message', (event) => void answer(event.data));
scope.addEventListener('messageerror', () => {
  // Nobody knows which: the page hears of it as an error of the worker, and ends all that wait.
  throw new Error('a question got lost');
});
void holdForLife().then((lock) => scope.postMessage({ type: 'hello', lock }));
