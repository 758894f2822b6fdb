/** The same for Node.js, Deno and Bun. */
import type { Library } from './api.js';
import { assets } from './assets.js';
import { libraryOn } from './library.js';
import { startNodeWorker } from './node-worker.js';
import { node } from './node.js';

const library = libraryOn({
  ...node,
  assets,
  startWorker: startNodeWorker,
});

export const createAnalyzer: Library['createAnalyzer'] = library.createAnalyzer;
export const cached: Library['cached'] = library.cached;
export const clearCache: Library['clearCache'] = library.clearCache;
export { MixedFeelingsError } from './errors.js';
