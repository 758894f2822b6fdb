/** An engine in a web worker, seen from the page. */

import { after, onAbort, throwIfAborted } from './abort.js';
import type { Progress, WorkerLike } from './api.js';
import type { Decoded } from './decoder.js';
import type {
  EngineHandle,
  EngineOptions,
  EnginePost,
  ImageInput,
  Learned,
  Lesson,
  Opened,
  Refused,
  SentOptions,
  TimedAnalysis,
  TimedDecoded,
} from './engine.js';
import { MixedFeelingsError, shown } from './errors.js';
import { gathered, type GatherContext } from './gather.js';
import { fromMessage, transferables, type Call, type Response } from './messages.js';
import { NoWorkerError, Thread } from './thread.js';

/** How a worker comes to run. */
export interface Start {
  /** @throws what the runtime does when it lets none run. */
  readonly worker: () => WorkerLike;
  /** Why it is this one. */
  readonly why: string;
  /** Whether it may have been running for a while, so that its hello is not heard. */
  readonly running: boolean;
}

/** Opens an engine in a worker of its own. */
export async function openRemote(start: Start, options: EngineOptions, context: GatherContext): Promise<EngineHandle> {
  const { signal, onProgress } = context;
  throwIfAborted(signal);
  let worker: WorkerLike;
  try {
    worker = start.worker();
  } catch (cause) {
    throw cause instanceof NoWorkerError ? cause : new NoWorkerError(shown(cause), { cause });
  }
  const thread = new Thread(worker);
  try {
    await hello(thread, options.hello, start.running, signal);
    const sent = await gathered(options, context);
    return new RemoteEngine(thread, await open(thread, sent, onProgress, signal), options.patience, start.why);
  } catch (error) {
    thread.stop();
    throw error;
  }
}

/** Waits until its script runs, so that nothing is sent to a worker that never comes up. */
async function hello(thread: Thread, patience: number, ask: boolean, signal: AbortSignal | undefined): Promise<void> {
  let stops: (() => void)[] = [];
  try {
    await new Promise<void>((resolve, reject) => {
      stops = [
        onAbort(signal, () => reject(signal?.reason)),
        after(patience, () => reject(new NoWorkerError(`it did not say anything for ${patience} ms`))),
      ];
      thread.died = reject;
      thread.heard = ({ type }) => type === 'hello' && resolve();
      if (ask) thread.send({ type: 'ask' });
    });
  } finally {
    stops.forEach((stop) => stop());
  }
}

async function open(
  thread: Thread,
  options: SentOptions,
  onProgress: (progress: Progress) => void,
  signal: AbortSignal | undefined,
): Promise<Opened> {
  let forget = () => {};
  const arrived = thread.expect(options.patience);
  try {
    return await new Promise<Opened>((resolve, reject) => {
      forget = onAbort(signal, () => reject(signal?.reason));
      thread.died = reject;
      thread.heard = (response) => {
        if (response.type === 'progress') onProgress(response.progress);
        else if (response.type === 'opened') resolve(response.opened);
        else if (response.type === 'not-opened') reject(fromMessage(response.error));
      };
      if (thread.dead) throw thread.dead;
      thread.send({ type: 'open', options });
    });
  } finally {
    forget();
    arrived();
  }
}

interface Pending {
  readonly resolve: (answer: never) => void;
  readonly reject: (error: Error) => void;
  /** It is not expected any more. */
  readonly arrived: () => void;
}

class RemoteEngine implements EngineHandle {
  readonly worker = true;
  readonly end: Promise<void>;
  readonly #pending = new Map<number, Pending>();
  #next = 0;
  #ended = () => {};

  constructor(
    private readonly thread: Thread,
    readonly opened: Opened,
    private readonly patience: number,
    readonly why: string,
  ) {
    this.end = new Promise((resolve) => (this.#ended = resolve));
    thread.heard = (response) => this.#receive(response);
    thread.died = (reason) => this.#fail(reason);
    // It may have gone between its last word and this one.
    if (thread.dead) this.#fail(thread.dead);
  }

  get gone(): boolean {
    return this.thread.dead !== undefined;
  }

  loadDecoder(): Promise<void> {
    return this.#call({ method: 'loadDecoder' });
  }

  inspect(head: Uint8Array<ArrayBuffer>): Promise<void> {
    return this.#call({ method: 'inspect', head });
  }

  decode(image: ImageInput, patience?: number): Promise<TimedDecoded> {
    return this.#call({ method: 'decode', image }, patience);
  }

  analyze(text: string | undefined, picture: Decoded | undefined): Promise<TimedAnalysis> {
    return this.#call({ method: 'analyze', text, picture });
  }

  readExample(text: string | undefined, picture: Decoded | undefined): Promise<Float32Array> {
    return this.#call({ method: 'readExample', text, picture });
  }

  learn(lessons: readonly Lesson[]): Promise<Learned> {
    return this.#call({ method: 'learn', lessons });
  }

  setProfile(profile: Uint8Array | undefined): Promise<number> {
    return this.#call({ method: 'setProfile', profile });
  }

  analyzeMany(posts: readonly EnginePost[]): Promise<readonly (TimedAnalysis | Refused)[]> {
    return this.#call({ method: 'analyzeMany', posts });
  }

  memory(): Promise<number> {
    return this.#call({ method: 'memory' });
  }

  dispose(): void {
    this.thread.stop(new MixedFeelingsError('disposed', 'the analyzer was disposed of'));
  }

  #call<T>(call: Call, patience = this.patience): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.thread.dead) throw this.thread.dead;
      const id = this.#next++;
      try {
        this.thread.send({ type: 'call', id, call }, transferables(call));
      } catch (cause) {
        const message = `the post cannot be sent to the worker: ${shown(cause)}`;
        throw new MixedFeelingsError('image-memory', message, { cause });
      }
      this.#pending.set(id, { resolve, reject, arrived: this.thread.expect(patience) });
    });
  }

  #receive(response: Response): void {
    if (response.type !== 'answer' && response.type !== 'failure') return;
    const pending = this.#pending.get(response.id);
    this.#pending.delete(response.id);
    pending?.arrived();
    if (response.type === 'answer') {
      pending?.resolve(response.answer as never);
      return;
    }
    const error = fromMessage(response.error);
    pending?.reject(error);
    // Its program is of no use any more.
    if (error.code === 'crashed') this.thread.stop(error);
  }

  #fail(error: MixedFeelingsError): void {
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
    this.#ended();
  }
}
