/**
 * The same without any file of the package: the caller says where bundle and programs are, and brings the worker. For edge
 * runtimes, service workers, and whoever keeps the files elsewhere.
 */
import type { Library } from './api.js';
import { libraryOn } from './library.js';
import { web } from './web.js';

const library = libraryOn(web);

export const createAnalyzer: Library['createAnalyzer'] = library.createAnalyzer;
export const cached: Library['cached'] = library.cached;
export const clearCache: Library['clearCache'] = library.clearCache;
export { MixedFeelingsError, type ErrorCode } from './errors.js';
export type * from './api.js';
export type * from './types.js';
