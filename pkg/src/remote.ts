/** An engine in a web worker, seen from the page. */

import { after, onAbort, throwIfAborted } from './abort.js';
import type { Decoded } from './decoder.js';
import type { EngineAnalysis, EngineHandle, EngineOptions, ImageInput, TimedDecoded } from './engine.js';
import { MixedFeelingsError, shown } from './errors.js';
import { onDeath } from './locks.js';
import { fromMessage, transferables, type Call, type Opened, type Request, type Response } from './messages.js';
import type { Backend, Label, Progress } from './types.js';
import { Watchdog } from './watchdog.js';

/** The worker itself cannot run here: no `Worker`, or a content security policy that forbids it. */
export class NoWorkerError extends MixedFeelingsError {
  constructor(reason: string, options?: ErrorOptions) {
    super('worker-failed', `no web worker can be started: ${reason}`, { ...options, retriable: false });
  }
}

/** Opens an engine in a worker of its own. */
export async function openRemote(
  options: EngineOptions,
  onProgress: (progress: Progress) => void,
  signal?: AbortSignal,
): Promise<EngineHandle> {
  throwIfAborted(signal);
  const thread = new Thread(startWorker());
  try {
    return new RemoteEngine(thread, await open(thread, options, onProgress, signal), options.patience);
  } catch (error) {
    thread.stop();
    throw error;
  }
}

function startWorker(): Worker {
  if (typeof Worker !== 'function') throw new NoWorkerError('there is no Worker here');
  try {
    return new Worker(new URL('./worker.js', import.meta.url), { type: 'module', name: 'mixed-feelings' });
  } catch (cause) {
    // A worker must be of the page's origin. Served from elsewhere, it comes in through an import.
    const script = new URL('./worker.js', import.meta.url).href;
    const entry = URL.createObjectURL(new Blob([`import ${JSON.stringify(script)};`], { type: 'text/javascript' }));
    try {
      return new Worker(entry, { type: 'module', name: 'mixed-feelings' });
    } catch {
      throw new NoWorkerError(shown(cause), { cause });
    } finally {
      // The worker has taken hold of its script by now in every engine only after a turn of the event loop.
      setTimeout(() => URL.revokeObjectURL(entry), 60_000);
    }
  }
}

/** A worker that is watched: however it goes, that is heard of. */
class Thread {
  /** Why it is no more. */
  dead: MixedFeelingsError | undefined;
  /** Called with each message, and once when it is dead. */
  heard: (response: Response) => void = () => {};
  died: (reason: MixedFeelingsError) => void = () => {};
  #running = false;
  readonly #watching = new AbortController();
  readonly #watchdog = new Watchdog(
    () => this.post({ type: 'ask' }),
    (milliseconds) => this.#die(`it did not say anything for ${Math.round(milliseconds)} ms`),
  );

  constructor(readonly worker: Worker) {
    const on = { signal: this.#watching.signal };
    worker.addEventListener('error', ({ message }) => this.#die(shown(message || 'its script cannot be loaded')), on);
    worker.addEventListener('messageerror', () => this.#die('an answer got lost'), on);
    // No browser sends it; what brings workers to Node may.
    worker.addEventListener('close', () => this.#die('it was ended'), on);
    worker.addEventListener('message', ({ data }: MessageEvent<Response>) => this.#hear(data), on);
  }

  post(message: Request, transfer: Transferable[] = []): void {
    this.worker.postMessage(message, transfer);
  }

  /** Something is to come within so many milliseconds of work, or the thread is taken for stuck. Returns what ends that. */
  expect(patience: number): () => void {
    return this.#watchdog.expect(patience);
  }

  /** Ends it, for the reason that is given or for none. */
  stop(reason?: MixedFeelingsError): void {
    this.#watching.abort();
    this.#watchdog.end();
    this.worker.terminate();
    if (!reason || this.dead) return;
    this.dead = reason;
    this.died(reason);
  }

  #hear(response: Response): void {
    this.#watchdog.heard();
    if (response.type === 'hello') {
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

async function open(
  thread: Thread,
  options: EngineOptions,
  onProgress: (progress: Progress) => void,
  signal: AbortSignal | undefined,
): Promise<Opened> {
  let forget = () => {};
  let said = () => {};
  let arrived = () => {};
  try {
    return await new Promise<Opened>((resolve, reject) => {
      forget = onAbort(signal, () => reject(signal?.reason));
      said = after(options.hello, () => reject(new NoWorkerError(`it did not say anything for ${options.hello} ms`)));
      thread.died = reject;
      thread.heard = (response) => {
        if (response.type === 'hello') {
          said();
          // Only now, so that nothing is sent to a worker that never comes up.
          thread.post({ type: 'open', options });
          arrived = thread.expect(options.patience);
        } else if (response.type === 'progress') onProgress(response.progress);
        else if (response.type === 'opened') resolve(response.opened);
        else if (response.type === 'not-opened') reject(fromMessage(response.error));
      };
    });
  } finally {
    forget();
    said();
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
  readonly labels: readonly Label<string>[];
  readonly backend: Backend;
  readonly end: Promise<void>;
  readonly #pending = new Map<number, Pending>();
  #next = 0;
  #ended = () => {};

  constructor(
    private readonly thread: Thread,
    { labels, backend }: Opened,
    private readonly patience: number,
  ) {
    this.labels = labels;
    this.backend = backend;
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

  analyze(text: string | undefined, picture: Decoded | undefined): Promise<EngineAnalysis> {
    return this.#call({ method: 'analyze', text, picture });
  }

  dispose(): void {
    this.thread.stop(new MixedFeelingsError('disposed', 'the analyzer was disposed of'));
  }

  #call<T>(call: Call, patience = this.patience): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.thread.dead) throw this.thread.dead;
      const id = this.#next++;
      try {
        this.thread.post({ type: 'call', id, call }, transferables(call));
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
