/** What a worker's script does: one engine, one call at a time, in the order in which they come. */

import type { Progress } from './api.js';
import type { EngineHandle, EngineOptions, OpenContext } from './engine.js';
import { toMessage, type Call, type Request, type Response } from './messages.js';
import type { Fetch } from './platform.js';

/** The way to the page. */
export interface Port {
  send(message: Response): void;
  listen(heard: (request: Request) => void, lost: () => void): void;
}

/** Opens the engine of this thread. */
export type OpenHere = (options: EngineOptions, context: OpenContext) => Promise<EngineHandle>;

/** Answers what comes through `port`. `lock` is the Web Lock that it holds for as long as it lives, if there are any. */
export async function serve(port: Port, fetch: Fetch, open: OpenHere, lock?: Promise<string | undefined>): Promise<void> {
  let engine: EngineHandle | undefined;

  async function answer(request: Request): Promise<void> {
    if (request.type === 'ask') return port.send({ type: 'hello', lock: await lock });
    if (request.type === 'open') {
      try {
        const onProgress = (progress: Progress) => port.send({ type: 'progress', progress });
        engine = await open(request.options, { fetch, onProgress, why: 'this is the worker' });
        port.send({ type: 'opened', opened: engine.opened });
      } catch (error) {
        port.send({ type: 'not-opened', error: toMessage(error) });
      }
      return;
    }
    const { id, call } = request;
    try {
      if (!engine) throw new Error('the page asks before it has opened');
      port.send({ type: 'answer', id, answer: await done(engine, call) });
    } catch (error) {
      port.send({ type: 'failure', id, error: toMessage(error) });
    }
  }

  port.listen(
    (request) => void answer(request),
    () => {
      // Nobody knows which: the page hears of it as an error of the worker, and ends all that wait.
      throw new Error('a question got lost');
    },
  );
  port.send({ type: 'hello', lock: await lock });
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
    case 'readExample':
      return engine.readExample(call.text, call.picture);
    case 'learn':
      return engine.learn(call.lessons);
    case 'setProfile':
      return engine.setProfile(call.profile);
    case 'analyzeMany':
      return engine.analyzeMany(call.posts);
    case 'memory':
      return engine.memory();
  }
}
