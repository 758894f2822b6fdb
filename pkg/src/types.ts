/**
 * What goes in and what comes out: posts, pictures and analyses, nothing that runs. `api.ts` has what one calls.
 *
 * The labels are the bundle's. Types that name them take the names as `L`, by default those of the package's own bundle.
 */

import type { EngineAnalysis, StageTimings } from './analysis.js';
import type { MixedFeelingsError } from './errors.js';

export type * from './analysis.js';

/**
 * The class that is global by this name, where there is one: so these types compile with and without those of a browser.
 * A function that takes a `Known<'HTMLImageElement'>` takes none where TypeScript knows of none.
 */
export type Known<Name extends string> = typeof globalThis extends Record<Name, { prototype: infer Class }> ? Class : never;

/** The names of the labels in the bundle that comes with the package. */
export type SentimentLabel = 'negative' | 'neutral' | 'positive';

/** The probability of each label, by its name; they sum to one. */
export type Scores<L extends string = SentimentLabel> = Readonly<Record<L, number>>;

/** Milliseconds. A stage that was not needed took 0. */
export interface Timings extends StageTimings {
  /** From the call to the answer: waiting for its turn, fetching an image URL and messages included. */
  readonly total: number;
}

/** What a post feels, and why. */
export interface Analysis<L extends string = SentimentLabel> extends EngineAnalysis<L> {
  /**
   * Whose decoder read the picture: `'package'` gives the same pixels in every browser, `'browser'` what this one shows.
   * `null` without a picture.
   */
  readonly decodedBy: 'package' | 'browser' | null;
  readonly timings: Timings;
}

/**
 * A picture in any form that a page has it in; in Node.js, Deno and Bun a string may be a path. Files, URLs and bytes are decoded by the package's own decoder (JPEG,
 * PNG, WebP, GIF, BMP), so that every engine sees the same pixels, and by the browser's where the package has none
 * (AVIF, HEIC, JPEG XL, SVG, as far as the browser reads them). An `<img>` is read from the file behind it, where the page may
 * fetch that and it shows the same; one that is still loading is waited for. Other elements, canvases and bitmaps give their
 * pixels as they are at the call, scaled down by the browser where there are more than 16 million. Canvases and `ImageData` are copied at the call: wait for each when there are many. An `ImageData` of more
 * than 16 million pixels is averaged down. An empty string is no picture.
 */
export type ImageSource =
  | string
  | ArrayBuffer
  | ArrayBufferView
  | Known<'Blob'>
  | Known<'URL'>
  | Known<'HTMLImageElement'>
  | Known<'HTMLCanvasElement'>
  | Known<'OffscreenCanvas'>
  | Known<'ImageBitmap'>
  | Known<'ImageData'>;

/** How a call is made. */
export interface AnalyzeOptions {
  /** Gives up: the promise rejects with the signal's reason, and a download ends. */
  readonly signal?: Known<'AbortSignal'> | null | undefined;
  /** As in {@link AnalyzerOptions}, for this picture. */
  readonly timeout?: number | null | undefined;
}

/** A text, a picture, or both; what it says of how it is read counts where the call itself says nothing. */
export interface Post extends AnalyzeOptions {
  readonly text?: string | null | undefined;
  readonly image?: ImageSource | null | undefined;
}

/** One post of many: its analysis, or why there is none. */
export type BatchResult<L extends string = SentimentLabel> =
  /** `index` counts from 0, in the order of the posts. */
  | { readonly index: number; readonly analysis: Analysis<L>; readonly error: null }
  | { readonly index: number; readonly analysis: null; readonly error: MixedFeelingsError };

/** How far {@link Analyzer.analyzeBatch} has come. */
export interface BatchProgress {
  /** Posts that were answered, with an analysis or an error. */
  readonly done: number;
  /** Posts in all, where that is known: of an array, not of an iterator. */
  readonly total: number | null;
}

/** How many posts are read. */
export interface BatchOptions extends AnalyzeOptions {
  /** Told after each post. What it throws is logged once and stops nothing. */
  readonly onProgress?: ((progress: BatchProgress) => void) | null | undefined;
}
