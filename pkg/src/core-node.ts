/** `core.ts` for Node.js, Deno and Bun. */
import type { Library } from './api.js';
import { libraryOn } from './library.js';
import { node } from './node.js';

const library = libraryOn(node);

export const createAnalyzer: Library['createAnalyzer'] = library.createAnalyzer;
export const cached: Library['cached'] = library.cached;
export const clearCache: Library['clearCache'] = library.clearCache;
export { MixedFeelingsError } from './errors.js';
