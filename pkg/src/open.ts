/** Where an engine runs: in a worker, or in this thread; why; and who is told. */

import type { AnalyzerOptions, WorkerLike } from './api.js';
import { openEngine, type EngineHandle } from './engine.js';
import type { GatherContext } from './gather.js';
import { isWorker, type Settings } from './options.js';
import type { Platform } from './platform.js';
import { openRemote, type Start } from './remote.js';
import { NoWorkerError } from './thread.js';

/** Opens one, as often as one must be. */
export type OpenAgain = (engine: Settings['engine'], context: Omit<GatherContext, 'fetch' | 'ownFetch'>) => Promise<EngineHandle>;

/** What opens engines for an analyzer. */
export function opener({ worker, fetch, ownFetch }: Settings, platform: Platform): OpenAgain {
  const start = startOf(worker, platform);
  return async (engine, context) => {
    const here = (why: string) => openEngine(engine, { ...context, fetch, why });
    if (typeof start === 'string') return here(start);
    try {
      return await openRemote(start, engine, { ...context, fetch, ownFetch });
    } catch (error) {
      if ((worker ?? undefined) !== undefined || !(error instanceof NoWorkerError)) throw error;
      tell(error.message);
      return here(error.message);
    }
  };
}

/** How a worker is started, or why none is. */
function startOf(worker: AnalyzerOptions['worker'], { startWorker }: Platform): Start | string {
  if (worker === false) return 'worker: false was given';
  if (typeof worker === 'function') return { worker: () => workerOf(worker()), why: 'a worker of the caller\'s', running: true };
  if (isWorker(worker)) return { worker: once(worker), why: 'the worker that was given', running: true };
  if (startWorker) return { worker: startWorker, why: 'there are workers here', running: false };
  if (worker === true) return { worker: missing, why: '', running: false };
  return 'there are no workers here, or none was given';
}

function missing(): never {
  throw new NoWorkerError('there is none here: give a Worker that runs mixed-feelings/worker, or a function that starts one');
}

function workerOf(worker: unknown): WorkerLike {
  if (isWorker(worker)) return worker;
  throw new NoWorkerError('the function that was given as worker returned none');
}

function once(worker: WorkerLike): () => WorkerLike {
  let used = false;
  return () => {
    if (used) throw new NoWorkerError('the one that was given is gone; only a function could start another');
    used = true;
    return worker;
  };
}

let told = false;

/** Nobody asked for a page that stutters, and nothing else would show why it does. Once is enough. */
function tell(reason: string): void {
  if (!told) console.warn(`mixed-feelings works in the page's own thread, which may stutter meanwhile: ${reason}`);
  told = true;
}
