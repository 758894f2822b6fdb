/**
 * What a post feels, text and picture together, without anything leaving the page: for pages, bundled or not.
 *
 * @example
 * import { createAnalyzer } from 'mixed-feelings';
 * const analyzer = await createAnalyzer();
 * const { label, contradiction } = await analyzer.analyze({ text: 'Perfect solitude', image: file });
 */
import type { Library } from './api.js';
import { assets } from './assets.js';
import { libraryOn } from './library.js';
import { startGpuWorker, startWebWorker } from './web-worker.js';
import { web } from './web.js';

const library = libraryOn({
  ...web,
  assets,
  // Looked up at each call: to import this has no effect, and needs nothing.
  get startWorker() {
    return typeof Worker === 'function' ? startWebWorker : undefined;
  },
  get startGpuWorker() {
    return typeof Worker === 'function' ? startGpuWorker : undefined;
  },
});

export const createAnalyzer: Library['createAnalyzer'] = library.createAnalyzer;
export const cached: Library['cached'] = library.cached;
export const clearCache: Library['clearCache'] = library.clearCache;
export { MixedFeelingsError, type ErrorCode } from './errors.js';
export type * from './api.js';
export type * from './types.js';
