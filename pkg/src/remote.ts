/** An engine in a web worker, seen from the page. */

import type { EngineAnalysis, EngineHandle, EngineOptions, PreparedPost } from './engine.js';
import { MixedFeelingsError } from './errors.js';
import { fromMessage, transferables, type Opened, type Request, type Response } from './messages.js';
import type { Backend, Label, Progress } from './types.js';

interface Pending {
  readonly resolve: (analysis: EngineAnalysis) => void;
  readonly reject: (error: Error) => void;
}

/** The worker itself cannot run here: no `Worker`, or a content security policy that forbids it. */
export class NoWorkerError extends MixedFeelingsError {
  constructor(reason: string, options?: ErrorOptions) {
    super('worker-failed', `no web worker can be started: ${reason}`, options);
  }
}

/** Opens an engine in a worker of its own. */
export async function openRemote(
  options: EngineOptions,
  onProgress: (progress: Progress) => void,
  signal?: AbortSignal,
): Promise<EngineHandle> {
  signal?.throwIfAborted();
  const worker = startWorker();
  try {
    return new RemoteEngine(worker, await open(worker, options, onProgress, signal));
  } catch (error) {
    worker.terminate();
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
      throw new NoWorkerError(String(cause), { cause });
    } finally {
      // The worker has taken hold of its script by now in every engine only after a turn of the event loop.
      setTimeout(() => URL.revokeObjectURL(entry), 60_000);
    }
  }
}

function open(
  worker: Worker,
  options: EngineOptions,
  onProgress: (progress: Progress) => void,
  signal: AbortSignal | undefined,
): Promise<Opened> {
  return new Promise<Opened>((resolve, reject) => {
    const listening = new AbortController();
    const end = <T>(settle: (value: T) => void) => (value: T) => {
      listening.abort();
      settle(value);
    };
    const opened = end(resolve);
    const failed = end(reject);
    let running = false;
    const on = { signal: listening.signal };
    signal?.addEventListener('abort', () => failed(signal.reason), on);
    worker.addEventListener('error', (event) => failed(running ? workerFailed(event) : new NoWorkerError(reason(event))), on);
    worker.addEventListener(
      'message',
      ({ data }: MessageEvent<Response>) => {
        if (data.type === 'hello') {
          running = true;
          // Only now, so that a bundle given as bytes is still here if the worker never comes up.
          send(worker, { type: 'open', options });
        } else if (data.type === 'progress') onProgress(data.progress);
        else if (data.type === 'opened') opened(data.opened);
        else if (data.type === 'not-opened') failed(fromMessage(data.error));
      },
      on,
    );
  });
}

class RemoteEngine implements EngineHandle {
  readonly worker = true;
  readonly labels: readonly Label<string>[];
  readonly backend: Backend;
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  #next = 0;
  /** Why no more questions are taken. */
  #closed: MixedFeelingsError | undefined;

  constructor(worker: Worker, { labels, backend }: Opened) {
    this.labels = labels;
    this.backend = backend;
    this.#worker = worker;
    worker.addEventListener('message', ({ data }: MessageEvent<Response>) => this.#receive(data));
    worker.addEventListener('error', (event) => this.#close(workerFailed(event)));
    worker.addEventListener('messageerror', () => this.#close(new MixedFeelingsError('worker-failed', 'an answer got lost')));
  }

  analyze(post: PreparedPost): Promise<EngineAnalysis> {
    return new Promise((resolve, reject) => {
      if (this.#closed) {
        reject(this.#closed);
        return;
      }
      const id = this.#next++;
      send(this.#worker, { type: 'analyze', id, post });
      this.#pending.set(id, { resolve, reject });
    });
  }

  dispose(): void {
    this.#close(new MixedFeelingsError('disposed', 'the analyzer was disposed of'));
  }

  #receive(response: Response): void {
    if (response.type !== 'answer' && response.type !== 'failure') return;
    const pending = this.#pending.get(response.id);
    this.#pending.delete(response.id);
    if (response.type === 'answer') pending?.resolve(response.analysis);
    else pending?.reject(fromMessage(response.error));
  }

  #close(error: MixedFeelingsError): void {
    this.#closed ??= error;
    this.#worker.terminate();
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }
}

function send(worker: Worker, request: Request): void {
  worker.postMessage(request, transferables(request));
}

function workerFailed(event: ErrorEvent): MixedFeelingsError {
  return new MixedFeelingsError('worker-failed', `the worker broke down, create a new analyzer: ${reason(event)}`);
}

function reason(event: ErrorEvent): string {
  return event.message || 'its script cannot be loaded';
}
