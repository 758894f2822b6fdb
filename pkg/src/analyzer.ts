/** The facade: options with their defaults, and each post on its way through. */

import { onAbort, orAborted, throwIfAborted } from './abort.js';
import { openEngine, type EngineHandle } from './engine.js';
import { MixedFeelingsError, seen, shown } from './errors.js';
import { takePicture } from './image.js';
import { postOf, settingsOf, type Settings } from './options.js';
import { Preparer } from './prepare.js';
import { NoWorkerError, openRemote } from './remote.js';
import { Supervisor } from './supervisor.js';
import type { Analysis, Analyzer, AnalyzerOptions, Label, Post, Progress, SentimentLabel } from './types.js';

/** Milliseconds that another worker may take to say that it runs: the script is in the browser's cache. */
const HELLO_AGAIN = 3000;

/**
 * Loads the model. Everything is chosen by itself: the program that suits the engine, a worker, the bundle that comes
 * with the package, the cache.
 *
 * `L` is for TypeScript alone: the names of the labels in a `bundle` of your own, `string` where they are not known
 * beforehand. `analyzer.labels` says what they are.
 *
 * @throws {MixedFeelingsError} when the bundle or the program cannot be had; the signal's reason when it is aborted.
 */
export async function createAnalyzer<L extends string = SentimentLabel>(
  options?: AnalyzerOptions | null,
): Promise<Analyzer<L>> {
  const settings = seen(() => settingsOf(options));
  const engine = await openWhereItRuns(settings, settings.onProgress, settings.signal);
  const again = { ...settings, engine: { ...settings.engine, hello: Math.min(HELLO_AGAIN, settings.engine.hello) } };
  const supervisor = new Supervisor(engine, (signal) => openWhereItRuns(again, () => {}, signal));
  return analyzerOf<L>(supervisor, settings);
}

/** In a worker if that is wanted; here if not, or if nobody insists and no worker starts. */
async function openWhereItRuns(
  { engine, worker }: Settings,
  onProgress: (progress: Progress) => void,
  signal: AbortSignal | undefined,
): Promise<EngineHandle> {
  if (worker === false) return openEngine(engine, onProgress, signal);
  try {
    return await openRemote(engine, onProgress, signal);
  } catch (error) {
    if (worker === true || !(error instanceof NoWorkerError)) throw error;
    return openEngine(engine, onProgress, signal);
  }
}

/** An object of functions that need no `this`, frozen: it works in pieces, behind a proxy, and in a store of Vue's. */
function analyzerOf<L extends string>(supervisor: Supervisor, { browserDecoder, timeout }: Settings): Analyzer<L> {
  const preparer = new Preparer(supervisor);
  const disposed = new AbortController();
  const labels = Object.freeze(supervisor.engine.labels.map((label) => Object.freeze(label))) as readonly Label<L>[];

  async function analyze(post: Post): Promise<Analysis<L>> {
    const began = performance.now();
    const given = seen(() => postOf(post));
    const ending = new AbortController();
    const end = (signal: AbortSignal | undefined) => onAbort(signal, () => ending.abort(signal?.reason));
    const stops = seen(() => [disposed.signal, given.signal].map(end));
    const { signal } = ending;
    try {
      throwIfAborted(signal);
      // The picture is taken at once, while it is what the caller sees.
      const picture = given.image === undefined ? undefined : seen(() => takePicture(given.image!, signal));
      const preparing = picture && preparer.prepare(picture, { timeout: given.timeout ?? timeout, signal, browserDecoder });
      const prepared = preparing && (await orAborted(preparing, signal));
      const reading = supervisor.run((engine) => engine.analyze(given.text, prepared), { picture: false, signal });
      const { timings, ...analysis } = await orAborted(reading, signal);
      return {
        ...analysis,
        decodedBy: prepared?.decodedBy ?? null,
        timings: { ...timings, decode: timings.decode + (prepared?.decode ?? 0), total: performance.now() - began },
      } as Analysis<L>;
    } catch (cause) {
      if (signal.aborted || cause instanceof MixedFeelingsError) throw cause;
      throw new MixedFeelingsError('crashed', `nobody foresaw this: ${shown(cause)}`, { cause });
    } finally {
      stops.forEach((stop) => stop());
      ending.abort();
    }
  }

  return Object.freeze({
    labels,
    get backend() {
      return supervisor.engine.backend;
    },
    get worker() {
      return supervisor.engine.worker;
    },
    analyze,
    dispose() {
      disposed.abort(new MixedFeelingsError('disposed', 'the analyzer was disposed of'));
      supervisor.dispose();
    },
  });
}
